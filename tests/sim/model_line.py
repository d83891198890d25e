"""A client of the realtime simulator over a real socket."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.serve_realtime import RealtimeSimulator, serve_realtime
from trunkline.sim.speech import SILENCE, recorded
from trunkline.wire.realtime import client, server

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
