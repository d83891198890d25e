"""The middle of a pod without sockets: desk, calls, recorder, over stores with switches."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from call.script import plan
from pod.ends import LIFE, POD, SOON_S, Door, Socket, Tools, surroundings, until
from pod.stores import FailingBook, FailingFleet, FailingJournal
from trunkline.call.plan import CallPlan, Limits
from trunkline.core import facts, tickets
from trunkline.core.facts import CallEnded, Fact
from trunkline.core.fleet_states import Beat, Life
from trunkline.core.ids import CallSid, Epoch, StreamSid
from trunkline.core.neighbour_words import Answer as AnswerWord
from trunkline.core.neighbour_words import Receive, Take, Told, Word
from trunkline.core.slots import NOBODYS, Bounds, ModelLimit, PodSlots
from trunkline.core.tickets import Ticket
from trunkline.pod.calls import Calls, Identity
from trunkline.pod.carrier_facts import CarrierFacts
from trunkline.pod.clock import RedisClock
from trunkline.pod.directory import Line, Overflow, Prepared
from trunkline.pod.front import Front
from trunkline.pod.orders import Orders
from trunkline.pod.passes import media_path, media_url
from trunkline.pod.reception import Ground, Reception
from trunkline.pod.redirects import Redirects
from trunkline.pod.surroundings import Surroundings
from trunkline.ports import PodAt
from trunkline.telemetry.logs import get_logger
from trunkline.wire import twilio, twiml, webhooks

NUMBER = "+15550100001"
KEY = b"0123456789abcdef0123456789abcdef"
ME = Identity(POD, LIFE, "https://voice.example.com")
MEDIA_PATH, MEDIA_URL = media_path(ME.pod), media_url(ME.public_url, ME.pod)
FIRST, SECOND, THIRD = (CallSid("CA" + digit * 32) for digit in "123")
STREAM, NEXT_STREAM = StreamSid("MZ" + "1" * 32), StreamSid("MZ" + "2" * 32)


class Book:
    """Leads one number to one agent; a `Directory`."""

    hook = None

    def __init__(
        self,
        call_plan: CallPlan,
        bounds: Bounds = NOBODYS,
        models: tuple[ModelLimit, ...] = (ModelLimit("m"),),
        hold_s: float = 0.0,
    ) -> None:
        self.plan = call_plan
        self.number = NUMBER
        self.hold_s = hold_s
        self.bounds = bounds
        self.models = models

    def line(self, number: str) -> Line | None:
        """Only our number is answered."""
        if number != self.number:
            return None
        overflow = Overflow("dial", "+15550100021")
        return Line(
            number,
            "desk",
            "clinic",
            "health",
            overflow,
            bounds=self.bounds,
            models=self.models,
            hold_s=self.hold_s,
        )

    def prepare(self, line: Line, variables: Mapping[str, str]) -> Prepared:
        """The same plan for every call."""
        del variables
        return Prepared(self.plan, {}, tuple(limit.model for limit in line.models))


def voice(
    call: CallSid, *, to: str = NUMBER, recording: str | None = None
) -> webhooks.VoiceRequest:
    """What Twilio asks first of a call, and again behind each stream."""
    return webhooks.VoiceRequest(
        call, "AC1", "+15550100099", to, "inbound", "ringing", recording_url=recording
    )


@dataclass(frozen=True)
class Answer:
    """A document with a stream, read."""

    document: str

    @property
    def verbs(self) -> list[str]:
        """The names of its verbs."""
        return [type(verb).__name__ for verb in twiml.parse(self.document)]

    @property
    def ticket(self) -> Ticket:
        """The ticket of its stream."""
        verb = twiml.parse(self.document)[0]
        assert isinstance(verb, twiml.Connect)
        ticket = tickets.read_ticket(verb.stream.parameters["ticket"], KEY)
        assert isinstance(ticket, Ticket)
        return ticket

    @property
    def token(self) -> str:
        """The text of the resume token behind it."""
        verb = twiml.parse(self.document)[-1]
        assert isinstance(verb, twiml.Redirect)
        return verb.url.rpartition("/")[2]


@dataclass
class Office:
    """A front with its desk, and all that they stand on."""

    reception: Reception
    calls: Calls
    slots: PodSlots
    journal: FailingJournal
    book: FailingBook
    door: Door
    tools: Tools
    around: Surroundings
    tasks: asyncio.TaskGroup
    directory: Book
    """The present one; a test may put another in its place."""
    doors: Mapping[str, Door]
    """By model, in the order of the list; `door` is the first."""
    sockets: list[Socket] = field(default_factory=list)
    fewer: list[int] = field(default_factory=list)
    """As often as a pod was found gone."""

    @property
    def front(self) -> Front:
        """What webhooks are answered by."""
        return self.reception.front

    @property
    def redirects(self) -> Redirects:
        """What those behind streams are answered by."""
        return self.reception.redirects

    async def ring(self, call: CallSid) -> Answer:
        """A call's webhook, answered."""
        return Answer(await self.front.voice(voice(call)))

    async def redirect(self, call: CallSid, answer: Answer) -> Answer | None:
        """The redirect behind a stream, answered; None: 403."""
        document = await self.front.resume(answer.token, voice(call))
        return None if document is None else Answer(document)

    def start(self, call: CallSid, stream: StreamSid = STREAM) -> Socket:
        """A stream with a good ticket starts."""
        live = self.calls.get(call)
        assert live is not None
        runner = self.calls.carry(live)
        assert runner is not None
        socket = Socket()
        runner.stream_started(socket, stream)
        self.sockets.append(socket)
        return socket

    def lose(self, call: CallSid, socket: Socket) -> None:
        """The stream's socket is gone."""
        self.sockets.remove(socket)
        live = self.calls.get(call)
        assert live is not None
        assert live.runner is not None
        live.runner.stream_lost(socket, "dropped")

    def hang_up(self, call: CallSid, socket: Socket, stream: StreamSid = STREAM) -> None:
        """The caller puts the phone down."""
        live = self.calls.get(call)
        assert live is not None
        assert live.runner is not None
        stop = twilio.Stop(twilio.StopFields("AC1", call), stream, "9")
        live.runner.from_carrier(socket, stop)

    def status(self, call: CallSid, status: str = "completed") -> None:
        """The carrier's status callback."""
        self.front.status(webhooks.StatusCallback(call, "AC1", status))

    async def facts(self, call: CallSid) -> list[Fact]:
        """What the journal has of a call."""
        return [
            msgspec.json.decode(entry.payload, type=facts.Fact)
            for entry in await self.journal.read(call)
        ]

    async def end(self, call: CallSid) -> CallEnded:
        """The call's one end, once all of it is in the call log."""
        while (row := await self.book.call(call)) is None or row.outcome is None:
            await self.book.wait_until_asked()
        ends = [fact for fact in await self.facts(call) if isinstance(fact, CallEnded)]
        assert len(ends) == 1
        return ends[0]

    def counted(self, name: str) -> float:
        """A metric's value, by its name and labels; 0 if it is not there."""
        for line in self.around.metrics.render().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    async def until_empty(self) -> None:
        """No call is left."""
        await until(lambda: not self.calls.all())


