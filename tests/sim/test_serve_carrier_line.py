"""One call with its sockets, as far as the whole carrier's tests don't show it."""

import asyncio

import pytest
from aiohttp import web

from sim.carrier_bot import ToyVoice, media, serving, wait_for
from trunkline.sim.caller import WaitForHangUp
from trunkline.sim.carrier.faults import Faults
from trunkline.sim.serve_carrier import CarrierOptions, serve_carrier

pytestmark = pytest.mark.anyio

TO, FROM = "+15550100001", "+15550100002"


async def test_a_call_that_ends_while_its_stream_opens_leaves_no_socket() -> None:
    """The server answers the upgrade only after the person has hung up."""
    upgrades: list[asyncio.StreamWriter] = []
    gone = asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upgrades.append(writer)
        await reader.read()
        gone.set()
        writer.close()

    server = await asyncio.start_server(late, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, serving() as bot:
        bot.documents["/voice"] = (
            f'<Response><Connect><Stream url="ws://127.0.0.1:{port}/media"/></Connect></Response>'
        )
        options = CarrierOptions(voice=ToyVoice(), voice_url=f"{bot.url}/voice", seed=1)
        async with serve_carrier(options) as carrier:
            report = await carrier.place_call(to=TO, from_=FROM, script=[WaitForHangUp(0.1)])
            assert report.status == "completed"
            assert report.warnings == {}
            upgrades[0].write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
            await wait_for(gone.is_set)


async def test_a_slow_reader_lets_the_server_wait() -> None:
    """While the carrier does not read, megabytes pile up at the server; then it hears them."""
    progress: list[int] = []

    async def flood(socket: web.WebSocketResponse, sid: str) -> None:
        for number in range(400):
            await socket.send_str(media(sid, bytes([number % 100]) * 30_000))
            progress.append(number)
        await socket.close()  # Behind all that was said: the call ends when it was read.

    async with serving() as bot:
        bot.talk = flood
        bot.documents["/voice"] = bot.stream()
        options = CarrierOptions(voice=ToyVoice(), voice_url=f"{bot.url}/voice", seed=1)
        faults = Faults(slow_reader_after_s=0.001, slow_reader_for_s=0.6)
        async with serve_carrier(options) as carrier:
            report = await carrier.place_call(
                to=TO, from_=FROM, script=[WaitForHangUp(30.0)], faults=faults
            )
    assert progress[-1] == 399
    (stream,) = report.streams
    assert stream.bytes_received == 400 * 30_000
    assert stream.bytes_dropped > 0
