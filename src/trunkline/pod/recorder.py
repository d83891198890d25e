"""Facts to the journal, acknowledged facts to the call log.

A fact is linked to its call's chain when it is made, appended to the journal at once, and handed to
`pod.flush` when the journal has acknowledged it.

The journal may forget: a store that crashed loses its last second, one that was restarted without
its files loses all. Then it says that it is behind, and gets again what it lost: from the facts
that are kept here, else from the call log. A quiet call asks every `ASK_S`, and all ask as soon as
one finds out: what the call log does not have either is kept by nobody else meanwhile. Whether a
call still is ours is asked of the journal, not inferred from a refusal: an answer to a resume of
our own may have been lost.
"""

import asyncio
import math
import os
from collections.abc import Callable, Sequence
from typing import Final

from trunkline.core import record
from trunkline.core.facts import CallEnded, Fact
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Entry, Head, Why
from trunkline.errors import Behind, Fenced, StoreError
from trunkline.pod.adopt import Adopted, Adoption
from trunkline.pod.chain import CallRecord
from trunkline.pod.flush import RETRY_S_MAX, RETRY_S_MIN, UNWRITTEN_ENTRIES_MAX, Flush
from trunkline.ports import CallBook, CallState, Holder, Journal
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics

APPENDS_AT_ONCE_MAX: Final = 16
"""Calls whose facts are on their way to the journal at the same time; others wait."""

GATHER_S: Final = 0.02
"""So long the first fact waits for others: then they go to the journal in one round trip."""

UNACKED_ENTRIES_MAX: Final = 2_000
"""Facts of one call that the journal has not taken: further ones are refused, the end aside."""

UNOPENED_CALLS_MAX: Final = 5_000
"""Calls that came and went while the journal was away, kept until it is back (about 20 MB; half an
hour of 3 calls a second); a further one is refused, and the log says so."""

NO_EPOCH: Final = Epoch(0)
"""Of a call that no journal was opened for: it makes one where there is none, and loses to any."""

ASK_S: Final = 10.0
"""A call that made no fact for so long asks the journal whether it still holds it: a store that
forgot everything knows every call of ours again within this time."""

