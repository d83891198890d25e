import asyncio

import anyio
import anyio.abc
import asyncpg
import pytest

from trunkline.adapters.postgres.connect import (
    SCHEMA_NEEDED,
    check_schema,
    connect,
    store_errors,
    transaction,
)
from trunkline.adapters.postgres.migrate import head
from trunkline.errors import SettingsError, StoreError

pytestmark = pytest.mark.anyio
PASSWORD = "sesame-canary"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        f"mysql://trunkline:{PASSWORD}@localhost/calls",
        f"postgresql://trunkline:{PASSWORD}@localhost:port/calls",
        f"postgresql://trunkline:{PASSWORD}@localhost/calls?sslmode=canary",
    ],
)
async def test_a_url_that_can_not_be_read_is_not_quoted(url: str) -> None:
    """One line names the setting and its form; a password in it stays out."""
    with pytest.raises(SettingsError, match="TRUNKLINE_DATABASE_URL") as caught:
        await connect(url)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)


async def test_a_database_that_is_not_there() -> None:
    """A refused connection is a fault of the store, in one line, without the password."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
    with pytest.raises(StoreError, match="can't be reached") as caught:
        await connect(f"postgresql://trunkline:{PASSWORD}@127.0.0.1:{port}/calls")
    assert PASSWORD not in str(caught.value)


async def test_a_database_that_refuses_us_says_why(database_url: str) -> None:
    """What the server says of itself is passed on."""
    with pytest.raises(StoreError, match='database "nowhere" does not exist'):
        await connect(database_url.replace("/postgres?", "/nowhere?"))


async def test_a_statement_has_a_deadline(database_url: str) -> None:
    """A statement that takes too long is given up, and the connection is good again."""
    async with await connect(database_url, connections_max=1) as pool:
        with pytest.raises(StoreError, match="in time"):
            async with transaction(pool) as connection:
                await connection.execute("SELECT pg_sleep(30)", timeout=0.05)
        async with transaction(pool) as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_a_fault_undoes_the_transaction(database_url: str) -> None:
    """Nothing of a step is committed if it does not end well."""
    async with await connect(database_url) as pool:

        async def half_a_step() -> None:
            async with transaction(pool) as connection:
                await connection.execute(
                    "INSERT INTO calls (call_sid, epoch, started_at) VALUES ('CA', 1, now())"
                )
                await connection.execute("SELECT 1/0")

        with pytest.raises(StoreError, match="22012"):
            await half_a_step()
        async with transaction(pool) as connection:
            assert await connection.fetchval("SELECT count(*) FROM calls") == 0


async def test_a_refusals_text_stays_out_of_ours(database_url: str) -> None:
    """A refusal may quote a row, numbers and words spoken included: its code is told."""
    async with await connect(database_url) as pool:
        with pytest.raises(StoreError, match="22P02") as caught:
            async with transaction(pool) as connection:
                await connection.execute("SELECT 'words-canary'::integer")
        assert "canary" not in str(caught.value)


async def test_no_prepared_statement_outlives_its_transaction(database_url: str) -> None:
    """PgBouncer in transaction mode gives the next transaction another server."""
    async with await connect(database_url, connections_max=1) as pool:
        for _ in range(2):
            async with transaction(pool) as connection:
                await connection.fetch("SELECT $1::integer", 1)
        async with transaction(pool) as connection:
            named = await connection.fetchval("SELECT count(*) FROM pg_prepared_statements")
        assert named == 0


async def test_a_pool_is_bounded(database_url: str) -> None:
    """More steps at once than connections wait for one; none fails."""
    async with await connect(database_url, connections_max=2) as pool:
        async with asyncio.TaskGroup() as steps:
            for _ in range(30):
                steps.create_task(check_schema(pool))
        assert pool.get_size() <= 2


async def test_an_old_or_empty_schema_is_refused_with_the_remedy(database_url: str) -> None:
    """The text names the command; a neighbour's newer schema will do."""
    async with await connect(database_url) as pool:
        await check_schema(pool)
        try:
            await pool.execute("UPDATE alembic_version SET version_num = '9999'")
            await check_schema(pool)
            await pool.execute("UPDATE alembic_version SET version_num = '0000'")
            with pytest.raises(SettingsError, match="`trunkline migrate`"):
                await check_schema(pool)
            await pool.execute("ALTER TABLE alembic_version RENAME TO elsewhere")
            with pytest.raises(SettingsError, match=r"empty.*`trunkline migrate`"):
                await check_schema(pool)
            await pool.execute("ALTER TABLE elsewhere RENAME TO alembic_version")
        finally:
            await pool.execute(f"UPDATE alembic_version SET version_num = '{SCHEMA_NEEDED}'")


def test_what_is_needed_is_what_is_brought() -> None:
    """The pod names its revision without loading Alembic: the two must not drift apart."""
    assert head() == SCHEMA_NEEDED


def test_the_drivers_own_misuse_is_a_store_error_too() -> None:
    """A closed pool, say, is the store's fault for whoever asks."""
    with pytest.raises(StoreError, match="InterfaceError"), store_errors():
        raise asyncpg.InterfaceError("pool is closed")
