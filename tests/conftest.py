"""What every test may use."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
import redis
from hypothesis import HealthCheck, settings

from folders import open_folder
from trunkline.adapters.embedded.stores import Embedded, EmbeddedStores
from trunkline.adapters.postgres.migrate import migrate

# A shared machine is slow at times: how long an example takes says nothing about our code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Asynchronous tests run on the loop that production runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def stores() -> Iterator[EmbeddedStores]:
    """Valkey and PostgreSQL, started once for all tests that ask; migrated."""
    with open_folder() as folder, Embedded(folder) as started:
        asyncio.run(migrate(started.database_url))
        yield started


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
