import asyncio
import random

import pytest

from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.errors import StoreError
from trunkline.world.stores import WorldBook, WorldFleet, WorldJournal, WorldStores
from world.places import played

CALL, POD, LIFE = CallSid("CA1"), PodName("pod-0"), Incarnation("a")


def stores() -> WorldStores:
    return WorldStores(random.Random(1), asyncio.get_running_loop())


def test_a_store_answers_after_its_way() -> None:
    """As the twin does."""

    async def asks() -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        opening = await WorldJournal(stores()).open_call(CALL, POD, LIFE)
        assert opening.first
        assert 0 < loop.time() - before < 0.01

    played(asks())


def test_a_store_that_is_away_fails_after_a_while() -> None:
    """Redis and Postgres each by themselves."""

    async def asks() -> None:
        world = stores()
        world.redis.away = True
        with pytest.raises(StoreError):
            await WorldFleet(world).look()
        assert await WorldBook(world).call(CALL) is None
        world.postgres.away = True
        with pytest.raises(StoreError):
            await WorldBook(world).call(CALL)

    played(asks())


def test_an_answer_may_get_lost_after_the_deed() -> None:
    """The store did it, and nobody knows."""

    async def asks() -> None:
        world = stores()
        journal = WorldJournal(world)
        world.redis.lossy = 1.0
        with pytest.raises(StoreError):
            await journal.open_call(CALL, POD, LIFE)
        world.redis.lossy = 0.0
        assert not (await journal.open_call(CALL, POD, LIFE)).first

    played(asks())
