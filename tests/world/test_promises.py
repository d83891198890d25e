import asyncio

from trunkline.core.fleet import Slot
from trunkline.core.fleet_states import Claim, Hold, Life
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.world.clock import WorldLoop
from trunkline.world.run import Plan, World
from world.places import played


async def empty(tasks: asyncio.TaskGroup) -> World:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WorldLoop)
    return World(Plan(1, cap=2), loop, tasks)


def slot(pod: str) -> Slot:
    return Slot(Life(PodName(pod), Incarnation("1")), Epoch(1), Hold.BOUND, Claim())


def test_a_pod_above_its_cap_is_found() -> None:
    """Promise 1."""

    async def looks() -> None:
        async with asyncio.TaskGroup() as tasks:
            world = await empty(tasks)
            slots = world.stores.journal.fleet.slots
            slots.update({CallSid(f"CA{number}"): slot("pod-0") for number in range(3)})
            assert [each.promise for each in world.promises.look(0.0)] == [1]

    played(looks())


def test_a_slot_of_no_call_leaks() -> None:
    """Promise 2: 15 s later, not before."""

    async def looks() -> None:
        async with asyncio.TaskGroup() as tasks:
            world = await empty(tasks)
            world.stores.journal.fleet.slots[CallSid("CA1")] = slot("pod-0")
            assert list(world.promises.look(0.0)) == []
            assert list(world.promises.look(14.0)) == []
            assert [each.promise for each in world.promises.look(16.0)] == [2]

    played(looks())


def test_a_session_that_two_calls_had_is_found() -> None:
    """Promise 5."""

    async def looks() -> None:
        async with asyncio.TaskGroup() as tasks:
            world = await empty(tasks)
            for _ in range(2):
                world.model.updated("w1", b"You serve call CA1.")
            assert list(world.promises.look(0.0)) == []
            world.model.updated("w1", b"You serve call CA2.")
            assert [each.promise for each in world.promises.look(0.0)] == [5]

    played(looks())
