import asyncio

from trunkline.world.clock import WorldLoop
from trunkline.world.run import Plan, World
from world.places import played


async def two_pods(tasks: asyncio.TaskGroup) -> World:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WorldLoop)
    world = World(Plan(1, pods=2, calls=0), loop, tasks)
    for name in ("pod-0", "pod-1"):
        world.start_pod(name)
    await asyncio.sleep(5)
    return world


def test_pods_join_the_fleet_and_leave_it() -> None:
    """A drained one has ended by itself."""

    async def lives() -> None:
        async with asyncio.TaskGroup() as tasks:
            world = await two_pods(tasks)
            assert all(pod.ready for pod in world.lives)
            assert len((await world.stores.fleet.look()).pods) == 2
            world.lives[0].drain()
            await asyncio.sleep(10)
            assert world.lives[0].ended
            assert len((await world.stores.fleet.look()).pods) == 1
            await world.end()

    played(lives())


def test_a_killed_pod_comes_back_as_another_life() -> None:
    """It has its name, and replaces it in the fleet."""

    async def lives() -> None:
        async with asyncio.TaskGroup() as tasks:
            world = await two_pods(tasks)
            world.lives[0].place.kill()
            world.start_pod("pod-0")
            await asyncio.sleep(15)
            alive = {pod.life for pod in world.alive()}
            fleet = await world.stores.fleet.look()
            assert {pod.life for pod in fleet.pods if not pod.replaced} == alive
            await world.end()

    played(lives())
