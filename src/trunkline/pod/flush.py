"""Acknowledged facts to the call log, within `FLUSH_S`, sooner at a call's end.

The call log is filled only from facts that the journal has acknowledged, and each is kept until the
call log has committed it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, MutableMapping, Sequence
from typing import Final

from trunkline.core.ids import CallSid
from trunkline.core.record import Aside, Entry, Why
from trunkline.errors import StoreError
from trunkline.pod.chain import CallRecord
from trunkline.ports import CallBook, Journal
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics

FLUSH_S: Final = 0.25
"""The call log is at most this much behind the journal while Postgres answers."""

RETRY_S_MIN: Final = 0.1
RETRY_S_MAX: Final = 2.0
"""A store that failed is asked again after a wait that doubles between these."""

WRITE_ENTRIES_MAX: Final = 2_000
"""Entries in one transaction of the call log; the rest follows in the next."""

UNWRITTEN_ENTRIES_MAX: Final = 50_000
"""Acknowledged facts kept for a call log that is away (about 50 MB; half an hour of 50 calls).
Beyond it only the calls' names are: their facts are read back from the journal."""

ASIDE_ENTRIES_MAX: Final = 5_000
"""Facts that the journal refused, kept until the call log has put them aside; a further one is
only logged."""

FORGETS_MAX: Final = 1_000
"""Calls whose journals may go and were not told yet; one more is left to its own expiry."""


class Flush:
    """The way from the journal's acknowledgement to the call log, and what may go after it."""

    def __init__(
        self,
        journal: Journal,
        book: CallBook,
        records: MutableMapping[CallSid, CallRecord],
        *,
        log: Log,
        metrics: Metrics,
        unwritten_max: int,
    ) -> None:
        """`records` are the recorder's: one that the call log has whole leaves it."""
        self._journal = journal
        self._book = book
        self._records = records
        self._log = log
        self._metrics = metrics
        self._unwritten_max = unwritten_max
        self._unwritten: deque[tuple[CallSid, Entry]] = deque()
        self._read_back: dict[CallSid, None] = {}
        """Calls with acknowledged facts that are kept in the journal alone."""
        self._aside: deque[Aside] = deque()
        self._now = asyncio.Event()
        self._forgets: deque[CallSid] = deque()
        self._forget_now = asyncio.Event()
        self._all_written = False
        self.closing = False

    @property
    def backlog(self) -> int:
        """Facts that wait for the call log; a call to be read back counts as one."""
        return len(self._unwritten) + len(self._read_back) + len(self._aside)

    def hurry(self) -> None:
        """Write now: a call has ended, or the pod has."""
        self._now.set()

    def put(self, one: CallRecord, entries: Sequence[Entry]) -> None:
        """The journal has acknowledged these."""
        if len(self._unwritten) + len(entries) > self._unwritten_max:
            self._read_back[one.call] = None
        else:
            one.unwritten += len(entries)
            self._unwritten.extend((one.call, entry) for entry in entries)
        if one.ended and not one.unacked:
            if one.call in self._read_back:
                one.tail.clear()  # Else it would hold here what the bound sends away.
            self._now.set()

    def read_back(self, call: CallSid) -> None:
        """What the journal has of it is to be written, whoever appended it."""
        self._read_back[call] = None

    def put_aside(self, call: CallSid, entries: Sequence[Entry], why: Why) -> None:
        """The journal refused these: the call log shall show them beside the call's chain."""
        room = ASIDE_ENTRIES_MAX - len(self._aside)
        for entry in entries[:room]:
            self._aside.append(Aside(call, entry, why))
        if len(entries) > room:
            count = len(entries) - room
            reason = "aside_entries_max"
            self._log.error(LogName.FACT_REFUSED, call=call, count=count, reason=reason)

    def kept(self, call: CallSid) -> list[Entry]:
        """Facts of a call that wait for the call log."""
        return [entry for name, entry in self._unwritten if name == call]

    async def carry(self, idle: Callable[[], bool]) -> None:
        """Write until the pod closes and all is written; `idle`: the journal gets no more."""
        wait_s = FLUSH_S
        while not (self.closing and idle() and self.backlog == 0):
            try:
                async with asyncio.timeout(wait_s):
                    await self._now.wait()
            except TimeoutError:
                pass
            self._now.clear()
            if self.backlog == 0:
                wait_s = FLUSH_S if not self.closing else RETRY_S_MIN
                continue
            written = await self._write()
            wait_s = FLUSH_S if written else min(max(wait_s * 2, RETRY_S_MIN), RETRY_S_MAX)
            much = len(self._unwritten) >= WRITE_ENTRIES_MAX or self._read_back
            if written and (much or self.closing):
                self._now.set()
        self._all_written = True
        self._forget_now.set()

    async def _write(self) -> bool:
        """Commit the oldest acknowledged facts; False if a store did not do its part."""
        if self._aside and not await self._write_aside():
            return False
        if not self._unwritten:
            return not self._read_back or await self._write_back(next(iter(self._read_back)))
        batch = [self._unwritten[i] for i in range(min(WRITE_ENTRIES_MAX, len(self._unwritten)))]
        if not await self._commit(batch):
            return False
        for call, _ in batch:
            self._unwritten.popleft()
            if (one := self._records.get(call)) is not None:
                one.unwritten -= 1
        for call in {call for call, _ in batch}:
            self.forget_if_done(call)
        return True

    async def _write_aside(self) -> bool:
        batch = list(self._aside)
        try:
            await self._book.put_aside(batch)
        except StoreError as error:
            self._log.warning(LogName.CALL_LOG_AWAY, reason=str(error))
            return False
        for _ in batch:
            self._aside.popleft()
        return True

    async def _write_back(self, call: CallSid) -> bool:
        """Commit what the journal has of a call, all of it: the log passes over what it holds."""
        del self._read_back[call]  # What is acknowledged from here on is noted anew.
        try:
            entries = await self._journal.read(call)
        except StoreError as error:
            self._log.warning(LogName.JOURNAL_AWAY, call=call, reason=str(error))
            self._read_back[call] = None
            return False
        for at in range(0, len(entries), WRITE_ENTRIES_MAX):
            if not await self._commit([(call, e) for e in entries[at : at + WRITE_ENTRIES_MAX]]):
                self._read_back[call] = None
                return False
        self.forget_if_done(call)
        return True

    async def _commit(self, batch: Sequence[tuple[CallSid, Entry]]) -> bool:
        started = asyncio.get_running_loop().time()
        try:
            await self._book.write(batch)
        except StoreError as error:
            self._log.warning(LogName.CALL_LOG_AWAY, reason=str(error))
            return False
        self._metrics.call_log_flushed(asyncio.get_running_loop().time() - started)
        return True

    # What may go.

    def forget_if_done(self, call: CallSid) -> None:
        """Let go of a call that has ended and that the call log has all of."""
        one = self._records.get(call)
        if one is None or not one.ended or one.unacked or one.unwritten or call in self._read_back:
            return
        del self._records[call]
        if len(self._forgets) < FORGETS_MAX:
            self._forgets.append(call)
            self._forget_now.set()

    async def carry_forgets(self) -> None:
        """Tell the journal what it may forget. Told once: it lets it expire later all the same."""
        while not self._all_written or self._forgets:
            await self._forget_now.wait()
            if not self._forgets:
                self._forget_now.clear()
                continue
            try:
                await self._journal.forget_call(self._forgets.popleft())
            except StoreError as error:
                self._log.warning(LogName.JOURNAL_AWAY, reason=str(error))
                if self.closing:
                    self._forgets.clear()