class Direct:
    """The other pods of a fleet in one process; one that is frozen does not answer."""

    def __init__(self) -> None:
        self.orders: dict[Life, Orders] = {}
        self.frozen: set[Life] = set()
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        """While it is not set, an order to take a call is on its way."""
        self.gate.set()

    def _find(self, at: PodAt, deed: str) -> Orders | None:
        self.asked.append(f"{at.life.pod} {deed}")
        return None if at.life in self.frozen else self.orders.get(at.life)

    async def word(self, at: PodAt, call: CallSid) -> Word | None:
        """What it knows of a call."""
        found = self._find(at, "word")
        return None if found is None else found.word(call)

    async def receive(self, at: PodAt, call: CallSid, order: Receive) -> AnswerWord | None:
        """A new call."""
        found = self._find(at, "receive")
        return None if found is None else await found.receive(call, order)

    async def take(self, at: PodAt, call: CallSid, order: Take) -> AnswerWord | None:
        """A call of another pod."""
        found = self._find(at, "take")
        await self.gate.wait()
        return None if found is None else await found.take(call, order)

    async def tell(self, at: PodAt, call: CallSid, told: Told) -> None:
        """The end of a call."""
        if (found := self._find(at, "told")) is not None:
            found.told(call, told.status)


class Redirecting:
    """The carrier's API: it notes which calls shall ask which address."""

    def __init__(self) -> None:
        self.asked: list[tuple[CallSid, str]] = []
        self.came = asyncio.Event()

    async def redirect(self, call: CallSid, url: str) -> bool:
        """Have the call ask this address."""
        self.asked.append((call, url))
        self.came.set()
        return True


