"""Facts reach the journal in order and the call log once, whatever the stores do."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chains import CALL, ENDED, OPENED, OTHER_CALL, RECEIVED, SAID
from pod.stores import FailingBook, FailingJournal
from trunkline.core.facts import CallerSaid
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Entry, Head, Why, after, chain_hash, link
from trunkline.pod.chain import TAIL_ENTRIES_MAX
from trunkline.pod.flush import UNWRITTEN_ENTRIES_MAX
from trunkline.pod.recorder import UNACKED_ENTRIES_MAX, UNOPENED_CALLS_MAX, Recorder
from trunkline.ports import Holder, ResumeRefused
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

POD, LIFE = PodName("pod-0"), Incarnation("a")


class Recording:
    """A recorder at work between two stores."""

    def __init__(self, unwritten_max: int = UNWRITTEN_ENTRIES_MAX, ask_s: float = 60.0) -> None:
        self.journal = FailingJournal()
        self.book = FailingBook()
        self.recorder = Recorder(
            self.journal,
            self.book,
            log=logs.get_logger(),
            metrics=Metrics(),
            wall_ms=lambda: 1_767_225_600_000,
            pod=POD,
            incarnation=LIFE,
            unwritten_max=unwritten_max,
            ask_s=ask_s,
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
async def recording(here: Recording | None = None) -> AsyncIterator[Recording]:
    """Ends with everything stored: `run` returns by itself."""
    here = here or Recording()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(here.recorder.run())
        yield here
        here.journal.away = here.book.away = here.book.entries_away = False
        here.journal.gate.set()
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
        resumed = await here.journal.resume_call(CALL, epoch, POD, LIFE)
        assert not isinstance(resumed, str)
        here.recorder.record(CALL, SAID)
        assert await here.recorder.settle(CALL, 5)
        here.recorder.begin(CALL, resumed.epoch, resumed.head)
        here.recorder.record(CALL, ENDED)
        assert await here.recorder.settle(CALL, 10)
        entries = await here.wait_for(CALL, 3)
    assert_chained(CALL, entries)
    assert [entry.epoch for entry in entries] == [epoch, epoch, resumed.epoch]


async def test_a_resume_whose_answer_was_lost_costs_no_fact() -> None:
    """The journal says under which epoch the call is ours; nobody else needs to ask again."""
    async with recording() as here:
        epoch = await here.begin(CALL)
        here.recorder.record(CALL, RECEIVED)
        assert await here.recorder.settle(CALL, 5)
        await here.journal.resume_call(CALL, epoch, POD, LIFE)
        here.recorder.record(CALL, ENDED)
        assert await here.recorder.settle(CALL, 5)
        entries = await here.wait_for(CALL, 2)
    assert_chained(CALL, entries)
    assert [entry.kind for entry in entries] == ["call_received", "call_ended"]


async def test_who_owns_a_call_is_asked_until_the_journal_answers() -> None:
    """A refusal and then silence: the facts wait."""
    async with recording() as here:
        epoch = await here.begin(CALL)
        await here.journal.resume_call(CALL, epoch, POD, LIFE)
        here.journal.answers_to_lose = 1
        here.recorder.record(CALL, RECEIVED)
        assert await here.recorder.settle(CALL, 10)
        await here.wait_for(CALL, 1)


async def test_a_tail_that_the_journal_lost_is_appended_again() -> None:
    """A store that crashed has less than it had acknowledged: no fact is missing in the end."""
    async with recording() as here:
        await here.begin(CALL)
        for fact in (RECEIVED, OPENED, SAID):
            here.recorder.record(CALL, fact)
        assert await here.recorder.settle(CALL, 5)
        here.journal.lose_tail(CALL, 1)
        here.recorder.record(CALL, ENDED)
        assert await here.recorder.settle(CALL, 5)
        assert_chained(CALL, await here.journal.read(CALL))
        assert len(await here.journal.read(CALL)) == 4
        assert_chained(CALL, await here.wait_for(CALL, 4))
    assert here.book.strays == 0


async def test_a_journal_that_lost_everything_gets_the_call_again() -> None:
    """Under its own epoch, for we still carry it."""
    async with recording() as here:
        epoch = await here.begin(CALL)
        here.recorder.record(CALL, RECEIVED)
        assert await here.recorder.settle(CALL, 5)
        here.journal.lose_all()
        here.journal.now_ms += 1_000
        here.recorder.record(CALL, SAID)
        assert await here.recorder.settle(CALL, 5)
        assert here.journal.held_by(CALL) == (epoch, POD)
        here.recorder.record(CALL, ENDED)
        assert await here.recorder.settle(CALL, 5)
        assert [e.seq for e in await here.journal.read(CALL)] == [1, 2, 3]
        assert_chained(CALL, await here.wait_for(CALL, 3))
    assert here.book.strays == 0


async def test_a_quiet_call_finds_out_that_the_journal_forgot() -> None:
    """No fact is made, and yet whoever takes the call over finds all of them."""
    async with recording(Recording(ask_s=0.01)) as here:
        await here.begin(CALL)
        here.recorder.record(CALL, RECEIVED)
        here.recorder.record(CALL, SAID)
        assert await here.recorder.settle(CALL, 5)
        here.journal.lose_all()
        while len(await here.journal.read(CALL)) < 2:
            await here.journal.wait_for_append()


async def test_where_one_call_was_lost_all_others_are_asked_for_at_once() -> None:
    """Quiet ones, and ended ones that the call log does not have: none waits for its turn."""
    async with recording() as here:
        here.book.away = True
        await here.begin(CALL)
        for fact in (RECEIVED, ENDED):
            here.recorder.record(CALL, fact)
        assert await here.recorder.settle(CALL, 5)
        await here.begin(OTHER_CALL)
        here.recorder.record(OTHER_CALL, RECEIVED)
        assert await here.recorder.settle(OTHER_CALL, 5)
        here.journal.lose_all()
        here.recorder.record(OTHER_CALL, SAID)
        while len(await here.journal.read(CALL)) < 2:
            await here.journal.wait_for_append()
        assert len(await here.journal.read(OTHER_CALL)) == 2


async def test_where_one_call_was_lost_the_others_are_asked_for_once() -> None:
    """However many find out: the journal is not asked by each for all the others."""
    calls = [CallSid(f"CA{number:032x}") for number in range(40)]
    async with recording() as here:
        for call in calls:
            await here.begin(call)
            here.recorder.record(call, RECEIVED)
            assert await here.recorder.settle(call, 5)
        here.journal.lose_all()
        appends = here.journal.appends
        for call in calls[:3]:
            here.recorder.record(call, SAID)
        for call in calls:
            while not await here.journal.read(call):
                await here.journal.wait_for_append()
        assert here.journal.appends - appends <= 3 * len(calls)


async def test_an_ended_call_is_asked_for_until_the_call_log_has_it() -> None:
    """Both stores fail, one after the other: what the first lost is there before the pod may go."""
    async with recording(Recording(ask_s=0.01)) as here:
        here.book.away = True
        await here.begin(CALL)
        here.recorder.record(CALL, RECEIVED)
        here.recorder.record(CALL, ENDED)
        assert await here.recorder.settle(CALL, 5)
        here.journal.lose_all()
        while len(await here.journal.read(CALL)) < 2:
            await here.journal.wait_for_append()
        here.book.away = False
        assert_chained(CALL, await here.wait_for(CALL, 2))
    assert here.recorder.calls == 0


@pytest.mark.parametrize("kept", [0, 1, 100])
async def test_what_is_older_than_the_tail_is_read_back_from_the_call_log(kept: int) -> None:
    """No call is fenced only because Redis forgot; while Postgres is away it waits."""
    async with recording() as here:
        await here.begin(CALL)
        for number in range(TAIL_ENTRIES_MAX + 150):
            here.recorder.record(CALL, CallerSaid(f"item_{number}", ""))
        assert await here.recorder.settle(CALL, 5)
        await here.wait_for(CALL, TAIL_ENTRIES_MAX + 150)
        here.book.entries_away = True
        if kept:
            here.journal.lose_tail(CALL, kept)
        else:
            here.journal.lose_all()
        here.recorder.record(CALL, SAID)
        await here.book.entries_asked.wait()
        await here.begin(OTHER_CALL)
        here.recorder.record(OTHER_CALL, RECEIVED)
        assert await here.recorder.settle(OTHER_CALL, 5), "others do not wait for it"
        here.book.entries_away = False
        assert await here.recorder.settle(CALL, 10)
        held = await here.journal.read(CALL)
        assert len(held) == TAIL_ENTRIES_MAX + 151
        assert_chained(CALL, held)
        here.recorder.record(CALL, ENDED)
        assert_chained(CALL, await here.wait_for(CALL, TAIL_ENTRIES_MAX + 152))
    assert here.book.strays == 0


async def test_what_a_dead_pod_had_not_written_is_written_by_the_pod_that_goes_on() -> None:
    """The journal has it, the call log does not: no fact is missing before our first."""
    async with recording() as here:
        opening = await here.journal.open_call(CALL, PodName("pod-9"), Incarnation("z"))
        theirs, head = Holder(opening.epoch, PodName("pod-9"), Incarnation("z")), Head()
        for fact in (RECEIVED, OPENED):
            entry = link(CALL, head, fact, at_ms=1, epoch=opening.epoch, salt=b"s" * 16)
            await here.journal.append(CALL, theirs, head, [entry])
            head = after(entry)
        resumed = await here.journal.resume_call(CALL, opening.epoch, POD, LIFE)
        assert not isinstance(resumed, ResumeRefused)
        here.recorder.begin(CALL, resumed.epoch, resumed.head)
        assert_chained(CALL, await here.wait_for(CALL, 2))
        here.recorder.record(CALL, ENDED)
        assert_chained(CALL, await here.wait_for(CALL, 3))
    assert here.recorder.calls == 0


async def test_a_call_that_was_handed_over_whole_is_no_error() -> None:
    """A rollout logs none; what the journal did not take before is one, and is kept aside."""
    async with recording() as here:
        for call in (CALL, OTHER_CALL):
            await here.begin(call)
            here.recorder.record(call, RECEIVED)
        assert await here.recorder.settle(CALL, 5)
        assert await here.recorder.settle(OTHER_CALL, 5)
        told = io.StringIO()
        logs.configure(told)
        here.recorder.let_go(CALL)
        here.recorder.record(OTHER_CALL, OPENED)
        here.recorder.let_go(OTHER_CALL)
        logs.reset()
        fenced = [json.loads(line) for line in told.getvalue().splitlines()]
        assert [(line["event"], line["call"]) for line in fenced] == [("call_fenced", OTHER_CALL)]
    assert here.book.strays == 1


async def test_what_every_store_lost_ends_the_record_of_that_call_alone() -> None:
    """What can't be mended is said, kept aside, and does not stand in the way of other calls."""
    async with recording(Recording(unwritten_max=3)) as here:
        here.book.away = True
        await here.begin(CALL)
        for number in range(TAIL_ENTRIES_MAX + 2):
            here.recorder.record(CALL, CallerSaid(f"item_{number}", ""))
        assert await here.recorder.settle(CALL, 5)
        here.journal.lose_tail(CALL, 1)
        here.recorder.record(CALL, SAID)
        assert not await here.recorder.settle(CALL, 5)
        here.recorder.record(CALL, ENDED)
        await here.begin(OTHER_CALL)
        here.recorder.record(OTHER_CALL, RECEIVED)
        assert await here.recorder.settle(OTHER_CALL, 5)
    assert here.recorder.backlog() == 0


