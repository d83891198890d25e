"""The call log's contract: Postgres and its twin, by examples and in step with each other."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import ClassVar, Protocol, TypeVar

import asyncpg
import msgspec
import pytest
import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chains import (
    BEGUN_MS,
    CALL,
    ENDED,
    OPENED,
    OTHER_CALL,
    RECEIVED,
    SAID,
    WHOLE_CALL,
    chain,
)
from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import Pool, connect
from trunkline.core.carrier import AmdTold, StatusTold, told
from trunkline.core.facts import CallEnded, CallerSaid, Outcome
from trunkline.core.ids import CallSid, PodName
from trunkline.core.record import PAYLOAD_BYTES_MAX, Aside, Entry, Why
from trunkline.errors import StoreError
from trunkline.ports import CallBook, CarrierBook, LoggedCall, UnendedCalls

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Counting(CallBook, UnendedCalls, CarrierBook, Protocol):
    """A call log that counts what it puts aside, and shows it."""

    @property
    def strays(self) -> int: ...
    async def aside(self, call: CallSid) -> list[Aside]: ...


SERVERS = {"postgres": "database_url", "pgbouncer": "pgbouncer_url"}
"""Ways to the store, and the fixture of each."""

WAYS = ["postgres", pytest.param("pgbouncer", marks=pytest.mark.route)]


@pytest.fixture(params=[*WAYS, "memory"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the call log is; None for the twin."""
    at = SERVERS.get(request.param)
    return None if at is None else str(request.getfixturevalue(at))


@pytest.fixture(params=WAYS)
def server_url(request: pytest.FixtureRequest) -> str:
    """Where the store is, for what the twin has no part in."""
    return str(request.getfixturevalue(SERVERS[request.param]))


@pytest.fixture
def alarms() -> list[tuple[CallSid, int]]:
    return []


@pytest.fixture
async def book(url: str | None, alarms: list[tuple[CallSid, int]]) -> AsyncIterator[Counting]:
    if url is None:
        yield MemoryCallBook(listener(alarms))
        return
    async with await connect(url) as pool:
        yield PostgresCallBook(pool, listener(alarms))


def rows(call: CallSid, entries: Sequence[Entry]) -> list[tuple[CallSid, Entry]]:
    return [(call, entry) for entry in entries]


async def test_a_whole_call_is_one_row_and_its_facts(book: Counting) -> None:
    """The row says who called whom, when, and how it ended; the facts are as they were."""
    entries = chain(CALL, *WHOLE_CALL)
    await book.write(rows(CALL, entries))
    assert await book.entries(CALL) == entries
    row = LoggedCall(
        call=CALL,
        direction="inbound",
        from_number="+15550100001",
        to_number="+15550100002",
        agent="reception",
        tenant="clinic",
        vertical="healthcare",
        pod="pod-0",
        started_at_ms=BEGUN_MS,
        answered_at_ms=BEGUN_MS + 1000,
        ended_at_ms=BEGUN_MS + 4000,
        outcome="caller_ended",
        reason="stop",
        facts=5,
    )
    assert await book.call(CALL) == row
    assert await book.calls(limit=10) == [row]


async def test_a_live_call_has_no_end_yet(book: Counting) -> None:
    """What has not happened is None."""
    await book.write(rows(CALL, chain(CALL, RECEIVED)))
    row = await book.call(CALL)
    assert row is not None
    assert (row.answered_at_ms, row.ended_at_ms, row.outcome, row.reason) == (None,) * 4
    assert row.facts == 1


async def test_an_empty_log(book: Counting) -> None:
    """No calls, no such call, no facts; writing nothing is no mistake."""
    await book.write([])
    assert await book.calls(limit=10) == []
    assert await book.call(CALL) is None
    assert await book.entries(CALL) == []


@pytest.mark.parametrize("cut", range(6))
async def test_a_write_may_be_repeated(
    book: Counting, cut: int, alarms: list[tuple[CallSid, int]]
) -> None:
    """A retry, also of more than was written, changes nothing that is there."""
    entries = rows(CALL, chain(CALL, *WHOLE_CALL))
    await book.write(entries[:cut])
    await book.write(entries)
    once = await book.call(CALL)
    await book.write(entries + entries)
    assert await book.call(CALL) == once
    assert await book.entries(CALL) == [entry for _, entry in entries]
    assert alarms == []


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [2, 4, 0, 3, 1]])
async def test_batches_may_come_in_any_order(book: Counting, order: list[int]) -> None:
    """Two pods of one call flush as they can: the row is the same in the end."""
    entries = rows(CALL, chain(CALL, *WHOLE_CALL))
    for at in order:
        await book.write([entries[at]])
    backwards = await book.call(CALL)
    assert backwards is not None
    assert backwards.started_at_ms == BEGUN_MS
    assert backwards.from_number == "+15550100001"
    assert (backwards.outcome, backwards.facts) == ("caller_ended", 5)


