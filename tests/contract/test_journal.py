"""The journal's contract: Redis and its twin, by examples and by a model."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis.asyncio import Redis

from chains import CALL, ENDED, OTHER_CALL, RECEIVED, SAID, WHOLE_CALL, chain
from trunkline.adapters.memory.journal import MemoryJournal
from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.journal import APPEND_ENTRIES_MAX, RedisJournal
from trunkline.adapters.redis.keys import call_key, facts_key
from trunkline.core.facts import CallerSaid, Fact
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import GENESIS, Entry, Head, after
from trunkline.errors import Behind, Fenced
from trunkline.ports import (
    CallState,
    HeldCall,
    Holder,
    Journal,
    JournalIndex,
    Opening,
    ResumeRefused,
    Resumption,
)

pytestmark = pytest.mark.anyio

POD, OTHER_POD = PodName("pod-0"), PodName("pod-1")
LIFE, OTHER_LIFE = Incarnation("a"), Incarnation("b")
HOUR_MS = 3600 * 1000
T = TypeVar("T")


def mine(epoch: int) -> Holder:
    """The first pod under this epoch."""
    return Holder(Epoch(epoch), POD, LIFE)


def theirs(epoch: int) -> Holder:
    """The other pod under this epoch."""
    return Holder(Epoch(epoch), OTHER_POD, OTHER_LIFE)


class Kept(Journal, JournalIndex, Protocol):
    """A journal, and a look over all that it keeps."""


class Bench(Protocol):
    """A journal, and ways to let time pass for it and to have it forget, without waiting."""

    journal: Kept

    async def let_pass(self, ms: int) -> None: ...
    async def forget_all_of(self, call: CallSid) -> None: ...
    async def close(self) -> None: ...


class MemoryBench:
    def __init__(self) -> None:
        self.now_ms = 1_767_225_600_000
        self.twin = MemoryJournal(lambda: self.now_ms)
        self.journal: Kept = self.twin

    async def let_pass(self, ms: int) -> None:
        self.now_ms += ms

    async def forget_all_of(self, call: CallSid) -> None:
        self.twin.lose(call)

    async def close(self) -> None:
        pass


class RedisBench:
    """Redis keeps its own time: its calls are made older instead."""

    def __init__(self, url: str) -> None:
        self.client: Redis = connect(url)
        self.journal: Kept = RedisJournal(self.client)

    async def let_pass(self, ms: int) -> None:
        for call in (CALL, OTHER_CALL):
            if await self.client.exists(call_key(call)):
                await self.client.hincrby(call_key(call), "opened_at_ms", -ms)
            for key in (call_key(call), facts_key(call)):
                left = await self.client.pttl(key)
                if left > 0:
                    await self.client.pexpire(key, left - ms)

    async def forget_all_of(self, call: CallSid) -> None:
        await self.client.delete(call_key(call), facts_key(call))

    async def empty(self) -> None:
        await self.client.flushall()

    async def close(self) -> None:
        await self.client.aclose()


SERVERS = {"redis": "redis_url", "rediss": "rediss_url"}
"""Ways to the store, and the fixture of each."""

WAYS = ["redis", pytest.param("rediss", marks=pytest.mark.route)]


@pytest.fixture(params=[*WAYS, "memory"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the journal is; None for the twin."""
    at = SERVERS.get(request.param)
    return None if at is None else str(request.getfixturevalue(at))


def make_bench(url: str | None) -> Bench:
    return MemoryBench() if url is None else RedisBench(url)


@pytest.fixture
async def bench(url: str | None) -> AsyncIterator[Bench]:
    made = make_bench(url)
    yield made
    await made.close()


async def opened(bench: Bench, call: CallSid = CALL) -> Epoch:
    return (await bench.journal.open_call(call, POD, LIFE)).epoch


async def resumed(bench: Bench, epoch: Epoch) -> Resumption:
    found = await bench.journal.resume_call(CALL, epoch, OTHER_POD, OTHER_LIFE)
    assert isinstance(found, Resumption)
    return found


