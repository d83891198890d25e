"""The script that a journal and a fleet share; its promises are in tests/contract."""

import pytest

from chains import CALL
from trunkline.adapters.memory import journal as twin
from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.adapters.redis.keys import FLEET_KEYS
from trunkline.adapters.redis.resume import JOURNAL_TTL_MS, RESUME_WINDOW_MS
from trunkline.core.ids import Incarnation, PodName
from trunkline.ports import Resumption

pytestmark = pytest.mark.anyio


def test_its_times_are_the_twins() -> None:
    """What both keep for the same time."""
    assert (JOURNAL_TTL_MS, RESUME_WINDOW_MS) == (twin.JOURNAL_TTL_MS, twin.RESUME_WINDOW_MS)


async def test_a_fleet_that_is_not_known_is_left_alone(redis_url: str) -> None:
    """A journal may be used without one: its resume writes nothing of a fleet."""
    pod, life = PodName("pod-0"), Incarnation("a")
    async with connect(redis_url) as client:
        journal = RedisJournal(client)
        opening = await journal.open_call(CALL, pod, life)
        answer = await journal.resume_call(CALL, opening.epoch, pod, life)
        assert isinstance(answer, Resumption)
        assert (answer.life.pod, answer.address) == (pod, "")
        assert await client.exists(*FLEET_KEYS) == 0