async def test_the_answer_is_the_first_stream(book: Counting) -> None:
    """A resume opens another stream; the call was answered once."""
    await book.write(rows(CALL, chain(CALL, RECEIVED, OPENED, SAID, OPENED, ENDED)))
    row = await book.call(CALL)
    assert row is not None
    assert row.answered_at_ms == BEGUN_MS + 1000


@pytest.mark.parametrize("order", [(1, 3), (3, 1)])
async def test_the_answer_is_the_first_stream_whichever_comes_first(
    book: Counting, order: tuple[int, int]
) -> None:
    """Two pods of one call: the later stream's fact may be written before the earlier one's."""
    entries = rows(CALL, chain(CALL, RECEIVED, OPENED, SAID, OPENED, ENDED))
    for at in order:
        await book.write([entries[at]])
    row = await book.call(CALL)
    assert row is not None
    assert row.answered_at_ms == BEGUN_MS + 1000


async def test_another_fact_with_a_taken_key_is_an_alarm_and_blocks_nothing(
    book: Counting, alarms: list[tuple[CallSid, int]]
) -> None:
    """The log keeps what it has, says so once, and takes the rows beside it."""
    entries = chain(CALL, *WHOLE_CALL)
    other = chain(CALL, RECEIVED, OPENED, SAID, salt=1)
    await book.write(rows(CALL, entries[:2]))
    for _ in range(2):
        await book.write(
            rows(CALL, other) + rows(CALL, entries) + rows(OTHER_CALL, chain(OTHER_CALL, RECEIVED))
        )
    kept = await book.entries(CALL)
    assert kept[:2] == entries[:2]
    assert kept[3:] == entries[3:]
    # Of two that come together for a free place, the first given gets it.
    assert kept[2] == other[2]
    assert sorted(alarms) == [(CALL, 1), (CALL, 2), (CALL, 3)]
    assert book.strays == 3
    assert len(await book.entries(OTHER_CALL)) == 1


async def test_nul_and_odd_texts_block_nothing(book: Counting) -> None:
    """A caller's NUL is kept in the fact as it was, and shown as a replacement in the row."""
    odd = msgspec.structs.replace(RECEIVED, from_number="\0'; DROP TABLE calls; --\u2028 🙂")
    ended = CallEnded(Outcome.FAILED, "\0")
    entries = chain(CALL, odd, CallerSaid("\0", "a\0b\\u0000\ud7ff\U0010ffff"), ended)
    await book.write(rows(CALL, entries) + rows(OTHER_CALL, chain(OTHER_CALL, *WHOLE_CALL)))
    assert await book.entries(CALL) == entries
    row = await book.call(CALL)
    assert row is not None
    assert row.from_number == "\ufffd'; DROP TABLE calls; --\u2028 🙂"
    assert row.reason == "\ufffd"
    assert len(await book.calls(limit=10)) == 2


