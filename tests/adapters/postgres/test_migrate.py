import asyncio
import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest

from trunkline.adapters.postgres.connect import check_schema, connect
from trunkline.adapters.postgres.migrate import head, migrate
from trunkline.errors import SettingsError, StoreError

pytestmark = pytest.mark.anyio
NUMBERS = itertools.count()


@pytest.fixture
async def empty_database(database_url: str) -> AsyncIterator[str]:
    """A database that no migration has seen."""
    name = f"empty_{next(NUMBERS)}"
    keeper = await asyncpg.connect(database_url)
    await keeper.execute(f"CREATE DATABASE {name}")
    yield database_url.replace("/postgres?", f"/{name}?")
    await keeper.execute(f"DROP DATABASE {name}")
    await keeper.close()


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {record["tablename"] for record in found}


async def test_an_empty_database_is_brought_to_the_newest_schema(empty_database: str) -> None:
    """It says from where to where; a second run finds nothing to do."""
    first = await migrate(empty_database)
    assert (first.before, first.after, str(first)) == ("base", head(), f"base → {head()}")
    assert await tables(empty_database) == {
        *("alembic_version", "calls", "carrier_facts", "facts", "stray_facts"),
    }
    again = await migrate(empty_database)
    assert str(again) == f"{head()}, nothing to do"
    async with await connect(empty_database) as pool:
        await check_schema(pool)


async def test_ten_at_once_do_not_fight(empty_database: str) -> None:
    """One does the work, nine wait and find it done."""
    done = await asyncio.gather(*(migrate(empty_database) for _ in range(10)))
    assert sorted(one.before for one in done) == [head()] * 9 + ["base"]
    connection = await asyncpg.connect(empty_database)
    assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
    await connection.close()


async def test_a_step_that_fails_leaves_nothing(empty_database: str) -> None:
    """All steps are one transaction: a table in the way undoes the others."""
    connection = await asyncpg.connect(empty_database)
    await connection.execute("CREATE TABLE facts (mine text)")
    with pytest.raises(StoreError, match="refused"):
        await migrate(empty_database)
    assert await tables(empty_database) == {"facts"}
    await connection.execute("DROP TABLE facts")
    await connection.close()
    assert (await migrate(empty_database)).before == "base"


async def test_a_newer_database_is_left_alone(empty_database: str) -> None:
    """An older release never takes a newer schema back."""
    await migrate(empty_database)
    connection = await asyncpg.connect(empty_database)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(StoreError, match="9999, newer than"):
        await migrate(empty_database)


async def test_a_wrong_url_is_one_line() -> None:
    """As everywhere: the setting and its form."""
    with pytest.raises(SettingsError, match="TRUNKLINE_DATABASE_URL"):
        await migrate("sqlite:///calls.db")
