"""The simulated carrier against a real server on this machine."""

import asyncio
import gc
import json
import ssl
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from sim.carrier_bot import Bot, ToyVoice, clear, mark, media, serving, wait_for
from trunkline.errors import SettingsError
from trunkline.sim.caller import HangUp, Interrupt, Listen, Pause, Say, Script, WaitForHangUp
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN, Callee
from trunkline.sim.carrier.events import Request
from trunkline.sim.carrier.faults import Faults, Garbage
from trunkline.sim.carrier.resources import CalleeBook
from trunkline.sim.carrier.rest import ApiLimits
from trunkline.sim.serve_carrier import CarrierOptions, serve_carrier
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
        script: Script = [Listen(until_silence_ms=100), Say("hello there"), HangUp()]
        report = await carrier.place_call(to=TO, from_=FROM, script=script)
        assert report.status == "completed"
        assert report.ended_by == "caller"
        assert bytes(report.turns[0].played) == GREETING
        assert report.warnings == {}
        assert report.answer_ms is not None
        assert report.answer_ms < 200
        assert len(report.ledger.arrivals) == 1
        assert len(report.ledger.departures) == len(ToyVoice().speak("hello there")) // 160
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


async def test_frames_keep_the_absolute_clock() -> None:
    """A second of call is 50 frames, however busy the loop was."""
    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.documents["/voice"] = bot.stream()
        report = await carrier.place_call(to=TO, from_=FROM, script=[Pause(2000)])
    assert report.answered_at is not None
    (stream,) = report.streams
    assert stream.lasted_ms is not None
    assert abs(stream.frames_sent - stream.lasted_ms / 20) <= 1


async def test_a_server_that_hangs_up_and_one_that_goes_on() -> None:
    """Its close leads to the next document, there to the end."""

    async def leave(socket: web.WebSocketResponse, sid: str) -> None:
        await greet(socket, sid)
        await socket.close(code=1000)

    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.talk = leave
        bot.documents["/voice"] = bot.stream("<Redirect>/resume</Redirect>")
        bot.documents["/resume"] = "<Response><Hangup/></Response>"
        report = await carrier.place_call(to=TO, from_=FROM, script=[WaitForHangUp(5)])
        await wait_for(lambda: "/status" in bot.paths())
    assert (report.status, report.ended_by) == ("completed", "agent")
    assert report.streams[0].close_code == 1000
    assert report.warnings == {}
    assert [path for path in bot.paths() if path != "/stream"] == ["/voice", "/resume", "/status"]


async def test_a_connection_that_breaks_is_a_lost_stream() -> None:
    """No close frame: 31921, and the next verb after the delay."""

    async def vanish(socket: web.WebSocketResponse, sid: str) -> None:
        del sid
        transport = socket._req.transport if socket._req else None  # noqa: SLF001
        assert transport is not None
        transport.abort()

    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.talk = vanish
        bot.documents["/voice"] = bot.stream("<Redirect>/resume</Redirect>")
        bot.documents["/resume"] = "<Response><Hangup/></Response>"
        report = await carrier.place_call(
            to=TO, from_=FROM, script=[WaitForHangUp(5)], faults=Faults(after_loss_s=0.05)
        )
    assert report.streams[0].close_code is None
    assert report.warnings == {31921: 1}
    assert "/resume" in bot.paths()


async def test_a_reset_of_ours_reaches_the_server() -> None:
    """It sees no close frame and no `stop`."""
    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.documents["/voice"] = bot.stream("<Hangup/>")
        faults = Faults(reset_after_s=0.2, after_loss_s=0.05)
        report = await carrier.place_call(
            to=TO, from_=FROM, script=[WaitForHangUp(5)], faults=faults
        )
        await wait_for(lambda: bot.closes != [])
    assert "stop" not in bot.events()
    assert bot.closes == [1006]
    assert report.status == "completed"


async def test_a_refused_handshake_is_31920_and_nobody_home_31901() -> None:
    """Each a warning of the call; the caller hears what the document says next."""
    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.documents["/voice"] = bot.stream("<Hangup/>")
        bot.refuse_with = 503
        report = await carrier.place_call(to=TO, from_=FROM, script=[WaitForHangUp(5)])
        assert report.warnings == {31920: 1}
        bot.documents["/voice"] = (
            '<Response><Connect><Stream url="ws://127.0.0.1:1/media"/></Connect></Response>'
        )
        report = await carrier.place_call(to=TO, from_=FROM, script=[WaitForHangUp(5)])
        assert report.warnings == {31901: 1}


