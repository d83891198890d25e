"""What is done beside the calls, and bugs in it."""

import asyncio

import pytest

from trunkline.pod import chores
from trunkline.telemetry.logs import get_logger

pytestmark = pytest.mark.anyio


async def test_a_chore_is_begun_again_until_it_comes_to_its_end() -> None:
    """A group that breaks is a bug as well."""
    done: list[int] = []

    async def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise AssertionError("a bug")
        if len(done) == 2:
            raise ExceptionGroup("bugs", [ValueError("one")])

    await chores.keep_up("work", work, get_logger(), retry_s=0.0)
    assert done == [0, 1, 2]
    assert not await chores.once("group", _break, get_logger())


async def _break() -> None:
    raise KeyError("a bug")


async def test_a_chore_that_is_cancelled_is_over() -> None:
    """The pod ends."""
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(chores.keep_up("work", work, get_logger()))
        await began.wait()
        task.cancel()
    assert task.cancelled()


async def test_a_chore_that_loses_a_cancellation_is_cancelled_again() -> None:
    """Its store answered at that very moment: it went on, and its pod never ended."""
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(deaf())
        await asyncio.sleep(0)
        await chores.end([task])
    assert lost == 1
    assert task.cancelled()
