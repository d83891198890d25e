"""The carrier of the world: its machine's calls, the ingress before the pods, its API."""

import asyncio
import math
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol
from urllib.parse import urlsplit

from trunkline.core.ids import CallSid
from trunkline.errors import CarrierError
from trunkline.pod.alarm import Alarm
from trunkline.sim.caller import Person, Script, Voice
from trunkline.sim.carrier.account import Account, new_sid
from trunkline.sim.carrier.call import CarrierCall
from trunkline.sim.carrier.events import (
    Action,
    CloseStream,
    Event,
    Finished,
    OpenStream,
    ReadStream,
    Request,
    ResetStream,
    SendFrame,
    SendMessage,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    StreamText,
    Updated,
    WebhookAnswered,
    WebhookFailed,
)
from trunkline.sim.carrier.faults import NO_FAULTS, Faults
from trunkline.sim.carrier.forms import CallPlan
from trunkline.sim.carrier.phases import Phase
from trunkline.world.clock import OUTSIDE, Place, here
from trunkline.world.media import END, RESET, PodStream
from trunkline.world.wires import BrokenError, Pipe, ask

PUBLIC_URL: Final = "https://voice.example.com"
NUMBER: Final = "+15550100001"
FRAME_MS: Final = 200
STREAM_OPEN_S_MAX: Final = 5.0
API_S: Final = (0.05, 0.4)
"""How long the carrier's API takes."""


class Pod(Protocol):
    """A pod, as the carrier meets it."""

    place: Place
    name: str

    async def answer(self, request: Request) -> tuple[int, bytes]:
        """A webhook: HTTP status and body."""
        ...

    def stream(self, path: str) -> PodStream | None:
        """The pod's end of a stream to this path; None: 404."""
        ...


@dataclass
class Ways:
    """What the weather does to ways, in seconds and shares."""

    webhook_s: tuple[float, float] = (0.03, 0.25)
    lost: float = 0.0
    """So large a share of requests finds no pod at all."""
    stream_s: tuple[float, float] = (0.01, 0.06)
    notices_s: tuple[float, float] = (0.05, 1.0)
    """So soon the carrier notices that a pod is gone."""


@dataclass
class Leg:
    """One stream between the carrier and a pod."""

    pod: Pod
    stream: PodStream
    to_pod: Pipe[bytes]
    to_carrier: Pipe[bytes]
    forget: Callable[[], None]
    gone: bool = False


@dataclass
class Span:
    """Times in which a call's caller may hear nothing, by no fault of ours."""

    begin: float
    end: float


