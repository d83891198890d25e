"""The realtime simulator's socket shell.

    async with serve_realtime("127.0.0.1", 0, RealtimeSimOptions()) as server:
        server.url        ws://127.0.0.1:PORT/v1/realtime
        server.sessions   the open ones
        server.records    all of them, closed ones too

Over HTTP, on the same port: `GET /sim/status`, `GET /sim/faults` (those set), `GET
/sim/faults?set=fail_response*2`, `GET /sim/faults?clear`.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, assert_never
from urllib.parse import parse_qs, urlsplit

import msgspec
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from trunkline.sim.ledger import Ledger
from trunkline.sim.realtime.brain import Brain, DemoBrain
from trunkline.sim.realtime.faults import Fault, Faults, FaultSyntaxError, parse
from trunkline.sim.realtime.handshake import Accepted, Refused, decide
from trunkline.sim.realtime.machine import Close, Output, RealtimeServer, Reset, Send
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.realtime.script import load
from trunkline.sim.speech import recorded
from trunkline.wire.realtime import client, server

RECORDS_MAX: Final = 2000
"""Sessions remembered; then the oldest closed one is forgotten."""
HANDSHAKE_S_MAX: Final = 5.0
IDLE_PING_S: Final = 20.0
"""A client that sends nothing for so long is pinged, and must answer within as long again."""
UNSENT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A client that leaves more unread is cut off: it would only grow."""
TIMER_GRAIN_S: Final = 0.001
"""uvloop's timers count whole milliseconds and may come early by a part of one."""
CLOSE_S_MAX: Final = 2.0
"""From our close frame to the client's; then the connection is aborted."""
REASON_BYTES_MAX: Final = 123
"""A close frame has room for no more."""


_COUNT: Final = itertools.count(1)
"""Sessions of this process: two simulators may begin in one millisecond."""


class _Connection(WSListener):
    """One WebSocket and its machine; one timer, armed for the machine's next deadline.

    The clock is `time.monotonic`, as the carrier's: uvloop's own counts whole milliseconds.
    """

    def __init__(self, sim: "RealtimeSimulator", machine: RealtimeServer) -> None:
        self.machine = machine
        self.transport: WSTransport | None = None
        self._sim = sim
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._pieces = bytearray()
        self._cut_off = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._sim.opened(self)
        self._perform(self.machine.start(time.monotonic()))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if transport.is_close_frame_sent and frame.msg_type is not WSMsgType.CLOSE:
            return
        match frame.msg_type:
            case WSMsgType.TEXT if frame.fin:
                payload = frame.get_payload_as_memoryview()
                self._perform(self.machine.receive(payload, time.monotonic()))
            case WSMsgType.TEXT | WSMsgType.CONTINUATION:
                self._collect(frame)
            case WSMsgType.BINARY:
                self.machine.record.errors["binary_frame"] += 1
                self._close(WSCloseCode.UNSUPPORTED_DATA.value, "events are text")
            case WSMsgType.CLOSE:
                code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big") or None
                self.machine.lost(time.monotonic(), code, "the client closed")
                if not transport.is_close_frame_sent:
                    transport.send_close(WSCloseCode.OK)
                transport.disconnect()
            case _:
                pass

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' shape
        self.machine.lost(time.monotonic(), 1006, "the connection broke")
        self._rest()
        self._sim.closed(self)

    def pause_writing(self) -> None:
        """The client reads too slowly; how much it leaves unread is bounded in `_write`."""

    def expire(self) -> None:
        """End the session as if its time were over."""
        self._perform(self.machine.expire())

    def stall(self) -> None:
        """Answer nothing from now on."""
        self.machine.stall()
        self._arm(self.machine.deadline())

    def reset(self) -> None:
        """Reset the TCP connection."""
        self._perform([Reset()])

    def shut(self) -> None:
        """The simulator goes away."""
        self._close(WSCloseCode.GOING_AWAY.value, "the simulator stops")

    def _collect(self, frame: WSFrame) -> None:
        """Join an event that comes in fragments."""
        self._pieces += frame.get_payload_as_bytes()
        if len(self._pieces) > client.MESSAGE_BYTES_MAX:
            self.machine.record.errors["message_too_big"] += 1
            self._close(WSCloseCode.MESSAGE_TOO_BIG.value, "event too long")
        elif frame.fin:
            whole, self._pieces = bytes(self._pieces), bytearray()
            self._perform(self.machine.receive(whole, time.monotonic()))

    def _tick(self) -> None:
        self._timer = self._timer_at = None
        self._perform(self.machine.tick(time.monotonic()))

    def _perform(self, outputs: list[Output]) -> None:
        assert self.transport is not None
        for output in outputs:
            match output:
                case Send(event):
                    self._write(event)
                case Close(code, reason):
                    self._close(code, reason)
                case Reset():
                    _reset(self.transport)
                case _:
                    assert_never(output)
        self._arm(self.machine.deadline())

    def _write(self, event: server.ToClient) -> None:
        assert self.transport is not None
        if self._cut_off:
            return
        self.transport.send(WSMsgType.TEXT, server.encode(event))
        if self.transport.underlying_transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            self._cut_off = True
            self.machine.record.errors["client_reads_too_slowly"] += 1
            self.machine.lost(time.monotonic(), 1006, "the client does not read")
            self.transport.disconnect(graceful=False)

    def _close(self, code: int, reason: str) -> None:
        transport = self.transport
        if transport is None or transport.is_disconnected or transport.is_close_frame_sent:
            return
        self.machine.lost(time.monotonic(), code, reason)
        text = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
        # picows writes any code; its type names only those of the RFC, and 4000 is none.
        transport.send_close(code, text)  # type: ignore[arg-type]
        self._rest()
        self._timer = self._loop.call_later(CLOSE_S_MAX, transport.disconnect, False)

    def _arm(self, at: float | None) -> None:
        if self._timer is not None and at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, at
        if at is not None:
            delay_s = max(0.0, at - time.monotonic()) + TIMER_GRAIN_S
            self._timer = self._loop.call_later(delay_s, self._tick)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_at = None


