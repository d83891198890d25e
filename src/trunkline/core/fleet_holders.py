"""Callers who hold: who came first gets in first, of those whom a free slot would do.

A holder is no place in a queue: its webhook comes again every 2 s, and gets a slot if the free ones
exceed the older holders that the same limits let in. Who stays away for 6 s is forgotten.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from trunkline.core.fleet_room import Kin, Room
from trunkline.core.fleet_states import HOLDER_MS_MAX, REAP_MAX
from trunkline.core.ids import CallSid


@dataclass(slots=True)
class _Holder:
    kin: Kin
    since_ms: int
    forgotten_at_ms: int


@dataclass(slots=True)
class Holders:
    """Who holds, since when."""

    _holders: dict[CallSid, _Holder] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._holders)

    def remember(self, call: CallSid, kin: Kin, now_ms: int) -> int:
        """It found no slot, once more; how long it has been holding."""
        known = self._holders.setdefault(call, _Holder(kin, now_ms, now_ms))
        known.kin, known.forgotten_at_ms = kin, now_ms + HOLDER_MS_MAX
        return now_ms - known.since_ms

    def forget(self, call: CallSid) -> None:
        """It has a slot, or is gone."""
        self._holders.pop(call, None)

    def forget_absent(self, now_ms: int) -> None:
        """Those whose time is over, the longest absent first, as many as one step may."""
        over = sorted(
            (holder.forgotten_at_ms, call)
            for call, holder in self._holders.items()
            if holder.forgotten_at_ms <= now_ms
        )
        for _, call in over[:REAP_MAX]:
            del self._holders[call]

    def goes_first(self, call: CallSid, kin: Kin, free: int, room: Room) -> bool:
        """Whether the free slots exceed what older holders would take, in each limit of its own.

        Those of one kin would take no more than their limits let in.
        """
        everywhere = vertical = tenant = models = 0.0
        for other, older in self._older_by_kin(call).items():
            taken = min(older, room.left_of(other))
            everywhere += taken
            if other.vertical == kin.vertical:
                vertical += taken
            if other.tenant == kin.tenant:
                tenant += taken
            if set(other.models or ()) & set(kin.models or ()):
                models += taken
        return (
            free > everywhere
            and (not kin.vertical or room.left(f"v:{kin.vertical}") > vertical)
            and (not kin.tenant or room.left(f"t:{kin.tenant}") > tenant)
            and room.left_of_models(kin) > models
        )

    def _older_by_kin(self, call: CallSid) -> dict[Kin, int]:
        """How many of each kin hold for longer; all, where the call does not hold yet."""
        me = self._holders.get(call)
        found: dict[Kin, int] = {}
        for kin in self._those_before(call, me):
            found[kin] = found.get(kin, 0) + 1
        return found

    def _those_before(self, call: CallSid, me: _Holder | None) -> Iterator[Kin]:
        for other, holder in self._holders.items():
            if me is None or (holder.since_ms, other) < (me.since_ms, call):
                yield holder.kin
