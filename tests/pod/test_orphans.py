"""Calls whose pod is gone are brought into the call log and closed, once, whoever is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from chains import CALL, ENDED, OPENED, OTHER_CALL, RECEIVED, SAID, chain
from pod.office import FIRST, KEY, ME, Answer, office, voice
from pod.stores import FailingBook, FailingFleet, FailingJournal
from trunkline.core import tickets
from trunkline.core.facts import CallEnded, Direction, Fact, Outcome
from trunkline.core.fleet_states import Life
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Entry, Head, after, hangs_on
from trunkline.core.tickets import ResumeToken
from trunkline.errors import StoreError
from trunkline.pod.orphans import (
    ORPHAN_WAIT_S,
    POD_LOST,
    SILENT_WAIT_S,
    UNKNOWN_WAIT_S,
    UNRECORDED,
    Orphans,
)
from trunkline.pod.recorder import Recorder
from trunkline.ports import CallState, Holder
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

POD, LIFE, FORMER = PodName("pod-0"), Incarnation("b"), Incarnation("a")
ELSEWHERE = PodName("pod-1")


@dataclass
class World:
    """A pod's look at orphans, its recorder, and a clock that a test turns."""

    journal: FailingJournal = field(default_factory=FailingJournal)
    book: FailingBook = field(default_factory=FailingBook)
    now: float = 0.0
    closed: list[tuple[CallSid, Direction, str]] = field(default_factory=list)

    found: list[CallSid] = field(default_factory=list)

    async def lives(self) -> dict[PodName, Life]:
        """We live, and so does the pod elsewhere."""
        return {POD: Life(POD, LIFE), ELSEWHERE: Life(ELSEWHERE, FORMER)}

    def __post_init__(self) -> None:
        self.recorder = Recorder(
            self.journal,
            self.book,
            log=logs.get_logger(),
            metrics=Metrics(),
            wall_ms=lambda: 1_767_225_600_000,
            pod=POD,
            incarnation=LIFE,
        )
        self.orphans = Orphans(
            POD,
            LIFE,
            self.recorder,
            journal=self.journal,
            slots=FailingFleet(self.journal),
            index=self.journal,
            book=self.book,
            unended=self.book,
            lives=self.lives,
            on_found=self.found.append,
            on_closed=lambda call, way, end: self.closed.append((call, way, end.reason)),
            log=logs.get_logger(),
            now=lambda: self.now,
        )

    async def left(
        self, call: CallSid, *facts: Fact, pod: PodName = POD, life: Incarnation = FORMER
    ) -> list[Entry]:
        """A journal that somebody began."""
        opening = await self.journal.open_call(call, pod, life)
        entries = chain(call, *facts)
        await self.journal.append(call, Holder(opening.epoch, pod, life), Head(), entries)
        return entries

    async def end(self, call: CallSid) -> CallEnded:
        """How the call log says that it ended; its facts hang together."""
        while (row := await self.book.call(call)) is None or row.outcome is None:
            await self.book.wait_until_asked()
        head = Head()
        entries = await self.book.entries(call)
        for entry in entries:
            assert hangs_on(call, head, entry)
            head = after(entry)
        return msgspec.json.decode(entries[-1].payload, type=CallEnded)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    here = World()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(here.recorder.run())
        yield here
        here.journal.away = here.book.away = here.book.entries_away = False
        here.recorder.close()
    assert here.book.strays == 0
    assert here.recorder.calls == 0


async def test_an_orphan_is_logged_at_once_and_closed_after_its_wait() -> None:
    """A redirect may come for it until then; nobody came."""
    async with world() as here:
        entries = await here.left(CALL, RECEIVED, OPENED, SAID)
        await here.orphans.look()
        assert await here.book.entries(CALL) == entries
        here.now = ORPHAN_WAIT_S - 0.1
        await here.orphans.look()
        assert here.closed == []
        here.now = ORPHAN_WAIT_S
        for _ in range(2):
            await here.orphans.look()
        assert await here.end(CALL) == CallEnded(Outcome.FAILED, POD_LOST)
        assert here.closed == [(CALL, "inbound", POD_LOST)]
        here.now *= 3
        await here.orphans.look()
        assert len(await here.book.entries(CALL)) == 4