async def test_garbage_reaches_the_server_as_it_is() -> None:
    """Text that is no JSON, binary, and a message of 65 KiB."""
    kinds = (Garbage.NOT_JSON, Garbage.BINARY, Garbage.OVERSIZED)
    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.documents["/voice"] = bot.stream()
        await carrier.place_call(
            to=TO,
            from_=FROM,
            script=[Pause(700)],
            faults=Faults(garbage=kinds, garbage_every_s=0.1),
        )
    assert "unreadable" in bot.events()
    assert bot.binary
    assert any("pad" in message for message in bot.messages)


async def test_a_barge_in_over_sockets() -> None:
    """The server clears when it hears the person; silence follows within a frame or two."""

    async def talk(socket: web.WebSocketResponse, sid: str) -> None:
        await socket.send_str(media(sid, bytes([7]) * 40_000))
        async for message in socket:
            parsed = json.loads(message.data)
            if parsed["event"] != "media" or parsed["media"]["payload"].startswith("////"):
                continue
            await socket.send_str(clear(sid))
            return

    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.talk = talk
        bot.documents["/voice"] = bot.stream()
        report = await carrier.place_call(
            to=TO, from_=FROM, script=[Interrupt(200, "stop"), Pause(200), HangUp()]
        )
    (silence_ms,) = report.barge_ins_ms
    assert silence_ms < 100
    assert report.streams[0].bytes_cleared > 30_000


async def test_many_calls_at_once_each_with_its_own_words() -> None:
    """Thirty callers: everybody hears their own greeting, and sends their own words."""

    async def talk(socket: web.WebSocketResponse, sid: str) -> None:
        await socket.send_str(media(sid, bytes([int(sid[-2:], 16) % 100]) * 1600))

    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.talk = talk
        bot.documents["/voice"] = bot.stream()
        async with asyncio.TaskGroup() as group:
            calls = [
                group.create_task(
                    carrier.place_call(
                        to=TO,
                        from_=f"+155501{number:05d}",
                        script=[Listen(100), Say(f"caller {number}"), HangUp()],
                    )
                )
                for number in range(30)
            ]
        assert carrier.live == ()
        assert len(carrier.reports) == 30
    for number, call in enumerate(calls):
        report = call.result()
        greeting = bytes([int(report.streams[0].sid[-2:], 16) % 100]) * 1600
        assert bytes(report.turns[0].played) == greeting
        assert report.turns[1].said == f"caller {number}"
        assert report.warnings == {}


async def test_live_calls_can_be_watched_and_ended() -> None:
    """A row for each; `hang_up` is the person's."""
    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.talk = greet
        bot.documents["/voice"] = bot.stream()
        async with asyncio.TaskGroup() as group:
            call = group.create_task(
                carrier.place_call(to=TO, from_=FROM, script=[WaitForHangUp(30)])
            )
            await wait_for(lambda: any(view.heard for view in carrier.calls))
            (view,) = carrier.calls
            assert (view.phase, view.doing, view.turns) == ("in-progress", "connect", 1)
            assert view.heard.startswith("7")
            assert TO not in repr(view)
            carrier.hang_up(view.sid)
        assert call.result().ended_by == "caller"


async def test_whoever_waits_no_longer_hangs_up() -> None:
    """A cancelled `place_call` ends its call at the server too."""
    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.documents["/voice"] = bot.stream()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await carrier.place_call(to=TO, from_=FROM, script=[WaitForHangUp(30)])
        await wait_for(lambda: bot.open_sockets == 0)
        assert bot.events()[-1] == "stop"


async def test_nothing_is_left_when_the_simulator_goes() -> None:
    """Calls in every state: sockets closed, tasks gone, waiters told."""
    async with serving() as bot:
        bot.documents["/voice"] = bot.stream()
        bot.documents["/status"] = hang
        async with serve_carrier(options(bot)) as carrier:
            bot.documents["/slow"] = hang
            slow = replace(options(bot), voice_url=f"{bot.url}/slow")
            async with serve_carrier(slow) as other, asyncio.TaskGroup() as group:
                waiting = [
                    group.create_task(one.place_call(to=TO, from_=FROM, script=[WaitForHangUp(30)]))
                    for one in (carrier, other, carrier)
                ]
                await wait_for(lambda: bot.open_sockets == 2 and "/slow" in bot.paths())
                await other.close()
                await carrier.close()
                await asyncio.wait(waiting)
                assert all(task.cancelled() for task in waiting)
        await wait_for(lambda: bot.open_sockets == 0)
    gc.collect()
    mine = asyncio.current_task()
    names = [task.get_name() for task in asyncio.all_tasks() if task is not mine]
    assert not [name for name in names if name.startswith(("webhook", "stream", "CA"))]