async def test_the_first_opening_is_at_the_stores_time(bench: Bench) -> None:
    """A call's first epoch is the store's time in ms: later ones, anywhere, are higher."""
    opening = await bench.journal.open_call(CALL, POD, LIFE)
    now = opening.now_ms
    assert now > 1_600_000_000_000
    assert opening == Opening(Epoch(now), POD, LIFE, CallState.LIVE, now, now, first=True)


async def test_a_repeated_opening_gets_the_same_answer(bench: Bench) -> None:
    """Another pod that gets the webhook again learns who has the call, and is not the first."""
    first = await bench.journal.open_call(CALL, POD, LIFE)
    again = await bench.journal.open_call(CALL, OTHER_POD, OTHER_LIFE)
    assert (again.epoch, again.pod, again.incarnation) == (first.epoch, POD, LIFE)
    assert again.opened_at_ms == first.opened_at_ms
    assert not again.first


async def test_calls_do_not_touch_each_other(bench: Bench) -> None:
    """Each call has a journal of its own."""
    epoch, other = await opened(bench), await opened(bench, OTHER_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), chain(CALL, RECEIVED, ENDED))
    await bench.journal.append(OTHER_CALL, mine(other), Head(), chain(OTHER_CALL, RECEIVED))
    assert await bench.journal.read(OTHER_CALL) == chain(OTHER_CALL, RECEIVED)
    assert (await bench.journal.open_call(OTHER_CALL, POD, LIFE)).state is CallState.LIVE


async def test_what_was_appended_is_read_in_order(bench: Bench) -> None:
    """Batch by batch, the whole chain comes back as it was."""
    epoch, entries = await opened(bench), chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:2])
    await bench.journal.append(CALL, mine(epoch), after(entries[1]), entries[2:])
    assert await bench.journal.read(CALL) == entries


async def test_an_unknown_call_has_no_entries(bench: Bench) -> None:
    """Nothing to read, nothing to forget."""
    assert await bench.journal.read(CALL) == []
    await bench.journal.forget_call(CALL)
    assert await bench.journal.read(CALL) == []


async def test_a_forgotten_call_is_begun_anew_from_its_first_entry(bench: Bench) -> None:
    """Under the epoch of who brings it, with all that it keeps; later entries alone do not do."""
    epoch, entries = await opened(bench), chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:3])
    await bench.forget_all_of(CALL)
    with pytest.raises(Behind) as caught:
        await bench.journal.append(CALL, mine(epoch), after(entries[2]), entries[3:4])
    assert Head(caught.value.seq, caught.value.hash) == Head()
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:4])
    assert await bench.journal.read(CALL) == entries[:4]
    opening = await bench.journal.open_call(CALL, OTHER_POD, OTHER_LIFE)
    assert (opening.epoch, opening.pod, opening.incarnation) == (epoch, POD, LIFE)
    assert not opening.first
    assert (await resumed(bench, epoch)).head == after(entries[3])


async def test_who_asks_without_entries_learns_what_is_held(bench: Bench) -> None:
    """All of it, less, nothing: the owner of a quiet call finds out that the store forgot."""
    epoch, entries = await opened(bench), chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:3])
    await bench.journal.append(CALL, mine(epoch), after(entries[2]), [])
    await bench.forget_all_of(CALL)
    with pytest.raises(Behind):
        await bench.journal.append(CALL, mine(epoch), after(entries[2]), [])
    await bench.journal.append(CALL, mine(epoch), Head(), [])
    assert not (await bench.journal.open_call(CALL, OTHER_POD, OTHER_LIFE)).first


