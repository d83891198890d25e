"""The simulated carrier on real sockets: webhooks over HTTP, streams over WebSockets.

    async with serve_carrier(CarrierOptions(voice_url=…)) as carrier:
        report = await carrier.place_call(to=…, from_=…, script=[Listen(), Say("hello"), HangUp()])

The machines of `sim.carrier` decide; here their actions are performed.
"""

import asyncio
import random
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import aiohttp
from yarl import URL

from trunkline.errors import SettingsError
from trunkline.sim.caller import Person, Script, Voice
from trunkline.sim.carrier.account import Account, new_sid
from trunkline.sim.carrier.call import CarrierCall
from trunkline.sim.carrier.events import (
    PersonHungUp,
    Request,
    Updated,
    WebhookAnswered,
    WebhookFailed,
)
from trunkline.sim.carrier.faults import Faults
from trunkline.sim.carrier.forms import CallPlan
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.carrier.reporting import report_of
from trunkline.sim.carrier.resources import ApiError, CalleeBook
from trunkline.sim.carrier.rest import ApiLimits, ApiReply, ApiRequest, CallsApi, Create
from trunkline.sim.pacer import TIMER_GRAIN_S, Pacer
from trunkline.sim.serve_carrier_line import CallView, Line
from trunkline.sim.serve_carrier_media import CLOSE_S_MAX, OPEN_S_MAX
from trunkline.sim.serve_carrier_rest import serve_api
from trunkline.sim.tally import Marks

DOCUMENT_BYTES_MAX: Final = 128 * 1024
"""More of an answer is not read: the document is too long by then."""

STREAMS_GONE_S_MAX: Final = OPEN_S_MAX + CLOSE_S_MAX
"""So long the simulator waits at its end for sockets that are being opened or closed."""

CALLS_MAX: Final = 2_000
"""Calls at once in one simulator; `place_call` waits for its turn."""

REPORTS_MAX: Final = 1_000
"""Reports kept of calls that nobody waits for; then the oldest is forgotten."""


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
    rest_port: int | None = None
    """Where the Calls API listens on this machine: 0 for any port, None for not at all."""
    limits: ApiLimits = field(default_factory=ApiLimits)
    callees: CalleeBook = field(default_factory=CalleeBook)
    marks_from: int | None = None
    """Each frame gets a mark of time: the first call's number in it; None: no marks."""


class Carrier:
    """All calls of one simulator. Made by `serve_carrier`."""

    def __init__(
        self,
        options: CarrierOptions,
        http: aiohttp.ClientSession,
        tasks: asyncio.TaskGroup,
        tls: ssl.SSLContext,
        api_url: str | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.pacer = Pacer(loop)
        self.reports: deque[CallReport] = deque(maxlen=REPORTS_MAX)
        self.tls = tls
        self._options = options
        self._http = http
        self._group = tasks
        self._running: set[asyncio.Task[None]] = set()
        self._rng = random.Random(options.seed)  # noqa: S311 - a simulator's dice
        self._account = replace(options.account, wall_s=time.time() - time.monotonic())
        self._lines: dict[str, Line] = {}
        self._turn = asyncio.Semaphore(CALLS_MAX)
        self._api = CallsApi(self._account, options.limits, options.callees, self._rng)
        self._marked = 0
        self._closed = False
        self._dialling: asyncio.TimerHandle | None = None
        self.api_url = api_url
        """Base of the Calls API, where it listens."""

    @property
    def live(self) -> tuple[str, ...]:
        """The live calls' SIDs."""
        return tuple(self._lines)

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
        line = self._make(plan, script, faults)
        line.place()
        return line

    def _make(self, plan: CallPlan, script: Script, faults: Faults | None = None) -> Line:
        account = self._account if faults is None else replace(self._account, faults=faults)
        rng = random.Random(self._rng.getrandbits(64))  # noqa: S311
        person = Person(script, self._options.voice, account.frame_ms)
        line = Line(self, CarrierCall(plan, account, person, rng, self._marks()))
        self._lines[plan.sid] = line
        self._api.watch(line.call, time.monotonic())
        return line

    def _marks(self) -> Marks | None:
        """The next call's; each has a number of its own."""
        first = self._options.marks_from
        if first is None:
            return None
        self._marked += 1
        return Marks(first + self._marked - 1)

    def api(self, request: ApiRequest) -> ApiReply:
        """Answer a request to the Calls API, and do what it asks for."""
        if self._closed:
            return ApiReply(503, ApiError(503, 20503, "The service goes away").resource())
        reply, wanted = self._api.handle(request, time.monotonic())
        for order in wanted:
            if isinstance(order, Create):
                self._make(order.plan, order.plan.callee.script)
            else:
                self._lines[order.sid].happened(order.event)
        self._dial()
        return reply

    def _dial(self) -> None:
        """Place the queued calls whose turn has come; come back for the next."""
        ready, stale = self._api.due(time.monotonic())
        for sid in ready:
            self._lines[sid].place()
        for sid in stale:
            self._lines[sid].happened(Updated(status="failed"))
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        at = self._api.deadline()
        if at is not None:
            delay_s = max(0.0, at - time.monotonic()) + TIMER_GRAIN_S
            self._dialling = asyncio.get_running_loop().call_later(delay_s, self._dial)

    def finished(self, line: Line) -> None:
        """A call is over, with all about it."""
        self._api.settle(line.call.plan.sid, time.monotonic())
        del self._lines[line.call.plan.sid]
        report = report_of(line.call)
        self.reports.append(report)
        if not line.ended.done():
            line.ended.set_result(report)

    def hang_up(self, sid: str) -> None:
        """Whoever is on this line puts the phone down now."""
        self._lines[sid].happened(PersonHungUp())

    def spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run the work as a task of the simulator's; once it closes, nothing new begins."""
        if self._closed:
            work.close()
            return
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
        """Close every socket and end every task; calls that still live have no report."""
        self._closed = True
        self.pacer.close()
        if self._dialling is not None:
            self._dialling.cancel()
        for line in list(self._lines.values()):
            line.drop()
        streams = {task for task in self._running if task.get_name().startswith("stream")}
        for task in self._running - streams:
            task.cancel()
        if streams:  # Each has its close under way, or its handshake's deadline.
            await asyncio.wait(streams, timeout=STREAMS_GONE_S_MAX)
        for task in list(self._running):
            task.cancel()


@asynccontextmanager
async def serve_carrier(options: CarrierOptions) -> AsyncIterator[Carrier]:
    """A carrier that places calls; with it all its sockets and tasks go."""
    tls = _tls(options.ca_file)
    connector = aiohttp.TCPConnector(limit=0, ssl=tls)
    async with (
        aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=_OURS
        ) as http,
        serve_api(lambda request: carrier.api(request), options.rest_port) as api_url,  # noqa: PLW0108 - not made yet
        asyncio.TaskGroup() as tasks,
    ):
        carrier = Carrier(options, http, tasks, tls, api_url)
        try:
            yield carrier
        finally:
            await carrier.close()


_OURS: Final = ("User-Agent", "Accept")
"""Headers that the machine sets itself."""


def _tls(ca_file: str | None) -> ssl.SSLContext:
    """The usual authorities, and the server's own where one is given."""
    tls = ssl.create_default_context()
    if ca_file is not None:
        try:
            tls.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one, too.
            raise SettingsError(f"{ca_file} holds no certificate: {error}") from error
    return tls
