"""The call log in PostgreSQL: acknowledged facts, and each call's row that follows from them."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, cast

import aiosql
from asyncpg import Record

from trunkline.adapters.postgres.connect import Connection, Pool, transaction
from trunkline.adapters.postgres.rows import (
    Row,
    changes_of,
    cleaned,
    columns_of_changes,
    columns_of_entries,
    entry_of,
    logged_call_of,
    moment,
    storable,
)
from trunkline.core.ids import CallSid
from trunkline.core.record import Entry
from trunkline.ports import LoggedCall

STATEMENT_ENTRIES_MAX: Final = 500
"""Entries in one statement: making its arrays holds the event loop for 3 ms. A longer write takes
several in one transaction."""

StrayListener = Callable[[CallSid, int], None]
"""Told of a call and a sequence number whose fact contradicts the log: an alarm."""


class PostgresCallBook:
    """`ports.CallBook` in PostgreSQL.

    A fact whose key the log holds with another hash contradicts it: it goes to `stray_facts`,
    once, `on_stray` is told and `strays` counts it; the facts beside it are committed as ever.
    """

    def __init__(self, pool: Pool, on_stray: StrayListener | None = None) -> None:
        self._pool = pool
        self._on_stray = on_stray
        self.strays = 0

    async def write(self, entries: Sequence[tuple[CallSid, Entry]]) -> None:
        """Commit the entries and what follows from them for their calls' rows; idempotent.

        Raises:
            StoreError: nothing of it was committed; the same write may be sent again.
        """
        # Sorted, so that two writers lock the same rows in the same order.
        rows = sorted(entries, key=lambda row: (row[0], row[1].seq))
        strays: list[tuple[CallSid, int]] = []
        async with transaction(self._pool) as connection:
            for at in range(0, len(rows), STATEMENT_ENTRIES_MAX):
                strays += await _write(connection, rows[at : at + STATEMENT_ENTRIES_MAX])
        self.strays += len(strays)
        if self._on_stray is not None:
            for call, seq in strays:
                self._on_stray(call, seq)

    async def calls(self, *, limit: int, before_ms: int | None = None) -> list[LoggedCall]:
        """The newest calls first, begun before `before_ms` if it is given."""
        before = None if before_ms is None else moment(before_ms)
        async with transaction(self._pool) as connection:
            found = QUERIES.newest_calls(connection, before=before, count=limit)
            return [logged_call_of(record) async for record in found]

    async def call(self, call: CallSid) -> LoggedCall | None:
        """One call's row; None if the log has no such call."""
        async with transaction(self._pool) as connection:
            record = await QUERIES.one_call(connection, call_sid=call)
        return None if record is None else logged_call_of(record)

    async def entries(self, call: CallSid) -> list[Entry]:
        """Every fact of a call, in order."""
        async with transaction(self._pool) as connection:
            found = QUERIES.facts_of_call(connection, call_sid=call)
            return [entry_of(record) async for record in found]


async def _write(connection: Connection, rows: Sequence[Row]) -> list[tuple[CallSid, int]]:
    """Write sorted rows; the keys of strays that were not known yet."""
    sound = [row for row in rows if storable(row)]
    strays = [cleaned(row) for row in rows if not storable(row)]
    keyed = {(call, entry.seq, entry.hash): (call, entry) for call, entry in sound}
    inserted = QUERIES.insert_facts(connection, **columns_of_entries(list(keyed.values())))
    new = [
        keyed.pop((record["call_sid"], record["seq"], record["hash"])) async for record in inserted
    ]
    if keyed:  # Already there: the same fact again, or another one with its key.
        held = QUERIES.held_hashes(
            connection,
            call_sids=[call for call, _, _ in keyed],
            seqs=[seq for _, seq, _ in keyed],
        )
        known = {(record["call_sid"], record["seq"], record["hash"]) async for record in held}
        strays += [row for key, row in keyed.items() if key not in known]
    if new:
        await QUERIES.upsert_calls(connection, **columns_of_changes(changes_of(new)))
    if not strays:
        return []
    kept = QUERIES.insert_strays(connection, **columns_of_entries(strays))
    return [(CallSid(record["call_sid"]), record["seq"]) async for record in kept]


class _Queries(Protocol):
    """What `queries.sql` holds, by its names; aiosql itself says only `Any`."""

    def insert_facts(self, on: Connection, **columns: object) -> AsyncIterator[Record]: ...
    def held_hashes(self, on: Connection, **columns: object) -> AsyncIterator[Record]: ...
    def insert_strays(self, on: Connection, **columns: object) -> AsyncIterator[Record]: ...
    async def upsert_calls(self, on: Connection, **columns: object) -> object: ...
    def newest_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    async def one_call(self, on: Connection, **values: object) -> Record | None: ...
    def facts_of_call(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...


QUERIES: Final = cast(
    "_Queries", aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
)