async def test_of_two_that_bring_a_forgotten_call_the_higher_epoch_wins(bench: Bench) -> None:
    """In both orders: the lower epoch's later entries give way, and it is fenced."""
    entries = chain(CALL, *WHOLE_CALL)
    other = chain(CALL, SAID, SAID, SAID, head=after(entries[1]), salt=1)
    await bench.journal.append(CALL, mine(10), Head(), [*entries[:2], *other])
    # It holds another chain than the higher epoch's: that brings all of its own.
    with pytest.raises(Behind) as caught:
        await bench.journal.append(CALL, theirs(12), after(entries[3]), entries[4:])
    assert caught.value.seq == 0
    await bench.journal.append(CALL, theirs(12), Head(), entries[:4])
    assert await bench.journal.read(CALL) == entries[:4]
    for head, more in ((Head(), entries), (after(entries[3]), entries[4:]), (Head(), [])):
        with pytest.raises(Fenced):
            await bench.journal.append(CALL, mine(10), head, more)
    await bench.journal.append(CALL, theirs(12), after(entries[3]), entries[4:])
    assert await bench.journal.read(CALL) == entries
    assert (await bench.journal.open_call(CALL, POD, LIFE)).pod == OTHER_POD


async def test_a_lower_epochs_end_is_no_end_of_the_higher_ones_call(bench: Bench) -> None:
    """A pod that did not know it had lost the call closed it: who has it goes on."""
    entries = chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(10), Head(), chain(CALL, RECEIVED, ENDED))
    await bench.journal.append(CALL, theirs(12), Head(), entries[:2])
    assert (await bench.journal.open_call(CALL, POD, LIFE)).state is CallState.LIVE
    await bench.journal.append(CALL, theirs(12), after(entries[1]), entries[2:])
    assert (await bench.journal.open_call(CALL, POD, LIFE)).state is CallState.ENDED
    late = chain(CALL, SAID, head=after(entries[-1]))
    with pytest.raises(Fenced):
        await bench.journal.append(CALL, theirs(13), after(entries[-1]), late)


async def test_an_epoch_that_the_store_forgot_is_still_its_holders(bench: Bench) -> None:
    """A crash lost the resume but not the call: the next append takes it again."""
    epoch, entries = await opened(bench), chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:3])
    await bench.journal.append(CALL, theirs(epoch + 1), after(entries[1]), entries[2:4])
    assert await bench.journal.read(CALL) == entries[:4]
    with pytest.raises(Fenced):
        await bench.journal.append(CALL, mine(epoch), after(entries[3]), entries[4:])


async def all_held(bench: Bench) -> list[HeldCall]:
    found: list[HeldCall] = []
    cursor = 0
    while True:
        cursor, step = await bench.journal.held(cursor)
        found += step
        if cursor == 0:
            return sorted(found, key=lambda held: held.call)


async def test_every_call_is_found_with_its_holder(bench: Bench) -> None:
    """Live, ended, and ended and logged; step by step, however many there are."""
    assert await all_held(bench) == []
    calls = [CallSid(f"CA{number:032}") for number in range(9)]
    epochs = [await opened(bench, call) for call in calls]
    for call, epoch in zip(calls[:2], epochs, strict=False):
        await bench.journal.append(call, mine(epoch), Head(), chain(call, RECEIVED, ENDED))
    await bench.journal.forget_call(calls[0])
    expected = [
        HeldCall(call, mine(epoch), CallState.LIVE, logged=False)
        for call, epoch in zip(calls, epochs, strict=True)
    ]
    expected[0] = HeldCall(calls[0], mine(epochs[0]), CallState.ENDED, logged=True)
    expected[1] = HeldCall(calls[1], mine(epochs[1]), CallState.ENDED, logged=False)
    assert await all_held(bench) == expected
    assert [await bench.journal.holder(call) for call in calls] == expected
    assert await bench.journal.holder(CallSid("CA" + "f" * 32)) is None


async def test_nothing_appended_is_nothing_done(bench: Bench) -> None:
    """An append of no entries is no mistake."""
    epoch = await opened(bench)
    await bench.journal.append(CALL, mine(epoch), Head(), [])
    assert await bench.journal.read(CALL) == []


@pytest.mark.parametrize("held", range(1, 6))
@pytest.mark.parametrize("since", range(5))
async def test_an_append_may_be_repeated(bench: Bench, held: int, since: int) -> None:
    """A retry after a lost answer, also with new entries behind it, leaves each entry once."""
    epoch, entries = await opened(bench), chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:held])
    since = min(since, held)
    head = after(entries[since - 1]) if since else Head()
    await bench.journal.append(CALL, mine(epoch), head, entries[since:])
    assert await bench.journal.read(CALL) == entries