async def test_an_ended_journal_is_flushed_and_let_go() -> None:
    """The pod died between the end and the flush; nothing is added, and it is done once."""
    async with world() as here:
        entries = await here.left(CALL, RECEIVED, ENDED)
        for _ in range(2):
            await here.orphans.look()
        assert await here.book.entries(CALL) == entries
        assert here.journal.forgotten == [CALL]
    assert here.closed == []


async def test_calls_of_the_living_are_left_alone() -> None:
    """Another pod's, and our own that the recorder writes for."""
    async with world() as here:
        await here.left(CALL, RECEIVED, pod=ELSEWHERE)
        opening = await here.journal.open_call(OTHER_CALL, POD, LIFE)
        here.recorder.begin(OTHER_CALL, opening.epoch)
        here.recorder.record(OTHER_CALL, RECEIVED)
        for here.now in (0.0, 100.0):
            await here.orphans.look()
        assert here.closed == []
        here.recorder.record(OTHER_CALL, ENDED)
        assert (await here.end(OTHER_CALL)).outcome is Outcome.CALLER_ENDED


async def test_a_call_whose_first_answer_got_lost_is_closed_too() -> None:
    """Its journal names this very life, and nobody here knows it."""
    async with world() as here:
        await here.journal.open_call(CALL, POD, LIFE)
        for here.now in (0.0, ORPHAN_WAIT_S):
            await here.orphans.look()
        assert (await here.end(CALL)).reason == UNRECORDED


async def test_who_took_it_over_meanwhile_keeps_it() -> None:
    """The next epoch is taken by compare-and-set: the second to ask is refused."""
    async with world() as here:
        await here.left(CALL, RECEIVED)
        await here.orphans.look()
        (epoch, _) = here.journal.held_by(CALL)
        await here.journal.resume_call(CALL, epoch, ELSEWHERE, LIFE)
        here.now = ORPHAN_WAIT_S
        await here.orphans.look()
        assert here.closed == []
        assert here.journal.held_by(CALL)[1] == ELSEWHERE


@pytest.mark.parametrize("first", ["redirect", "orphans"])
async def test_a_redirect_and_the_look_meet(first: str) -> None:
    """Who came first has it: the redirect lets it go on, the look closes it, once."""
    async with office() as here:
        gone = Holder((await here.journal.open_call(FIRST, ELSEWHERE, LIFE)).epoch, ELSEWHERE, LIFE)
        await here.journal.append(FIRST, gone, Head(), chain(FIRST, RECEIVED))
        token = tickets.sign(ResumeToken(FIRST, gone.epoch, ELSEWHERE, LIFE), KEY)
        now = [0.0]
        told: list[str] = []

        async def lives() -> dict[PodName, Life]:
            return {
                ME.pod: Life(ME.pod, ME.incarnation),
                ELSEWHERE: Life(ELSEWHERE, Incarnation("next")),
            }

        orphans = Orphans(
            ME.pod,
            ME.incarnation,
            here.around.recorder,
            journal=here.journal,
            slots=FailingFleet(here.journal),
            index=here.journal,
            book=here.book,
            unended=here.book,
            lives=lives,
            on_found=lambda _: None,
            on_closed=lambda call, _way, end: told.append(f"{call} {end.reason}"),
            log=logs.get_logger(),
            now=lambda: now[0],
        )
        await orphans.look()
        now[0] = ORPHAN_WAIT_S
        if first == "orphans":
            await orphans.look()
        redirected = await here.front.resume(token, voice(FIRST))
        await orphans.look()
        if first == "orphans":
            assert Answer(redirected or "").verbs == ["Dial"]
            assert (await here.end(FIRST)).reason == POD_LOST
            assert len(told) == 1
        else:
            assert Answer(redirected or "").verbs == ["Connect", "Redirect"]
            assert not told


async def test_a_call_of_a_silent_pod_is_left_alone_for_longer() -> None:
    """It may be slow only; the carrier is asked for a redirect at once."""
    async with world() as here:
        await here.left(CALL, RECEIVED, OPENED, pod=PodName("pod-2"))
        await here.orphans.look()
        assert here.found == [CALL]
        here.now = SILENT_WAIT_S - 0.1
        await here.orphans.look()
        assert here.closed == []
        here.now = SILENT_WAIT_S
        await here.orphans.look()
        assert (await here.end(CALL)).reason == POD_LOST
        assert here.found == [CALL]


