"""PgBouncer in transaction mode, Debian's; tests/contract runs the whole call log through it."""

import asyncio
import itertools

import asyncpg
import pytest

from acceptance.scene import scene
from chains import CALL, OTHER_CALL, WHOLE_CALL, chain
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import check_schema, connect, transaction
from trunkline.adapters.postgres.migrate import head, migrate
from trunkline.errors import SettingsError, StoreError
from trunkline.sim.caller import HangUp, Listen

pytestmark = [pytest.mark.route, pytest.mark.anyio]
NUMBERS = itertools.count()


async def test_transactions_share_two_servers(pgbouncer_url: str) -> None:
    """Many clients' transactions run on PgBouncer's two: it is in transaction mode indeed."""
    async with await connect(pgbouncer_url, connections_max=8) as pool:
        book = PostgresCallBook(pool)

        async def once() -> int:
            async with transaction(pool) as connection:
                return int(await connection.fetchval("SELECT pg_backend_pid()"))

        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(once()) for _ in range(40)]
            for _ in range(20):
                for call in (CALL, OTHER_CALL):
                    entries = chain(call, *WHOLE_CALL)
                    tasks.create_task(book.write([(call, entry) for entry in entries]))
        assert len({task.result() for task in asked}) <= 2
        assert book.strays == 0
        for call in (CALL, OTHER_CALL):
            assert await book.entries(call) == chain(call, *WHOLE_CALL)


async def test_nothing_of_a_session_is_left_on_a_server(pgbouncer_url: str) -> None:
    """The next client gets no prepared statement, lock or setting of ours."""
    async with await connect(pgbouncer_url, connections_max=4) as pool:
        book = PostgresCallBook(pool)
        await check_schema(pool)
        await book.write([(CALL, entry) for entry in chain(CALL, *WHOLE_CALL)])
        async with transaction(pool) as connection:
            for left in ("pg_prepared_statements", "pg_listening_channels()"):
                assert await connection.fetchval(f"SELECT count(*) FROM {left}") == 0
            held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            assert await connection.fetchval(held) == 0


async def test_a_database_is_migrated_through_it(pgbouncer_url: str, database_url: str) -> None:
    """Several at once wait for each other on whichever server they get."""
    name = f"bounced_{next(NUMBERS)}"
    url = pgbouncer_url.replace("/postgres", f"/{name}")
    keeper = await asyncpg.connect(database_url)
    await keeper.execute(f"CREATE DATABASE {name}")
    try:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(migrate(url)) for _ in range(3)]
        found = sorted(str(task.result()) for task in asked)
        assert found == [*[f"{head()}, nothing to do"] * 2, f"base → {head()}"]
        async with await connect(url) as pool:
            await check_schema(pool)
    finally:
        await keeper.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await keeper.close()


async def test_a_statement_has_a_deadline(pgbouncer_url: str) -> None:
    """It is cancelled through PgBouncer, and the connection is good again."""
    async with await connect(pgbouncer_url, connections_max=1) as pool:
        with pytest.raises(StoreError, match="in time"):
            async with transaction(pool) as connection:
                await connection.execute("SELECT pg_sleep(30)", timeout=0.05)
        async with transaction(pool) as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_what_it_refuses_is_told(pgbouncer_url: str) -> None:
    """Its own words: a setting of a session that it does not pass on; a database that is none."""
    with pytest.raises(StoreError, match="unsupported startup parameter: search_path"):
        await connect(f"{pgbouncer_url}?search_path=calls")
    with pytest.raises(StoreError, match="does not exist"):
        await connect(pgbouncer_url.replace("/postgres", "/nowhere"))


async def test_tls_that_is_asked_for_and_not_offered(pgbouncer_url: str) -> None:
    """This PgBouncer has no certificate."""
    with pytest.raises(StoreError, match="can't be reached: it offers no TLS"):
        await connect(f"{pgbouncer_url}?sslmode=require")
    with pytest.raises(SettingsError, match="needs sslmode=verify-full"):
        await connect(f"{pgbouncer_url}?sslmode=require&sslrootcert=system")


async def test_a_whole_pod_behind_it(rediss_url: str, pgbouncer_url: str) -> None:
    """With its journal by TLS: a call is answered, and is in the log."""
    async with scene(rediss_url, pgbouncer_url) as here:
        report = await here.call(Listen(), HangUp())
        entries = await here.entries(report.sid)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[-1].kind == "call_ended"
