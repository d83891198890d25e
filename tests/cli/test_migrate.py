import asyncio

import asyncpg
import pytest
from typer.testing import CliRunner

from trunkline.adapters.embedded.stores import EmbeddedStores
from trunkline.adapters.postgres.migrate import head
from trunkline.cli.migrate import app


async def make_empty(database_url: str, name: str) -> str:
    """An empty database beside the tests' own."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"DROP DATABASE IF EXISTS {name}")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return database_url.replace("/postgres?", f"/{name}?")


def test_a_database_of_the_settings_is_migrated_once(
    stores: EmbeddedStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says from where to where; the second time there is nothing to do."""
    url = asyncio.run(make_empty(stores.database_url, "to_migrate"))
    monkeypatch.setenv("TRUNKLINE_DATABASE_URL", url)
    first, second = (CliRunner().invoke(app, ["--env-file", "/dev/null"]) for _ in range(2))
    assert (first.exit_code, first.output) == (0, f"schema: base → {head()}\n")
    assert (second.exit_code, second.output) == (0, f"schema: {head()}, nothing to do\n")
