"""The twin of what erases."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.core.ids import CallSid
from trunkline.core.retention import Erased, Retention, over_at_ms
from trunkline.ports import LoggedCall

EVERY: Final = 2**62


class MemoryEraser:
    """`ports.Eraser` in memory. `now_ms` is the call log's clock."""

    def __init__(self, book: MemoryCallBook, now_ms: Callable[[], int]) -> None:
        self._book = book
        self._now_ms = now_ms

    async def due(self, retention: Retention) -> Erased:
        """What `purge` would erase in all."""
        rows = await self._due(retention)
        return Erased(len(rows), sum(row.facts for row in rows))

    async def purge(self, retention: Retention, *, calls_max: int) -> Erased | None:
        """Erase the oldest calls past their days, at most so many."""
        rows = await self._due(retention)
        return await self.erase([row.call for row in rows[:calls_max]])

    async def sweep(self) -> Erased | None:
        """Erase what came late for calls that were erased before."""
        rows = await self._book.calls(limit=EVERY)
        erased = [row for row in rows if row.erased_at_ms is not None]
        return Erased(0, sum(self._book.erase(row.call, self._now_ms()) for row in erased))

    async def calls_of(self, number: str) -> Mapping[CallSid, bool]:
        """Every call from or to a number, oldest first, and whether it is over."""
        rows = reversed(await self._book.calls(limit=EVERY))
        return {
            row.call: self._over(row) for row in rows if number in {row.from_number, row.to_number}
        }

    async def erase(self, calls: Sequence[CallSid]) -> Erased:
        """Erase those of the calls that are over."""
        done = Erased()
        for call in calls:
            row = await self._book.call(call)
            if row is not None and self._over(row):
                done += Erased(1, self._book.erase(call, self._now_ms()))
        return done

    async def _due(self, retention: Retention) -> list[LoggedCall]:
        due = []
        for row in reversed(await self._book.calls(limit=EVERY)):
            before = retention.before_ms(row.tenant, row.vertical, self._now_ms())
            over = over_at_ms(row.started_at_ms, row.ended_at_ms)
            if row.erased_at_ms is None and before is not None and over < before:
                due.append(row)
        return due

    def _over(self, row: LoggedCall) -> bool:
        return over_at_ms(row.started_at_ms, row.ended_at_ms) <= self._now_ms()
