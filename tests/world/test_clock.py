import asyncio

import pytest

from trunkline.world.clock import BEGIN_S, Place, StuckError, WorldLoop, here
from world.places import played


def test_time_jumps_to_the_next_timer() -> None:
    """An hour passes at once."""

    async def sleeps() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert played(sleeps()) == pytest.approx(BEGIN_S + 3600)


def test_a_world_in_which_nothing_can_happen_is_stuck() -> None:
    """Nobody waits for ever: it is said."""
    loop = WorldLoop()
    work = asyncio.Event().wait()
    with pytest.raises(StuckError):
        loop.run_until_complete(work)
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
    loop.close()


async def ticks(into: list[float]) -> None:
    while True:
        await asyncio.sleep(1.0)
        into.append(asyncio.get_running_loop().time() - BEGIN_S)


def test_what_runs_in_a_place_knows_it() -> None:
    """And so does all that it begins."""

    async def where() -> Place | None:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(asyncio.sleep(0.1, here()))
        return task.result()

    async def asks() -> None:
        place = Place("pod")
        assert here() is None
        assert await place.spawn(where(), "where") is place

    played(asks())


def test_a_frozen_place_does_nothing_until_it_thaws() -> None:
    """Then what came due is done at once."""

    async def freezes() -> list[float]:
        place, seen = Place("pod"), list[float]()
        place.spawn(ticks(seen), "ticks")
        await asyncio.sleep(2.5)
        place.freeze()
        await asyncio.sleep(10)
        assert seen == [1.0, 2.0]
        place.thaw()
        await asyncio.sleep(1.5)
        place.kill()
        await place.unwind()
        return seen

    assert played(freezes()) == [1.0, 2.0, 12.5, 13.5]


def test_a_timer_that_is_cancelled_while_it_is_kept_never_rings() -> None:
    """As in a process that wakes and hears first of something else."""

    async def cancels() -> None:
        loop, rung = asyncio.get_running_loop(), list[str]()
        place = Place("pod")
        first = loop.call_later(1, rung.append, "first", context=place.context)
        loop.call_later(2, rung.append, "second", context=place.context)
        place.freeze()
        await asyncio.sleep(3)
        first.cancel()
        place.thaw()
        await asyncio.sleep(0.1)
        assert rung == ["second"]

    played(cancels())


def test_of_a_dead_place_nothing_runs_again() -> None:
    """Who talks with it is told; its tasks are ended in the end."""

    async def kills() -> None:
        place, seen, told = Place("pod"), list[float](), list[str]()
        task = place.spawn(ticks(seen), "ticks")
        forget = place.on_death(lambda: told.append("forgotten"))
        place.on_death(lambda: told.append("told"))
        forget()
        await asyncio.sleep(1.5)
        place.kill()
        await asyncio.sleep(5)
        assert seen == [1.0]
        assert told == ["told"]
        await place.unwind()
        assert task.cancelled()

    played(kills())
