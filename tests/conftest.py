"""What every test may use."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

from trunkline.adapters.embedded.stores import Embedded, EmbeddedStores
from trunkline.adapters.postgres.migrate import migrate


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Asynchronous tests run on the loop that production runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def stores() -> Iterator[EmbeddedStores]:
    """Valkey and PostgreSQL, started once for all tests that ask; migrated."""
    # Not below pytest's own folder, which is closed to the user whom root's stores run as.
    folder = Path(tempfile.mkdtemp(prefix="trunkline-test-"))
    try:
        with Embedded(folder) as started:
            asyncio.run(migrate(started.database_url))
            yield started
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def redis_url(stores: EmbeddedStores) -> str:
    """A Valkey with nothing in it."""
    with redis.Redis.from_url(stores.redis_url) as client:
        client.flushall()
    return stores.redis_url


@pytest.fixture
def database_url(stores: EmbeddedStores) -> str:
    """A migrated database with nothing in it."""

    async def empty() -> None:
        connection = await asyncpg.connect(stores.database_url)
        await connection.execute("TRUNCATE calls, facts, stray_facts")
        await connection.close()

    asyncio.run(empty())
    return stores.database_url
