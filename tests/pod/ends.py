"""Both ends of a call and its tools, in a few lines each, for tests of what stands between.

Nothing here decides: a test says what a socket or a session does, and reads what it was sent.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from call.script import SID, VIEW, plan
from pod.stores import FailingBook, FailingJournal
from trunkline.call.plan import CallPlan
from trunkline.call.so_far import Takeover
from trunkline.config import prices
from trunkline.core import facts
from trunkline.core.facts import Fact
from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.errors import ModelError
from trunkline.pod.costs import Costs
from trunkline.pod.door import Acquired
from trunkline.pod.recorder import Recorder
from trunkline.pod.runner import CallRunner
from trunkline.pod.surroundings import Surroundings
from trunkline.pod.tools.run import ToolResult
from trunkline.ports import FrameListener, LossListener, ModelSession
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import twilio
from trunkline.wire.realtime import client, server

CALL = CallSid("CA" + "7" * 32)
POD, LIFE = PodName("pod-0"), Incarnation("a")
SOON_S = 5.0


async def until(fact: Callable[[], bool]) -> None:
    """Turn the loop until something is so."""
    async with asyncio.timeout(SOON_S):
        while not fact():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)


class Socket:
    """A stream's socket: `pod.surroundings.StreamSocket`."""

    def __init__(self) -> None:
        self.sent: list[twilio.ToCarrier] = []
        self.closed = 0
        self.on_send: Callable[[twilio.ToCarrier], None] = lambda _: None
        self.gone = asyncio.Event()
        self.gone.set()

    def send(self, message: twilio.ToCarrier) -> None:
        """Write it down, and do what the test wants at this moment."""
        self.sent.append(message)
        self.on_send(message)

    def close(self) -> None:
        """Count it."""
        self.closed += 1

    async def wait_gone(self) -> None:
        """At once, unless the test says otherwise."""
        await self.gone.wait()


class Session:
    """A session to a model: `ports.ModelSession`."""

    def __init__(self) -> None:
        self.id = "session-1"
        self.sent: list[bytes] = []
        self.behind = False
        self._on_frame: FrameListener = lambda _: None
        self._on_lost: LossListener = lambda _: None

    def listen(self, on_frame: FrameListener, on_lost: LossListener) -> None:
        """The runner listens."""
        self._on_frame, self._on_lost = on_frame, on_lost

    def send(self, text: bytes) -> None:
        """Write it down."""
        self.sent.append(text)

    def send_audio(self, text: bytes) -> bool:
        """Write it down, unless the test wants it to be behind with its reading."""
        if not self.behind:
            self.sent.append(text)
        return not self.behind

    async def close(self) -> None:
        """A door closes it, not the runner."""
        raise AssertionError

    def says(self, *events: server.FromServer) -> None:
        """The model sends these, all in one callback."""
        for event in events:
            self._on_frame(memoryview(msgspec.json.encode(event)))

    def says_raw(self, text: bytes) -> None:
        """The model sends what is no event."""
        self._on_frame(memoryview(text))

    def lose(self, reason: str) -> None:
        """The socket to the model is gone."""
        self._on_lost(reason)

    def heard(self) -> list[str]:
        """The types of the events that it was sent."""
        return [type(client.decode(memoryview(text))).__name__ for text in self.sent]


class Door:
    """Gives one session; `pod.surroundings.SessionDoor`."""

    def __init__(self) -> None:
        self.session = Session()
        self.open = asyncio.Event()
        self.open.set()
        self.refusal: str | None = None
        self.given = self.asked = 0
        self.released: list[bool] = []
        self.blamed: list[str] = []
        self.told: list[tuple[int, int, float]] = []
        self.used: list[tuple[int, float | None]] = []
        self.has_tokens = True

    async def acquire(self) -> Acquired:
        """The session, once the door is open."""
        self.asked += 1
        await self.open.wait()
        if self.refusal is not None:
            raise ModelError(self.refusal)
        self.given += 1
        return Acquired(self.session, "pool", "model-1", 0, 1.0)

    def blame(self, reason: str, begun_at: float) -> None:
        """Note what for."""
        del begun_at
        self.blamed.append(reason)

    def tokens_told(self, limit: int, remaining: int, reset_s: float) -> None:
        """Note it."""
        self.told.append((limit, remaining, reset_s))

    def tokens_used(self, tokens: int, apart_s: float | None) -> None:
        """Note it."""
        self.used.append((tokens, apart_s))

    def has_room(self, calls: int) -> bool:
        """As the test says."""
        del calls
        return self.has_tokens

    def release(self, session: ModelSession, *, clean: bool) -> None:
        """Note whether it came back clean."""
        assert session is self.session
        self.released.append(clean)


class Tools:
    """Runs tools that wait until the test lets them; `pod.surroundings.Toolbox`."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.done = asyncio.Event()

    async def run(self, name: str, arguments: str, call_id: str) -> ToolResult:
        """One tool."""
        del name, arguments
        self.begun.append(call_id)
        try:
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled.append(call_id)
            raise
        return ToolResult(ok=True, output="found", outcome="ok")


@dataclass
class Running:
    """A runner between its ends."""

    runner: CallRunner
    door: Door
    tools: Tools
    journal: FailingJournal
    book: FailingBook
    around: Surroundings
    socket: Socket = field(default_factory=Socket)

    @property
    def session(self) -> Session:
        """The call's session."""
        return self.door.session

    def begin(self) -> None:
        """The first stream starts."""
        self.runner.stream_started(self.socket, SID)

    async def talk(self) -> None:
        """The first stream starts and the session takes its settings."""
        self.begin()
        await until(lambda: bool(self.session.sent))
        self.session.says(server.SessionUpdated(VIEW))
        assert self.runner.phase == "talking"

    async def facts(self) -> list[Fact]:
        """What the journal has of the call."""
        entries = await self.journal.read(CALL)
        return [msgspec.json.decode(entry.payload, type=facts.Fact) for entry in entries]


def surroundings(
    journal: FailingJournal, book: FailingBook, pod: PodName = POD, life: Incarnation = LIFE
) -> Surroundings:
    """A pod's, with these stores."""
    metrics = Metrics()
    recorder = Recorder(
        journal,
        book,
        pod=pod,
        incarnation=life,
        log=logs.get_logger(),
        metrics=metrics,
        wall_ms=lambda: 1_767_225_600_000,
    )
    return Surroundings(recorder, logs.get_logger(), metrics, Costs(prices.load(None), metrics))


@asynccontextmanager
async def carrying(
    call_plan: CallPlan | None = None,
    on_fact: Callable[[Fact], None] | None = None,
    taken_over: Takeover | None = None,
) -> AsyncIterator[Running]:
    """A runner that runs; when the block ends it must have ended, or be ended by the block."""
    journal, book, door, tools = FailingJournal(), FailingBook(), Door(), Tools()
    around = surroundings(journal, book)
    opening = await journal.open_call(CALL, POD, LIFE)
    around.recorder.begin(CALL, opening.epoch)
    runner = CallRunner(
        CALL, call_plan or plan(), [door], tools, around, on_fact=on_fact, taken_over=taken_over
    )
    here = Running(runner, door, tools, journal, book, around)
    async with asyncio.timeout(3 * SOON_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(around.recorder.run(), name="recorder")
        running = tasks.create_task(runner.run(), name="call under test")
        try:
            yield here
            await asyncio.wait([running])
        finally:
            running.cancel()
            journal.away = book.away = False
            journal.gate.set()
            around.recorder.close()
    left = [t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith(("tool", "open"))]
    assert not left
    assert len(door.released) == door.given, "a session did not come back"
