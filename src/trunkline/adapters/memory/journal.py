"""The twin of the Redis journal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from trunkline.core.fleet import FleetSlots
from trunkline.core.fleet_states import UNKNOWN_CLAIM, Claim, Life, Target
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Entry, Head, after
from trunkline.core.slots import Full
from trunkline.errors import Behind, Fenced
from trunkline.ports import (
    CallState,
    HeldCall,
    Holder,
    Opening,
    ResumeRefused,
    Resumption,
)

JOURNAL_TTL_MS: Final = 24 * 3600 * 1000
ENDED_TTL_MS: Final = 2 * 3600 * 1000
RESUME_WINDOW_MS: Final = 15_000
"""These three are the Redis journal's; the contract suite finds a difference."""


HELD_CALLS_STEP: Final = 2
"""Few, so that who looks over all journals takes several steps."""


@dataclass(slots=True)
class _Call:
    epoch: Epoch
    pod: PodName
    incarnation: Incarnation
    opened_at_ms: int
    expires_at_ms: int
    state: CallState = CallState.LIVE
    resumed_from: Epoch | None = None
    logged: bool = False
    entries: list[Entry] = field(default_factory=list)

    @property
    def head(self) -> Head:
        return after(self.entries[-1]) if self.entries else Head()

    def came_from(self, epoch: Epoch) -> bool:
        """All epochs since the one that was asked for first were choices of one resume."""
        return self.resumed_from is not None and self.resumed_from <= epoch < self.epoch


class MemoryJournal:
    """`ports.Journal` in memory. `now_ms` is its "Redis time"."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.clock = now_ms
        self.fleet = FleetSlots()
        """What a store that holds both moves in one step with the journal."""
        self._calls: dict[CallSid, _Call] = {}

    async def open_call(self, call: CallSid, pod: PodName, incarnation: Incarnation) -> Opening:
        """Begin a call's journal, or say how it was begun."""
        now_ms = self.clock()
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
        """Compare-and-set from `epoch` to a higher one; the call's slot goes along."""
        found = self.resume(call, epoch, Target(Life(pod, incarnation)), UNKNOWN_CLAIM)
        assert not isinstance(found, Full), "a pod that is named is not asked for room"
        return found

    def resume(
        self, call: CallSid, epoch: Epoch, target: Target, claim: Claim
    ) -> Resumption | ResumeRefused | Full:
        """The same to a pod that the fleet chooses, too: both halves are one step."""
        now_ms = self.clock()
        held = self._find(call)
        if held is None:
            return ResumeRefused.UNKNOWN
        if held.state is CallState.ENDED:
            return ResumeRefused.ENDED
        first = epoch == held.epoch
        if first:
            life = self.fleet.target(call, target, now_ms)
            if isinstance(life, Full):
                return life
            held.resumed_from = target.asked_from or epoch
            held.epoch = Epoch(max(epoch + 1, now_ms))
            held.pod, held.incarnation, held.opened_at_ms = life.pod, life.incarnation, now_ms
            held.expires_at_ms = now_ms + JOURNAL_TTL_MS
            if target.closes:
                self.fleet.close(call)
            else:
                self.fleet.move(call, held.epoch, life, now_ms, claim)
        elif not held.came_from(epoch) or now_ms - held.opened_at_ms > RESUME_WINDOW_MS:
            return ResumeRefused.STALE
        life = Life(held.pod, held.incarnation)
        address = self.fleet.address_of(life)
        return Resumption(
            held.epoch, held.head, held.opened_at_ms, now_ms, first, life=life, address=address
        )

    async def append(
        self, call: CallSid, holder: Holder, head: Head, entries: Sequence[Entry]
    ) -> None:
        """Append what follows `head`; idempotent for entries it already holds.

        Raises:
            Fenced: a higher epoch owns the call, it has ended, or the chain has another head.
            Behind: the journal holds less than `head`, or another chain than its higher epoch's.
        """
        assert [entry.seq for entry in entries] == [head.seq + 1 + i for i in range(len(entries))]
        held = self._find(call)
        takes = held is None or holder.epoch > held.epoch
        if held is not None and holder.epoch < held.epoch:
            raise Fenced("a higher epoch owns the call")
        there = [] if held is None else held.entries
        if head.seq > len(there):
            last = after(there[-1]) if there else Head()
            raise Behind("the journal lost its tail", last.seq, last.hash)
        hashes = [Head().hash, *(entry.hash for entry in there)]
        if hashes[head.seq] != head.hash:
            if takes:
                raise Behind("the journal has another chain", 0, Head().hash)
            raise Fenced("the chain has another head")
        there = _joined(there, head, entries, takes=takes)
        ended = held is not None and held.state is CallState.ENDED
        if held is not None and there == held.entries and not takes:
            return
        if ended and held is not None and there[: len(held.entries)] == held.entries:
            if len(there) > len(held.entries):
                raise Fenced("the call has ended")
        else:
            ended = any(entry.kind == "call_ended" for entry in entries)
        now_ms = self.clock()
        if held is None or takes:
            held = _Call(holder.epoch, holder.pod, holder.incarnation, now_ms, now_ms)
            self._calls[call] = held
        held.entries = there
        held.state = CallState.ENDED if ended else CallState.LIVE
        held.expires_at_ms = now_ms + JOURNAL_TTL_MS

    async def forget_call(self, call: CallSid) -> None:
        """Let an ended call's journal expire soon; a live one is left alone."""
        held = self._find(call)
        if held is not None and held.state is CallState.ENDED:
            held.logged = True
            held.expires_at_ms = min(held.expires_at_ms, self.clock() + ENDED_TTL_MS)

    async def read(self, call: CallSid) -> list[Entry]:
        """Every entry of a call, in order; empty if there is none."""
        held = self._find(call)
        return [] if held is None else list(held.entries)

    async def held(self, cursor: int) -> tuple[int, list[HeldCall]]:
        """A few of the calls, and where to go on; 0 is the end."""
        names = list(self._calls)
        step = [await self.holder(name) for name in names[cursor : cursor + HELD_CALLS_STEP]]
        following = cursor + HELD_CALLS_STEP
        return following if following < len(names) else 0, [one for one in step if one is not None]

    async def holder(self, call: CallSid) -> HeldCall | None:
        """Who holds a call; None if there is no journal of it."""
        found = self._find(call)
        if found is None:
            return None
        holder = Holder(found.epoch, found.pod, found.incarnation)
        return HeldCall(call, holder, found.state, logged=found.logged)

    def lose_all(self) -> None:
        """Forget everything, the fleet too: a store that was restarted without its files."""
        self._calls.clear()
        self.fleet = FleetSlots()

    def lose(self, call: CallSid) -> None:
        """Forget a call, as a store does that was restarted without its files."""
        self._calls.pop(call, None)

    def _find(self, call: CallSid) -> _Call | None:
        held = self._calls.get(call)
        if held is not None and held.expires_at_ms <= self.clock():
            del self._calls[call]
            return None
        return held


def _joined(
    there: Sequence[Entry], head: Head, entries: Sequence[Entry], *, takes: bool
) -> list[Entry]:
    """What the journal holds after an append: for a higher epoch, what that says and no more."""
    overlap = there[head.seq :]
    same = 0
    for ours, theirs in zip(overlap, entries, strict=False):
        if ours.hash != theirs.hash:
            break
        same += 1
    if takes:
        return [*there[: head.seq + same], *entries[same:]]
    if same < min(len(overlap), len(entries)):
        raise Fenced("the chain has another head")
    return [*there, *entries[same:]]
