"""The twin of the Redis journal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Entry, Head, after
from trunkline.errors import Behind, Fenced
from trunkline.ports import CallState, Opening, ResumeRefused, Resumption

JOURNAL_TTL_MS: Final = 24 * 3600 * 1000
ENDED_TTL_MS: Final = 2 * 3600 * 1000
RESUME_WINDOW_MS: Final = 15_000
"""These three are the Redis journal's; the contract suite finds a difference."""


@dataclass(slots=True)
class _Call:
    epoch: Epoch
    pod: PodName
    incarnation: Incarnation
    opened_at_ms: int
    expires_at_ms: int
    state: CallState = CallState.LIVE
    resumed_from: Epoch | None = None
    entries: list[Entry] = field(default_factory=list)

    @property
    def head(self) -> Head:
        return after(self.entries[-1]) if self.entries else Head()


class MemoryJournal:
    """`ports.Journal` in memory. `now_ms` is its "Redis time"."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._calls: dict[CallSid, _Call] = {}

    async def open_call(self, call: CallSid, pod: PodName, incarnation: Incarnation) -> Opening:
        """Begin a call's journal, or say how it was begun."""
        now_ms = self._now_ms()
        held = self._find(call)
        first = held is None
        if held is None:
            held = _Call(Epoch(now_ms), pod, incarnation, now_ms, now_ms + JOURNAL_TTL_MS)
            self._calls[call] = held
        return Opening(
            epoch=held.epoch,
            pod=held.pod,
            incarnation=held.incarnation,
            state=held.state,
            opened_at_ms=held.opened_at_ms,
            now_ms=now_ms,
            first=first,
        )

    async def resume_call(
        self, call: CallSid, epoch: Epoch, pod: PodName, incarnation: Incarnation
    ) -> Resumption | ResumeRefused:
        """Compare-and-set from `epoch` to a higher one."""
        now_ms = self._now_ms()
        held = self._find(call)
        if held is None:
            return ResumeRefused.UNKNOWN
        if held.state is CallState.ENDED:
            return ResumeRefused.ENDED
        first = epoch == held.epoch
        if first:
            held.resumed_from, held.epoch = epoch, Epoch(max(epoch + 1, now_ms))
            held.pod, held.incarnation, held.opened_at_ms = pod, incarnation, now_ms
            held.expires_at_ms = now_ms + JOURNAL_TTL_MS
        elif epoch != held.resumed_from or now_ms - held.opened_at_ms > RESUME_WINDOW_MS:
            return ResumeRefused.STALE
        return Resumption(held.epoch, held.head, held.opened_at_ms, now_ms, first)

    async def append(
        self, call: CallSid, epoch: Epoch, head: Head, entries: Sequence[Entry]
    ) -> None:
        """Append what follows `head`; idempotent for entries it already holds.

        Raises:
            Fenced: another epoch owns the call, it has ended, or the chain has another head.
            Behind: the journal holds less than `head`.
        """
        assert [entry.seq for entry in entries] == [head.seq + 1 + i for i in range(len(entries))]
        held = self._find(call)
        if held is None or held.epoch != epoch:
            raise Fenced("another epoch owns the call, or there is no journal of it")
        if head.seq > len(held.entries):
            raise Behind("the journal lost its tail", held.head.seq, held.head.hash)
        hashes = [Head().hash, *(entry.hash for entry in held.entries)]
        given = [head.hash, *(entry.hash for entry in entries)]
        overlap = hashes[head.seq :]
        if any(ours != theirs for ours, theirs in zip(overlap, given, strict=False)):
            raise Fenced("the chain has another head")
        new = entries[len(overlap) - 1 :]
        if new and held.state is CallState.ENDED:
            raise Fenced("the call has ended")
        if new:
            held.entries += new
            held.expires_at_ms = self._now_ms() + JOURNAL_TTL_MS
            if any(entry.kind == "call_ended" for entry in new):
                held.state = CallState.ENDED

    async def forget_call(self, call: CallSid) -> None:
        """Let an ended call's journal expire soon; a live one is left alone."""
        held = self._find(call)
        if held is not None and held.state is CallState.ENDED:
            held.expires_at_ms = min(held.expires_at_ms, self._now_ms() + ENDED_TTL_MS)

    async def read(self, call: CallSid) -> list[Entry]:
        """Every entry of a call, in order; empty if there is none."""
        held = self._find(call)
        return [] if held is None else list(held.entries)

    def _find(self, call: CallSid) -> _Call | None:
        held = self._calls.get(call)
        if held is not None and held.expires_at_ms <= self._now_ms():
            del self._calls[call]
            return None
        return held
