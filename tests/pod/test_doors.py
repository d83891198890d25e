"""Doors that come and go with the config, as their calls let them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pod.edge import SOON_S, until
from pod.test_life import OneModel
from trunkline.core.pool import PoolLimits
from trunkline.core.pool_states import State
from trunkline.pod.door import Door
from trunkline.pod.doors import Doors

pytestmark = pytest.mark.anyio


def door(model: str) -> Door:
    return Door(OneModel(), PoolLimits(size=1), model)


@asynccontextmanager
async def kept(doors: Doors) -> AsyncIterator[None]:
    async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(doors.run())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            doors.close()


def has_a_session(one: Door) -> bool:
    return one.statistics()[State.IDLE] == 1


async def test_a_model_that_appears_has_a_door() -> None:
    """With its warm session; one that is there already is not made anew."""
    first = door("a")
    doors = Doors({"a": first})
    async with kept(doors):
        doors.want({"a": door("a"), "b": door("b")})
        assert set(doors) == {"a", "b"}
        assert doors["a"] is first
        await until(lambda: has_a_session(doors["b"]))
    assert len(doors) == 2


async def test_a_door_that_stays_takes_the_bounds_of_the_new_one() -> None:
    """More of the key's sessions are its to warm."""
    first = Door(OneModel(), PoolLimits(size=2, warm_within=1), "a")
    doors = Doors({"a": first})
    async with kept(doors):
        await until(lambda: has_a_session(first))
        doors.want({"a": Door(OneModel(), PoolLimits(size=2), "a")})
        assert doors["a"] is first
        await until(lambda: first.statistics()[State.IDLE] == 2)


async def test_a_model_that_is_gone_is_kept_while_a_call_uses_it() -> None:
    """Then its door is closed, and its session with it."""
    old = door("a")
    doors = Doors({"a": old})
    async with kept(doors):
        await until(lambda: has_a_session(old))
        doors.want({"b": door("b")})
        doors.sweep({"a"})
        assert set(doors) == {"a", "b"}
        assert has_a_session(old)
        doors.sweep(set())
        assert set(doors) == {"b"}
        await until(lambda: not any(old.statistics().values()))


async def test_a_model_that_comes_back_in_time_keeps_its_door() -> None:
    """A config that was taken back."""
    first = door("a")
    doors = Doors({"a": first})
    async with kept(doors):
        doors.want({"b": door("b")})
        doors.want({"a": door("a")})
        doors.sweep(set())
        assert doors["a"] is first
        assert set(doors) == {"a"}


async def test_nothing_is_opened_any_more_at_the_end() -> None:
    """A config that comes when the pod goes."""
    doors = Doors({"a": door("a")})
    async with kept(doors):
        doors.close()
        doors.want({"b": door("b")})
    assert set(doors) == {"a"}
