"""The simulated carrier on real sockets: webhooks over HTTP, streams over WebSockets.

    async with serve_carrier(CarrierOptions(voice_url=…)) as carrier:
        report = await carrier.place_call(to=…, from_=…, script=[Listen(), Say("hello"), HangUp()])

The machines of `sim.carrier` decide; here their actions are performed.
"""

import asyncio
import math
import random
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

import aiohttp
from picows import WSError, WSMsgType, ws_connect
from yarl import URL

from trunkline.sim.caller import Person, Script, Voice
from trunkline.sim.carrier.account import Account, new_sid
from trunkline.sim.carrier.call import CarrierCall
from trunkline.sim.carrier.events import (
    Action,
    CloseStream,
    Event,
    Finished,
    OpenStream,
    PersonHungUp,
    ReadStream,
    Request,
    ResetStream,
    SendFrame,
    SendMessage,
    StreamRefused,
    WebhookAnswered,
    WebhookFailed,
)
from trunkline.sim.carrier.faults import Faults
from trunkline.sim.carrier.forms import CallPlan
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.carrier.reporting import report_of
from trunkline.sim.serve_carrier_media import MESSAGE_BYTES_MAX, MediaSocket, Pacer

OPEN_S_MAX: Final = 5.0
"""A stream's socket that is not open by then is refused (31901)."""

DOCUMENT_BYTES_MAX: Final = 128 * 1024
"""More of an answer is not read: the document is too long by then."""

CALLS_MAX: Final = 2_000
"""Calls at once in one simulator; `place_call` waits for its turn."""

REPORTS_MAX: Final = 1_000
"""Reports kept of calls that nobody waits for; then the oldest is forgotten."""

HEARD_CHARS_MAX: Final = 60
CLOSE_S_MAX: Final = 2.0
"""So long the streams' close frames have at the end, then the sockets are dropped."""


@dataclass(frozen=True, slots=True)
class CarrierOptions:
    """What the simulator needs. URLs as the account's number would have them configured."""

    voice: Voice
    voice_url: str
    account: Account = field(default_factory=Account)
    voice_method: str = "POST"
    fallback_url: str | None = None
    status_url: str | None = None
    seed: int | None = None
    ca_file: str | None = None
    """Trusted besides the usual authorities, for a server with a certificate of its own."""


@dataclass(frozen=True, slots=True)
class CallView:
    """One live call, for a table."""

    sid: str
    direction: str
    to_number: str = field(repr=False)
    phase: str
    doing: str
    seconds: float
    turns: int
    heard: str = field(repr=False)


class Line:
    """One call with its sockets."""

    def __init__(self, carrier: "Carrier", call: CarrierCall) -> None:
        self.call = call
        self.armed_at = math.inf
        self.ended: asyncio.Future[CallReport] = asyncio.get_running_loop().create_future()
        self._carrier = carrier
        self._sockets: dict[int, MediaSocket] = {}

    def deadline(self) -> float | None:
        """When `tick` must come."""
        return self.call.deadline()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self.perform(self.call.tick(now))

    def happened(self, event: Event) -> None:
        """Tell the machine, and do what it wants."""
        self.perform(self.call.receive(event, time.monotonic()))
        self._carrier.pacer.arm(self)

    def perform(self, actions: list[Action]) -> None:
        """Do what the machine wants."""
        for action in actions:
            match action:
                case SendFrame():  # The hot case first.
                    self._send(action.stream, action.text, WSMsgType.TEXT)
                    if action.payload is not None:
                        self.call.ledger.left(action.payload, time.monotonic())
                case SendMessage():
                    kind = WSMsgType.BINARY if action.binary else WSMsgType.TEXT
                    self._send(action.stream, action.data, kind)
                case Request():
                    self._carrier.spawn(self._request(action), f"webhook {self.call.plan.sid}")
                case OpenStream():
                    self._carrier.spawn(self._open(action), f"stream {self.call.plan.sid}")
                case CloseStream():
                    self._close(action)
                case ResetStream():
                    self._sockets[action.stream].reset()
                case ReadStream():
                    self._sockets[action.stream].read(reading=action.reading)
                case Finished():
                    self._carrier.finished(self)
                case _:
                    assert_never(action)

    def _send(self, stream: int, data: bytes, kind: WSMsgType) -> None:
        transport = self._sockets[stream].transport
        if transport is not None:
            transport.send(kind, data)

    def _close(self, action: CloseStream) -> None:
        socket = self._sockets.get(action.stream)
        if socket is not None:
            socket.close(action.code)

    async def _request(self, request: Request) -> None:
        event = await self._carrier.fetch(request)
        if request.wants_answer:
            self.happened(event)

    async def _open(self, action: OpenStream) -> None:
        socket = MediaSocket(action.stream, self.happened)
        self._sockets[action.stream] = socket
        try:
            async with asyncio.timeout(OPEN_S_MAX):
                await ws_connect(
                    lambda: socket,
                    action.url,
                    ssl_context=self._carrier.tls if action.url.startswith("wss:") else None,
                    websocket_handshake_timeout=OPEN_S_MAX,
                    max_frame_size=MESSAGE_BYTES_MAX,
                    max_redirects=0,
                    extra_headers=action.headers,
                    logger_name="trunkline.sim.carrier",
                )
        except TimeoutError:
            self.happened(StreamRefused(action.stream, "not in time", 31901))
        except WSError as error:
            self.happened(StreamRefused(action.stream, str(error).partition("\n")[0]))
        except ssl.SSLError as error:
            self.happened(StreamRefused(action.stream, str(error), 31910))
        except OSError as error:
            self.happened(StreamRefused(action.stream, str(error), 31901))

    def drop(self) -> None:
        """The simulator goes: close whatever is open."""
        for socket in self._sockets.values():
            socket.close(1001)
            socket.gone()
        if not self.ended.done():
            self.ended.cancel()

    def view(self, now: float) -> CallView:
        """The call as a row of a table."""
        call = self.call
        turns = call.person.turns()
        heard = call.person.words_heard(turns[-1]) if turns else ""
        return CallView(
            sid=call.plan.sid,
            direction=call.plan.direction,
            to_number=call.plan.to_number,
            phase=call.leg.phase,
            doing=call.run.verb,
            seconds=now - call.leg.began_at,
            turns=len(turns),
            heard=heard[-HEARD_CHARS_MAX:],
        )