async def test_another_entry_in_a_taken_place_is_refused_whole(bench: Bench) -> None:
    """The same key with another hash: nothing of the batch is appended."""
    epoch, entries = await opened(bench), chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:3])
    other = chain(CALL, SAID, ENDED, head=after(entries[1]), salt=1)
    with pytest.raises(Fenced):
        await bench.journal.append(CALL, mine(epoch), after(entries[1]), other)
    assert await bench.journal.read(CALL) == entries[:3]


@pytest.mark.parametrize("seq", [1, 2, 3])
async def test_another_chains_head_is_refused(bench: Bench, seq: int) -> None:
    """A head of the right length and the wrong hash is no head of this chain."""
    epoch, entries = await opened(bench), chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:3])
    head = Head(seq, "f" * 64)
    with pytest.raises(Fenced):
        await bench.journal.append(
            CALL, mine(epoch), head, chain(CALL, SAID, SAID, SAID, head=head)
        )
    assert await bench.journal.read(CALL) == entries[:3]


async def test_a_journal_that_lost_its_tail_says_from_where(bench: Bench) -> None:
    """A store that crashed may hold less than it acknowledged: the owner appends it again."""
    epoch, entries = await opened(bench), chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:2])
    with pytest.raises(Behind) as caught:
        await bench.journal.append(CALL, mine(epoch), after(entries[3]), entries[4:])
    held = Head(caught.value.seq, caught.value.hash)
    assert held == after(entries[1])
    await bench.journal.append(CALL, mine(epoch), held, entries[2:])
    assert await bench.journal.read(CALL) == entries


async def test_an_ended_call_takes_no_more(bench: Bench) -> None:
    """`call_ended` is the last fact; its own retry is harmless."""
    epoch, entries = await opened(bench), chain(CALL, RECEIVED, ENDED)
    await bench.journal.append(CALL, mine(epoch), Head(), entries)
    await bench.journal.append(CALL, mine(epoch), after(entries[0]), entries[1:])
    with pytest.raises(Fenced):
        await bench.journal.append(
            CALL, mine(epoch), after(entries[1]), chain(CALL, SAID, head=after(entries[1]))
        )
    assert await bench.journal.read(CALL) == entries
    assert (await bench.journal.open_call(CALL, POD, LIFE)).state is CallState.ENDED


async def test_a_long_append_arrives_whole(bench: Bench) -> None:
    """More than one script takes at once, after an outage of the store, say."""
    epoch = await opened(bench)
    entries = chain(CALL, *[SAID] * (2 * APPEND_ENTRIES_MAX + 1), ENDED)
    await bench.journal.append(CALL, mine(epoch), Head(), entries)
    await bench.journal.append(CALL, mine(epoch), Head(), entries)
    assert await bench.journal.read(CALL) == entries


async def test_a_resume_takes_the_call_from_its_epoch(bench: Bench) -> None:
    """The new epoch is higher, the chain goes on where it was, the old owner is fenced."""
    epoch, entries = await opened(bench), chain(CALL, *WHOLE_CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries[:2])
    await bench.let_pass(1000)
    found = await resumed(bench, epoch)
    assert found.first
    assert found.epoch > epoch
    assert found.epoch >= found.opened_at_ms == found.now_ms
    assert found.head == after(entries[1])
    with pytest.raises(Fenced):
        await bench.journal.append(CALL, mine(epoch), after(entries[1]), entries[2:])
    await bench.journal.append(CALL, theirs(found.epoch), found.head, entries[2:])
    assert await bench.journal.read(CALL) == entries


async def test_after_a_resume_the_call_is_the_new_pods(bench: Bench) -> None:
    """A repeated webhook is answered with the owner of now."""
    found = await resumed(bench, await opened(bench))
    opening = await bench.journal.open_call(CALL, POD, LIFE)
    assert (opening.epoch, opening.pod, opening.incarnation) == (found.epoch, OTHER_POD, OTHER_LIFE)


