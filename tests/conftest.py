"""What every test may use."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
import redis
from hypothesis import HealthCheck, settings

from folders import open_folder
from servers import (
    HOST,
    Certificates,
    database_answers,
    debian,
    free_port,
    give,
    make_certificates,
    running,
    tls_in_front_of,
    tls_of_a_server,
)
from trunkline.adapters.embedded.stores import Embedded, EmbeddedStores
from trunkline.adapters.postgres.migrate import migrate

# A shared machine is slow at times: how long an example takes says nothing about our code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


WAITING_SHARE = 0.6
"""In this share of the tests' order all files that wait have begun."""


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
        await connection.execute("TRUNCATE calls, facts, stray_facts, carrier_facts")
        await connection.close()

    asyncio.run(empty())
    return stores.database_url


@pytest.fixture(scope="session")
def certificates() -> Iterator[Certificates]:
    """An authority of this session, and what it has signed."""
    with open_folder() as folder:
        yield make_certificates(folder)


@pytest.fixture(scope="session")
def tls_port(stores: EmbeddedStores, certificates: Certificates) -> Iterator[int]:
    """The same Valkey behind TLS, on a port of loopback; clients must have a certificate."""
    valkey = Path(urlsplit(stores.redis_url).path)
    context = tls_of_a_server(certificates, asks_for_client=True)
    with tls_in_front_of(valkey, context) as port:
        yield port


@pytest.fixture
def rediss_url(redis_url: str, tls_port: int, certificates: Certificates) -> str:
    """A Valkey with nothing in it, by TLS."""
    del redis_url  # Emptied.
    return (
        f"rediss://{HOST}:{tls_port}/0?ssl_ca_certs={certificates.ca}"
        f"&ssl_certfile={certificates.client}&ssl_keyfile={certificates.client}"
    )


@pytest.fixture(scope="session")
def pgbouncer(stores: EmbeddedStores) -> Iterator[str]:
    """The same PostgreSQL behind PgBouncer in transaction mode, with two servers for everybody."""
    program = debian("pgbouncer", "pgbouncer")
    socket_folder = parse_qs(urlsplit(stores.database_url).query)["host"][0]
    port = free_port()
    url = f"postgresql://trunkline@{HOST}:{port}/postgres"
    with open_folder() as folder:
        config = folder / "pgbouncer.ini"
        config.write_text(
            "[databases]\n"
            f"* = host={socket_folder} user=trunkline\n"
            "[pgbouncer]\n"
            f"listen_addr = {HOST}\nlisten_port = {port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\n"
            "default_pool_size = 2\nmax_client_conn = 100\n"
        )
        give(folder, config)
        with running(folder, "pgbouncer", [program, config], lambda: database_answers(url)):
            yield url


@pytest.fixture
def pgbouncer_url(pgbouncer: str, database_url: str) -> str:
    """A migrated database with nothing in it, behind PgBouncer."""
    del database_url  # Emptied.
    return pgbouncer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for calls stand between files that compute: so no core is idle for long.

    Only the order of whole files changes, and only with the machine's time in mind: no test
    needs another before it. Waiting begins early, for some of it takes long.
    """
    waiting = [item for item in items if "acceptance" in item.path.parts]
    computing = [item for item in items if "acceptance" not in item.path.parts]
    place: dict[Path, float] = {}
    for group, share in ((waiting, WAITING_SHARE), (computing, 1.0)):
        for at, item in enumerate(group):
            place.setdefault(item.path, share * at / len(group))
    items.sort(key=lambda item: place[item.path])


def pytest_sessionstart() -> None:
    """What is imported and collected stays: the garbage collector finds nothing in it, ..."""
    gc.disable()


def pytest_collection_finish() -> None:
    """... and need not go through it again."""
    gc.freeze()
    gc.enable()