@pytest.mark.parametrize("held", [0, 1, 2])
async def test_a_journal_that_lost_its_tail_gets_it_from_the_log(held: int) -> None:
    """The machine lost its power: Postgres has more than the journal, and the end hangs on that."""
    async with world() as here:
        entries = await here.left(CALL, RECEIVED, OPENED, SAID)
        await here.book.write([(CALL, entry) for entry in entries])
        here.journal.lose_tail(CALL, held)
        for here.now in (0.0, ORPHAN_WAIT_S):
            await here.orphans.look()
        assert (await here.end(CALL)).reason == POD_LOST
        assert (await here.journal.read(CALL))[:3] == entries


async def test_a_call_that_only_the_log_has_is_closed_when_nobody_claims_it() -> None:
    """Redis forgot it, its pod is gone. One whose pod lives is claimed in time."""
    async with world() as here:
        for call in (CALL, OTHER_CALL):
            await here.book.write([(call, entry) for entry in chain(call, RECEIVED, SAID)])
        await here.orphans.look()
        here.now = UNKNOWN_WAIT_S
        holder = Holder(Epoch(7), ELSEWHERE, LIFE)
        await here.journal.append(OTHER_CALL, holder, Head(), chain(OTHER_CALL, RECEIVED, SAID))
        await here.orphans.look()
        assert (await here.end(CALL)).reason == POD_LOST
        row = await here.book.call(OTHER_CALL)
        assert row is not None
        assert row.outcome is None
        opening = await here.journal.open_call(CALL, POD, LIFE)
        assert opening.state is CallState.ENDED


async def test_while_the_call_log_is_away_an_orphan_waits() -> None:
    """Nothing is closed on a guess; when it is back, it is."""
    async with world() as here:
        await here.left(CALL, RECEIVED)
        await here.orphans.look()
        here.now = ORPHAN_WAIT_S
        here.book.entries_away = True
        await here.orphans.look()
        await here.book.entries_asked.wait()
        assert here.recorder.knows(CALL)
        assert here.recorder.backlog() == 1
        here.book.entries_away = False
        assert (await here.end(CALL)).reason == POD_LOST


async def test_one_journal_that_can_not_be_read_stands_in_nobodys_way() -> None:
    """The next ones are cared for; a store that is away ends the look."""
    async with world() as here:
        await here.left(CALL, RECEIVED, ENDED)
        await here.left(OTHER_CALL, RECEIVED, ENDED)
        here.journal.answers_to_lose = 1
        await here.orphans.look()
        assert here.journal.forgotten == [OTHER_CALL]
        await here.orphans.look()
        assert here.journal.forgotten == [OTHER_CALL, CALL]
        for number in range(3):
            await here.left(CallSid(f"CA{number:032}"), RECEIVED, ENDED)
        here.journal.away = True
        with pytest.raises(StoreError):
            await here.orphans.look()


async def test_it_looks_again_when_a_store_is_back() -> None:
    """At start, whatever the stores do then."""
    async with world() as here, asyncio.TaskGroup() as tasks:
        await here.left(CALL, RECEIVED, ENDED)
        here.book.away = True
        running = tasks.create_task(here.orphans.run())
        await here.book.wait_until_asked()
        here.book.away = False
        running.cancel()
        await here.orphans.look()
        assert here.journal.forgotten == [CALL]


async def test_a_pod_that_goes_does_not_wait_for_a_call_that_is_somebody_elses() -> None:
    """It was to close it, and another was faster: nothing is left to carry."""
    async with world() as here:
        entries = await here.left(CALL, RECEIVED, SAID)
        await here.book.write([(CALL, entry) for entry in entries])
        (epoch, _) = here.journal.held_by(CALL)
        resumed = await here.journal.resume_call(CALL, epoch, ELSEWHERE, LIFE)
        assert not isinstance(resumed, str)
        here.book.entries_away = True
        assert here.recorder.adopt(CALL, epoch, after(entries[0]), ENDED)
        await here.book.entries_asked.wait()
        here.recorder.close()
    assert not here.recorder.knows(CALL)


async def test_a_look_can_be_hurried() -> None:
    """A pod is gone: its calls are found now, and not within a minute."""
    async with world() as here, asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(here.orphans.run())
        await asyncio.sleep(0)
        await here.left(CALL, RECEIVED, OPENED)
        here.orphans.hurry()
        async with asyncio.timeout(5):
            while not here.found:
                await here.book.wait_until_asked()
        looking.cancel()
        here.now = ORPHAN_WAIT_S
        await here.orphans.look()
        assert (await here.end(CALL)).reason == POD_LOST
