from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from chains import CALL, OTHER_CALL
from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.erasure import RedisJournalEraser
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.adapters.redis.keys import call_key, facts_key
from trunkline.core.ids import CallSid, Incarnation, PodName

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    made = connect(redis_url)
    yield made
    await made.aclose()


async def test_an_ended_call_goes_at_once_and_a_live_one_stays(client: Redis) -> None:
    """Both its keys, also where only the facts are left; an unknown call is none."""
    journal = RedisJournal(client)
    for call in (CALL, OTHER_CALL):
        await journal.open_call(call, PodName("pod-0"), Incarnation("a"))
        await client.rpush(facts_key(call), "words")
    await client.hset(call_key(CALL), "state", "ended")
    rest = CallSid("CA" + "3" * 32)
    await client.rpush(facts_key(rest), "words")
    eraser = RedisJournalEraser(client)
    assert await eraser.erase_journals([CALL, OTHER_CALL, rest, CallSid("CA unknown")]) == 2
    left = {key.decode() async for key in client.scan_iter("*")}
    assert left == {call_key(OTHER_CALL), facts_key(OTHER_CALL)}
