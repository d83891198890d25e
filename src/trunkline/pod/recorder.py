"""Facts to the journal, acknowledged facts to the call log.

A fact is linked to its call's chain when it is made, appended to the journal at once, and
written to the call log within `FLUSH_S` of its acknowledgement, sooner at a call's end. The
call log is filled only from facts that the journal has acknowledged; a fact is kept here
until the call log has committed it.

Whether a call still is ours is asked of the journal, not inferred from a refusal: an answer to
a resume of our own may have been lost, or the journal itself.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from trunkline.core import record
from trunkline.core.facts import CallEnded, Fact
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Entry, Head
from trunkline.errors import Behind, Fenced, StoreError
from trunkline.ports import CallBook, CallState, Journal
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
"""Facts of one call that the journal has not taken: further ones are refused, the end aside."""

TAIL_ENTRIES_MAX: Final = 500
"""Newest acknowledged facts kept of each live call, for a journal that lost its tail in a crash.
It syncs once a second, and a call makes a few facts a second; most calls are kept whole."""

UNWRITTEN_ENTRIES_MAX: Final = 50_000
"""Acknowledged facts kept for a call log that is away (about 50 MB; half an hour of 50 calls).
Beyond it only the calls' names are: their facts are read back from the journal."""

FORGETS_MAX: Final = 1_000
"""Calls whose journals may go and were not told yet; one more is left to its own expiry."""


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
    tail: deque[Entry] = field(default_factory=lambda: deque(maxlen=TAIL_ENTRIES_MAX))
    """The newest of what the journal acknowledged."""
    unwritten: int = 0
    """Acknowledged, kept here, and not yet in the call log."""
    fenced: bool = False
    ended: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the journal holds all that was made here."""

    def take_back(self, head: Head) -> bool:
        """Make what follows `head` unacknowledged again; False if it is not kept any more."""
        kept = list(self.tail)
        places = [record.after(entry) for entry in kept]
        if kept and kept[0].seq == 1:
            places.insert(0, Head())
            kept.insert(0, kept[0])  # So that both lists count alike.
        if head not in places:
            return False
        lost = kept[places.index(head) + 1 :]
        self.unacked[:0] = lost
        self.acked = head
        for _ in lost:
            self.tail.pop()
        return True


class Recorder:
    """The pod's one writer: `record` never waits, `run` does the waiting."""

    def __init__(
        self,
        journal: Journal,
        book: CallBook,
        *,
        pod: PodName,
        incarnation: Incarnation,
        log: Log,
        metrics: Metrics,
        wall_ms: Callable[[], int],
        unwritten_max: int = UNWRITTEN_ENTRIES_MAX,
    ) -> None:
        self._journal = journal
        self._book = book
        self._pod = pod
        self._incarnation = incarnation
        self._log = log
        self._metrics = metrics
        self._wall_ms = wall_ms
        self._unwritten_max = unwritten_max
        self._records: dict[CallSid, CallRecord] = {}
        self._unacked = asyncio.Event()
        self._dirty: dict[CallSid, CallRecord] = {}
        self._unwritten: deque[tuple[CallSid, Entry]] = deque()
        self._read_back: dict[CallSid, None] = {}
        """Calls with acknowledged facts that are kept in the journal alone."""
        self._flush_now = asyncio.Event()
        self._forgets: deque[CallSid] = deque()
        self._forget_now = asyncio.Event()
        self._closing = False
        self._all_written = False

    @property
    def calls(self) -> int:
        """Calls of which something is kept here."""
        return len(self._records)

    def begin(self, call: CallSid, epoch: Epoch, head: Head | None = None) -> None:
        """Take over a call's chain where the journal has it. A later epoch replaces an earlier."""
        known = self._records.get(call)
        if known is not None and not known.fenced:
            known.epoch = max(known.epoch, epoch)
            return
        head = head or Head()
        one = CallRecord(call, epoch, acked=head, linked=head)
        one.settled.set()
        self._records[call] = one

    def record(self, call: CallSid, fact: Fact) -> None:
        """Add a fact to its call's chain. Never waits, never fails."""
        one = self._records.get(call)
        ends = isinstance(fact, CallEnded)
        if one is None or one.fenced:
            self._refuse(call, "fenced")
            if ends:
                self._records.pop(call, None)
            return
        if one.ended:
            self._refuse(call, "after_end")
            return
        if len(one.unacked) >= UNACKED_ENTRIES_MAX and not ends:
            self._refuse(call, "unacked_entries_max")
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
        one.ended = ends
        one.settled.clear()
        self._make_dirty(one)

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
        """Facts that are not in the call log yet; a call to be read back counts as one."""
        unacked = sum(len(one.unacked) for one in self._records.values())
        return len(self._unwritten) + len(self._read_back) + unacked

    async def run(self) -> None:
        """Carry facts until `close` was called and all that the stores took is stored."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._carry_to_journal(), name="to the journal")
            tasks.create_task(self._carry_to_book(), name="to the call log")
            tasks.create_task(self._carry_forgets(), name="forget calls")

    def close(self) -> None:
        """No fact follows: `run` returns when nothing is left to carry."""
        self._closing = True
        self._unacked.set()
        self._flush_now.set()

    def _refuse(self, call: CallSid, reason: str) -> None:
        self._log.error(LogName.FACT_REFUSED, call=call, reason=reason)

    def _make_dirty(self, one: CallRecord) -> None:
        self._dirty[one.call] = one
        self._unacked.set()

    # To the journal.

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
            away = any(not task.result() for task in appends)
            wait_s = min(max(wait_s * 2, RETRY_S_MIN), RETRY_S_MAX) if away else 0.0
            if self._dirty:
                self._unacked.set()
        self._flush_now.set()

    async def _append(self, one: CallRecord) -> bool:
        """Append what a call has; False if the journal did not answer."""
        self._dirty.pop(one.call, None)
        sent, epoch = list(one.unacked), one.epoch
        if not sent:
            return True
        try:
            await self._journal.append(one.call, epoch, one.acked, sent)
        except Behind as lost:
            self._fall_back(one, Head(lost.seq, lost.hash))
            return True
        except Fenced:
            return await self._ask_whose(one, epoch)
        except StoreError as error:
            self._away(one, error)
            return False
        self._acknowledged(one, sent)
        return True

    def _acknowledged(self, one: CallRecord, sent: Sequence[Entry]) -> None:
        del one.unacked[: len(sent)]
        one.acked = record.after(sent[-1])
        one.tail.extend(sent)
        if len(self._unwritten) + len(sent) > self._unwritten_max:
            self._read_back[one.call] = None
        else:
            one.unwritten += len(sent)
            self._unwritten.extend((one.call, entry) for entry in sent)
        if one.unacked:
            self._dirty[one.call] = one
            return
        one.settled.set()
        if one.ended:
            one.tail.clear()  # No append follows that could find the journal behind.
            self._flush_now.set()

    def _fall_back(self, one: CallRecord, head: Head) -> None:
        """The journal lost its tail: send it again, if it is kept here."""
        if one.take_back(head):
            self._log.warning(LogName.JOURNAL_AWAY, call=one.call, reason="the journal lost facts")
            self._make_dirty(one)
        else:
            self._refuse(one.call, "tail_entries_max")
            self._fence(one)

    async def _ask_whose(self, one: CallRecord, epoch: Epoch) -> bool:
        """Refused under `epoch`: go on under another if the call is ours, else write no more."""
        try:
            opening = await self._journal.open_call(one.call, self._pod, self._incarnation)
        except StoreError as error:
            self._away(one, error)
            return False
        ours = (opening.pod, opening.incarnation) == (self._pod, self._incarnation)
        if ours and opening.state is CallState.LIVE and opening.epoch > epoch:
            one.epoch = max(one.epoch, opening.epoch)
            self._make_dirty(one)
        else:
            self._fence(one)
        return True

    def _fence(self, one: CallRecord) -> None:
        """Somebody else writes this call's record, or nobody can."""
        self._log.error(LogName.CALL_FENCED, call=one.call, count=len(one.unacked))
        one.fenced = True
        one.unacked.clear()
        one.tail.clear()
        one.settled.set()
        if one.ended:
            self._records.pop(one.call, None)

    def _away(self, one: CallRecord, error: StoreError) -> None:
        self._log.warning(LogName.JOURNAL_AWAY, call=one.call, reason=str(error))
        self._make_dirty(one)

    # To the call log.

    async def _carry_to_book(self) -> None:
        wait_s = FLUSH_S
        while not (self._closing and not self._dirty and self.backlog() == 0):
            try:
                async with asyncio.timeout(wait_s):
                    await self._flush_now.wait()
            except TimeoutError:
                pass
            self._flush_now.clear()
            if not self._unwritten and not self._read_back:
                wait_s = FLUSH_S if not self._closing else RETRY_S_MIN
                continue
            written = await self._write()
            wait_s = FLUSH_S if written else min(max(wait_s * 2, RETRY_S_MIN), RETRY_S_MAX)
            much = len(self._unwritten) >= WRITE_ENTRIES_MAX or self._read_back
            if written and (much or self._closing):
                self._flush_now.set()
        self._all_written = True
        self._forget_now.set()

    async def _write(self) -> bool:
        """Commit the oldest acknowledged facts; False if a store did not do its part."""
        if not self._unwritten:
            return await self._write_read_back(next(iter(self._read_back)))
        batch = [self._unwritten[i] for i in range(min(WRITE_ENTRIES_MAX, len(self._unwritten)))]
        if not await self._commit(batch):
            return False
        for call, _ in batch:
            self._unwritten.popleft()
            if (one := self._records.get(call)) is not None:
                one.unwritten -= 1
        for call in {call for call, _ in batch}:
            self._forget_if_done(call)
        return True

    async def _write_read_back(self, call: CallSid) -> bool:
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
        self._forget_if_done(call)
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

    def _forget_if_done(self, call: CallSid) -> None:
        one = self._records.get(call)
        if one is None or not one.ended or one.unacked or one.unwritten or call in self._read_back:
            return
        del self._records[call]
        if len(self._forgets) < FORGETS_MAX:
            self._forgets.append(call)
            self._forget_now.set()

    async def _carry_forgets(self) -> None:
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
                if self._closing:
                    self._forgets.clear()
