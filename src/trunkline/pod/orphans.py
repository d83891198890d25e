"""Calls whose pod is gone: their facts go to the call log, and their record is closed.

At start and every `LOOK_S` all journals are looked through for calls whose holder is dead. What
they hold is brought into the call log. One that had ended may then go. One that had not is left
alone for `ORPHAN_WAIT_S`: a redirect may take it over. Then its next epoch is taken, by
compare-and-set, and it is closed as failed. All of it may be done twice, and by several pods.

A journal may be gone as well. Then the call log has a call without an outcome: one of ours that
stays unknown to the journal is closed too.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import msgspec

from trunkline.core.facts import CallEnded, CallReceived, Direction, Outcome
from trunkline.core.fleet_states import UNKNOWN_CLAIM, Life, Target
from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.core.record import Entry, Head
from trunkline.errors import StoreError
from trunkline.pod.flush import WRITE_ENTRIES_MAX
from trunkline.pod.recorder import ASK_S, Recorder
from trunkline.ports import (
    CallBook,
    CallState,
    HeldCall,
    Holder,
    Journal,
    JournalIndex,
    Resumption,
    Slots,
    UnendedCalls,
)
from trunkline.telemetry.logs import Log, LogName

LOOK_S: Final = 60.0
"""How often all journals are looked through."""

ORPHAN_WAIT_S: Final = 10.0
"""So long a call whose pod is gone, for another life has its name, may be taken over by a redirect,
from when we first saw it. The carrier runs the next verb 1-2 s after a loss, or is asked to."""

SILENT_WAIT_S: Final = 60.0
"""The same where a pod is only silent: it may be slow, or cut off, and talk to its caller."""

UNKNOWN_WAIT_S: Final = 6 * ASK_S
"""So long a call of the log without an outcome may be unknown to the journal: a pod that carries it
asks much sooner, and the journal then knows it again."""

UNENDED_CALLS_MAX: Final = 500
"""Calls without an outcome that one look goes through, the oldest first; the rest follows later."""

FAILURES_MAX: Final = 3
"""Calls in a row that a store does not let us care for: then it is away, and the look is begun
again later. One alone is passed over, and stands in nobody's way."""

RETRY_S: Final = 2.0
"""Wait before a look that a store did not answer is begun again."""

POD_LOST: Final = "pod_lost"
"""The pod that carried the call is gone, and nobody took it over."""

UNRECORDED: Final = "unrecorded"
"""This pod opened the journal and never learnt it: the store's answer was lost."""


