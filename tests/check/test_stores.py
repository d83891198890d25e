"""Real stores that will do, and what is said of those that will not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from check.grounds import PASSWORD, ground, told, whys
from trunkline.adapters.postgres.connect import SCHEMA_NEEDED
from trunkline.check.items import Status
from trunkline.check.stores import check_postgres, check_redis, of_info

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def empty_database(url: str) -> AsyncIterator[str]:
    """A database of the same server that was never migrated."""
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE DATABASE check_empty")
    try:
        yield url.replace("/postgres", "/check_empty", 1) if "/postgres?" in url else url
    finally:
        await connection.execute("DROP DATABASE check_empty")
        await connection.close()


async def test_stores_that_will_do(redis_url: str, database_url: str) -> None:
    """With their versions, and the store's clock beside ours."""
    found = ground(REDIS_URL=redis_url, DATABASE_URL=database_url)
    redis, postgres = await check_redis(found), await check_postgres(found)
    assert told(redis) == [(Status.OK, "redis"), (Status.OK, "clock")]
    assert told(postgres) == [(Status.OK, "postgres")]
    assert "Valkey" in redis[0].why
    assert "schema up to date" in postgres[0].why


async def test_stores_that_are_not_set_are_started_by_up() -> None:
    """Nobody is asked."""
    assert told(await check_redis(ground())) == [(Status.OK, "redis")]
    assert told(await check_postgres(ground())) == [(Status.OK, "postgres")]


async def test_stores_that_are_away_are_told_without_their_password() -> None:
    """A closed port, and a remedy that names the setting."""
    found = ground(
        REDIS_URL=f"redis://user:{PASSWORD}@127.0.0.1:1/0",
        DATABASE_URL=f"postgresql://user:{PASSWORD}@127.0.0.1:1/calls",
    )
    redis, postgres = await check_redis(found), await check_postgres(found)
    assert told(redis) == [(Status.FAIL, "redis")]
    assert told(postgres) == [(Status.FAIL, "postgres")]
    assert "TRUNKLINE_REDIS_URL" in whys(redis)
    assert "TRUNKLINE_DATABASE_URL" in whys(postgres)


async def test_a_store_that_listens_and_says_nothing_is_away_too() -> None:
    """Each step has its deadline."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = ground(REDIS_URL=f"redis://127.0.0.1:{port}/0")
        async with asyncio.timeout(30):
            assert told(await check_redis(found)) == [(Status.FAIL, "redis")]


async def test_an_old_schema_has_its_remedy(database_url: str) -> None:
    """Here none at all."""
    async with empty_database(database_url) as url:
        assert url != database_url
        items = await check_postgres(ground(DATABASE_URL=url))
    assert told(items) == [(Status.FAIL, "postgres")]
    assert items[0].remedy == "run `trunkline migrate`"
    assert f"{SCHEMA_NEEDED} is needed" in items[0].why


def test_what_a_store_forgets_or_lacks_is_a_warning() -> None:
    """It carries calls until it restarts, or is full."""
    facts: dict[str, object] = {"redis_version": "7.2.1", "aof_enabled": 0}
    facts |= {"maxmemory": 100, "used_memory": 90}
    items = of_info(facts)
    assert told(items) == [(Status.OK, "redis"), (Status.WARN, "redis"), (Status.WARN, "redis")]
    assert "Redis 7.2.1" in items[0].why
    assert "90 %" in items[2].why
