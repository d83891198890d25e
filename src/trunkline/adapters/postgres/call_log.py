"""The call log in PostgreSQL: acknowledged facts, and each call's row that follows from them."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, cast

import aiosql
from asyncpg import Record

from trunkline.adapters.postgres.connect import Connection, Pool, transaction
from trunkline.adapters.postgres.rows import (
    Row,
    aside_of,
    carrier_fact_of,
    changes_of,
    cleaned,
    columns_of_aside,
    columns_of_carrier_facts,
    columns_of_changes,
    columns_of_entries,
    entry_of,
    logged_call_of,
    moment,
    quarantined,
)
from trunkline.core.carrier import CarrierFact
from trunkline.core.ids import CallSid, PodName
from trunkline.core.record import Aside, Entry, Why
from trunkline.ports import LoggedCall

STATEMENT_ENTRIES_MAX: Final = 500
"""Entries in one statement: making its arrays holds the event loop for 3 ms. A longer write takes
several in one transaction."""

AsideListener = Callable[[Aside], None]
"""Told of each fact that was put aside, once. A contradiction is an alarm."""


class PostgresCallBook:
    """`ports.CallBook`, `ports.UnendedCalls` and `ports.CarrierBook` in PostgreSQL.

    A fact whose key the log holds with another hash contradicts it; one that is too big or can't be
    stored is quarantined. Both go to `stray_facts`, once, `on_aside` is told and `strays` counts
    them; the facts beside them are committed as ever.
    """

    def __init__(self, pool: Pool, on_aside: AsideListener | None = None) -> None:
        self._pool = pool
        self._on_aside = on_aside
        self.strays = 0

    async def write(self, entries: Sequence[tuple[CallSid, Entry]]) -> None:
        """Commit the entries and what follows from them for their calls' rows; idempotent.

        Raises:
            StoreError: nothing of it was committed; the same write may be sent again.
        """
        # Sorted, so that two writers lock the same rows in the same order.
        rows = sorted(entries, key=lambda row: (row[0], row[1].seq))
        strays: list[Aside] = []
        async with transaction(self._pool) as connection:
            for at in range(0, len(rows), STATEMENT_ENTRIES_MAX):
                strays += await _write(connection, rows[at : at + STATEMENT_ENTRIES_MAX])
        self._tell(strays)

    async def put_aside(self, facts: Sequence[Aside]) -> None:
        """Keep facts beside the calls' chains, each once; raises as `write`."""
        async with transaction(self._pool) as connection:
            new = await _put_aside(connection, [cleaned(fact) for fact in facts])
        self._tell(new)

    def _tell(self, new: Sequence[Aside]) -> None:
        self.strays += len(new)
        if self._on_aside is not None:
            for fact in new:
                self._on_aside(fact)

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

    async def unended(self, pod: PodName, *, limit: int) -> list[CallSid]:
        """Calls that this pod received and that have no outcome, the oldest first."""
        async with transaction(self._pool) as connection:
            found = QUERIES.unended_calls(connection, pod=pod, count=limit)
            return [CallSid(record["call_sid"]) async for record in found]

    async def write_carrier_facts(self, facts: Sequence[CarrierFact]) -> None:
        """Keep what the carrier told, each once; raises as `write`."""
        rows = sorted(facts, key=lambda fact: (fact.call, fact.digest))
        async with transaction(self._pool) as connection:
            await QUERIES.insert_carrier_facts(connection, **columns_of_carrier_facts(rows))

    async def carrier_facts(self, call: CallSid) -> list[CarrierFact]:
        """What the carrier told of a call, in the order in which it came."""
        async with transaction(self._pool) as connection:
            found = QUERIES.carrier_facts_of_call(connection, call_sid=call)
            return [carrier_fact_of(call, record) async for record in found]

    async def aside(self, call: CallSid) -> list[Aside]:
        """Every fact of a call that is kept aside, in order."""
        async with transaction(self._pool) as connection:
            found = QUERIES.aside_of_call(connection, call_sid=call)
            return [aside_of(call, record) async for record in found]


async def _write(connection: Connection, rows: Sequence[Row]) -> list[Aside]:
    """Write sorted rows; what was put aside of them and was not known yet."""
    sound: list[Row] = []
    strays: list[Aside] = []
    for row in rows:
        if (fact := quarantined(row)) is None:
            sound.append(row)
        else:
            strays.append(fact)
    # A quarantined fact is the call's own all the same: its row says what it says.
    changes = [(fact.call, fact.entry) for fact in strays]
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
        strays += [
            Aside(call, entry, Why.CONTRADICTS)
            for key, (call, entry) in keyed.items()
            if key not in known
        ]
    changes += new
    if changes:
        await QUERIES.upsert_calls(connection, **columns_of_changes(changes_of(changes)))
    return await _put_aside(connection, strays) if strays else []


async def _put_aside(connection: Connection, facts: Sequence[Aside]) -> list[Aside]:
    """Keep facts aside; those that were not known yet."""
    keyed = {(fact.call, fact.entry.seq, fact.entry.hash): fact for fact in facts}
    kept = QUERIES.insert_strays(connection, **columns_of_aside(list(keyed.values())))
    return [keyed[record["call_sid"], record["seq"], record["hash"]] async for record in kept]


class _Queries(Protocol):
    """What `queries.sql` holds, by its names; aiosql itself says only `Any`."""

    def insert_facts(self, on: Connection, **columns: object) -> AsyncIterator[Record]: ...
    def held_hashes(self, on: Connection, **columns: object) -> AsyncIterator[Record]: ...
    def insert_strays(self, on: Connection, **columns: object) -> AsyncIterator[Record]: ...
    async def upsert_calls(self, on: Connection, **columns: object) -> object: ...
    def newest_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    async def one_call(self, on: Connection, **values: object) -> Record | None: ...
    async def insert_carrier_facts(self, on: Connection, **columns: object) -> object: ...
    def carrier_facts_of_call(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def unended_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def aside_of_call(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def known_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def calls_between(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def rows_of_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def facts_of_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def aside_of_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def carrier_facts_of_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def told_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def doubled_calls(self, on: Connection) -> AsyncIterator[Record]: ...
    def facts_of_call(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...


QUERIES: Final = cast(
    "_Queries", aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
)
