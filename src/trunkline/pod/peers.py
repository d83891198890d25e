"""The other pods, by their lives: where they are, and what they know of a call."""

import zlib
from collections.abc import Callable
from typing import Final

from trunkline.core.fleet_states import Life
from trunkline.core.ids import CallSid, PodName
from trunkline.core.neighbour_words import Word
from trunkline.ports import Neighbours, PodAt, Roster

PODS_MAX: Final = 1_000
"""Pods whose address is remembered; the one that was seen first is forgotten first."""


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
        self._addresses: dict[PodName, PodAt] = {}
        """Where each pod was seen last: a store that forgot is told by the next beats."""

    async def at(self, life: Life) -> PodAt | None:
        """Where a life of a pod is reached; None if the fleet knows that it is over.

        Raises:
            StoreError: the store is away.
        """
        await self.lives()
        found = self._addresses.get(life.pod)
        return found if found is not None and found.life == life else None

    async def lives(self) -> dict[PodName, Life]:
        """Which life has each pod's name now, of those that have beaten lately. Raises as `at`."""
        fleet = await self._roster.look()
        for seen in fleet.pods:
            if not seen.replaced:
                self._addresses[seen.life.pod] = PodAt(seen.life, seen.address)
        while len(self._addresses) > PODS_MAX:
            del self._addresses[next(iter(self._addresses))]
        return {
            seen.life.pod: seen.life
            for seen in fleet.pods
            if not seen.replaced and seen.lease_left_ms > 0
        }

    async def turn(self, call: CallSid) -> int:
        """How many pods come before this one in the order of a call. Raises as `at`."""
        names = sorted({*await self.lives(), self._me.pod})
        return (names.index(self._me.pod) - zlib.crc32(call.encode())) % len(names)

    async def word(self, life: Life, call: CallSid) -> Word | None:
        """What it knows of a call; None: it is gone. Raises as `at`."""
        if life == self._me:
            return self._mine(call)
        at = await self.at(life)
        return None if at is None else await self._neighbours.word(at, call)
