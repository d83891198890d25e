import asyncio

import pytest

from trunkline.world.clock import Place
from trunkline.world.wires import BrokenError, Pipe, ask
from world.places import played


def test_a_pipe_keeps_its_order_and_takes_its_time() -> None:
    """All of one moment arrive together, in their order."""

    async def sends() -> None:
        got: list[int] = []
        pipe: Pipe[int] = Pipe(got.append, 0.5)
        for number in range(20):
            pipe.send(number)
        await asyncio.sleep(0.4)
        assert got == []
        await asyncio.sleep(0.2)
        assert got == list(range(20))

    played(sends())


def test_a_pipe_that_is_cut_swallows_all() -> None:
    """Also what was on its way."""

    async def cuts() -> None:
        got: list[int] = []
        pipe: Pipe[int] = Pipe(got.append, 0.5)
        pipe.send(1)
        pipe.cut = True
        pipe.send(2)
        await asyncio.sleep(1)
        assert got == []

    played(cuts())


async def answer() -> str:
    await asyncio.sleep(1)
    return "yes"


def test_a_place_answers() -> None:
    """In its own time."""

    async def asks() -> None:
        assert await ask(Place("pod"), answer, "question") == "yes"

    played(asks())


def test_a_place_that_dies_over_a_question_is_found_out() -> None:
    """And so is one that was dead before."""

    async def asks() -> None:
        place = Place("pod")
        asyncio.get_running_loop().call_later(0.5, place.kill)
        for _ in range(2):
            with pytest.raises(BrokenError):
                await ask(place, answer, "question")
        await place.unwind()

    played(asks())


def test_a_frozen_place_leaves_a_question_open() -> None:
    """Whoever asks needs a deadline."""

    async def asks() -> None:
        place = Place("pod")
        place.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await ask(place, answer, "question")
        place.thaw()
        await asyncio.sleep(2)

    played(asks())
