"""What is Postgres' own; the port's promises are in tests/contract/test_erasure.py."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from chains import CALL, RECEIVED, WHOLE_CALL, chain
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import Pool, connect
from trunkline.adapters.postgres.erasure import LOCK, PostgresEraser
from trunkline.core.facts import CallerSaid
from trunkline.core.retention import DAY_MS, Erased, Retention

pytestmark = pytest.mark.anyio
MONTH = Retention({"clinic": 30})


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    made = await connect(database_url)
    yield made
    await made.close()


async def keep(pool: Pool, days_ago: int = 31) -> None:
    begun_ms = time.time_ns() // 1_000_000 - days_ago * DAY_MS
    entries = chain(CALL, *WHOLE_CALL, begun_ms=begun_ms)
    await PostgresCallBook(pool).write([(CALL, entry) for entry in entries])


async def test_one_purges_at_a_time(pool: Pool) -> None:
    """Whoever comes meanwhile is told so and does nothing; `due` only looks."""
    await keep(pool)
    eraser = PostgresEraser(pool)
    async with pool.acquire() as other, other.transaction():
        await other.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
        assert await eraser.purge(MONTH, calls_max=10) is None
        assert await eraser.sweep() is None
        assert await eraser.due(MONTH) == Erased(1, 5)
    assert await eraser.purge(MONTH, calls_max=10) == Erased(1, 5)


async def test_purges_that_race_erase_each_fact_once(pool: Pool) -> None:
    """Three pods at the same moment."""
    await keep(pool)
    eraser = PostgresEraser(pool)
    done = await asyncio.gather(*(eraser.purge(MONTH, calls_max=10) for _ in range(3)))
    assert [step for step in done if step not in {None, Erased()}] == [Erased(1, 5)]


async def test_what_stands_beside_the_chain_goes_too(pool: Pool) -> None:
    """Facts that contradicted the log keep their hash; what the carrier told goes whole."""
    await keep(pool)
    stray = chain(CALL, RECEIVED, CallerSaid("i", "another"), salt=1)[1]
    await PostgresCallBook(pool).write([(CALL, stray)])
    await pool.execute(
        "INSERT INTO carrier_facts (call_sid, digest, kind, at, payload)"
        " VALUES ($1, 'd', 'status', now(), '+15550100001')",
        CALL,
    )
    assert await PostgresEraser(pool).purge(MONTH, calls_max=10) == Erased(1, 7)
    kept = await pool.fetchrow("SELECT payload, salt, hash FROM stray_facts")
    assert kept is not None
    assert tuple(kept) == ("", "", stray.hash)
    assert await pool.fetchval("SELECT count(*) FROM carrier_facts") == 0