async def test_a_journal_that_forgot_the_epoch_does_not_fence_us() -> None:
    """A crash lost a resume: the call goes on under the epoch that was given."""
    async with recording() as here:
        epoch = await here.begin(CALL)
        here.recorder.record(CALL, RECEIVED)
        assert await here.recorder.settle(CALL, 5)
        here.recorder.begin(CALL, Epoch(epoch + 5))
        here.recorder.record(CALL, ENDED)
        assert await here.recorder.settle(CALL, 5)
        assert here.journal.held_by(CALL) == (epoch + 5, POD)
        assert_chained(CALL, await here.wait_for(CALL, 2))


async def test_facts_made_after_the_call_was_lost_are_put_aside() -> None:
    """Visible beside the call, and never in its chain."""
    async with recording() as here:
        epoch = await here.begin(CALL)
        await here.journal.resume_call(CALL, epoch, PodName("pod-1"), Incarnation("b"))
        here.recorder.record(CALL, RECEIVED)
        here.recorder.record(CALL, SAID)
        assert not await here.recorder.settle(CALL, 5)
    assert [(fact.entry.kind, fact.why) for fact in await here.book.aside(CALL)] == [
        ("call_received", Why.FENCED),
        ("caller_said", Why.FENCED),
    ]
    assert await here.book.entries(CALL) == []


