import asyncio
import random

import pytest

from trunkline.errors import ModelError
from trunkline.sim.realtime.faults import Fault
from trunkline.sim.speech import recorded
from trunkline.world.clock import Place
from trunkline.world.model import WorldModel, WorldModelDoor
from world.places import played


def model() -> WorldModel:
    return WorldModel(random.Random(1), recorded())


def test_a_session_opens_and_closes() -> None:
    """The model knows which are open."""

    async def opens() -> None:
        one = model()
        session = await Place("pod").spawn(WorldModelDoor(one).open(), "open")
        assert list(one.open) == [session.id]
        await session.close()
        await asyncio.sleep(1)
        assert one.open == {}

    played(opens())


def test_a_model_that_refuses_says_why() -> None:
    """As over a socket."""

    async def opens() -> None:
        one = model()
        one.put(Fault("handshake", "429"))
        with pytest.raises(ModelError, match="rate_limit_exceeded"):
            await Place("pod").spawn(one.connect(), "open")

    played(opens())


def test_a_session_that_breaks_is_lost_once() -> None:
    """Its listener hears of it."""

    async def breaks() -> None:
        one, lost = model(), list[str]()
        session = await Place("pod").spawn(one.connect(), "open")
        session.listen(lambda _: None, lost.append)
        one.drop(5)
        await asyncio.sleep(1)
        assert lost == ["closed"]
        assert one.open == {}

    played(breaks())


def test_the_sessions_of_a_dead_pod_end() -> None:
    """Its connections break with it."""

    async def dies() -> None:
        one, place = model(), Place("pod")
        await place.spawn(one.connect(), "open")
        place.kill()
        await asyncio.sleep(1)
        assert one.open == {}

    played(dies())
