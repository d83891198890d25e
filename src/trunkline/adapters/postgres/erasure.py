"""Takes words and numbers out of the call log: by age, or one person's."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol, cast

import aiosql
from asyncpg import Record

from trunkline.adapters.postgres.connect import Connection, Pool, transaction
from trunkline.adapters.postgres.rows import milliseconds, moment
from trunkline.core.ids import CallSid
from trunkline.core.retention import UNENDED_MS_MAX, Erased, Retention

LOCK: Final = 0x7075_7267_65
"""The advisory lock of purges: the letters of "purge"."""

ERASE_CALLS_MAX: Final = 50
"""Calls in one transaction: a long call has some thousand facts."""

LATE: Final = timedelta(days=1)
"""So long after a call's end a fact of it may still come: a pod keeps what a store does not take,
journals are read again, and a carrier tells the price when it knows it."""

UNENDED: Final = timedelta(milliseconds=UNENDED_MS_MAX)

EVERY: Final = 2**62


class PostgresEraser:
    """`ports.Eraser` in PostgreSQL. Each batch is a transaction of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def due(self, retention: Retention) -> Erased:
        """What `purge` would erase in all."""
        async with transaction(self._pool) as connection:
            calls = await _due(connection, retention, EVERY)
            return Erased(len(calls), await QUERIES.count_facts(connection, call_sids=calls))

    async def purge(self, retention: Retention, *, calls_max: int) -> Erased | None:
        """Erase the oldest calls past their days, at most so many; None while another purges."""
        async with transaction(self._pool) as connection:
            if not await QUERIES.try_lock(connection, key=LOCK):
                return None
            count = min(calls_max, ERASE_CALLS_MAX)
            return await _erase(connection, await _due(connection, retention, count))

    async def sweep(self) -> Erased | None:
        """Erase what came late for calls that were erased before; None while another purges."""
        async with transaction(self._pool) as connection:
            if not await QUERIES.try_lock(connection, key=LOCK):
                return None
            found = QUERIES.late_calls(connection, late=LATE)
            calls = [record["call_sid"] async for record in found]
            return Erased(0, await _erase_facts(connection, calls))

    async def calls_of(self, number: str) -> Mapping[CallSid, bool]:
        """Every call from or to a number, oldest first, and whether it is over."""
        async with transaction(self._pool) as connection:
            found = QUERIES.calls_of_number(connection, number=number, unended=UNENDED)
            return {CallSid(record["call_sid"]): record["over"] async for record in found}

    async def erase(self, calls: Sequence[CallSid]) -> Erased:
        """Erase those of the calls that are over."""
        done = Erased()
        for at in range(0, len(calls), ERASE_CALLS_MAX):
            async with transaction(self._pool) as connection:
                done += await _erase(connection, calls[at : at + ERASE_CALLS_MAX])
        return done


async def _due(connection: Connection, retention: Retention, count: int) -> list[str]:
    now_ms = milliseconds(await QUERIES.now(connection))

    def before(tenant: str, vertical: str) -> datetime | None:
        before_ms = retention.before_ms(tenant, vertical, now_ms)
        return None if before_ms is None else moment(before_ms)

    found = QUERIES.due_calls(
        connection,
        tenants=list(retention.tenants),
        tenant_befores=[before(tenant, "") for tenant in retention.tenants],
        verticals=list(retention.verticals),
        vertical_befores=[before("", vertical) for vertical in retention.verticals],
        unended=UNENDED,
        count=count,
    )
    return [record["call_sid"] async for record in found]


async def _erase(connection: Connection, calls: Sequence[str]) -> Erased:
    """In this order: a writer of new facts waits for the rows, or has them committed before us."""
    locked = QUERIES.lock_calls(connection, call_sids=list(calls), unended=UNENDED)
    over = [record["call_sid"] async for record in locked]
    facts = await _erase_facts(connection, over)
    await QUERIES.blank_calls(connection, call_sids=over)
    return Erased(len(over), facts)


async def _erase_facts(connection: Connection, calls: Sequence[str]) -> int:
    facts = await QUERIES.erase_facts(connection, call_sids=calls)
    facts += await QUERIES.erase_strays(connection, call_sids=calls)
    return facts + await QUERIES.erase_carrier_facts(connection, call_sids=calls)


class _Queries(Protocol):
    """What `erasure.sql` holds, by its names; aiosql itself says only `Any`."""

    async def try_lock(self, on: Connection, **values: object) -> bool: ...
    async def now(self, on: Connection) -> datetime: ...
    def due_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def calls_of_number(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def lock_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    def late_calls(self, on: Connection, **values: object) -> AsyncIterator[Record]: ...
    async def count_facts(self, on: Connection, **values: object) -> int: ...
    async def erase_facts(self, on: Connection, **values: object) -> int: ...
    async def erase_strays(self, on: Connection, **values: object) -> int: ...
    async def erase_carrier_facts(self, on: Connection, **values: object) -> int: ...
    async def blank_calls(self, on: Connection, **values: object) -> object: ...


QUERIES: Final = cast(
    "_Queries", aiosql.from_path(Path(__file__).with_name("erasure.sql"), "asyncpg")
)