class WorldCall:
    """One call at the carrier."""

    def __init__(self, carrier: "WorldCarrier", call: CarrierCall) -> None:
        self.call = call
        self.sid = CallSid(call.plan.sid)
        self.legs: dict[int, Leg] = {}
        self.is_finished = False
        self.excused: list[Span] = []
        self.went_dark = False
        """A stream of it died unnoticed: its pod may have to find out by its silence."""
        self.has_forged_ticket = False
        self.carried = False
        """Whether a pod ever accepted a stream of it."""
        self._dropped: set[int] = set()
        """Streams that were given up while they were being opened."""
        self._carrier = carrier
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._tick)

    def place(self) -> None:
        """The call begins."""
        self.perform(self.call.place(self._loop.time()))

    def happened(self, event: Event) -> None:
        """Tell the machine, and do what it wants."""
        self.perform(self.call.receive(event, self._loop.time()))

    def _tick(self) -> None:
        self.perform(self.call.tick(self._loop.time()))

    def perform(self, actions: list[Action]) -> None:
        """Do what the machine wants."""
        for action in actions:
            match action:
                case SendFrame():
                    self._send(action.stream, action.text)
                case SendMessage():
                    self._send(action.stream, action.data)
                case Request():
                    self._carrier.spawn(self._request(action), f"webhook {self.sid}")
                case OpenStream():
                    self._carrier.spawn(self._open(action), f"stream {self.sid}")
                case CloseStream():
                    self._close(action.stream)
                case ResetStream():
                    self.reset(action.stream)
                case ReadStream():
                    pass
                case Finished():
                    self.is_finished = True
                    self._carrier.finished(self)
        at = self.call.deadline()
        if at is not None and not self.is_finished:
            self._alarm.set(at)

    def excuse(self, begin: float, end: float) -> None:
        """The caller may hear nothing meanwhile."""
        self.excused.append(Span(begin, end))

    @property
    def live_legs(self) -> list[tuple[int, Leg]]:
        """The streams that are open."""
        return [(number, leg) for number, leg in self.legs.items() if not leg.gone]

    def reset(self, number: int) -> None:
        """The stream's connection breaks, and both ends know."""
        leg = self.legs.get(number)
        if leg is not None and not leg.gone:
            leg.to_pod.send(RESET)
            self._lost(number)

    def black_out(self, number: int, notices_s: float) -> None:
        """The stream's connection is dead, and neither end knows; the carrier finds out then."""
        leg = self.legs[number]
        leg.to_pod.cut = leg.to_carrier.cut = True
        self.went_dark = True
        now = self._loop.time()
        self.excuse(now - 3.0, now + notices_s + 0.5)
        self._loop.call_later(notices_s, self._lost, number, context=OUTSIDE)

    def _send(self, number: int, text: bytes) -> None:
        leg = self.legs.get(number)
        if leg is not None and not leg.gone:
            leg.to_pod.send(text)

    async def _request(self, request: Request) -> None:
        event = await self._carrier.fetch(request)
        if request.wants_answer:
            self.happened(event)

    async def _open(self, order: OpenStream) -> None:
        number, ways = order.stream, self._carrier.ways
        rng = self._carrier.rng
        way_s = rng.uniform(*ways.stream_s)
        await asyncio.sleep(2 * way_s)
        path = urlsplit(order.url).path
        pod = self._carrier.pod_at(path)
        if pod is None:
            self._refused(number, "no pod", 31901)
            return
        try:
            async with asyncio.timeout(STREAM_OPEN_S_MAX):
                stream = await ask(pod.place, lambda: _upgrade(pod, path), "upgrade")
        except (BrokenError, TimeoutError):
            self._refused(number, "no answer", 31901)
            return
        if stream is None or pod.place.dead or number in self._dropped:
            self._refused(number, "not found", 31920)
            return
        to_carrier: Pipe[bytes] = Pipe(lambda text: self._arrived(number, text), way_s)
        to_pod: Pipe[bytes] = Pipe(stream.arrive, way_s, pod.place.context)
        forget = pod.place.on_death(lambda: self._pod_died(number))
        self.legs[number] = Leg(pod, stream, to_pod, to_carrier, forget)
        self._loop.call_soon(stream.opened, to_carrier, context=pod.place.context)
        self.happened(StreamOpened(number))

    def _refused(self, number: int, reason: str, code: int) -> None:
        if number not in self._dropped:
            self.happened(StreamRefused(number, reason, code))

    def _arrived(self, number: int, text: bytes) -> None:
        leg = self.legs[number]
        if leg.gone:
            return
        if text is END:
            leg.to_pod.send(END)
            self._end(number, 1000)
        else:
            self.carried = self.carried or leg.stream.has_call
            self.happened(StreamText(number, text))

    def _close(self, number: int) -> None:
        leg = self.legs.get(number)
        if leg is None:
            self._dropped.add(number)
            self._loop.call_soon(self.happened, StreamClosed(number, None), context=OUTSIDE)
            return
        if leg.gone:
            return
        leg.to_pod.send(END)
        self._end(number, 1000)

    def _pod_died(self, number: int) -> None:
        leg = self.legs[number]
        if leg.gone:
            return
        leg.to_pod.cut = leg.to_carrier.cut = True
        after_s = self._carrier.rng.uniform(*self._carrier.ways.notices_s)
        now = self._loop.time()
        self.excuse(now - 3.0, now + after_s + 0.5)
        self._loop.call_later(after_s, self._lost, number, context=OUTSIDE)

    def _lost(self, number: int) -> None:
        self._end(number, None)

    def _end(self, number: int, code: int | None) -> None:
        leg = self.legs[number]
        if leg.gone:
            return
        leg.gone = True
        leg.forget()
        self._loop.call_soon(self.happened, StreamClosed(number, code), context=OUTSIDE)


async def _upgrade(pod: Pod, path: str) -> PodStream | None:
    return pod.stream(path)


