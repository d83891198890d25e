import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from picows import (
    WSFrame,
    WSInvalidStatusError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from sim.model_client import telephony
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.script import ScriptError
from trunkline.sim.serve_realtime import (
    UNSENT_BYTES_MAX,
    RealtimeSimulator,
    run,
    serve_realtime,
)
from trunkline.sim.speech import SILENCE, recorded
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import InputAudio, Message

pytestmark = pytest.mark.anyio

SPEECH = recorded()
WAIT_S_MAX = 10.0
QUICK = RealtimeSimOptions(speed=40.0, think_ms=5, transcription_delay_ms=5)
KEY = {"Authorization": "Bearer sk-test"}


class Line(WSListener):
    """A client's end: what came, in order, and how it ended."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[server.FromServer] = asyncio.Queue()
        self.over = asyncio.Event()
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code())
            transport.disconnect()
        else:
            self.came.put_nowait(server.decode(frame.get_payload_as_bytes()))

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' shape
        self.over.set()

    @property
    def wire(self) -> WSTransport:
        assert self.transport is not None
        return self.transport

    def send(self, event: client.FromClient) -> None:
        self.wire.send(WSMsgType.TEXT, client.encode(event))

    def say(self, text: str) -> None:
        """A turn, all at once: detection works on audio time."""
        audio = SPEECH.speak(text) + SILENCE * 30
        for at in range(0, len(audio), 160):
            self.send(client.AppendAudio(base64.b64encode(audio[at : at + 160]).decode()))

    async def until(self, kind: type[server.FromServer]) -> list[server.FromServer]:
        """Everything up to an event of a kind."""
        events: list[server.FromServer] = []
        async with asyncio.timeout(WAIT_S_MAX):
            while not events or not isinstance(events[-1], kind):
                events.append(await self.came.get())
        return events

    async def closed(self) -> int | None:
        """The code of the server's close frame; None if there was none."""
        async with asyncio.timeout(WAIT_S_MAX):
            await self.over.wait()
        received = getattr(self.wire.close_handshake, "recv", None)
        return None if received is None else int(received.code)


@contextlib.asynccontextmanager
async def serving(
    options: RealtimeSimOptions = QUICK, *faults: str
) -> AsyncIterator[RealtimeSimulator]:
    async with serve_realtime("127.0.0.1", 0, options) as simulator:
        for fault in faults:
            simulator.put(fault)
        yield simulator


async def connect(
    simulator: RealtimeSimulator, model: str = "gpt-realtime", headers: dict[str, str] = KEY
) -> Line:
    _, line = await ws_connect(Line, f"{simulator.url}?model={model}", extra_headers=headers)
    assert isinstance(line, Line)
    return line


async def all_gone(simulator: RealtimeSimulator) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        await simulator.wait_none_open()
    assert simulator.sessions == []


async def test_a_call_over_the_socket_is_heard_and_answered() -> None:
    """From the handshake to the close; nothing is left open, and the record tells all."""
    tasks = len(asyncio.all_tasks())
    async with serving() as simulator:
        line = await connect(simulator)
        await line.until(server.SessionCreated)
        assert len(simulator.sessions) == 1
        line.send(telephony())
        await line.until(server.SessionUpdated)
        line.say("this is caller four seven")
        events = await line.until(server.ResponseDone)
        audio = b"".join(
            base64.b64decode(e.delta) for e in events if isinstance(e, server.AudioDelta)
        )
        assert SPEECH.hear(audio) == "i heard this is caller four seven"
        line.wire.send_close()
        assert await line.closed() == 1000
        await all_gone(simulator)
        record = simulator.records[0]
        assert record.heard_text() == "this is caller four seven"
        assert record.said[0].audio == audio
        assert record.closed_at is not None
        assert record.errors == {}
        ledger = simulator.ledgers[0]
        assert len(ledger.arrivals) == record.events["AppendAudio"]
        assert record.opened_at <= ledger.arrivals[0][1] <= ledger.departures[-1][1]
    assert len(asyncio.all_tasks()) == tasks


async def test_many_calls_at_once_are_not_crossed() -> None:
    """Each is answered with its own words."""
    digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    async with serving() as simulator:
        lines = [await connect(simulator) for _ in range(30)]
        for line in lines:
            line.send(telephony())
        names = [f"{digits[n // 10]} {digits[n % 10]}" for n in range(len(lines))]
        for line, name in zip(lines, names, strict=True):
            line.say(f"this is caller {name}")
        for line in lines:
            await line.until(server.ResponseDone)
            line.wire.disconnect()
        await all_gone(simulator)
        said = [record.said_text() for record in simulator.records]
        assert said == [f"i heard this is caller {name}" for name in names]


@pytest.mark.parametrize(
    ("model", "headers", "status"),
    [("gpt-realtime", {}, 401), ("gpt-nonsense", KEY, 404)],
)
async def test_a_wrong_handshake_gets_a_status(
    model: str, headers: dict[str, str], status: int
) -> None:
    """Check list, line 1: and is counted."""
    async with serving() as simulator:
        with pytest.raises(WSInvalidStatusError) as error:
            await connect(simulator, model, headers)
        assert error.value.response is not None
        assert error.value.response.status == status
        assert simulator.refused.total() == 1
        assert simulator.records == []


async def test_a_switch_refuses_handshakes_for_a_while() -> None:
    """Check list, line 9: 429 twice, then all is well."""
    async with serving(QUICK, "handshake=429*2") as simulator:
        for _ in range(2):
            with pytest.raises(WSInvalidStatusError):
                await connect(simulator)
        line = await connect(simulator)
        await line.until(server.SessionCreated)
        assert simulator.refused == {"rate_limit_exceeded": 2}


async def test_the_beta_header_is_closed_with_4000() -> None:
    """Check list, line 1: the error comes first."""
    async with serving() as simulator:
        line = await connect(simulator, headers={**KEY, "OpenAI-Beta": "realtime=v1"})
        event = (await line.until(server.Error))[-1]
        assert isinstance(event, server.Error)
        assert event.error.code == "beta_api_shape_disabled"
        assert await line.closed() == 4000


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


async def test_sessions_can_be_stalled_and_expired_by_hand() -> None:
    """A stalled one answers nothing, and still takes audio."""
    async with serving() as simulator:
        line = await connect(simulator)
        line.send(telephony())
        await line.until(server.SessionUpdated)
        name = simulator.sessions[0].name
        simulator.stall(name)
        line.say("hello")
        simulator.expire(name)
        events = await line.until(server.Error)
        assert [type(event) for event in events] == [server.Error]
        assert await line.closed() == 1001


async def test_no_two_sessions_have_one_name() -> None:
    """Not of two simulators either, though they begin in the same millisecond."""
    names = []
    async with contextlib.AsyncExitStack() as serving_all:
        simulators = [await serving_all.enter_async_context(serving()) for _ in range(5)]
        for simulator in simulators:
            line = await connect(simulator)
            await line.until(server.SessionCreated)
            names.append(simulator.sessions[0].name)
    assert len(set(names)) == len(names)


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


async def test_the_control_page_sets_switches_and_tells_figures() -> None:
    """On the same port; what is written wrongly is explained."""
    async with serving() as simulator, httpx.AsyncClient() as browser:
        base = simulator.url.replace("ws://", "http://").removesuffix("/v1/realtime")
        answer = await browser.get(f"{base}/sim/faults?set=fail_response*1&set=think=0")
        assert [fault["kind"] for fault in answer.json()["faults"]] == ["fail_response", "think"]
        wrong = await browser.get(f"{base}/sim/faults?set=nonsense")
        assert (wrong.status_code, "fail_response" in wrong.text) == (400, True)
        assert (await browser.get(f"{base}/sim/nothing")).status_code == 404
        line = await connect(simulator)
        line.send(telephony())
        line.say("hello")
        done = (await line.until(server.ResponseDone))[-1]
        assert isinstance(done, server.ResponseDone)
        assert done.response.status == "failed"
        status = (await browser.get(f"{base}/sim/status")).json()
        assert (status["open"], status["responses"]) == (1, {"failed": 1})
        cleared = await browser.get(f"{base}/sim/faults?clear")
        assert cleared.json() == {"faults": []}


async def test_stopping_closes_every_session() -> None:
    """With 1001, and without waiting for a client that is gone."""
    async with serving() as simulator:
        line = await connect(simulator)
        silent = await connect(simulator)
        silent.wire.underlying_transport.pause_reading()
        await line.until(server.SessionCreated)
    assert await line.closed() == 1001
    assert simulator.sessions == []
    assert [record.close_code for record in simulator.records] == [1001, 1001]
    silent.wire.disconnect(graceful=False)
    await silent.closed()


async def test_run_serves_until_it_is_cancelled_and_says_where() -> None:
    """A port in use is an OSError for the command line to explain."""
    serves: asyncio.Future[RealtimeSimulator] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run("127.0.0.1", 0, QUICK, serves.set_result))
        simulator = await serves
        line = await connect(simulator)
        await line.until(server.SessionCreated)
        port = int(simulator.url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(OSError, match="address already in use"):
            await run("127.0.0.1", port, QUICK)
        task.cancel()
    assert await line.closed() == 1001


async def test_a_script_is_read_before_anything_is_served(tmp_path: Path) -> None:
    """A brain that can't be played is refused by name."""
    path = tmp_path / "brain.yaml"
    path.write_text("- {hears: hello, says: [good morning]}")
    async with serving(RealtimeSimOptions(brain=str(path), speed=40.0, think_ms=5)) as simulator:
        line = await connect(simulator)
        line.send(telephony())
        line.say("hello")
        await line.until(server.ResponseDone)
        assert simulator.records[0].said_text() == "good morning"
    path.write_text("nonsense")
    with pytest.raises(ScriptError, match=r"brain\.yaml"):
        async with serving(RealtimeSimOptions(brain=str(path))):
            pass
