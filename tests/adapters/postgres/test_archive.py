"""Whole calls, page by page."""

from collections.abc import AsyncIterator

import pytest

from chains import BEGUN_MS, CALL, ENDED, OPENED, OTHER_CALL, RECEIVED, SAID, WHOLE_CALL, chain
from trunkline.adapters.postgres.archive import PAGE_CALLS, Archive
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import Pool, connect
from trunkline.core.carrier import StatusTold, told
from trunkline.core.ids import CallSid
from trunkline.core.record import Aside, Why

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with await connect(database_url) as made:
        yield made


async def test_a_whole_call_has_all_that_is_known_of_it(pool: Pool) -> None:
    """Row, facts, what stands aside, the carrier's words; an unknown one has nothing."""
    book, entries = PostgresCallBook(pool), chain(CALL, *WHOLE_CALL)
    await book.write([(CALL, entry) for entry in entries])
    aside = [Aside(CALL, chain(CALL, SAID, salt=1)[0], Why.FENCED)]
    carrier = [told(CALL, StatusTold("completed"), at_ms=BEGUN_MS)]
    await book.put_aside(aside)
    await book.write_carrier_facts(carrier)
    one, unknown = await Archive(pool).some([CALL, OTHER_CALL])
    assert (one.row, one.entries, one.aside, one.carrier) == (
        await book.call(CALL), entries, aside, carrier,
    )  # fmt: skip
    assert (unknown.call, unknown.row, unknown.entries) == (OTHER_CALL, None, [])


async def test_every_call_is_read_once_whatever_is_left_of_it(pool: Pool) -> None:
    """More than a page; rows without facts, facts without a row, facts aside alone."""
    count = 2 * PAGE_CALLS + 7
    calls = [CallSid(f"CA{number:032}") for number in range(count)]
    rows = [(call, e) for call in calls for e in chain(call, RECEIVED, ENDED)]
    await PostgresCallBook(pool).write(rows)
    await pool.execute("DELETE FROM facts WHERE call_sid = $1", calls[5])
    await pool.execute("DELETE FROM calls WHERE call_sid = $1", calls[6])
    await pool.execute("DELETE FROM calls WHERE call_sid = $1", calls[7])
    await pool.execute("DELETE FROM facts WHERE call_sid = $1", calls[7])
    await PostgresCallBook(pool).put_aside([Aside(calls[7], rows[0][1], Why.FENCED)])
    found = [one async for one in Archive(pool).every()]
    assert [one.call for one in found] == calls
    assert [len(one.entries) for one in found[4:9]] == [2, 0, 2, 0, 2]
    assert [one.row is None for one in found[4:9]] == [False, False, True, True, False]


async def test_a_window_is_read_from_its_oldest_call(pool: Pool) -> None:
    """Its end is not in it; calls of one moment come once each, over pages too."""
    count = PAGE_CALLS + 9
    rows = [
        (call, entry)
        for number in range(count)
        for call in [CallSid(f"CA{number:032}")]
        for entry in chain(call, RECEIVED, begun_ms=BEGUN_MS + number // 50)
    ]
    await PostgresCallBook(pool).write(rows)
    archive = Archive(pool)
    assert [one.call async for one in archive.between()] == [call for call, _ in rows]
    within = [one async for one in archive.between(since_ms=BEGUN_MS + 1, until_ms=BEGUN_MS + 2)]
    assert [one.call for one in within] == [call for call, _ in rows[50:100]]
    assert len([one async for one in archive.between(tenant="clinic")]) == count
    assert [one async for one in archive.between(tenant="nobody")] == []


async def test_calls_that_share_a_fact_or_a_stream_are_doubles(pool: Pool) -> None:
    """The same rows under another name; another story of the same stream."""
    book, entries = PostgresCallBook(pool), chain(CALL, RECEIVED, OPENED)
    third, fourth = CallSid("CA" + "3" * 32), CallSid("CA" + "4" * 32)
    await book.write([(CALL, entry) for entry in entries])
    assert await Archive(pool).doubled() == []
    await book.write([(OTHER_CALL, entries[0])])
    await book.write([(third, entry) for entry in chain(third, RECEIVED, OPENED, salt=5)])
    await book.write([(fourth, entry) for entry in chain(fourth, RECEIVED, salt=6)])
    found = await Archive(pool).doubled()
    assert sorted(found) == [[CALL, OTHER_CALL], [CALL, third]]


async def test_calls_that_only_the_carrier_told_of(pool: Pool) -> None:
    """Answered and over; one that was busy was never ours to keep."""
    book = PostgresCallBook(pool)
    third = CallSid("CA" + "3" * 32)
    await book.write([(CALL, entry) for entry in chain(CALL, RECEIVED)])
    await book.write_carrier_facts(
        [
            told(CALL, StatusTold("completed", 3), at_ms=BEGUN_MS),
            told(OTHER_CALL, StatusTold("completed", 3), at_ms=BEGUN_MS),
            told(third, StatusTold("busy", 3), at_ms=BEGUN_MS),
        ]
    )
    archive = Archive(pool)
    assert await archive.only_told(None, None) == [OTHER_CALL]
    assert await archive.only_told(BEGUN_MS, BEGUN_MS + 1) == [OTHER_CALL]
    assert await archive.only_told(BEGUN_MS + 1, None) == []
    assert await archive.only_told(None, BEGUN_MS) == []