def _reset(transport: WSTransport) -> None:
    """Close without a close frame: with nothing to linger for, the kernel sends RST."""
    underlying = transport.underlying_transport
    sock = underlying.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    underlying.abort()


class RealtimeSimulator:
    """The simulator while it serves."""

    def __init__(self, options: RealtimeSimOptions, brain: Brain | None = None) -> None:
        self.options = options
        self.url = ""
        self.refused: Counter[str] = Counter()
        """Handshakes refused, by code."""
        self.faults = Faults(options.faults, time.monotonic())
        self._speech = recorded()
        self._brain = brain or _brain_of(options)
        self._run = f"{time.time_ns() // 1_000_000 % 16**6:06x}"
        self._open: dict[str, _Connection] = {}
        self._records: deque[SessionRecord] = deque(maxlen=RECORDS_MAX)
        self._none_open = asyncio.Event()
        self._none_open.set()

    @property
    def sessions(self) -> list[SessionRecord]:
        """The open sessions."""
        return [connection.machine.record for connection in self._open.values()]

    @property
    def records(self) -> list[SessionRecord]:
        """All sessions, open and closed, oldest first."""
        return list(self._records)

    @property
    def ledgers(self) -> list[Ledger]:
        """Each session's stamps of audio at the socket."""
        return [record.ledger for record in self._records]

    def put(self, fault: Fault | str) -> None:
        """Set a fault's switch, for what happens from now on."""
        self.faults.put(parse(fault) if isinstance(fault, str) else fault)

    def expire(self, name: str) -> None:
        """End an open session as if its time were over."""
        self._open[name].expire()

    def stall(self, name: str) -> None:
        """Let an open session answer nothing any more."""
        self._open[name].stall()

    def reset(self, name: str) -> None:
        """Reset an open session's TCP connection."""
        self._open[name].reset()

    async def wait_none_open(self) -> None:
        """Until no session is open. Bound it with `asyncio.timeout`."""
        await self._none_open.wait()

    def opened(self, connection: _Connection) -> None:
        """A handshake was accepted."""
        record = connection.machine.record
        self._open[record.name] = connection
        self._records.append(record)
        self._none_open.clear()

    def closed(self, connection: _Connection) -> None:
        """A socket is gone."""
        self._open.pop(connection.machine.record.name, None)
        if not self._open:
            self._none_open.set()

    def answer(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
        """What an HTTP request gets: a session, or a refusal, or the control page."""
        target = request.path.decode("latin-1")
        if urlsplit(target).path.startswith("/sim/"):
            return self._control(target)
        now = time.monotonic()
        headers = {name.lower(): value for name, value in request.headers.items()}
        match decide(target, headers, self.options, self.faults, now):
            case Accepted() as accepted:
                name = f"{self._run}{next(_COUNT)}"
                arguments = (self._brain, self._speech, self.faults, name, now, time.time())
                return _Connection(self, RealtimeServer(accepted, self.options, *arguments))
            case Refused(status, code, message):
                self.refused[code] += 1
                error = {"message": message, "type": "invalid_request_error", "code": code}
                return _answered(status, {"error": error})

    async def shut(self) -> None:
        """Close every session, bounded."""
        for connection in list(self._open.values()):
            connection.shut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self.wait_none_open()
        for connection in list(self._open.values()):
            if connection.transport is not None:
                connection.transport.disconnect(graceful=False)
        await self.wait_none_open()

    def status(self) -> dict[str, object]:
        """Figures of all sessions together."""
        records = self._records
        return {
            "open": len(self._open),
            "sessions": len(records),
            "refused": dict(self.refused),
            "errors": dict(sum((record.errors for record in records), Counter[str]())),
            "responses": dict(sum((record.responses for record in records), Counter[str]())),
            "format_mismatch": sum(record.format_mismatch for record in records),
            "bytes_heard": sum(record.bytes_heard for record in records),
        }

    def _control(self, target: str) -> WSUpgradeResponseWithListener:
        url = urlsplit(target)
        query = parse_qs(url.query, keep_blank_values=True)
        if url.path == "/sim/status":
            return _answered(200, self.status())
        if url.path != "/sim/faults":
            return _answered(404, {"error": "there are /sim/status and /sim/faults"})
        try:
            if "clear" in query:
                self.faults.clear()
            for text in query.get("set", []):
                self.put(text)
        except FaultSyntaxError as error:
            return _answered(400, {"error": str(error)})
        return _answered(200, {"faults": [_written(fault) for fault in self.faults.active()]})


def _written(fault: Fault) -> dict[str, object]:
    return {
        "kind": fault.kind,
        "value": fault.value,
        "times": fault.times,
        "from_s": fault.from_s,
        "until_s": None if fault.until_s == float("inf") else fault.until_s,
    }


def _answered(status: int, body: object) -> WSUpgradeResponseWithListener:
    text = msgspec.json.encode(body)
    headers = {"Content-Type": "application/json"}
    if status == 200:  # noqa: PLR2004 - HTTP's own number
        ok = WSUpgradeResponse.create_ok_response(text, headers)
        return WSUpgradeResponseWithListener(ok, None)
    return WSUpgradeResponseWithListener(
        WSUpgradeResponse.create_error_response(status, text, headers), None
    )


def _brain_of(options: RealtimeSimOptions) -> Brain:
    """The brain that the options name. Raises `ScriptError` or `OSError`."""
    if options.brain:
        return load(Path(options.brain), recorded())
    return DemoBrain(recorded())


@contextlib.asynccontextmanager
async def serve_realtime(
    host: str, port: int, options: RealtimeSimOptions, brain: Brain | None = None
) -> AsyncIterator[RealtimeSimulator]:
    """Serve while the block runs; port 0 picks a free one. A port in use raises `OSError`."""
    simulator = RealtimeSimulator(options, brain)
    listener = await ws_create_server(
        simulator.answer,
        host,
        port,
        websocket_handshake_timeout=HANDSHAKE_S_MAX,
        enable_auto_ping=True,
        auto_ping_idle_timeout=IDLE_PING_S,
        auto_ping_reply_timeout=IDLE_PING_S,
        max_frame_size=client.MESSAGE_BYTES_MAX,
    )
    bound = listener.sockets[0].getsockname()
    simulator.url = f"ws://{host}:{bound[1]}/v1/realtime"
    try:
        yield simulator
    finally:
        listener.close()
        await simulator.shut()
        await listener.wait_closed()


def _tell(simulator: RealtimeSimulator) -> None:
    print(f"realtime simulator: {simulator.url}", flush=True)  # noqa: T201 - a command's output


async def run(
    host: str,
    port: int,
    options: RealtimeSimOptions,
    ready: Callable[[RealtimeSimulator], None] = _tell,
) -> None:
    """Serve until cancelled: `trunkline sim realtime`. A port in use raises `OSError`."""
    async with serve_realtime(host, port, options) as simulator:
        ready(simulator)
        await asyncio.get_running_loop().create_future()
