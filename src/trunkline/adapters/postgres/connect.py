"""A bounded pool of connections to PostgreSQL, and the check of its schema."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final, TypeAlias, cast

import asyncpg

from trunkline.adapters import tls
from trunkline.adapters.postgres import address
from trunkline.errors import SettingsError, StoreError

SCHEMA_NEEDED: Final = "0003"
"""The newest migration that this code needs. A newer schema serves it too: see docs/explain."""

CONNECT_S_MAX: Final = 5.0
COMMAND_S_MAX: Final = 10.0
"""Time for one statement; then it is cancelled and the transaction undone."""

CONNECTIONS_MAX: Final = 4
"""Connections of one process: a pod writes with one, and looks things up with the others."""

IDLE_S_MAX: Final = 300.0
"""After this an idle connection is closed: firewalls and PgBouncer drop them silently."""

ABOUT_THE_SERVER: Final = ("08", "25006", "28", "3D", "53", "57")
"""Beginnings of SQLSTATE whose messages speak of the server, and hold nothing of our rows."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def connect(database_url: str, *, connections_max: int = CONNECTIONS_MAX) -> Pool:
    """A pool; the caller closes it. Serves `postgresql://` with TLS, sockets, PgBouncer.

    Raises:
        SettingsError: the URL can't be read. The text holds nothing of it: it may hold a password.
        StoreError: the database did not answer, or refused us.
    """
    with opening(database_url):
        return await asyncpg.create_pool(
            **address.read(database_url),
            min_size=1,
            max_size=connections_max,
            timeout=CONNECT_S_MAX,
            command_timeout=COMMAND_S_MAX,
            max_inactive_connection_lifetime=IDLE_S_MAX,
            # Behind PgBouncer the next transaction may run on another server, where a prepared
            # statement of ours is unknown. At a few writes a second, parsing costs nothing.
            statement_cache_size=0,
        )


@contextlib.contextmanager
def opening(database_url: str) -> Iterator[None]:
    """As `store_errors`, where a URL is read.

    Raises:
        SettingsError: it is no URL of PostgreSQL; nothing of it is quoted.
        StoreError: as `store_errors`.
    """
    try:
        # Of the URL alone, so that what its files lack is not taken for the server's fault.
        address.read(database_url)
        with store_errors():
            yield
    except ValueError:
        # The driver's word for a part that it can't read; the text, which may quote it, is cut off.
        raise SettingsError(
            f"TRUNKLINE_DATABASE_URL has a part that can't be read: {address.FORM}"
        ) from None


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Faults of the driver become ours.

    Raises:
        StoreError: no answer in time, no connection, or refused; the text holds nothing of a row.
    """
    try:
        yield
    except TimeoutError as fault:
        raise StoreError("PostgreSQL did not answer in time") from fault
    except asyncpg.PostgresError as fault:
        state = fault.sqlstate or "no code"
        told = f": {fault}" if state.startswith(ABOUT_THE_SERVER) else ""
        raise StoreError(f"PostgreSQL refused: {type(fault).__name__} ({state}){told}") from fault
    except asyncpg.ClientConfigurationError as fault:
        raise ValueError from fault
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as fault:
        raise StoreError(f"PostgreSQL can't be reached: {_why(fault)}") from fault


def _why(fault: Exception) -> str:
    if isinstance(fault, asyncpg.TargetServerAttributeNotMatched):
        return "no host of the URL is what its target_session_attrs asks for"
    if type(fault) is ConnectionError and "rejected SSL" in str(fault):
        return "it offers no TLS, and the URL's sslmode asks for it"
    return tls.why(fault) or type(fault).__name__


@contextlib.asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection in a transaction: committed at the end, undone by a fault.

    Raises:
        StoreError: nothing was committed; or its fate is unknown, and a repetition is harmless.
    """
    with store_errors():
        async with pool.acquire(timeout=CONNECT_S_MAX) as connection, connection.transaction():
            yield cast("Connection", connection)


async def schema_revision(connection: Connection) -> str | None:
    """The newest migration that the database has had; None if none."""
    try:
        async with connection.transaction():
            found = await connection.fetchval("SELECT max(version_num) FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return None if found is None else str(found)


async def check_schema(pool: Pool) -> None:
    """Whether the database is ready for this code.

    Raises:
        SettingsError: it takes no writes, or has not had a migration that we need; the text says
            the remedy.
        StoreError: it did not answer.
    """
    async with transaction(pool) as connection:
        if await connection.fetchval("SELECT pg_is_in_recovery()"):
            raise SettingsError(
                "TRUNKLINE_DATABASE_URL: the database is a standby, which takes no writes: name"
                " the primary, or all hosts and ?target_session_attrs=primary"
            )
        revision = await schema_revision(connection)
    # Later revisions are fine: what a neighbour's `pre` adds, we can live with.
    if revision is None or revision < SCHEMA_NEEDED:
        raise SettingsError(
            f"the database's schema is {revision or 'empty'} and {SCHEMA_NEEDED} is needed:"
            " run `trunkline migrate`"
        )
