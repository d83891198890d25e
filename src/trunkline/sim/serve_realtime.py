"""The realtime simulator's socket shell.

    async with serve_realtime("127.0.0.1", 0, RealtimeSimOptions()) as server:
        server.url        ws://127.0.0.1:PORT/v1/realtime
        server.sessions   the open ones
        server.records    all of them, closed ones too

Over HTTP, on the same port: `GET /sim/status`, `GET /sim/marks`, `GET /sim/faults` (those set),
`GET /sim/faults?set=fail_response*2`, `GET /sim/faults?clear`.
"""

import asyncio
import contextlib
import itertools
import ssl
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from picows import (
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from trunkline.sim.ledger import Ledger
from trunkline.sim.pacer import Pacer
from trunkline.sim.realtime.brain import Brain, DemoBrain
from trunkline.sim.realtime.faults import Fault, Faults, FaultSyntaxError, parse
from trunkline.sim.realtime.handshake import Accepted, Refused, decide
from trunkline.sim.realtime.machine import RealtimeServer
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.realtime.script import load
from trunkline.sim.serve_realtime_socket import CLOSE_S_MAX, Connection
from trunkline.sim.speech import recorded
from trunkline.wire.realtime import client

RECORDS_MAX: Final = 2000
"""Sessions remembered; then the oldest closed one is forgotten."""
HANDSHAKE_S_MAX: Final = 5.0
IDLE_PING_S: Final = 20.0
"""A client that sends nothing for so long is pinged, and must answer within as long again."""


_COUNT: Final = itertools.count(1)
"""Sessions of this process: two simulators may begin in one millisecond."""


class RealtimeSimulator:
    """The simulator while it serves."""

    def __init__(self, options: RealtimeSimOptions, brain: Brain | None = None) -> None:
        self.options = options
        self.url = ""
        self.refused: Counter[str] = Counter()
        """Handshakes refused, by code."""
        self.faults = Faults(options.faults, time.monotonic())
        self.pacer = Pacer(asyncio.get_running_loop())
        self._speech = recorded()
        self._brain = brain or _brain_of(options)
        self._run = f"{time.time_ns() // 1_000_000 % 16**6:06x}"
        self._open: dict[str, Connection] = {}
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

    def opened(self, connection: Connection) -> None:
        """A handshake was accepted."""
        record = connection.machine.record
        self._open[record.name] = connection
        self._records.append(record)
        self._none_open.clear()

    def closed(self, connection: Connection) -> None:
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
                return Connection(self, RealtimeServer(accepted, self.options, *arguments))
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
        self.pacer.close()

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
            "late_ms_p99": self.pacer.late_ms(0.99),
            "late_ms_max": self.pacer.late_ms(1.0),
        }

    def marks(self) -> list[dict[str, int]]:
        """What became of each session's marks of time: the call they are of, and their figures."""
        return [
            {"call": marks.call, "sent": marks.sent} | marks.came.as_figures()
            for record in self._records
            if (marks := record.marks) is not None
        ]

    def _control(self, target: str) -> WSUpgradeResponseWithListener:
        url = urlsplit(target)
        query = parse_qs(url.query, keep_blank_values=True)
        if url.path == "/sim/status":
            return _answered(200, self.status())
        if url.path == "/sim/marks":
            return _answered(200, {"sessions": self.marks()})
        if url.path != "/sim/faults":
            return _answered(404, {"error": "there are /sim/status, /sim/marks and /sim/faults"})
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
    host: str,
    port: int,
    options: RealtimeSimOptions,
    brain: Brain | None = None,
    *,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[RealtimeSimulator]:
    """Serve while the block runs; port 0 picks a free one. A port in use raises `OSError`."""
    simulator = RealtimeSimulator(options, brain)
    listener = await ws_create_server(
        simulator.answer,
        host,
        port,
        ssl=tls,
        websocket_handshake_timeout=HANDSHAKE_S_MAX,
        enable_auto_ping=True,
        auto_ping_idle_timeout=IDLE_PING_S,
        auto_ping_reply_timeout=IDLE_PING_S,
        max_frame_size=client.MESSAGE_BYTES_MAX,
    )
    bound = listener.sockets[0].getsockname()
    simulator.url = f"{'ws' if tls is None else 'wss'}://{host}:{bound[1]}/v1/realtime"
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