class Orphans:
    """This pod's look at calls that nobody carries."""

    def __init__(
        self,
        pod: PodName,
        incarnation: Incarnation,
        recorder: Recorder,
        *,
        journal: Journal,
        slots: Slots,
        index: JournalIndex,
        book: CallBook,
        unended: UnendedCalls,
        lives: Callable[[], Awaitable[Mapping[PodName, Life]]],
        on_found: Callable[[CallSid], None],
        on_closed: Callable[[CallSid, Direction, CallEnded], None],
        log: Log,
        now: Callable[[], float] | None = None,
    ) -> None:
        """`lives`: who has each pod's name now. `on_found` is told of a call whose holder is gone,
        when it is seen first. `now` is the loop's clock.
        """
        self._pod = pod
        self._incarnation = incarnation
        self._recorder = recorder
        self._journal = journal
        self._slots = slots
        self._index = index
        self._book = book
        self._unended = unended
        self._lives = lives
        self._on_found = on_found
        self._living: Mapping[PodName, Life] = {}
        self._on_closed = on_closed
        self._log = log
        self._now = now or asyncio.get_running_loop().time
        self._seen: dict[HeldCall, float] = {}
        """Orphans that may yet be taken over, and since when we know them."""
        self._hurried = asyncio.Event()
        self._unknown: dict[CallSid, float] = {}
        """Calls of the log that the journal does not know, and since when."""

    async def run(self) -> None:
        """Look again and again. Runs until cancelled."""
        while True:
            try:
                await self.look()
                wait_s = ORPHAN_WAIT_S if self._seen else LOOK_S
            except StoreError as error:
                self._log.warning(LogName.JOURNAL_AWAY, reason=str(error))
                wait_s = RETRY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._hurried.wait()
            self._hurried.clear()

    def hurry(self) -> None:
        """A pod is gone: look now."""
        self._hurried.set()

    async def look(self) -> None:
        """Go once over all journals, and over this pod's calls without an outcome.

        Raises:
            StoreError: a store did not answer; what was done by then is done.
        """
        self._living = await self._lives()
        found: set[HeldCall] = set()
        cursor = failures = 0
        while True:
            cursor, step = await self._index.held(cursor)
            for held in step:
                if held.logged or not self._is_orphan(held):
                    continue
                found.add(held)
                try:
                    await self._care_for(held)
                    failures = 0
                except StoreError as error:
                    self._log.warning(LogName.JOURNAL_AWAY, call=held.call, reason=str(error))
                    failures += 1
                    if failures == FAILURES_MAX:
                        raise
            if cursor == 0:
                break
        self._seen = {held: since for held, since in self._seen.items() if held in found}
        await self._look_into_log()

    def _is_orphan(self, held: HeldCall) -> bool:
        holder = held.holder
        if (holder.pod, holder.incarnation) == (self._pod, self._incarnation):
            return not self._recorder.knows(held.call)
        return self._living.get(holder.pod) != Life(holder.pod, holder.incarnation)

    async def _care_for(self, held: HeldCall) -> None:
        call = held.call
        entries = await self._journal.read(call)
        for at in range(0, len(entries), WRITE_ENTRIES_MAX):
            piece = entries[at : at + WRITE_ENTRIES_MAX]
            await self._book.write([(call, entry) for entry in piece])
        if held.state is CallState.ENDED:
            if not self._recorder.knows(call):
                await self._journal.forget_call(call)
                self._log.info(LogName.ORPHAN_CLOSED, call=call, reason="logged")
            return
        holder = held.holder
        if held not in self._seen:
            self._on_found(call)
        since = self._seen.setdefault(held, self._now())
        if self._now() - since < (ORPHAN_WAIT_S if holder.pod in self._living else SILENT_WAIT_S):
            return
        me = Life(self._pod, self._incarnation)
        closing = Target(me, closes=True)
        resumed = await self._slots.resume(call, holder.epoch, closing, UNKNOWN_CLAIM)
        # Refused: it has an end, or another holder, who is somebody else's to judge.
        if isinstance(resumed, Resumption):
            ours = (holder.pod, holder.incarnation) == (self._pod, self._incarnation)
            self._close(
                call,
                Holder(resumed.epoch, self._pod, self._incarnation),
                resumed.head,
                entries,
                UNRECORDED if ours and not entries else POD_LOST,
            )

    async def _look_into_log(self) -> None:
        before = self._unknown
        self._unknown = {}
        for call in await self._unended.unended(self._pod, limit=UNENDED_CALLS_MAX):
            if self._recorder.knows(call) or await self._journal.read(call):
                continue
            since = self._unknown[call] = before.get(call, self._now())
            if self._now() - since < UNKNOWN_WAIT_S:
                continue
            opening = await self._journal.open_call(call, self._pod, self._incarnation)
            if opening.first:
                holder = Holder(opening.epoch, self._pod, self._incarnation)
                entries = await self._book.entries(call)
                self._close(call, holder, Head(), entries, POD_LOST)

    def _close(
        self, call: CallSid, holder: Holder, head: Head, entries: Iterable[Entry], reason: str
    ) -> None:
        end = CallEnded(Outcome.FAILED, reason)
        if self._recorder.adopt(call, holder.epoch, head, end):
            self._log.warning(LogName.ORPHAN_CLOSED, call=call, reason=reason)
            self._on_closed(call, _direction(entries), end)


def _direction(entries: Iterable[Entry]) -> Direction:
    for entry in entries:
        if entry.kind == "call_received":
            try:
                return msgspec.json.decode(entry.payload, type=CallReceived).direction
            except msgspec.MsgspecError:
                break  # Of another revision, or erased.
    return "inbound"