async def test_a_fact_over_its_size_is_quarantined_and_blocks_nothing(
    book: Counting, alarms: list[tuple[CallSid, int]]
) -> None:
    """It is aside, whole and once; what is behind it is in its place, and the row is whole."""
    big = CallEnded(Outcome.FAILED, "ü" * (PAYLOAD_BYTES_MAX // 2))
    most = CallerSaid(
        "", "a" * (PAYLOAD_BYTES_MAX - len('{"kind":"caller_said","item_id":"","text":""}'))
    )
    entries = chain(CALL, RECEIVED, CallerSaid("", most.text + "a"), most, SAID, big)
    for _ in range(2):
        await book.write(rows(CALL, entries))
    assert await book.entries(CALL) == [entries[0], entries[2], entries[3]]
    assert await book.aside(CALL) == [Aside(CALL, entries[at], Why.TOO_BIG) for at in (1, 4)]
    assert sorted(alarms) == [(CALL, 2), (CALL, 5)]
    row = await book.call(CALL)
    assert row is not None
    assert (row.outcome, row.facts) == ("failed", 3)


async def test_facts_that_the_journal_refused_are_put_aside_once(
    book: Counting, alarms: list[tuple[CallSid, int]]
) -> None:
    """Beside the chain of the call, which does not change."""
    entries = chain(CALL, *WHOLE_CALL)
    late = [Aside(CALL, entry, Why.FENCED) for entry in chain(CALL, SAID, SAID, salt=7)]
    await book.write(rows(CALL, entries))
    for _ in range(2):
        await book.put_aside(late)
    assert await book.entries(CALL) == entries
    assert await book.aside(CALL) == late
    assert await book.aside(OTHER_CALL) == []
    assert alarms == [(CALL, 1), (CALL, 2)]


async def test_calls_without_an_outcome_are_found_by_their_pod(book: Counting) -> None:
    """The oldest first, as many as asked for."""
    for number in range(4):
        call = CallSid(f"CA{number:032}")
        facts = (RECEIVED, ENDED) if number == 2 else (RECEIVED,)
        await book.write(rows(call, chain(call, *facts, begun_ms=BEGUN_MS - number)))
    found = await book.unended(PodName("pod-0"), limit=2)
    assert found == [CallSid(f"CA{number:032}") for number in (3, 1)]
    assert len(await book.unended(PodName("pod-0"), limit=9)) == 3
    assert await book.unended(PodName("pod-1"), limit=9) == []


async def test_what_the_carrier_told_is_kept_once(book: Counting) -> None:
    """Doubled, late and out of order as it comes; of calls that nobody knows, too."""
    facts = [
        told(CALL, StatusTold("completed", 3, 12, 200), at_ms=BEGUN_MS + 9),
        told(CALL, StatusTold("in-progress", 2), at_ms=BEGUN_MS + 10),
        told(CALL, AmdTold("human"), at_ms=BEGUN_MS + 11),
    ]
    await book.write_carrier_facts([])
    await book.write_carrier_facts([*facts, told(OTHER_CALL, AmdTold("fax"), at_ms=BEGUN_MS)])
    late = told(CALL, StatusTold("completed", 3, 12, 200), at_ms=BEGUN_MS + 5000)
    await book.write_carrier_facts([late, late])
    assert await book.carrier_facts(CALL) == facts
    assert len(await book.carrier_facts(OTHER_CALL)) == 1
    assert await book.call(CALL) is None


async def test_a_kind_that_we_do_not_know_is_kept(book: Counting) -> None:
    """A neighbour revision may write facts, and forms of facts, that we can't read."""
    entries = [
        msgspec.structs.replace(entry, kind=kind, payload=payload)
        for entry, kind, payload in zip(
            chain(CALL, *WHOLE_CALL),
            ["call_received", "stream_opened", "moon_landed", "call_received", "call_ended"],
            ['{"kind":"call_received","direction":"sideways"}', "{}", "[]", "\\u0000", "{"],
            strict=True,
        )
    ]
    await book.write(rows(CALL, entries))
    assert await book.entries(CALL) == entries
    row = await book.call(CALL)
    assert row is not None
    assert (row.direction, row.outcome, row.facts) == ("", None, 5)


async def test_calls_come_newest_first_page_by_page(book: Counting) -> None:
    """`before_ms` is the last page's oldest start."""
    for number in range(7):
        call = CallSid(f"CA{number:032}")
        await book.write(rows(call, chain(call, RECEIVED, begun_ms=BEGUN_MS + number)))
    pages = [await book.calls(limit=3)]
    while pages[-1]:
        pages.append(await book.calls(limit=3, before_ms=pages[-1][-1].started_at_ms))
    starts = [[row.started_at_ms - BEGUN_MS for row in page] for page in pages]
    assert starts == [[6, 5, 4], [3, 2, 1], [0], []]


async def test_calls_of_one_moment_have_an_order(book: Counting) -> None:
    """The list is the same each time it is asked for, in whatever order they were written."""
    calls = [CallSid(f"CA{number:032}") for number in (2, 0, 3, 1)]
    for call in calls:
        await book.write(rows(call, chain(call, RECEIVED)))
    assert [row.call for row in await book.calls(limit=9)] == sorted(calls, reverse=True)


async def test_a_large_write_is_taken_at_once(book: Counting) -> None:
    """What waited while the log was away comes in one write."""
    entries = chain(CALL, RECEIVED, *[SAID] * 2500, ENDED)
    await book.write(rows(CALL, entries))
    assert await book.entries(CALL) == entries


class Histories(RuleBasedStateMachine):
    """Random writes of three calls, right and wrong: the log and its twin say the same."""

    url: str

    CALLS = tuple(CallSid(f"CA{number:032}") for number in range(3))
    CHAINS: ClassVar = {
        call: [
            chain(call, *WHOLE_CALL, begun_ms=BEGUN_MS + 7 * at, salt=salt, epoch=BEGUN_MS + salt)
            for salt in range(2)
        ]
        for at, call in enumerate(CALLS)
    }

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.told: tuple[list[tuple[CallSid, int]], list[tuple[CallSid, int]]] = ([], [])
        self.pool: Pool = self.run(connect(self.url))
        self.run(emptied(self.pool))
        self.books: tuple[Counting, Counting] = (
            PostgresCallBook(self.pool, listener(self.told[0])),
            MemoryCallBook(listener(self.told[1])),
        )

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.pool.close())
        self.runner.close()

    @rule(
        picked=st.lists(
            st.tuples(
                st.sampled_from(CALLS),
                st.sampled_from([0, 0, 0, 0, 1]),
                st.integers(0, len(WHOLE_CALL) - 1),
            ),
            max_size=12,
        )
    )
    def write(self, picked: list[tuple[CallSid, int, int]]) -> None:
        batch = [(call, self.CHAINS[call][story][at]) for call, story, at in picked]
        for book in self.books:
            self.run(book.write(batch))

    @invariant()
    def both_say_the_same(self) -> None:
        ours, twin = self.books
        assert self.run(ours.calls(limit=9)) == self.run(twin.calls(limit=9))
        for call in self.CALLS:
            assert self.run(ours.entries(call)) == self.run(twin.entries(call))
        assert ours.strays == twin.strays == len(self.told[0])
        assert sorted(self.told[0]) == sorted(self.told[1])


def listener(told: list[tuple[CallSid, int]]) -> Callable[[Aside], None]:
    return lambda fact: told.append((fact.call, fact.entry.seq))


async def emptied(pool: Pool) -> None:
    await pool.execute("DELETE FROM calls; DELETE FROM facts; DELETE FROM stray_facts")


def test_the_log_and_its_twin_never_differ(server_url: str) -> None:
    """Batches with gaps, repetitions, contradictions, in any order."""
    Histories.url = server_url
    run_state_machine_as_test(
        Histories, settings=settings(max_examples=20, stateful_step_count=15, deadline=None)
    )


async def test_writers_of_the_same_calls_do_not_deadlock(server_url: str) -> None:
    """Two pods that hold the same calls write at once, one from each end: it is all there once."""
    calls = [CallSid(f"CA{number:032}") for number in range(400)]
    batch = [(call, entry) for call in calls for entry in chain(call, *WHOLE_CALL)]
    async with await connect(server_url) as pool:
        books = [PostgresCallBook(pool) for _ in range(4)]
        turned = (batch if number % 2 else batch[::-1] for number in range(4))
        await asyncio.gather(*(book.write(rows) for book, rows in zip(books, turned, strict=True)))
        listed = await books[0].calls(limit=1000)
    assert [row.facts for row in listed] == [5] * 400
    assert sum(book.strays for book in books) == 0


async def test_a_text_that_the_store_refuses_goes_aside(server_url: str) -> None:
    """An entry that no link of ours makes blocks nobody: cleaned, among the strays, counted."""
    sound, broken = chain(CALL, *WHOLE_CALL), chain(OTHER_CALL, RECEIVED, SAID)
    broken[1] = msgspec.structs.replace(broken[1], payload='{"text":"\0\ud800"}')
    async with await connect(server_url) as pool:
        book = PostgresCallBook(pool)
        await book.write(rows(CALL, sound) + rows(OTHER_CALL, broken))
        kept = [len(await book.entries(call)) for call in (CALL, OTHER_CALL)]
        (aside,) = await book.aside(OTHER_CALL)
    assert kept == [5, 1]
    assert book.strays == 1
    assert (aside.why, aside.entry.payload) == (Why.NUL, '{"text":"\ufffd?"}')
    assert aside.entry.hash == broken[1].hash


async def test_a_failed_write_leaves_nothing(server_url: str) -> None:
    """Facts and rows are one transaction: no fact stands without its call's row."""
    async with await connect(server_url) as pool:
        book = PostgresCallBook(pool)
        keeper = await asyncpg.connect(server_url)
        try:
            await keeper.execute("ALTER TABLE calls RENAME TO calls_elsewhere")
            with pytest.raises(StoreError, match="refused"):
                await book.write(rows(CALL, chain(CALL, RECEIVED)))
        finally:
            await keeper.execute("ALTER TABLE calls_elsewhere RENAME TO calls")
            await keeper.close()
        assert await book.entries(CALL) == []
        await book.write(rows(CALL, chain(CALL, RECEIVED)))
        assert len(await book.entries(CALL)) == 1
