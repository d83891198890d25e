"""One call's chain in the making: what was made here, and how far each store has it."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from trunkline.core import record
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.record import Entry, Head

TAIL_ENTRIES_MAX: Final = 500
"""Newest acknowledged facts kept of each call until the call log has them all, for a journal that
forgot. A call makes a few facts a second; most are kept whole. What is older and lost to the
journal is read back from the call log."""


@dataclass(slots=True)
class CallRecord:
    """One call's chain in the making."""

    call: CallSid
    epoch: Epoch
    acked: Head = field(default_factory=Head)
    """What the journal has acknowledged."""
    linked: Head = field(default_factory=Head)
    """What was made here."""
    unacked: list[Entry] = field(default_factory=list)
    tail: deque[Entry] = field(default_factory=lambda: deque(maxlen=TAIL_ENTRIES_MAX))
    """The newest of what the journal acknowledged."""
    noted: int = 0
    """Up to which entry they are on their way to the call log, or there."""
    unwritten: int = 0
    """Acknowledged, kept for the call log, and not yet there."""
    fenced: bool = False
    ended: bool = False
    mending: bool = False
    """The call log is asked for what the journal lost: no append meanwhile."""
    asked_at: float = 0.0
    """When the journal was last asked, by the loop's clock."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the journal holds all that was made here."""

    @property
    def can_ask(self) -> bool:
        """Whether the journal may be asked if it still holds the call: we could mend it."""
        at_end = self.ended and self.acked.seq > 0 and not self.tail
        return not (self.fenced or self.mending or at_end)

    def acknowledge(self, sent: Sequence[Entry]) -> list[Entry]:
        """The journal has these; those that the call log was not promised yet are returned."""
        del self.unacked[: len(sent)]
        if not sent:
            return []
        self.acked = record.after(sent[-1])
        self.tail.extend(sent)
        fresh = [entry for entry in sent if entry.seq > self.noted]
        self.noted = max(self.noted, self.acked.seq)
        return fresh

    def take_back(self, head: Head, older: Iterable[Entry] = ()) -> bool:
        """Make what follows `head` unacknowledged again; False if it is not kept any more.

        `older` are entries from elsewhere that the tail does not reach back to.
        """
        kept = _linked(self.call, [*older, *self.tail])
        if head.seq == 0:
            if self.acked.seq and (not kept or kept[0].seq != 1):
                return False
            lost = kept
        else:
            at = next((i for i, entry in enumerate(kept) if record.after(entry) == head), None)
            if at is None:
                return False
            lost = kept[at + 1 :]
        self.unacked[:0] = lost
        self.acked = head
        seqs = {entry.seq for entry in lost}
        while self.tail and self.tail[-1].seq in seqs:
            self.tail.pop()
        return True

    def fence(self) -> list[Entry]:
        """Write no more; what the journal did not take is returned."""
        refused = list(self.unacked)
        self.fenced = True
        self.unacked.clear()
        self.tail.clear()
        self.settled.set()
        return refused


def _linked(call: CallSid, entries: Sequence[Entry]) -> list[Entry]:
    """The newest entries in order that hang together; of two in one place the later given."""
    found = {entry.seq: entry for entry in entries}
    chained: list[Entry] = []
    for seq in sorted(found, reverse=True):
        entry = found[seq]
        if chained and not record.hangs_on(call, record.after(entry), chained[-1]):
            break
        chained.append(entry)
    return chained[::-1]