async def test_resumes_within_one_millisecond_still_rise(bench: Bench) -> None:
    """Epochs never repeat, however fast they follow each other."""
    epochs = [await opened(bench)]
    for _ in range(20):
        epochs.append((await resumed(bench, epochs[-1])).epoch)
    assert epochs == sorted(set(epochs))


async def test_a_repeated_resume_gets_the_same_answer_for_15_s(bench: Bench) -> None:
    """A carrier that retries finds the same epoch; a token found later is worth nothing."""
    epoch = await opened(bench)
    first = await resumed(bench, epoch)
    await bench.let_pass(14_000)
    again = await resumed(bench, epoch)
    assert (again.epoch, again.first) == (first.epoch, False)
    await bench.let_pass(2000)
    stale = await bench.journal.resume_call(CALL, epoch, POD, LIFE)
    assert stale is ResumeRefused.STALE
    assert (await resumed(bench, first.epoch)).first


async def test_only_the_last_epoch_may_be_repeated(bench: Bench) -> None:
    """After two resumes the first token is stale, within 15 s too."""
    epoch = await opened(bench)
    await resumed(bench, (await resumed(bench, epoch)).epoch)
    assert await bench.journal.resume_call(CALL, epoch, POD, LIFE) is ResumeRefused.STALE


async def test_a_resume_of_no_call_or_of_an_ended_one_is_refused(bench: Bench) -> None:
    """Ended outranks stale: who asks late hangs up."""
    refuse = bench.journal.resume_call
    assert await refuse(CALL, Epoch(1), POD, LIFE) is ResumeRefused.UNKNOWN
    epoch = await opened(bench)
    assert await refuse(CALL, Epoch(1), POD, LIFE) is ResumeRefused.STALE
    await bench.journal.append(CALL, mine(epoch), Head(), chain(CALL, RECEIVED, ENDED))
    assert await refuse(CALL, epoch, POD, LIFE) is ResumeRefused.ENDED
    assert await refuse(CALL, Epoch(1), POD, LIFE) is ResumeRefused.ENDED


async def test_of_many_that_resume_at_once_one_is_the_first(bench: Bench) -> None:
    """A race has one winner, and everybody learns the same epoch."""
    epoch = await opened(bench)
    found = await asyncio.gather(*(resumed(bench, epoch) for _ in range(10)))
    assert sum(answer.first for answer in found) == 1
    assert len({answer.epoch for answer in found}) == 1


async def test_a_live_call_is_not_forgotten(bench: Bench) -> None:
    """`forget_call` before the end does nothing; a day's silence does."""
    epoch = await opened(bench)
    await bench.journal.append(CALL, mine(epoch), Head(), chain(CALL, RECEIVED))
    await bench.journal.forget_call(CALL)
    await bench.let_pass(23 * HOUR_MS)
    assert len(await bench.journal.read(CALL)) == 1
    await bench.let_pass(2 * HOUR_MS)
    assert await bench.journal.read(CALL) == []
    assert (await bench.journal.open_call(CALL, POD, LIFE)).first


async def test_each_fact_lets_a_journal_live_another_day(bench: Bench) -> None:
    """The longest call there is does not outlive its journal."""
    epoch, entries = await opened(bench), chain(CALL, RECEIVED, SAID, SAID, SAID)
    for at in range(4):
        head = after(entries[at - 1]) if at else Head()
        await bench.journal.append(CALL, mine(epoch), head, entries[at : at + 1])
        await bench.let_pass(20 * HOUR_MS)
    assert await bench.journal.read(CALL) == entries


