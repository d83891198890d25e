"""Facts to the journal, acknowledged facts to the call log.

A fact is linked to its call's chain when it is made, appended to the journal at once, and
written to the call log within `FLUSH_S` of its acknowledgement, sooner at a call's end. The
call log is filled only from facts that the journal has acknowledged; a fact is kept here
until the call log has committed it.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from trunkline.core import record
from trunkline.core.facts import CallEnded, Fact
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.record import Entry, Head
from trunkline.errors import Fenced, StoreError
from trunkline.ports import CallBook, Journal
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics

FLUSH_S: Final = 0.25
"""The call log is at most this much behind the journal while Postgres answers."""

RETRY_S_MIN: Final = 0.1
RETRY_S_MAX: Final = 2.0
"""A store that failed is asked again after a wait that doubles between these."""

APPENDS_AT_ONCE_MAX: Final = 16
"""Calls whose facts are on their way to the journal at the same time; others wait."""

WRITE_ENTRIES_MAX: Final = 2_000
"""Entries in one transaction of the call log; the rest follows in the next."""

UNACKED_ENTRIES_MAX: Final = 2_000
"""Facts of one call the journal has not taken: then the oldest of the call stays and the call is
given up as not recordable, for a record with a hole is worse than one that ends."""


@dataclass(slots=True)
class CallRecord:
    """One call's chain in the making."""

    call: CallSid
    epoch: Epoch
    acked: Head = field(default_factory=Head)
    """What the journal holds."""
    linked: Head = field(default_factory=Head)
    """What was made here."""
    unacked: list[Entry] = field(default_factory=list)
    unwritten: int = 0
    """Acknowledged, and not yet in the call log."""
    resuming: int = 0
    """Resumes under way: until they are answered, a refusal for the epoch may be their doing."""
    fenced: bool = False
    ended: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the journal holds all that was made here."""


class Recorder:
    """The pod's one writer: `record` never waits, `run` does the waiting."""

    def __init__(
        self,
        journal: Journal,
        book: CallBook,
        *,
        log: Log,
        metrics: Metrics,
        wall_ms: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._book = book
        self._log = log
        self._metrics = metrics
        self._wall_ms = wall_ms
        self._records: dict[CallSid, CallRecord] = {}
        self._unacked = asyncio.Event()
        self._dirty: dict[CallSid, CallRecord] = {}
        self._unwritten: deque[tuple[CallSid, Entry]] = deque()
        self._flush_now = asyncio.Event()
        self._closing = False

    def begin(self, call: CallSid, epoch: Epoch, head: Head | None = None) -> None:
        """Take over a call's chain where the journal has it. A later epoch replaces an earlier."""
        known = self._records.get(call)
        if known is not None and not known.fenced:
            assert epoch >= known.epoch
            known.epoch = epoch
            return
        head = head or Head()
        one = CallRecord(call, epoch, acked=head, linked=head)
        one.settled.set()
        self._records[call] = one

    @contextmanager
    def resuming(self, call: CallSid) -> Iterator[None]:
        """While the journal may be giving a call of ours its next epoch, an append that it refuses
        is kept and sent again under the epoch that comes out.
        """
        one = self._records.get(call)
        if one is not None:
            one.resuming += 1
        try:
            yield
        finally:
            if one is not None:
                one.resuming -= 1

    def record(self, call: CallSid, fact: Fact) -> None:
        """Add a fact to its call's chain. Never waits, never fails."""
        one = self._records.get(call)
        if one is None or one.fenced:
            self._log.warning(LogName.FACT_REFUSED, call=call, reason="fenced")
            return
        if len(one.unacked) >= UNACKED_ENTRIES_MAX:
            self._log.error(LogName.FACT_REFUSED, call=call, reason="unacked_entries_max")
            return
        entry = record.link(
            call,
            one.linked,
            fact,
            at_ms=self._wall_ms(),
            epoch=one.epoch,
            salt=os.urandom(record.SALT_BYTES),
        )
        one.linked = record.after(entry)
        one.unacked.append(entry)
        one.ended = one.ended or isinstance(fact, CallEnded)
        one.settled.clear()
        self._dirty[call] = one
        self._unacked.set()

    async def settle(self, call: CallSid, wait_s_max: float) -> bool:
        """Wait until the journal holds all facts of a call; False if it was not in time."""
        one = self._records.get(call)
        if one is None:
            return True
        try:
            async with asyncio.timeout(wait_s_max):
                await one.settled.wait()
        except TimeoutError:
            return False
        return not one.fenced

    def backlog(self) -> int:
        """Facts that are not in the call log yet."""
        return len(self._unwritten) + sum(len(one.unacked) for one in self._records.values())

    async def run(self) -> None:
        """Carry facts until `close` was called and all that the stores took is stored."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._carry_to_journal(), name="to the journal")
            tasks.create_task(self._carry_to_book(), name="to the call log")

    def close(self) -> None:
        """No fact follows: `run` returns when nothing is left to carry."""
        self._closing = True
        self._unacked.set()
        self._flush_now.set()

    async def _carry_to_journal(self) -> None:
        wait_s = 0.0
        while not (self._closing and not self._dirty):
            if wait_s:
                await asyncio.sleep(wait_s)
            else:
                await self._unacked.wait()
            self._unacked.clear()
            batch = list(self._dirty.values())[:APPENDS_AT_ONCE_MAX]
            async with asyncio.TaskGroup() as tasks:
                appends = [tasks.create_task(self._append(one)) for one in batch]
            failed = any(not task.result() for task in appends)
            wait_s = min(max(wait_s * 2, RETRY_S_MIN), RETRY_S_MAX) if failed else 0.0
            if self._dirty:
                self._unacked.set()

    async def _append(self, one: CallRecord) -> bool:
        """Append what a call has; False if the journal did not answer."""
        self._dirty.pop(one.call, None)
        sent, epoch = list(one.unacked), one.epoch
        if not sent:
            return True
        try:
            await self._journal.append(one.call, epoch, one.acked, sent)
        except Fenced:
            if one.resuming or one.epoch != epoch:
                self._dirty[one.call] = one
                return False
            one.fenced = True
            one.unacked.clear()
            one.settled.set()
            self._log.error(LogName.CALL_FENCED, call=one.call, count=len(sent))
            return True
        except StoreError as error:
            self._log.warning(LogName.JOURNAL_AWAY, reason=str(error))
            self._dirty[one.call] = one
            return False
        del one.unacked[: len(sent)]
        one.acked = record.after(sent[-1])
        one.unwritten += len(sent)
        self._unwritten.extend((one.call, entry) for entry in sent)
        if one.unacked:
            self._dirty[one.call] = one
        else:
            one.settled.set()
        if one.ended:
            self._flush_now.set()
        return True

    async def _carry_to_book(self) -> None:
        wait_s = FLUSH_S
        while not (self._closing and not self._dirty and self.backlog() == 0):
            try:
                async with asyncio.timeout(wait_s):
                    await self._flush_now.wait()
            except TimeoutError:
                pass
            self._flush_now.clear()
            if not self._unwritten:
                wait_s = FLUSH_S if not self._closing else RETRY_S_MIN
                continue
            written = await self._write()
            wait_s = FLUSH_S if written else min(max(wait_s * 2, RETRY_S_MIN), RETRY_S_MAX)
            if len(self._unwritten) >= WRITE_ENTRIES_MAX or (self._closing and written):
                self._flush_now.set()

    async def _write(self) -> bool:
        """Commit the oldest acknowledged facts; False if Postgres did not take them."""
        batch = [self._unwritten[i] for i in range(min(WRITE_ENTRIES_MAX, len(self._unwritten)))]
        started = asyncio.get_running_loop().time()
        try:
            await self._book.write(batch)
        except StoreError as error:
            self._log.warning(LogName.CALL_LOG_AWAY, reason=str(error))
            return False
        self._metrics.call_log_flushed(asyncio.get_running_loop().time() - started)
        for call, _ in batch:
            self._unwritten.popleft()
            if (one := self._records.get(call)) is not None:
                one.unwritten -= 1
        for call in {call for call, _ in batch}:
            await self._forget_if_done(call)
        return True

    async def _forget_if_done(self, call: CallSid) -> None:
        one = self._records.get(call)
        if one is None or not one.ended or one.unacked or one.unwritten:
            return
        del self._records[call]
        try:
            await self._journal.forget_call(call)
        except StoreError as error:
            # The journal lets it expire all the same, only later.
            self._log.warning(LogName.JOURNAL_AWAY, reason=str(error))