async def test_nothing_follows_an_end() -> None:
    """A second end or a late fact is refused here: the journal would refuse the whole append."""
    async with recording() as here:
        await here.begin(CALL)
        here.recorder.record(CALL, ENDED)
        here.recorder.record(CALL, SAID)
        here.recorder.record(CALL, ENDED)
        assert await here.recorder.settle(CALL, 5)
        assert [e.kind for e in await here.wait_for(CALL, 1)] == ["call_ended"]


async def test_the_end_is_kept_however_much_waits_before_it() -> None:
    """A call that outgrew its bound while the journal was away still has its outcome."""
    async with recording() as here:
        await here.begin(CALL)
        here.journal.away = True
        for number in range(UNACKED_ENTRIES_MAX + 10):
            here.recorder.record(CALL, CallerSaid(f"item_{number}", ""))
        here.recorder.record(CALL, ENDED)
        here.journal.away = False
        entries = await here.wait_for(CALL, UNACKED_ENTRIES_MAX + 1)
    assert entries[-1].kind == "call_ended"
    assert_chained(CALL, entries)


async def test_a_call_log_that_is_away_for_long_is_filled_from_the_journal() -> None:
    """Beyond the bound nothing is kept here but which calls to read back."""
    here = Recording(unwritten_max=3)
    async with recording(here):
        here.book.away = True
        for call in (CALL, OTHER_CALL):
            await here.begin(call)
            for fact in (RECEIVED, SAID, ENDED):
                here.recorder.record(call, fact)
            assert await here.recorder.settle(call, 5)
        assert here.recorder.backlog() <= 3 + 1
        here.book.away = False
        for call in (CALL, OTHER_CALL):
            assert_chained(call, await here.wait_for(call, 3))
    assert sorted(here.journal.forgotten) == [CALL, OTHER_CALL]


