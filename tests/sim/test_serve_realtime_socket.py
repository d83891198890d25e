"""One session's socket: timers, fragments, and clients that misbehave."""

import base64

import pytest
from picows import WSMsgType

from sim.model_client import telephony
from sim.model_line import QUICK, all_gone, connect, serving
from trunkline.sim.serve_realtime_socket import UNSENT_BYTES_MAX
from trunkline.sim.speech import SILENCE
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import InputAudio, Message

pytestmark = pytest.mark.anyio


async def test_timers_run_without_any_message() -> None:
    """A late session, its expiry: each at its time."""
    async with serving(QUICK, "session_delay=0.02", "expire=0.05") as simulator:
        line = await connect(simulator)
        await line.until(server.SessionCreated)
        event = (await line.until(server.Error))[-1]
        assert isinstance(event, server.Error)
        assert event.error.code == "session_expired"
        assert await line.closed() == 1001
        await all_gone(simulator)
        assert simulator.records[0].close_code == 1001


async def test_a_reset_has_no_close_frame() -> None:
    """Check list, line 9: by a switch and by hand."""
    async with serving(QUICK, "reset=0.02*1") as simulator:
        for by_hand in (False, True):
            line = await connect(simulator)
            await line.until(server.SessionCreated)
            if by_hand:
                simulator.reset(simulator.sessions[0].name)
            assert await line.closed() is None
            await all_gone(simulator)


async def test_fragments_are_joined_and_binary_is_refused() -> None:
    """RFC 6455 fragments; events are text."""
    async with serving() as simulator:
        line = await connect(simulator)
        text = client.encode(telephony())
        line.wire.send(WSMsgType.TEXT, text[:20], fin=False)
        line.wire.send(WSMsgType.CONTINUATION, text[20:40], fin=False)
        line.wire.send(WSMsgType.CONTINUATION, text[40:])
        await line.until(server.SessionUpdated)
        line.wire.send(WSMsgType.BINARY, text)
        assert await line.closed() == 1003
        await all_gone(simulator)
        assert simulator.records[0].errors == {"binary_frame": 1}


async def test_an_endless_event_is_cut_off() -> None:
    """Fragments are bounded as one frame is."""
    async with serving() as simulator:
        line = await connect(simulator)
        piece = b" " * (client.MESSAGE_BYTES_MAX // 4)
        line.wire.send(WSMsgType.TEXT, piece, fin=False)
        for _ in range(5):
            line.wire.send(WSMsgType.CONTINUATION, piece, fin=False)
        assert await line.closed() == 1009
        await all_gone(simulator)
        assert simulator.records[0].errors["message_too_big"] == 1


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    """What it leaves unread would grow without end."""
    async with serving() as simulator:
        line = await connect(simulator)
        await line.until(server.SessionCreated)
        audio = base64.b64encode(SILENCE * 5000).decode()
        line.send(client.CreateItem(Message("user", [InputAudio(audio)], "long")))
        await line.until(server.ItemDone)
        line.wire.underlying_transport.pause_reading()
        for _ in range(4 * UNSENT_BYTES_MAX // len(audio)):
            line.send(client.RetrieveItem("long"))
        await all_gone(simulator)
        assert simulator.records[0].errors == {"client_reads_too_slowly": 1}
        line.wire.disconnect(graceful=False)
        await line.closed()