async def test_a_forgotten_call_is_found_for_two_hours(bench: Bench) -> None:
    """Late resumes find that it ended; repeated flushes and forgets don't keep it longer."""
    epoch, entries = await opened(bench), chain(CALL, RECEIVED, ENDED)
    await bench.journal.append(CALL, mine(epoch), Head(), entries)
    await bench.journal.forget_call(CALL)
    await bench.let_pass(HOUR_MS * 3 // 2)
    found = await bench.journal.resume_call(CALL, epoch, POD, LIFE)
    assert found is ResumeRefused.ENDED
    await bench.journal.forget_call(CALL)
    await bench.journal.append(CALL, mine(epoch), Head(), entries)
    await bench.let_pass(HOUR_MS)
    found = await bench.journal.resume_call(CALL, epoch, POD, LIFE)
    assert found is ResumeRefused.UNKNOWN


class JournalHistory(RuleBasedStateMachine):
    """Long random histories of two calls: the journal against a model of a few lines."""

    url: str | None

    @dataclass
    class Model:
        """What a call's journal should hold."""

        epochs: list[Epoch] = field(default_factory=list)
        entries: list[Entry] = field(default_factory=list)
        ended: bool = False
        resumed_ms_ago: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.bench = make_bench(self.url)
        self.salt = 0
        self.calls: dict[CallSid, JournalHistory.Model] = {}
        if isinstance(self.bench, RedisBench):
            self.run(self.bench.empty())

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.bench.close())
        self.runner.close()

    calls_of_ours = st.sampled_from([CALL, OTHER_CALL])

    @rule(call=calls_of_ours)
    def open(self, call: CallSid) -> None:
        opening = self.run(self.bench.journal.open_call(call, POD, LIFE))
        assert opening.first == (call not in self.calls)
        known = self.calls.setdefault(call, self.Model([opening.epoch]))
        assert opening.epoch == known.epochs[-1]
        assert (opening.state is CallState.ENDED) == known.ended

    @rule(call=calls_of_ours, back=st.integers(0, 3))
    def resume(self, call: CallSid, back: int) -> None:
        known = self.calls.get(call)
        epoch = known.epochs[-1 - back] if known and back < len(known.epochs) else Epoch(7)
        found = self.run(self.bench.journal.resume_call(call, epoch, POD, LIFE))
        if known is None:
            assert found is ResumeRefused.UNKNOWN
        elif known.ended:
            assert found is ResumeRefused.ENDED
        elif epoch == known.epochs[-1]:
            assert isinstance(found, Resumption)
            assert found.first
            assert found.epoch > epoch
            assert found.head == (after(known.entries[-1]) if known.entries else Head())
            known.epochs.append(found.epoch)
            known.resumed_ms_ago = 0
        elif known.epochs[-2:-1] == [epoch] and (known.resumed_ms_ago or 0) < 15_000:
            assert isinstance(found, Resumption)
            assert (found.epoch, found.first) == (known.epochs[-1], False)
        else:
            assert found is ResumeRefused.STALE

    @rule(
        call=calls_of_ours,
        epoch_back=st.sampled_from([0, 0, 0, 0, 1]),
        overlap=st.integers(0, 3),
        new=st.integers(0, 4),
        changed=st.integers(0, 9),
        ends=st.sampled_from([False, False, False, True]),
    )
    def append(
        self,
        call: CallSid,
        epoch_back: int,
        overlap: int,
        new: int,
        changed: int,
        *,
        ends: bool,
    ) -> None:
        known = self.calls.get(call, self.Model())
        since = max(0, len(known.entries) - overlap)
        head = after(known.entries[since - 1]) if since else Head()
        self.salt += 1
        tail = after(known.entries[-1]) if known.entries else Head()
        facts: list[Fact] = [SAID] * new
        if ends:
            facts.append(ENDED)
        entries = known.entries[since:] + chain(call, *facts, head=tail, salt=self.salt)
        if not entries:
            return
        epoch = known.epochs[-1 - epoch_back] if epoch_back < len(known.epochs) else Epoch(7)
        # One in ten tells another story from some entry on that the journal holds.
        contradicts = changed == 0 and since < len(known.entries)
        if contradicts:
            entries = chain(call, *[SAID] * len(entries), head=head, salt=self.salt)
        fresh = len(entries) > len(known.entries) - since
        refused = bool(known.epochs) and (
            epoch != known.epochs[-1] or contradicts or (fresh and known.ended)
        )
        if refused:
            with pytest.raises(Fenced):
                self.run(self.bench.journal.append(call, mine(epoch), head, entries))
        else:
            self.run(self.bench.journal.append(call, mine(epoch), head, entries))
            known.entries = known.entries[:since] + entries
            known.ended |= ends
            if not known.epochs:  # Begun anew, by who brought it from its first entry on.
                known.epochs.append(epoch)
                self.calls[call] = known

    @rule(
        call=calls_of_ours,
        keep=st.integers(0, 4),
        again=st.integers(0, 4),
        new=st.integers(0, 2),
        ends=st.sampled_from([False, False, True]),
    )
    def append_under_a_forgotten_epoch(
        self, call: CallSid, keep: int, again: int, new: int, *, ends: bool
    ) -> None:
        known = self.calls.get(call)
        if known is None:
            return
        keep = min(keep, len(known.entries))
        since = max(0, keep - again)
        self.salt += 1
        facts: list[Fact] = [SAID] * new
        if ends:
            facts.append(ENDED)
        tail = after(known.entries[keep - 1]) if keep else Head()
        entries = known.entries[since:keep] + chain(call, *facts, head=tail, salt=self.salt)
        head = after(known.entries[since - 1]) if since else Head()
        epoch = Epoch(known.epochs[-1] + 1)
        work = self.bench.journal.append(call, mine(epoch), head, entries)
        if known.ended and keep == len(known.entries) and facts:
            with pytest.raises(Fenced):
                self.run(work)
            return
        self.run(work)
        known.ended = ends or (known.ended and keep == len(known.entries))
        known.entries = known.entries[:since] + entries
        known.epochs = [epoch]
        known.resumed_ms_ago = None

    @rule(call=calls_of_ours)
    def lose(self, call: CallSid) -> None:
        self.run(self.bench.forget_all_of(call))
        self.calls.pop(call, None)

    @rule(call=calls_of_ours, lost=st.integers(1, 3))
    def append_past_the_tail(self, call: CallSid, lost: int) -> None:
        known = self.calls.get(call)
        if known is None:
            return
        tail = after(known.entries[-1]) if known.entries else Head()
        gap = chain(call, *[SAID] * lost, head=tail)
        with pytest.raises(Behind) as caught:
            self.run(
                self.bench.journal.append(
                    call,
                    mine(known.epochs[-1]),
                    after(gap[-1]),
                    chain(call, SAID, head=after(gap[-1])),
                )
            )
        assert Head(caught.value.seq, caught.value.hash) == tail

    @rule()
    def let_six_seconds_pass(self) -> None:
        # Never near the window's edge, where Redis' own running time would decide.
        self.run(self.bench.let_pass(6000))
        for known in self.calls.values():
            if known.resumed_ms_ago is not None:
                known.resumed_ms_ago += 6000

    @rule(call=calls_of_ours)
    def forget(self, call: CallSid) -> None:
        self.run(self.bench.journal.forget_call(call))

    @invariant()
    def it_holds_what_was_appended(self) -> None:
        for call in (CALL, OTHER_CALL):
            held = self.run(self.bench.journal.read(call))
            assert held == self.calls.get(call, self.Model()).entries


def test_long_histories_leave_what_the_model_says(url: str | None) -> None:
    """Openings, resumes, appends right and wrong, time: the journal never differs."""
    JournalHistory.url = url
    run_state_machine_as_test(
        JournalHistory,
        settings=settings(max_examples=50 if url else 100, stateful_step_count=40, deadline=None),
    )


@given(texts=st.lists(st.text(max_size=200), min_size=1, max_size=5))
# Each run empties the store itself.
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_was_said_is_kept(url: str | None, texts: list[str]) -> None:
    """No text breaks the script or comes back changed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        bench = make_bench(url)
        if isinstance(bench, RedisBench):
            runner.run(bench.empty())
        entries = chain(CALL, *(CallerSaid(text, text) for text in texts))
        runner.run(bench.journal.append(CALL, mine(runner.run(opened(bench))), Head(), entries))
        assert runner.run(bench.journal.read(CALL)) == entries
        runner.run(bench.close())


def test_the_twins_empty_head_is_the_genesis() -> None:
    """What a chain hangs on is one constant everywhere."""
    assert Head().hash == GENESIS
