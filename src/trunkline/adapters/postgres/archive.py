"""Whole calls out of the call log, page by page: for those who read much of it."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from trunkline.adapters.postgres.call_log import QUERIES
from trunkline.adapters.postgres.connect import CONNECT_S_MAX, Connection, Pool, store_errors
from trunkline.adapters.postgres.rows import (
    aside_of,
    carrier_fact_of,
    entry_of,
    logged_call_of,
    moment,
)
from trunkline.core.carrier import CarrierFact
from trunkline.core.ids import CallSid
from trunkline.core.record import Aside, Entry
from trunkline.ports import LoggedCall

PAGE_CALLS: Final = 100
"""Calls read at once: what is held in memory, whatever the log holds."""


@dataclass(slots=True)
class WholeCall:
    """All that the log has of a call, as it was at one moment."""

    call: CallSid
    row: LoggedCall | None = None
    entries: list[Entry] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)
    carrier: list[CarrierFact] = field(default_factory=list)


class Archive:
    """The call log, read in pages; each page is one moment of it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def every(self) -> AsyncIterator[WholeCall]:
        """Every call that the log knows anything of, by name; a row alone or facts alone too."""
        last = ""
        while True:
            async with self._moment() as connection:
                found = QUERIES.known_calls(connection, after=last, count=PAGE_CALLS)
                calls = [CallSid(record["call_sid"]) async for record in found]
                page = await _whole(connection, calls)
            for one in page:
                yield one
            if len(calls) < PAGE_CALLS:
                return
            last = calls[-1]

    async def between(
        self,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        tenant: str | None = None,
    ) -> AsyncIterator[WholeCall]:
        """The calls begun from one moment to before another, the oldest first."""
        bounds = {
            "since": None if since_ms is None else moment(since_ms),
            "until": None if until_ms is None else moment(until_ms),
            "tenant": tenant,
        }
        at, last = None, ""
        while True:
            async with self._moment() as connection:
                found = QUERIES.calls_between(
                    connection, after_at=at, after_sid=last, count=PAGE_CALLS, **bounds
                )
                rows = [(CallSid(r["call_sid"]), r["started_at"]) async for r in found]
                page = await _whole(connection, [call for call, _ in rows])
            for one in page:
                yield one
            if len(rows) < PAGE_CALLS:
                return
            last, at = rows[-1]

    async def some(self, calls: Sequence[CallSid]) -> list[WholeCall]:
        """These calls, in the order given; of one that the log does not know, nothing but that."""
        async with self._moment() as connection:
            return await _whole(connection, calls)

    async def doubled(self) -> list[list[CallSid]]:
        """Groups of calls of which at most one can be real: they share a fact or a stream."""
        async with self._moment() as connection:
            found = QUERIES.doubled_calls(connection)
            return [[CallSid(name) for name in record["call_sids"]] async for record in found]

    async def only_told(self, since_ms: int | None, until_ms: int | None) -> list[CallSid]:
        """Calls that the carrier told us were answered and are over, and of which nothing is here.

        The window is that of the telling.
        """
        since = None if since_ms is None else moment(since_ms)
        until = None if until_ms is None else moment(until_ms)
        async with self._moment() as connection:
            found = QUERIES.told_calls(connection, since=since, until=until)
            return [CallSid(record["call_sid"]) async for record in found]

    @contextlib.asynccontextmanager
    async def _moment(self) -> AsyncIterator[Connection]:
        with store_errors():
            async with (
                self._pool.acquire(timeout=CONNECT_S_MAX) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield cast("Connection", connection)


async def _whole(connection: Connection, calls: Sequence[CallSid]) -> list[WholeCall]:
    whole = {call: WholeCall(call) for call in calls}
    async for record in QUERIES.rows_of_calls(connection, call_sids=calls):
        whole[record["call_sid"]].row = logged_call_of(record)
    async for record in QUERIES.facts_of_calls(connection, call_sids=calls):
        whole[record["call_sid"]].entries.append(entry_of(record))
    async for record in QUERIES.aside_of_calls(connection, call_sids=calls):
        one = whole[record["call_sid"]]
        one.aside.append(aside_of(one.call, record))
    async for record in QUERIES.carrier_facts_of_calls(connection, call_sids=calls):
        one = whole[record["call_sid"]]
        one.carrier.append(carrier_fact_of(one.call, record))
    return list(whole.values())
