"""The simulated carrier against a real server on this machine."""

import asyncio

import pytest
from aiohttp import web
from sim.carrier_bot import Bot, ToyVoice, mark, media, serving

from trunkline.sim.caller import HangUp, Listen, Say, WaitForHangUp
from trunkline.sim.carrier.account import AUTH_TOKEN
from trunkline.sim.serve_carrier import Carrier, CarrierOptions, serve_carrier
from trunkline.wire.webhooks import Form, is_signed

pytestmark = pytest.mark.anyio

TO, FROM = "+15550100001", "+15550100002"
GREETING = bytes([7]) * 3200  # 400 ms


def options(bot: Bot) -> CarrierOptions:
    return CarrierOptions(
        voice=ToyVoice(),
        voice_url=f"{bot.url}/voice",
        fallback_url=f"{bot.url}/fallback",
        status_url=f"{bot.url}/status",
        seed=1,
    )


async def greet(socket: web.WebSocketResponse, sid: str) -> None:
    await socket.send_str(media(sid, GREETING))
    await socket.send_str(mark(sid, "greeting"))


async def test_a_whole_call_over_sockets() -> None:
    """Webhook, stream, greeting, caller's words, hang-up, status: all as Twilio does it."""
    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.talk = greet
        bot.documents["/voice"] = bot.stream(parameters='<Parameter name="ticket" value="t1"/>')
        script = [Listen(until_silence_ms=100), Say("hello there"), HangUp()]
        report = await carrier.place_call(to=TO, from_=FROM, script=script)
        assert report.status == "completed"
        assert report.ended_by == "caller"
        assert bytes(report.turns[0].played) == GREETING
        assert report.warnings == {}
        assert report.answer_ms is not None
        assert report.answer_ms < 200
        await wait_for(lambda: "/status" in bot.paths() and bot.open_sockets == 0)
    events = bot.events()
    assert events[:2] == ["connected", "start"]
    assert events[-1] == "stop"
    assert "mark" in events
    frames = [message for message in bot.messages if message["event"] == "media"]
    assert [frame["sequenceNumber"] for frame in frames[:3]] == ["2", "3", "4"]
    voice = bot.seen[0]
    signature = voice["headers"]["X-Twilio-Signature"]
    assert is_signed(f"{bot.url}/voice", voice["form"], signature, [AUTH_TOKEN])
    upgrade = bot.upgrades[0]
    assert is_signed(bot.wss, Form(), upgrade["X-Twilio-Signature"], [AUTH_TOKEN])
    assert upgrade["User-Agent"] == "Twilio.TmeWs/1.0"
    assert "Sec-WebSocket-Protocol" not in upgrade
    assert "Sec-WebSocket-Extensions" not in upgrade


async def wait_for(holds: "object") -> None:
    """Wait until something becomes true, at most 5 s."""
    assert callable(holds)
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.005)
