"""What is Postgres' own; the port's promises are in tests/contract/test_call_log.py."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chains import BEGUN_MS, CALL, ENDED, RECEIVED, WHOLE_CALL, chain
from trunkline.adapters.postgres.call_log import STATEMENT_ENTRIES_MAX, PostgresCallBook
from trunkline.adapters.postgres.connect import Pool, connect
from trunkline.core.ids import CallSid
from trunkline.errors import StoreError

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    made = await connect(database_url)
    yield made
    await made.close()


async def test_a_payload_is_the_very_text_that_was_hashed(pool: Pool) -> None:
    """Not a JSON type, which would change it."""
    entries = chain(CALL, *WHOLE_CALL)
    await PostgresCallBook(pool).write([(CALL, entry) for entry in entries])
    kept = await pool.fetch("SELECT payload FROM facts ORDER BY seq")
    assert [record["payload"] for record in kept] == [entry.payload for entry in entries]


async def test_a_write_is_one_transaction_over_all_its_statements(pool: Pool) -> None:
    """The last statement's fault undoes the first's rows."""
    calls = [CallSid(f"CA{number:032}") for number in range(STATEMENT_ENTRIES_MAX + 1)]
    batch = [(call, chain(call, RECEIVED)[0]) for call in calls]
    async with pool.acquire() as keeper:
        await keeper.execute(
            f"ALTER TABLE calls ADD CONSTRAINT test CHECK (call_sid <> '{calls[-1]}')"
        )
        try:
            with pytest.raises(StoreError, match="23514"):
                await PostgresCallBook(pool).write(batch)
            assert await keeper.fetchval("SELECT count(*) FROM facts") == 0
        finally:
            await keeper.execute("ALTER TABLE calls DROP CONSTRAINT test")


async def test_a_lost_connection_is_mended_by_the_next_write(pool: Pool) -> None:
    """A restart of Postgres costs one failed write at most; the repetition succeeds."""
    book = PostgresCallBook(pool)
    entries = chain(CALL, RECEIVED, ENDED)
    await book.write([(CALL, entries[0])])
    async with pool.acquire() as keeper:
        await keeper.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    for _ in range(3):
        try:
            await book.write([(CALL, entries[1])])
            break
        except StoreError:
            continue
    assert await book.entries(CALL) == entries


async def test_a_row_never_loses_what_it_knows(pool: Pool) -> None:
    """A later epoch's facts add to the row; the highest epoch stays."""
    book = PostgresCallBook(pool)
    await book.write([(CALL, chain(CALL, RECEIVED, epoch=BEGUN_MS + 5)[0])])
    await book.write([(CALL, entry) for entry in chain(CALL, *WHOLE_CALL)[1:]])
    row = await pool.fetchrow("SELECT epoch, outcome, pod FROM calls")
    assert row is not None
    assert tuple(row) == (BEGUN_MS + 5, "caller_ended", "pod-0")


async def test_writers_wait_for_each_other_and_both_end(pool: Pool) -> None:
    """Two writes of the same facts at once: each is there once."""
    entries = [(CALL, entry) for entry in chain(CALL, *WHOLE_CALL)]
    await asyncio.gather(*(PostgresCallBook(pool).write(entries) for _ in range(10)))
    assert await pool.fetchval("SELECT count(*) FROM facts") == 5
    assert await pool.fetchval("SELECT count(*) FROM calls") == 1
    assert await pool.fetchval("SELECT count(*) FROM stray_facts") == 0
