"""Figures of the fleet's slots: how long a reservation takes, and a race of 10,000 rounds.

Run by hand (`make figures`), on a machine with nothing else to do. Prints what it measured.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from contract.fleets import Bench, Clock, Pod, life, sid
from contract.recount import recounted, stored
from figures.fleet_beats import CALLS, PODS, bounds
from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.fleet import RedisFleet
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.core.fleet_states import Placed
from trunkline.core.slots import Full, FullReason, ModelLimit

pytestmark = [pytest.mark.anyio, pytest.mark.figure, pytest.mark.timeout(300)]

TESTS: Final = Path(__file__).parents[1]
RATE: Final = 200
"""Reservations a second; as many calls end."""
SECONDS: Final = 15
P99_MS_MAX: Final = 2.0
ROUNDS: Final = 10_000
MODELS: Final = [ModelLimit("first", 5000), ModelLimit("second", 5000)]


@asynccontextmanager
async def beating_pods(url: str) -> AsyncIterator[None]:
    """Twenty pods with a thousand calls, elsewhere."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "figures.fleet_beats", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert program.stdin is not None
    assert program.stdout is not None
    assert await program.stdout.readline() == b"joined\n"
    yield
    program.stdin.close()
    assert await program.wait() == 0


def percentiles(took: Sequence[float]) -> str:
    ordered = sorted(took)
    p50, p90, p99 = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.9, 0.99))
    return f"p50 {p50:.2f}, p90 {p90:.2f}, p99 {p99:.2f} ms"


async def test_a_reservation_takes_under_two_ms(redis_url: str) -> None:
    """At 200 a second, with 20 pods that beat and 1,000 live calls: p99 of the round trip.

    A bare PING in the same run says what the machine alone takes.
    """
    took: list[float] = []
    bare: list[float] = []
    async with connect(redis_url) as client, beating_pods(redis_url):
        fleet = RedisFleet(client)
        assert (await fleet.look()).inbound == CALLS
        await client.config_resetstat()
        async with asyncio.TaskGroup() as tasks:
            began = asyncio.get_running_loop().time() + 1
            for number in range(RATE * SECONDS):
                at = began + number / RATE
                tasks.create_task(_reserving(fleet, number, at, took))
                if number % 4 == 0:
                    tasks.create_task(_pinging(client, at + 0.5 / RATE, bare))
        usual = (await client.info("commandstats"))["cmdstat_evalsha"]
        inside = (await client.info("latencystats"))["latency_percentiles_usec_evalsha"]
    sys.stdout.write(
        f"\nreserve at {RATE}/s, {PODS} pods, {CALLS} calls: {percentiles(took)}\n"
        f"PING in the same run: {percentiles(bare)}\n"
        f"scripts: {usual['calls']}, {usual['usec_per_call']} us each in the store, {inside} us\n"
    )
    assert sorted(took)[int(len(took) * 0.99)] * 1000 < P99_MS_MAX


async def _pinging(client: Redis, due: float, took: list[float]) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(due - loop.time())
    began = time.perf_counter()
    await client.ping()
    took.append(time.perf_counter() - began)


async def _reserving(fleet: RedisFleet, number: int, due: float, took: list[float]) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(due - loop.time())
    began = time.perf_counter()  # The loop's own clock has whole ms.
    call = sid(CALLS + number)
    answer = await fleet.reserve(call, bounds=bounds(number), models=MODELS, holding=True)
    took.append(time.perf_counter() - began)
    assert isinstance(answer, Placed)
    await asyncio.sleep(0.5)
    assert await fleet.release(call, answer.life, answer.epoch)


async def test_five_reservers_and_three_pods_race_for_the_last_slot(redis_url: str) -> None:
    """10,000 times, each with its own connection: exactly one gets it, and no cap is exceeded."""
    began = time.monotonic()
    async with connect(redis_url, connections_max=16) as client:
        fleet = RedisFleet(client)
        bench = Bench(Clock(), fleet, RedisJournal(client), client)
        pods = [Pod(bench, life(number), cap=1) for number in range(3)]
        pods[0].holds(sid(0))
        pods[1].holds(sid(1))
        for pod in pods:
            await pod.beat()
        for at in range(ROUNDS):
            calls = [sid(100 + 5 * at + number) for number in range(5)]
            answers, _ = await asyncio.gather(
                asyncio.gather(*(fleet.reserve(call) for call in calls)),
                asyncio.gather(*(pod.beat() for pod in pods)),
            )
            [won] = [one for one in answers if isinstance(one, Placed)]
            assert answers.count(Full(FullReason.CAP)) == 4
            kept = await stored(client)
            assert kept.counts == recounted(kept.slots)
            assert max(pod.held for pod in (await fleet.look()).pods) == 1
            assert await fleet.release(won.call, won.life, won.epoch)
    sys.stdout.write(
        f"\n{ROUNDS} races for the last slot: never exceeded, {time.monotonic() - began:.0f} s\n"
    )