async def test_a_journal_that_is_slow_to_forget_does_not_hold_up_the_call_log() -> None:
    """That a call may go from the journal is the least of all errands."""
    async with recording() as here:
        await here.begin(CALL)
        here.recorder.record(CALL, RECEIVED)
        here.recorder.record(CALL, ENDED)
        await here.begin(OTHER_CALL)
        here.recorder.record(OTHER_CALL, RECEIVED)
        assert await here.recorder.settle(CALL, 5)
        assert await here.recorder.settle(OTHER_CALL, 5)
        here.book.away = True
        await here.book.wait_until_asked()
        here.journal.gate.clear()
        here.book.away = False
        await here.wait_for(CALL, 2)
        await here.wait_for(OTHER_CALL, 1)
        assert here.journal.forgotten == []


async def test_of_a_call_that_is_over_nothing_stays_here() -> None:
    """Neither of one that was written nor of one that another epoch took."""
    async with recording() as here:
        await here.begin(CALL)
        here.recorder.record(CALL, ENDED)
        epoch = await here.begin(OTHER_CALL)
        await here.journal.resume_call(OTHER_CALL, epoch, PodName("pod-1"), Incarnation("b"))
        here.recorder.record(OTHER_CALL, RECEIVED)
        assert not await here.recorder.settle(OTHER_CALL, 5)
        here.recorder.record(OTHER_CALL, ENDED)
        await here.wait_for(CALL, 1)
    assert here.recorder.calls == 0


async def test_what_the_journal_does_not_take_is_bounded() -> None:
    """A call's facts are kept up to the limit; beyond it the newest are refused."""
    here = Recording()
    epoch = (await here.journal.open_call(CALL, POD, LIFE)).epoch
    here.recorder.begin(CALL, epoch)
    for number in range(UNACKED_ENTRIES_MAX + 10):
        here.recorder.record(CALL, CallerSaid(f"item_{number}", ""))
    assert here.recorder.backlog() == UNACKED_ENTRIES_MAX


async def test_calls_that_could_not_be_opened_are_bounded() -> None:
    """They are kept up to the limit, and all is written when the journal is back."""
    here = Recording()
    here.journal.away = True
    calls = [CallSid(f"CA{number:032x}") for number in range(UNOPENED_CALLS_MAX)]
    for call in calls:
        assert here.recorder.begin_unopened(call)
        here.recorder.record(call, ENDED)
    assert not here.recorder.begin_unopened(CALL)
    here.journal.away = False
    async with recording(here):
        for call in calls:
            await here.wait_for(call, 1)
        assert here.recorder.begin_unopened(CALL)
        here.recorder.record(CALL, ENDED)
        await here.wait_for(CALL, 1)


async def test_facts_of_a_call_that_nobody_began_are_refused() -> None:
    """No record, no fact; settling such a call waits for nothing."""
    here = Recording()
    here.recorder.record(CALL, RECEIVED)
    assert here.recorder.backlog() == 0
    assert await here.recorder.settle(CALL, 1)
