"""Facts reach the journal in order and the call log once, whatever the stores do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chains import CALL, ENDED, OPENED, OTHER_CALL, RECEIVED, SAID
from pod.stores import FailingBook, FailingJournal
from trunkline.core.facts import CallerSaid
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Entry, Head, chain_hash
from trunkline.pod.recorder import UNACKED_ENTRIES_MAX, Recorder
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

POD, LIFE = PodName("pod-0"), Incarnation("a")


class Recording:
    """A recorder at work between two stores."""

    def __init__(self) -> None:
        self.journal = FailingJournal()
        self.book = FailingBook()
        self.recorder = Recorder(
            self.journal,
            self.book,
            log=logs.get_logger(),
            metrics=Metrics(),
            wall_ms=lambda: 1_767_225_600_000,
        )

    async def begin(self, call: CallSid) -> Epoch:
        opening = await self.journal.open_call(call, POD, LIFE)
        self.recorder.begin(call, opening.epoch)
        return opening.epoch

    async def wait_for(self, call: CallSid, count: int) -> list[Entry]:
        """The call log's facts of a call, once there are so many."""
        while len(entries := await self.book.entries(call)) < count:
            await self.book.wait_until_asked()
        return entries


@asynccontextmanager
async def recording() -> AsyncIterator[Recording]:
    """Ends with everything stored: `run` returns by itself."""
    here = Recording()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(here.recorder.run())
        yield here
        here.journal.away = here.book.away = False
        here.recorder.close()


def assert_chained(call: CallSid, entries: list[Entry]) -> None:
    previous = Head().hash
    for number, entry in enumerate(entries, start=1):
        assert entry.seq == number
        assert entry.hash == chain_hash(
            call, previous, number, entry.kind, entry.at_ms, entry.epoch, entry.digest
        )
        previous = entry.hash


async def test_a_call_is_in_the_log_from_first_to_last_fact() -> None:
    """Facts arrive in order, chained; the ended call's journal is told that it may go."""
    async with recording() as here:
        await here.begin(CALL)
        for fact in (RECEIVED, OPENED, SAID, ENDED):
            here.recorder.record(CALL, fact)
        assert await here.recorder.settle(CALL, 5)
        entries = await here.wait_for(CALL, 4)
    assert [entry.kind for entry in entries] == [
        "call_received",
        "stream_opened",
        "caller_said",
        "call_ended",
    ]
    assert_chained(CALL, entries)
    assert here.recorder.backlog() == 0


async def test_a_journal_that_is_away_delays_and_loses_nothing() -> None:
    """While it is away nothing settles; when it is back all facts follow, in order, once."""
    async with recording() as here:
        await here.begin(CALL)
        here.journal.away = True
        here.recorder.record(CALL, RECEIVED)
        assert not await here.recorder.settle(CALL, 0.05)
        here.recorder.record(CALL, OPENED)
        here.journal.away = False
        assert await here.recorder.settle(CALL, 10)
        entries = await here.wait_for(CALL, 2)
    assert_chained(CALL, entries)


async def test_an_append_whose_answer_was_lost_is_sent_again_and_counts_once() -> None:
    """The journal took it, the answer got lost: the repetition changes nothing."""
    async with recording() as here:
        await here.begin(CALL)
        here.journal.answers_to_lose = 2
        here.recorder.record(CALL, RECEIVED)
        assert await here.recorder.settle(CALL, 10)
        entries = await here.wait_for(CALL, 1)
        assert here.journal.appends == 3
    assert [entry.seq for entry in entries] == [1]


async def test_a_call_log_that_is_away_is_written_when_it_is_back() -> None:
    """Acknowledged facts are kept until the log has committed them, and calls settle meanwhile."""
    async with recording() as here:
        here.book.away = True
        await here.begin(CALL)
        here.recorder.record(CALL, RECEIVED)
        here.recorder.record(CALL, ENDED)
        assert await here.recorder.settle(CALL, 5)
        await here.book.wait_until_asked()
        assert here.book.refusals == 1
        assert here.recorder.backlog() == 2
        here.book.away = False
        assert_chained(CALL, await here.wait_for(CALL, 2))


async def test_a_call_that_another_epoch_owns_is_not_written_for_any_more() -> None:
    """Fenced: what was made here goes nowhere, and other calls are not held up."""
    async with recording() as here:
        epoch = await here.begin(CALL)
        await here.journal.resume_call(CALL, epoch, PodName("pod-1"), Incarnation("b"))
        here.recorder.record(CALL, RECEIVED)
        assert not await here.recorder.settle(CALL, 5)
        here.recorder.record(CALL, SAID)
        await here.begin(OTHER_CALL)
        here.recorder.record(OTHER_CALL, RECEIVED)
        assert await here.recorder.settle(OTHER_CALL, 5)
        await here.wait_for(OTHER_CALL, 1)
        assert await here.book.entries(CALL) == []


async def test_facts_made_while_a_resume_is_under_way_follow_under_the_new_epoch() -> None:
    """The journal gave our own call its next epoch first: the refused append is sent again."""
    async with recording() as here:
        epoch = await here.begin(CALL)
        here.recorder.record(CALL, RECEIVED)
        assert await here.recorder.settle(CALL, 5)
        with here.recorder.resuming(CALL):
            resumed = await here.journal.resume_call(CALL, epoch, POD, LIFE)
            assert not isinstance(resumed, str)
            here.recorder.record(CALL, SAID)
            assert not await here.recorder.settle(CALL, 0.05)
            here.recorder.begin(CALL, resumed.epoch, resumed.head)
        here.recorder.record(CALL, ENDED)
        assert await here.recorder.settle(CALL, 10)
        entries = await here.wait_for(CALL, 3)
    assert_chained(CALL, entries)
    assert [entry.epoch for entry in entries] == [epoch, epoch, resumed.epoch]


async def test_what_the_journal_does_not_take_is_bounded() -> None:
    """A call's facts are kept up to the limit; beyond it the newest are refused."""
    here = Recording()
    epoch = (await here.journal.open_call(CALL, POD, LIFE)).epoch
    here.recorder.begin(CALL, epoch)
    for number in range(UNACKED_ENTRIES_MAX + 10):
        here.recorder.record(CALL, CallerSaid(f"item_{number}", ""))
    assert here.recorder.backlog() == UNACKED_ENTRIES_MAX


async def test_facts_of_a_call_that_nobody_began_are_refused() -> None:
    """No record, no fact; settling such a call waits for nothing."""
    here = Recording()
    here.recorder.record(CALL, RECEIVED)
    assert here.recorder.backlog() == 0
    assert await here.recorder.settle(CALL, 1)
