"""A search for a session over real waits: doors that refuse, that do not answer, and that give."""

import asyncio

import pytest

from pod.ends import Door, until
from trunkline.pod.search import Search

pytestmark = pytest.mark.anyio


class Told:
    """Whom the search tells that it is hopeless."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def __call__(self, reason: str) -> None:
        self.reasons.append(reason)


def refusing(reason: str) -> Door:
    door = Door()
    door.refusal = reason
    return door


async def test_the_first_model_gives() -> None:
    """Nobody else is asked."""
    doors, told = [Door(), Door()], Told()
    found = await Search(doors, on_exhausted=told).run()
    assert (found.place, found.acquired.session) == (0, doors[0].session)
    assert [door.given for door in doors] == [1, 0]
    assert not told.reasons


async def test_the_next_model_gives_where_the_first_refuses() -> None:
    """A refusal that no second attempt mends is not repeated."""
    doors, told = [refusing("invalid_api_key"), Door()], Told()
    found = await Search(doors, on_exhausted=told).run()
    assert found.place == 1
    assert doors[0].asked == 1
    assert not told.reasons


async def test_a_search_begins_where_it_is_told() -> None:
    """Behind the model that failed, round the list."""
    doors = [Door(), Door()]
    assert (await Search(doors, first=3, on_exhausted=Told()).run()).place == 1


async def test_a_hopeless_search_goes_on_until_a_model_is_back() -> None:
    """The caller is told once."""
    door, told = refusing("timeout"), Told()
    search = Search([door], on_exhausted=told, jitter=lambda: 1.0)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(search.run())
        await until(lambda: told.reasons == ["timeout"])
        asked = door.asked
        await until(lambda: door.asked > asked)
        door.refusal = None
    assert running.result().place == 0
    assert told.reasons == ["timeout"]


async def test_a_door_that_does_not_answer_gets_company() -> None:
    """Whoever gives first is taken; the other attempt is given up."""
    stalled, well = Door(), Door()
    stalled.open.clear()
    found = await Search([stalled, well], on_exhausted=Told()).run()
    assert found.place == 1
    assert (stalled.asked, stalled.given) == (1, 0)


async def test_two_that_give_at_once() -> None:
    """One is taken, the other given back as clean as it was."""
    first, second = Door(), Door()
    first.open.clear()
    second.open.clear()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(Search([first, second], on_exhausted=Told()).run())
        await until(lambda: second.asked == 1)
        first.open.set()
        second.open.set()
    assert running.result().place in {0, 1}
    returned = first.released + second.released
    assert returned == [True] * (first.given + second.given - 1)


async def test_a_search_that_is_cancelled_leaves_no_session() -> None:
    """Neither while it waits nor in the moment in which it finds one."""
    door = Door()
    door.open.clear()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(Search([door], on_exhausted=Told()).run())
        await until(lambda: door.asked == 1)
        waiting.cancel()
    assert door.given == 0
    for turns in range(12):
        well = Door()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(Search([well], on_exhausted=Told()).run())
            for _ in range(turns):
                await asyncio.sleep(0)
            running.cancel()
        kept = 0 if running.cancelled() else 1
        assert well.given == len(well.released) + kept


async def test_a_pause_before_the_first_attempt() -> None:
    """The last session was lost at once: not at the speed of the network."""
    door = Door()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(
            Search([door], on_exhausted=Told(), jitter=lambda: 0.0).run(pause_s=0.05)
        )
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert door.asked == 0
    assert running.result().place == 0