@dataclass
class Stores:
    """What the pods of one fleet share."""

    journal: FailingJournal = field(default_factory=FailingJournal)
    book: FailingBook = field(default_factory=FailingBook)
    neighbours: Direct = field(default_factory=Direct)
    carrier: Redirecting | None = None

    def __post_init__(self) -> None:
        self.fleet = FailingFleet(self.journal)


@asynccontextmanager
async def office(
    calls_max: int = 3,
    limits: Limits | None = None,
    later: list[float] | None = None,
    bounds: Bounds = NOBODYS,
    models: tuple[ModelLimit, ...] = (ModelLimit("m"),),
    *,
    me: Identity = ME,
    stores: Stores | None = None,
    hold_s: float = 0.0,
) -> AsyncIterator[Office]:
    """At its end every call is ended, and nothing of any may be left.

    The desk's clock is as far ahead as the numbers in `later` say. Pods with the same `stores` are
    one fleet. `hold_s`: so long callers hold.
    """
    loop = asyncio.get_running_loop()
    shared = stores or Stores()
    journal, book, door, tools = shared.journal, shared.book, Door(), Tools()
    around, slots = surroundings(journal, book, me.pod, me.incarnation), PodSlots(calls_max)
    directory = Book(plan(limits=limits), bounds, models, hold_s)
    doors = {limit.model: door if limit is models[0] else Door() for limit in models}
    async with asyncio.timeout(4 * SOON_S), asyncio.TaskGroup() as lasting:
        lasting.create_task(around.recorder.run(), name="recorder")
        carrier = CarrierFacts(book, get_logger(), lambda: journal.now_ms)
        lasting.create_task(carrier.run(), name="carrier facts")
        async with asyncio.TaskGroup() as passing:

            def release(call: CallSid, epoch: Epoch) -> None:
                here.reception.membership.release(call, epoch)

            calls = Calls(
                slots,
                around,
                doors=doors,
                toolbox=lambda _: tools,
                tasks=passing,
                on_released=release,
                was_silent=lambda: here.reception.membership.was_silent,
            )
            life = Life(me.pod, me.incarnation)
            reception = Reception(
                Ground(
                    me=me,
                    beat=Beat(life, "", "1", calls_max, calls_max),
                    key=KEY,
                    calls=calls,
                    slots=slots,
                    doors=doors,
                    directory=lambda: here.directory,
                    journal=journal,
                    index=journal,
                    fleet_slots=shared.fleet,
                    roster=shared.fleet,
                    neighbours=shared.neighbours,
                    recorder=around.recorder,
                    carrier=carrier,
                    carrier_orders=shared.carrier,
                    clock=RedisClock(lambda: journal.now_ms),
                    log=get_logger(),
                    metrics=around.metrics,
                    drain=lambda: None,
                    on_fewer=lambda: here.fewer.append(1),
                    now=lambda: loop.time() + sum(later or ()),
                    wall_ms=lambda: journal.now_ms,
                )
            )
            shared.neighbours.orders[life] = reception.orders
            here = Office(
                reception,
                calls,
                slots,
                journal,
                book,
                door,
                tools,
                around,
                lasting,
                directory,
                doors,
            )
            beats = passing.create_task(reception.membership.run(), name="beats")
            releases = passing.create_task(reception.membership.carry_releases(), name="slots")
            await until(lambda: reception.membership.heard is not None)
            try:
                yield here
            finally:
                journal.away = book.away = False
                journal.gate.set()
                calls.cut()
                beats.cancel()
                releases.cancel()
        around.recorder.close()
        carrier.close()
    assert not calls.all()
    assert slots.held == 0
    assert around.recorder.backlog() == 0
    assert around.recorder.calls == 0
    assert all(socket.closed for socket in here.sockets)
