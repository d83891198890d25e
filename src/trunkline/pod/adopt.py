"""Calls that nobody carries any more, closed: their record gets its end, and nothing else.

The call log may be ahead of the journal: a machine that lost its power keeps what Postgres
committed, and not the journal's last second. An end that was linked to the journal's head would
then contradict the log. So the log is asked first, and the journal gets what it lost.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from trunkline.core import record
from trunkline.core.facts import CallEnded
from trunkline.core.ids import CallSid
from trunkline.core.record import Entry, Head
from trunkline.errors import Behind, Fenced, StoreError
from trunkline.ports import CallBook, Holder, Journal
from trunkline.telemetry.logs import Log, LogName

ADOPTED_MAX: Final = 1_000
"""Calls that wait for their end because the call log is away; one more is left to the next look
over all journals."""

RETRY_S: Final = 2.0
"""Wait before a store that did not answer is asked again."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A call that was taken over only to be closed."""

    call: CallSid
    holder: Holder
    head: Head
    """Of the journal, when it was taken over."""
    end: CallEnded


class Adoption:
    """One after the other; a store that is away delays them all, and nobody else."""

    def __init__(
        self, journal: Journal, book: CallBook, close: Callable[[Adopted], None], log: Log
    ) -> None:
        """`close` links the end to the head that `Adopted` then has."""
        self._journal = journal
        self._book = book
        self._close = close
        self._log = log
        self._waiting: dict[CallSid, Adopted] = {}
        self._come = asyncio.Event()

    def __contains__(self, call: CallSid) -> bool:
        return call in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, one: Adopted) -> None:
        """Close this call as soon as the stores let us."""
        if len(self._waiting) >= ADOPTED_MAX:
            self._log.error(LogName.FACT_REFUSED, call=one.call, reason="adopted_max")
            return
        self._waiting.setdefault(one.call, one)
        self._come.set()

    async def carry(self, closed: asyncio.Event) -> None:
        """Close calls until the pod closes and none waits."""
        while self._waiting or not closed.is_set():
            self._come.clear()
            if not self._waiting:
                await self._come.wait()
                continue
            one = next(iter(self._waiting.values()))
            try:
                await self._settle(one)
            except Fenced:
                pass  # Somebody was faster: the end is theirs to make.
            except StoreError as error:
                self._log.warning(LogName.CALL_LOG_AWAY, call=one.call, reason=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            del self._waiting[one.call]

    def wake(self) -> None:
        """The pod closes."""
        self._come.set()

    async def _settle(self, one: Adopted) -> None:
        head = one.head
        lost = following(one.call, head, await self._book.entries(one.call))
        if lost:
            try:
                await self._journal.append(one.call, one.holder, head, lost)
            except Behind:
                whole = following(one.call, Head(), await self._book.entries(one.call))
                await self._journal.append(one.call, one.holder, Head(), whole)
            head = record.after(lost[-1])
        self._close(Adopted(one.call, one.holder, head, one.end))


def following(call: CallSid, head: Head, entries: Sequence[Entry]) -> list[Entry]:
    """Of a call's entries in order, those that continue this head."""
    found: list[Entry] = []
    for entry in entries:
        if record.hangs_on(call, head, entry):
            found.append(entry)
            head = record.after(entry)
    return found