class Carrier:
    """All calls of one simulator. Made by `serve_carrier`."""

    def __init__(
        self,
        options: CarrierOptions,
        http: aiohttp.ClientSession,
        tasks: asyncio.TaskGroup,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.pacer = Pacer(loop)
        self.reports: deque[CallReport] = deque(maxlen=REPORTS_MAX)
        self.tls = ssl.create_default_context(cafile=options.ca_file)
        self._options = options
        self._http = http
        self._group = tasks
        self._running: set[asyncio.Task[None]] = set()
        self._rng = random.Random(options.seed)  # noqa: S311 - a simulator's dice
        self._account = replace(options.account, wall_s=time.time() - time.monotonic())
        self._lines: dict[str, Line] = {}
        self._turn = asyncio.Semaphore(CALLS_MAX)

    @property
    def calls(self) -> tuple[CallView, ...]:
        """The live calls."""
        now = time.monotonic()
        return tuple(line.view(now) for line in self._lines.values())

    async def place_call(
        self,
        *,
        to: str,
        from_: str,
        script: Script,
        faults: Faults | None = None,
        give_up_s: float | None = None,
    ) -> CallReport:
        """A person calls a number. Returns when the call and all about it is over."""
        async with self._turn:
            options = self._options
            plan = CallPlan(
                sid=new_sid("CA", self._rng),
                direction="inbound",
                from_number=from_,
                to_number=to,
                voice_url=options.voice_url,
                voice_method=options.voice_method,
                fallback_url=options.fallback_url,
                status_url=options.status_url,
                give_up_s=give_up_s,
            )
            line = self.start(plan, script, faults)
            try:
                return await line.ended
            except asyncio.CancelledError:
                if plan.sid in self._lines:
                    line.happened(PersonHungUp())
                raise

    def start(self, plan: CallPlan, script: Script, faults: Faults | None = None) -> Line:
        """Begin a call; `Line.ended` has its report in the end."""
        account = self._account if faults is None else replace(self._account, faults=faults)
        rng = random.Random(self._rng.getrandbits(64))  # noqa: S311
        person = Person(script, self._options.voice, account.frame_ms)
        line = Line(self, CarrierCall(plan, account, person, rng))
        self._lines[plan.sid] = line
        line.perform(line.call.place(time.monotonic()))
        self.pacer.arm(line)
        return line

    def finished(self, line: Line) -> None:
        """A call is over, with all about it."""
        del self._lines[line.call.plan.sid]
        report = report_of(line.call)
        self.reports.append(report)
        if not line.ended.done():
            line.ended.set_result(report)

    def hang_up(self, sid: str) -> None:
        """Whoever is on this line puts the phone down now."""
        self._lines[sid].happened(PersonHungUp())

    def spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run the work as a task of the simulator's."""
        task = self._group.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def fetch(self, request: Request) -> WebhookAnswered | WebhookFailed:
        """Make an HTTP request; whatever happens is the answer."""
        timeout = aiohttp.ClientTimeout(total=request.timeout_s)
        try:
            async with self._http.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.form.encode() if request.method != "GET" else None,
                headers=request.headers,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                body = bytearray()
                async for piece in answer.content.iter_chunked(16 * 1024):
                    body += piece
                    if len(body) > DOCUMENT_BYTES_MAX:
                        break
                return WebhookAnswered(request.request, answer.status, bytes(body))
        except TimeoutError:
            return WebhookFailed(request.request, f"no answer in {request.timeout_s:.0f} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return WebhookFailed(request.request, type(error).__name__)

    async def close(self) -> None:
        """Close every socket and end every task."""
        self.pacer.close()
        for line in list(self._lines.values()):
            line.drop()
        for task in list(self._running):
            task.cancel()


@asynccontextmanager
async def serve_carrier(options: CarrierOptions) -> AsyncIterator[Carrier]:
    """A carrier that places calls; with it all its sockets and tasks go."""
    connector = aiohttp.TCPConnector(limit=0, ssl=_tls(options))
    async with (
        aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=_OURS
        ) as http,
        asyncio.TaskGroup() as tasks,
    ):
        carrier = Carrier(options, http, tasks)
        try:
            yield carrier
        finally:
            await carrier.close()


_OURS: Final = ("User-Agent", "Accept")
"""Headers that the machine sets itself."""


def _tls(options: CarrierOptions) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=options.ca_file)