ASK_LOOK_S: Final = 1.0
"""How often calls are looked through for those that shall ask."""


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
        ask_s: float = ASK_S,
        salt: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`salt` gives so many bytes that nobody can guess."""
        self._journal = journal
        self._book = book
        self._pod = pod
        self._incarnation = incarnation
        self._log = log
        self._wall_ms = wall_ms
        self._ask_s = ask_s
        self._salt = salt
        self._records: dict[CallSid, CallRecord] = {}
        self._flush = Flush(
            journal, book, self._records, log=log, metrics=metrics, unwritten_max=unwritten_max
        )
        self._unacked = asyncio.Event()
        self._dirty: dict[CallSid, CallRecord] = {}
        self._forgot_at = -math.inf
        """When the journal was found to have forgotten, by the loop's clock."""
        self._unopened: set[CallSid] = set()
        """Calls without an epoch that the journal knows nothing of yet."""
        self._mends: dict[CallSid, Head] = {}
        """Calls of which the journal lost more than is kept here, and what it has of them."""
        self._mend_now = asyncio.Event()
        self._adoption = Adoption(journal, book, self._close_adopted, log)
        self._closed = asyncio.Event()

    @property
    def calls(self) -> int:
        """Calls of which something is kept here."""
        return len(self._records)

    def knows(self, call: CallSid) -> bool:
        """Whether the call is written for here, or was a moment ago."""
        return call in self._records or call in self._adoption

    def is_closing(self, call: CallSid) -> bool:
        """Whether its end is made here, and on its way to the journal."""
        one = self._records.get(call)
        return call in self._adoption or (one is not None and one.ended)

    def is_at(self, call: CallSid, head: Head) -> bool:
        """Whether the journal has of a call what is known here, and nothing of another pod's."""
        one = self._records.get(call)
        return one is not None and not one.fenced and one.acked == head

    def adopt(self, call: CallSid, epoch: Epoch, head: Head, end: CallEnded) -> bool:
        """Close a call that was taken over for it; False if that is already being done."""
        if self.knows(call):
            return False
        holder = Holder(epoch, self._pod, self._incarnation)
        self._adoption.put(Adopted(call, holder, head, end))
        return True

    def begin(self, call: CallSid, epoch: Epoch, head: Head | None = None) -> None:
        """Take over a call's chain where the journal has it. A later epoch replaces an earlier.

        Whoever wrote up to `head` may be gone, and the call log never have got it all.
        """
        known = self._records.get(call)
        if known is not None and not known.fenced:
            known.epoch = max(known.epoch, epoch)
            return
        head = head or Head()
        one = CallRecord(call, epoch, acked=head, linked=head, noted=head.seq)
        one.asked_at = asyncio.get_running_loop().time()
        one.unwritten = len(self._flush.kept(call))  # Of an earlier time here.
        one.settled.set()
        self._records[call] = one
        if head.seq:
            self._flush.read_back(call)

    def let_go(self, call: CallSid) -> None:
        """Another pod writes this call's record now: what the journal did not take goes aside."""
        one = self._records.pop(call, None)
        if one is not None and not one.fenced:
            self._fence(one, handed_over=True)
            self._mends.pop(call, None)

    def begin_unopened(self, call: CallSid) -> bool:
        """Begin the chain of a call that could not be opened; False if too many are kept."""
        if len(self._unopened) >= UNOPENED_CALLS_MAX:
            self._refuse(call, "unopened_calls_max")
            return False
        self._unopened.add(call)
        self.begin(call, NO_EPOCH)
        return True

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
            salt=self._salt(record.SALT_BYTES),
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
        waiting = self._flush.backlog + len(self._adoption)
        return waiting + sum(len(one.unacked) for one in self._records.values())

    async def run(self) -> None:
        """Carry facts until `close` was called and all that the stores took is stored."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._carry_to_journal(), name="to the journal")
            tasks.create_task(self._flush.carry(lambda: not self._owes_journal), name="to the log")
            tasks.create_task(self._flush.carry_forgets(), name="forget calls")
            tasks.create_task(self._carry_mends(), name="mend journals")
            tasks.create_task(self._carry_adoptions(), name="close lost calls")
            tasks.create_task(self._ask_for_quiet_calls(), name="ask the journal")

    def close(self) -> None:
        """No fact follows: `run` returns when nothing is left to carry."""
        self._closed.set()
        self._flush.closing = True
        self._unacked.set()
        self._mend_now.set()
        self._adoption.wake()
        self._flush.hurry()

    async def _carry_adoptions(self) -> None:
        await self._adoption.carry(self._closed)
        # Whoever waited for the last of them may go.
        self._unacked.set()
        self._mend_now.set()
        self._flush.hurry()

    def _close_adopted(self, one: Adopted) -> None:
        self.begin(one.call, one.holder.epoch, one.head)
        self.record(one.call, one.end)

    def _refuse(self, call: CallSid, reason: str) -> None:
        self._log.error(LogName.FACT_REFUSED, call=call, reason=reason)

    def _make_dirty(self, one: CallRecord) -> None:
        self._dirty[one.call] = one
        self._unacked.set()

    # To the journal.

    @property
    def _owes_journal(self) -> bool:
        return bool(self._dirty or self._mends or self._adoption)

    async def _carry_to_journal(self) -> None:
        wait_s, batch = 0.0, list[CallRecord]()
        while not (self._closed.is_set() and not self._owes_journal):
            if wait_s:
                await asyncio.sleep(wait_s)
            elif len(batch) < APPENDS_AT_ONCE_MAX:  # Else there were more than it could hold.
                await self._unacked.wait()
                await asyncio.sleep(GATHER_S)
            self._unacked.clear()
            batch = list(self._dirty.values())[:APPENDS_AT_ONCE_MAX]
            async with asyncio.TaskGroup() as tasks:
                appends = [tasks.create_task(self._append(one)) for one in batch]
            away = any(not task.result() for task in appends)
            wait_s = min(max(wait_s * 2, RETRY_S_MIN), RETRY_S_MAX) if away else 0.0
            if self._dirty:
                self._unacked.set()
        self._mend_now.set()
        self._flush.hurry()

    async def _append(self, one: CallRecord) -> bool:
        """Append what a call has, or ask for it; False if the journal did not answer."""
        self._dirty.pop(one.call, None)
        sent, epoch = list(one.unacked), one.epoch
        if one.fenced or one.mending:
            return True
        holder = Holder(epoch, self._pod, self._incarnation)
        one.asked_at = asyncio.get_running_loop().time()
        try:
            await self._journal.append(one.call, holder, one.acked, sent)
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
        self._unopened.discard(one.call)
        fresh = one.acknowledge(sent)
        if one.unacked:
            self._dirty[one.call] = one
        else:
            one.settled.set()
        if fresh:
            self._flush.put(one, fresh)
        elif one.ended:
            self._flush.forget_if_done(one.call)

    def _fall_back(self, one: CallRecord, head: Head) -> None:
        """The journal lost facts: send them again, from here or from the call log."""
        self._log.warning(LogName.JOURNAL_AWAY, call=one.call, reason="the journal lost facts")
        if (now := asyncio.get_running_loop().time()) >= self._forgot_at + self._ask_s:
            self._forgot_at = now  # Whoever finds out within `ask_s` may tell of the same loss.
            self._ask_for_calls(now)
        if one.take_back(head):
            self._make_dirty(one)
            return
        one.mending = True
        self._mends[one.call] = head
        self._mend_now.set()

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

    def _fence(self, one: CallRecord, *, handed_over: bool = False) -> None:
        """Somebody else writes this call's record, or nobody can: what is left goes aside."""
        self._unopened.discard(one.call)
        refused = one.fence()
        if refused or not handed_over:
            self._log.error(LogName.CALL_FENCED, call=one.call, count=len(refused))
        self._flush.put_aside(one.call, refused, Why.FENCED)
        if one.ended:
            self._records.pop(one.call, None)

    def _away(self, one: CallRecord, error: StoreError) -> None:
        self._log.warning(LogName.JOURNAL_AWAY, call=one.call, reason=str(error))
        self._make_dirty(one)

    # A journal that forgot.

    async def _carry_mends(self) -> None:
        """Ask the call log for what neither the journal nor we have. Waits for nobody else."""
        while not (self._closed.is_set() and not self._owes_journal):
            await self._mend_now.wait()
            self._mend_now.clear()
            while self._mends:
                call, head = next(iter(self._mends.items()))
                try:
                    written = await self._book.entries(call)
                except StoreError as error:
                    self._log.warning(LogName.CALL_LOG_AWAY, call=call, reason=str(error))
                    await asyncio.sleep(RETRY_S_MAX)
                    continue
                del self._mends[call]
                self._mend(self._records.get(call), head, written)
        self._flush.hurry()

    def _mend(self, one: CallRecord | None, head: Head, written: Sequence[Entry]) -> None:
        self._unacked.set()  # Whatever comes of it, nobody waits for it any more.
        if one is None or not one.mending:
            return
        one.mending = False
        older = [*written, *self._flush.kept(one.call)]
        # A journal with another chain than ours gets ours whole, and decides by the epoch.
        if one.take_back(head, older) or one.take_back(Head(), older):
            self._make_dirty(one)
        else:
            self._refuse(one.call, "lost_by_all")
            self._fence(one)

    async def _ask_for_quiet_calls(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closed.is_set():
            self._ask_for_calls(loop.time() - self._ask_s)
            try:
                async with asyncio.timeout(min(ASK_LOOK_S, self._ask_s)):
                    await self._closed.wait()
            except TimeoutError:
                pass

    def _ask_for_calls(self, asked_by: float) -> None:
        """Have every call ask that was not asked for after this moment."""
        for one in self._records.values():
            if one.can_ask and one.asked_at <= asked_by:
                self._make_dirty(one)
