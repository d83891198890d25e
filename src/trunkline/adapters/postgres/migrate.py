"""Brings a database to the newest schema: `trunkline migrate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from trunkline.adapters.postgres import address
from trunkline.adapters.postgres.connect import CONNECT_S_MAX, opening, schema_revision
from trunkline.errors import StoreError

MIGRATE_S_MAX: Final = 600.0
"""Time for all steps, waiting for another's `migrate` included; then nothing has changed."""

LOCK: Final = 0x7472_756E_6B
"""The advisory lock of migrations: the letters of "trunk"."""

EMPTY: Final = "base"

STEPS: Final = Path(__file__).with_name("migrations")


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
                    # Alembic takes a third as long to import as a whole pod, and mostly there is
                    # nothing to do.
                    from trunkline.adapters.postgres import steps  # noqa: PLC0415

                    await connection.execute(steps.sql(STEPS, before))
        finally:
            await connection.close(timeout=CONNECT_S_MAX)
    return Migrated(before, after)


def head() -> str:
    """The newest revision that this code brings."""
    return revisions()[0]


def revisions() -> list[str]:
    """Every revision that this code brings, newest first: a step's file begins with it."""
    names = sorted((path.name for path in STEPS.glob("versions/*.py")), reverse=True)
    return [name.partition("_")[0] for name in names]
