"""The other pods, by their lives: where they are, and what they know of a call."""

from collections.abc import Callable

from trunkline.core.fleet_states import Life
from trunkline.core.ids import CallSid, PodName
from trunkline.core.neighbour_words import Word
from trunkline.ports import Neighbours, PodAt, Roster


class Peers:
    """Asked anew each time: a fleet changes."""

    def __init__(
        self,
        me: Life,
        roster: Roster,
        neighbours: Neighbours,
        mine: Callable[[CallSid], Word],
    ) -> None:
        """`mine` is what this pod itself knows of a call."""
        self._me = me
        self._roster = roster
        self._neighbours = neighbours
        self._mine = mine

    async def at(self, life: Life) -> PodAt | None:
        """Where a life of a pod is reached; None if the fleet knows that it is over.

        Raises:
            StoreError: the store is away.
        """
        fleet = await self._roster.look()
        for seen in fleet.pods:
            if seen.life == life and not seen.replaced:
                return PodAt(life, seen.address)
        return None

    async def lives(self) -> dict[PodName, Life]:
        """Which life has each pod's name now, of those that have beaten lately. Raises as `at`."""
        fleet = await self._roster.look()
        return {
            seen.life.pod: seen.life
            for seen in fleet.pods
            if not seen.replaced and seen.lease_left_ms > 0
        }

    async def word(self, life: Life, call: CallSid) -> Word | None:
        """What it knows of a call; None: it is gone. Raises as `at`."""
        if life == self._me:
            return self._mine(call)
        at = await self.at(life)
        return None if at is None else await self._neighbours.word(at, call)
