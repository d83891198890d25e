"""The stores of the world: the memory twins behind a way that takes time, and that may be gone.

Each pod has a way of its own to them, so that one that is dead does nothing more there.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.memory.fleet import MemoryFleet
from trunkline.adapters.memory.journal import MemoryJournal
from trunkline.core.carrier import CarrierFact
from trunkline.core.facts import Direction
from trunkline.core.fleet_states import Beat, Claim, Fleet, Heard, Life, Placed, Target
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Aside, Entry, Head
from trunkline.core.slots import INBOUND_HOLD_S, NOBODYS, Bounds, Full, ModelLimit
from trunkline.errors import StoreError
from trunkline.ports import (
    HeldCall,
    Holder,
    LoggedCall,
    Opening,
    ResumeRefused,
    Resumption,
)
from trunkline.world.clock import here

T = TypeVar("T")

WAY_S: Final = (0.0002, 0.003)
"""One way between a pod and a store."""

AWAY_S: Final = (0.05, 1.0)
"""So long a pod waits for a store that is away."""

EPOCH_MS: Final = 1_767_225_600_000
"""The store's clock when the loop's is 0."""


class Store:
    """One store: here, or away. `lossy`: so large a share of its answers gets lost."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.away = False
        self.lossy = 0.0

    async def reach(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something there, from the place that calls."""
        await self._travel()
        done = await work()
        await self._travel()
        if self.lossy and self._rng.random() < self.lossy:
            raise StoreError("the answer was lost")
        return done

    async def _travel(self) -> None:
        await asyncio.sleep(self._rng.uniform(*WAY_S))
        place = here()
        if self.away or (place is not None and place.dead):
            await asyncio.sleep(self._rng.uniform(*AWAY_S))
            raise StoreError("away")


class WorldStores:
    """Redis and Postgres, as the world has them."""

    def __init__(self, rng: random.Random, loop: asyncio.AbstractEventLoop) -> None:
        self.redis = Store(rng)
        self.postgres = Store(rng)
        self.journal = MemoryJournal(lambda: EPOCH_MS + round(loop.time() * 1000))
        self.fleet = MemoryFleet(self.journal)
        self.book = MemoryCallBook()


class WorldJournal:
    """`ports.Journal` and `ports.JournalIndex`."""

    def __init__(self, stores: WorldStores) -> None:
        self._reach = stores.redis.reach
        self._at = stores.journal

    async def open_call(self, call: CallSid, pod: PodName, incarnation: Incarnation) -> Opening:
        """As the port says."""
        return await self._reach(lambda: self._at.open_call(call, pod, incarnation))

    async def resume_call(
        self, call: CallSid, epoch: Epoch, pod: PodName, incarnation: Incarnation
    ) -> Resumption | ResumeRefused:
        """As the port says."""
        return await self._reach(lambda: self._at.resume_call(call, epoch, pod, incarnation))

    async def append(
        self, call: CallSid, holder: Holder, head: Head, entries: Sequence[Entry]
    ) -> None:
        """As the port says."""
        await self._reach(lambda: self._at.append(call, holder, head, entries))

    async def forget_call(self, call: CallSid) -> None:
        """As the port says."""
        await self._reach(lambda: self._at.forget_call(call))

    async def read(self, call: CallSid) -> list[Entry]:
        """As the port says."""
        return await self._reach(lambda: self._at.read(call))

    async def held(self, cursor: int) -> tuple[int, list[HeldCall]]:
        """As the port says."""
        return await self._reach(lambda: self._at.held(cursor))

    async def holder(self, call: CallSid) -> HeldCall | None:
        """As the port says."""
        return await self._reach(lambda: self._at.holder(call))


class WorldFleet:
    """`ports.Slots` and `ports.Roster`."""

    def __init__(self, stores: WorldStores) -> None:
        self._reach = stores.redis.reach
        self._at = stores.fleet
        self.retaken = 0
        """Slots that the store had not known as this pod's: they may exceed its cap."""

    async def reserve(
        self,
        call: CallSid,
        hold_s: float = INBOUND_HOLD_S,
        *,
        direction: Direction = "inbound",
        bounds: Bounds = NOBODYS,
        models: Sequence[ModelLimit] | None = None,
        exclude: Sequence[PodName] = (),
        holding: bool = False,
    ) -> Placed | Full:
        """As the port says."""
        return await self._reach(
            lambda: self._at.reserve(
                call,
                hold_s,
                direction=direction,
                bounds=bounds,
                models=models,
                exclude=exclude,
                holding=holding,
            )
        )

    async def resume(
        self, call: CallSid, epoch: Epoch, target: Target, claim: Claim
    ) -> Resumption | ResumeRefused | Full:
        """As the port says."""
        return await self._reach(lambda: self._at.resume(call, epoch, target, claim))

    async def release(self, call: CallSid, life: Life, epoch: Epoch) -> bool:
        """As the port says."""
        return await self._reach(lambda: self._at.release(call, life, epoch))

    async def beat(self, said: Beat) -> Heard:
        """As the port says."""
        heard = await self._reach(lambda: self._at.beat(said))
        self.retaken += heard.retaken
        return heard

    async def leave(self, life: Life) -> None:
        """As the port says."""
        await self._reach(lambda: self._at.leave(life))

    async def look(self) -> Fleet:
        """As the port says."""
        return await self._reach(self._at.look)


class WorldBook:
    """`ports.CallBook`, `ports.CarrierBook` and `ports.UnendedCalls`."""

    def __init__(self, stores: WorldStores) -> None:
        self._reach = stores.postgres.reach
        self._at = stores.book

    async def write(self, entries: Sequence[tuple[CallSid, Entry]]) -> None:
        """As the port says."""
        await self._reach(lambda: self._at.write(entries))

    async def put_aside(self, facts: Sequence[Aside]) -> None:
        """As the port says."""
        await self._reach(lambda: self._at.put_aside(facts))

    async def calls(self, *, limit: int, before_ms: int | None = None) -> list[LoggedCall]:
        """As the port says."""
        return await self._reach(lambda: self._at.calls(limit=limit, before_ms=before_ms))

    async def call(self, call: CallSid) -> LoggedCall | None:
        """As the port says."""
        return await self._reach(lambda: self._at.call(call))

    async def entries(self, call: CallSid) -> list[Entry]:
        """As the port says."""
        return await self._reach(lambda: self._at.entries(call))

    async def unended(self, pod: PodName, *, limit: int) -> list[CallSid]:
        """As the port says."""
        return await self._reach(lambda: self._at.unended(pod, limit=limit))

    async def write_carrier_facts(self, facts: Sequence[CarrierFact]) -> None:
        """As the port says."""
        await self._reach(lambda: self._at.write_carrier_facts(facts))

    async def carrier_facts(self, call: CallSid) -> list[CarrierFact]:
        """As the port says."""
        return await self._reach(lambda: self._at.carrier_facts(call))
