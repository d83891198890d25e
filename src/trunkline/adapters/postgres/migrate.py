"""Brings a database to the newest schema: `trunkline migrate`."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from trunkline.adapters.postgres import address
from trunkline.adapters.postgres.connect import CONNECT_S_MAX, opening, schema_revision
from trunkline.errors import StoreError

MIGRATE_S_MAX: Final = 600.0
"""Time for all steps, waiting for another's `migrate` included; then nothing has changed."""

LOCK: Final = 0x7472_756E_6B
"""The advisory lock of migrations: the letters of "trunk"."""

EMPTY: Final = "base"


@dataclass(frozen=True, slots=True)
class Migrated:
    """From which revision to which; equal if there was nothing to do. `base` is an empty schema."""

    before: str
    after: str

    def __str__(self) -> str:
        if self.before == self.after:
            return f"{self.after}, nothing to do"
        return f"{self.before} → {self.after}"


async def migrate(database_url: str) -> Migrated:
    """Run every step that the database has not had, all in one transaction.

    Several at once wait for each other, and the later ones find nothing to do.

    Raises:
        SettingsError: the URL can't be read.
        StoreError: the database did not answer, refused us, or is newer than this code.
    """
    with opening(database_url):
        connection = await asyncpg.connect(
            **address.read(database_url),
            timeout=CONNECT_S_MAX,
            command_timeout=MIGRATE_S_MAX,
            statement_cache_size=0,
        )
        try:
            async with connection.transaction():
                await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
                before = await schema_revision(connection) or EMPTY
                after = head()
                if before not in {EMPTY, *revisions()}:
                    raise StoreError(
                        f"the database's schema is {before}, newer than this Trunkline's {after}"
                    )
                if before != after:
                    await connection.execute(upgrade_sql(before))
        finally:
            await connection.close(timeout=CONNECT_S_MAX)
    return Migrated(before, after)


def upgrade_sql(before: str) -> str:
    """The statements that lead from a revision to the newest."""
    text = io.StringIO()
    command.upgrade(_config(text), f"{before}:head", sql=True)
    return text.getvalue()


def head() -> str:
    """The newest revision that this code brings."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def revisions() -> list[str]:
    """Every revision that this code brings, newest first."""
    return [step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config(output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output or io.StringIO(), stdout=io.StringIO())
    folder = Path(__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