@dataclass
class WorldCarrier:
    """All calls, and the ingress before the pods."""

    rng: random.Random
    voice: Voice
    pods: Callable[[], Sequence[Pod]]
    """Those that the ingress sends webhooks to."""
    pod_at: Callable[[str], Pod | None]
    """The pod whose stream has this path."""
    tasks: asyncio.TaskGroup
    ways: Ways = field(default_factory=Ways)
    account: Account = field(default_factory=lambda: Account(frame_ms=FRAME_MS))
    calls: dict[CallSid, WorldCall] = field(default_factory=dict)
    on_finished: Callable[[WorldCall], None] = lambda _: None
    tell: Callable[[str], None] = lambda _: None
    asked: int = 0
    """Webhooks and callbacks so far."""
    _running: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _closed: bool = False

    def close(self) -> None:
        """Nothing more is asked."""
        self._closed = True
        for task in list(self._running.values()):
            task.cancel()

    def spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        """A task of the carrier's own."""
        if self._closed:
            work.close()
            return
        task = self.tasks.create_task(work, name=name, context=OUTSIDE.copy())
        self._running[id(task)] = task
        task.add_done_callback(lambda done: self._running.pop(id(done), None))

    def place_call(self, script: Script, faults: Faults = NO_FAULTS) -> WorldCall:
        """A person calls our number."""
        url = PUBLIC_URL + "/twilio"
        plan = CallPlan(
            sid=new_sid("CA", self.rng),
            direction="inbound",
            from_number=f"+1555020{len(self.calls):04d}",
            to_number=NUMBER,
            voice_url=f"{url}/voice",
            fallback_url=f"{url}/voice",
            status_url=f"{url}/status",
        )
        account = Account(frame_ms=FRAME_MS, faults=faults)
        person = Person(script, self.voice, FRAME_MS)
        call = WorldCall(
            self,
            CarrierCall(plan, account, person, random.Random(self.rng.getrandbits(64))),  # noqa: S311
        )
        self.calls[call.sid] = call
        call.has_forged_ticket = bool(faults.parameters)
        if faults.parameters or faults.replay_after_s:
            call.excuse(0.0, math.inf)  # Its ticket is a stranger's, or a stranger has its ticket.
        asyncio.get_running_loop().call_soon(call.place, context=OUTSIDE)
        return call

    def finished(self, call: WorldCall) -> None:
        """A call is over, with all about it."""
        self.on_finished(call)

    async def fetch(self, request: Request) -> WebhookAnswered | WebhookFailed:
        """Ask a pod, through the ingress: it tries another where one is gone."""
        self.asked += 1
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._fetch(request)
        except TimeoutError:
            return WebhookFailed(request.request, "no answer in time")

    async def _fetch(self, request: Request) -> WebhookAnswered | WebhookFailed:
        await asyncio.sleep(self.rng.uniform(*self.ways.webhook_s))
        if self.rng.random() < self.ways.lost:
            return WebhookFailed(request.request, "lost")
        tried: set[str] = set()
        while pods := [pod for pod in self.pods() if pod.name not in tried]:
            pod = self.rng.choice(pods)
            tried.add(pod.name)
            try:
                status, body = await ask(pod.place, partial(pod.answer, request), "webhook")
            except BrokenError:
                continue
            await asyncio.sleep(self.rng.uniform(*self.ways.webhook_s) / 2)
            self.tell(f"{request.form['CallSid'][:6]} {_name_of(request)} {pod.name} {status}")
            return WebhookAnswered(request.request, status, body)
        return WebhookAnswered(request.request, 502, b"")


def _name_of(request: Request) -> str:
    """What is asked, without the token."""
    return "/".join(urlsplit(request.url).path.split("/")[2:3])


class WorldOrders:
    """`ports.CarrierOrders`: the carrier's API, as a pod reaches it."""

    def __init__(self, carrier: WorldCarrier) -> None:
        self._carrier = carrier

    async def redirect(self, call: CallSid, url: str) -> bool:
        """As the port says."""
        await asyncio.sleep(self._carrier.rng.uniform(*API_S))
        place = here()
        found = self._carrier.calls.get(call)
        if place is not None and place.dead:
            raise CarrierError("no answer")
        if found is None or found.call.leg.phase is not Phase.IN_PROGRESS:
            return False
        loop = asyncio.get_running_loop()
        loop.call_soon(found.happened, Updated(url=url), context=OUTSIDE)
        await asyncio.sleep(self._carrier.rng.uniform(*API_S))
        return True
