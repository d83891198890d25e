"""Both fleets, with a clock that tests turn, and what tests ask of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from redis.asyncio import Redis

from trunkline.adapters.memory.fleet import MemoryFleet
from trunkline.adapters.memory.journal import MemoryJournal
from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.fleet import RedisFleet
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.core.fleet_states import Beat, Claim, Heard, Life, Listed, Placed
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.slots import Full
from trunkline.ports import Journal, Roster, Slots

BEGUN_MS = 1_767_225_600_000


@dataclass
class Clock:
    """The stores' time, which nobody but the test turns."""

    now_ms: int = BEGUN_MS

    def __call__(self) -> int:
        return self.now_ms

    def pass_s(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)


class Ledger(Slots, Roster, Protocol):
    """All that a fleet does."""


@dataclass
class Bench:
    """A fleet and the journal in one store."""

    clock: Clock
    fleet: Ledger
    journal: Journal
    client: Redis | None = None

    async def flush(self) -> None:
        """The store forgets everything."""
        if self.client is not None:
            await self.client.flushall()
            return
        twin = MemoryJournal(self.clock)
        self.fleet, self.journal = MemoryFleet(twin), twin


@asynccontextmanager
async def bench_at(url: str | None) -> AsyncIterator[Bench]:
    """At a store's URL; None: the twin."""
    clock = Clock()
    if url is None:
        twin = MemoryJournal(clock)
        yield Bench(clock, MemoryFleet(twin), twin)
        return
    async with connect(url) as client:
        yield Bench(clock, RedisFleet(client, clock), RedisJournal(client, clock), client)


def life(number: int, incarnation: str = "a") -> Life:
    return Life(PodName(f"pod-{number}"), Incarnation(incarnation))


def sid(number: int) -> CallSid:
    return CallSid(f"CA{number:032}")


@dataclass
class Pod:
    """A pod as the fleet meets it: it holds what it was given, and says so when told to."""

    bench: Bench
    life: Life
    target: int = 3
    cap: int = 5
    revision: str = "1"
    draining: bool = False
    joined_ms: int = 0
    slots: dict[CallSid, Listed] = field(default_factory=dict)

    def said(self) -> Beat:
        return Beat(
            self.life,
            f"http://{self.life.pod}:8081",
            self.revision,
            self.target,
            self.cap,
            self.draining,
            self.joined_ms,
            tuple(self.slots.values()),
        )

    async def beat(self) -> Heard:
        heard = await self.bench.fleet.beat(self.said())
        self.joined_ms = heard.joined_ms
        for call in heard.lost:
            del self.slots[call]
        return heard

    def holds(self, call: CallSid, epoch: int = 1, claim: Claim | None = None) -> None:
        """Its stream has started here."""
        self.slots[call] = Listed(call, Epoch(epoch), bound=True, claim=claim or Claim())

    def waits_for(self, call: CallSid, epoch: int = 1, claim: Claim | None = None) -> None:
        """It expects the call's stream."""
        self.slots[call] = Listed(call, Epoch(epoch), bound=False, claim=claim or Claim())


def placed(answer: Placed | Full) -> Placed:
    assert isinstance(answer, Placed), answer
    return answer


async def joined(*pods: Pod) -> list[Pod]:
    """They have all joined."""
    for pod in pods:
        await pod.beat()
    return list(pods)


async def beats_for(bench: Bench, seconds: int, *pods: Pod) -> list[Heard]:
    """Time passes, and these pods live."""
    heard: list[Heard] = []
    for _ in range(seconds // 2):
        bench.clock.pass_s(2)
        heard = [await pod.beat() for pod in pods]
    return heard