async def hang() -> str:
    await asyncio.sleep(3600)
    return ""


async def test_a_webhook_has_its_ceiling() -> None:
    """Late, cut off or nobody there: each is a failure with a reason, none an exception."""
    async with serving() as bot, serve_carrier(options(bot)) as carrier:
        bot.documents["/slow"] = hang
        for url, reason in (
            (f"{bot.url}/slow", "no answer in 0 s"),
            ("http://127.0.0.1:1/", "ClientConnectorError"),
            ("http://[", "ValueError"),
        ):
            request = Request(1, "POST", url, Form(), (), 0.2, wants_answer=True)
            answer = await carrier.fetch(request)
            assert getattr(answer, "reason", None) == reason
        bot.documents["/moved"] = 302
        request = Request(1, "POST", f"{bot.url}/moved", Form(), (), 2.0, wants_answer=True)
        answer = await carrier.fetch(request)
        assert getattr(answer, "status", None) == 302


async def test_an_outbound_call_over_the_api() -> None:
    """Created by HTTP, queued by calls per second, answered by the callee's script."""
    callee = Callee(ring_s=0.1, script=[Listen(100), HangUp()])
    async with serving() as bot:
        bot.talk = greet
        bot.documents["/voice"] = bot.stream()
        settings = replace(
            options(bot),
            rest_port=0,
            limits=ApiLimits(calls_per_s=20),
            callees=CalleeBook(usual=callee),
        )
        async with serve_carrier(settings) as carrier, aiohttp.ClientSession() as client:
            base = f"{carrier.api_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Calls"
            auth = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)}
            form = {"To": TO, "From": FROM, "Url": f"{bot.url}/voice"}
            form["StatusCallback"] = f"{bot.url}/status"
            for _ in range(2):
                async with client.post(f"{base}.json", data=form, headers=auth) as answer:
                    assert answer.status == 201
                    sid = (await answer.json())["sid"]
            await wait_for(lambda: len(carrier.reports) == 2)
            async with client.get(f"{base}/{sid}.json", headers=auth) as answer:
                assert (await answer.json())["status"] == "completed"
            async with client.get(f"{base}.json", params={"To": TO}, headers=auth) as answer:
                assert len((await answer.json())["calls"]) == 2
    assert all(report.direction == "outbound-api" for report in carrier.reports)
    assert all(bytes(report.turns[0].played) == GREETING for report in carrier.reports)


KEYS = Path(__file__).parent / "tls"
"""A certificate of localhost's own, valid from 2020 to 2120; it guards nothing."""


async def test_https_and_wss_with_a_certificate_of_the_servers_own() -> None:
    """Trusted where it is named; else the webhook fails (11205), and a stream would (31910)."""
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_tls.load_cert_chain(KEYS / "cert.pem", KEYS / "key.pem")
    async with serving(server_tls) as bot:
        bot.talk = greet
        bot.documents["/voice"] = bot.stream()
        script: Script = [Listen(100), HangUp()]
        trusting = replace(options(bot), ca_file=str(KEYS / "cert.pem"))
        async with serve_carrier(trusting) as carrier:
            report = await carrier.place_call(to=TO, from_=FROM, script=script)
            assert bytes(report.turns[0].played) == GREETING
            assert bot.upgrades[0]["X-Twilio-Signature"]
        async with serve_carrier(replace(options(bot), fallback_url=None)) as carrier:
            report = await carrier.place_call(to=TO, from_=FROM, script=script)
            assert report.warnings == {11205: 1}
        async with serving() as plain:
            plain.documents["/voice"] = bot.stream("<Hangup/>")
            async with serve_carrier(options(plain)) as carrier:
                report = await carrier.place_call(to=TO, from_=FROM, script=script)
                assert report.warnings == {31910: 1}


async def test_a_file_without_certificates_is_named() -> None:
    """One line, before anything is opened."""
    async with serving() as bot:
        for file in (__file__, "/nowhere.pem"):
            with pytest.raises(SettingsError, match=r"holds no certificate"):
                async with serve_carrier(replace(options(bot), ca_file=file)):
                    pass
