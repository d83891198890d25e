import asyncio

import pytest

from trunkline.world.clock import BEGIN_S, WorldLoop
from trunkline.world.run import Plan, World
from trunkline.world.weather import Kind, Squall
from world.places import played


async def struck(tasks: asyncio.TaskGroup, *kinds: Kind) -> World:
    """Two pods, and these squalls of ten seconds from the fifth on."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WorldLoop)
    world = World(Plan(1, pods=2, calls=0), loop, tasks)
    for name in ("pod-0", "pod-1"):
        world.start_pod(name)
    squalls = [Squall(5.0, kind, 10.0, 0.1) for kind in kinds]
    tasks.create_task(world.storm.rage(squalls, BEGIN_S))
    await asyncio.sleep(8.0)
    return world


def test_a_store_is_away_and_comes_back() -> None:
    """Each for its time."""

    async def storms() -> None:
        async with asyncio.TaskGroup() as tasks:
            world = await struck(tasks, Kind.REDIS_AWAY, Kind.POSTGRES_AWAY)
            assert world.stores.redis.away
            assert world.stores.postgres.away
            await asyncio.sleep(10)
            assert not world.stores.redis.away
            assert not world.stores.postgres.away
            await world.end()

    played(storms())


@pytest.mark.parametrize(("kind", "lives"), [(Kind.KILL, 3), (Kind.DRAIN, 3), (Kind.FREEZE, 2)])
def test_a_pod_goes_and_its_name_comes_back(kind: Kind, lives: int) -> None:
    """As a new life, or as the same that slept."""

    async def storms() -> None:
        async with asyncio.TaskGroup() as tasks:
            world = await struck(tasks, kind)
            await asyncio.sleep(30)
            assert len(world.lives) == lives
            serving = [pod for pod in world.alive() if pod.ready and not pod.place.frozen]
            assert sorted(pod.name for pod in serving) == ["pod-0", "pod-1"]
            await world.end()

    played(storms())


def test_the_last_pod_that_serves_is_spared() -> None:
    """Two are killed at once: only one is."""

    async def storms() -> None:
        async with asyncio.TaskGroup() as tasks:
            world = await struck(tasks, Kind.FREEZE, Kind.KILL)
            assert sum(pod.place.still for pod in world.lives) == 1
            await asyncio.sleep(10)
            await world.end()

    played(storms())
