"""What is Redis' own; the port's promises are in tests/contract/test_journal.py."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from chains import BEGUN_MS, CALL, ENDED, RECEIVED, SAID, WHOLE_CALL, chain
from trunkline.adapters.memory import journal as twin
from trunkline.adapters.redis import journal
from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.adapters.redis.keys import PREFIX, call_key, facts_key
from trunkline.core.ids import Epoch, Incarnation, PodName
from trunkline.core.record import Head, after
from trunkline.errors import Behind, StoreError
from trunkline.ports import Holder, ResumeRefused

pytestmark = pytest.mark.anyio
POD, LIFE = PodName("pod-0"), Incarnation("a")


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    made = connect(redis_url)
    yield made
    await made.aclose()


async def test_a_store_that_forgot_the_scripts_gets_them_again(client: Redis) -> None:
    """After a restart of the store, or its failover, the next step works as ever."""
    kept = RedisJournal(client)
    epoch = (await kept.open_call(CALL, POD, LIFE)).epoch
    entries = chain(CALL, *WHOLE_CALL)
    for at in range(len(entries)):
        await client.script_flush()
        await kept.append(
            CALL, Holder(epoch, POD, LIFE), after(entries[at - 1]) if at else Head(), [entries[at]]
        )
    assert await kept.read(CALL) == entries


async def test_every_key_expires(client: Redis) -> None:
    """Nothing of a call stays in Redis for ever, whatever dies."""
    kept = RedisJournal(client)
    opening = await kept.open_call(CALL, POD, LIFE)
    assert await client.pttl(call_key(CALL)) > journal.ENDED_TTL_MS
    await kept.append(CALL, Holder(opening.epoch, POD, LIFE), Head(), chain(CALL, RECEIVED, ENDED))
    await kept.forget_call(CALL)
    keys = [key.decode() async for key in client.scan_iter("*")]
    assert sorted(keys) == sorted([call_key(CALL), facts_key(CALL)])
    for key in keys:
        assert key.startswith(PREFIX)
        assert 0 < await client.pttl(key) <= journal.ENDED_TTL_MS


async def test_an_epoch_is_never_below_redis_time(client: Redis) -> None:
    """A call whose stored epoch is old resumes at the present."""
    kept = RedisJournal(client)
    await kept.open_call(CALL, POD, LIFE)
    await client.hset(call_key(CALL), "epoch", str(BEGUN_MS))
    seconds, _ = await client.time()
    found = await kept.resume_call(CALL, Epoch(BEGUN_MS), POD, LIFE)
    assert not isinstance(found, ResumeRefused)
    assert found.epoch >= seconds * 1000


async def test_an_epoch_rises_though_redis_time_went_back(client: Redis) -> None:
    """After a failover to a machine whose clock is behind."""
    kept = RedisJournal(client)
    await kept.open_call(CALL, POD, LIFE)
    ahead = 9_007_199_254_740_000
    await client.hset(call_key(CALL), "epoch", str(ahead))
    found = await kept.resume_call(CALL, Epoch(ahead), POD, LIFE)
    assert not isinstance(found, ResumeRefused)
    assert found.epoch == ahead + 1


async def test_a_lost_tail_is_told_and_filled(client: Redis) -> None:
    """A crash between two syncs of the append-only file takes whole scripts, the last ones."""
    kept = RedisJournal(client)
    epoch = (await kept.open_call(CALL, POD, LIFE)).epoch
    entries = chain(CALL, *WHOLE_CALL)
    await kept.append(CALL, Holder(epoch, POD, LIFE), Head(), entries[:2])
    older = {key: await client.dump(key) for key in (call_key(CALL), facts_key(CALL))}
    await kept.append(CALL, Holder(epoch, POD, LIFE), after(entries[1]), entries[2:4])
    for key, value in older.items():
        assert value is not None
        await client.restore(key, 0, value, replace=True)
    with pytest.raises(Behind) as caught:
        await kept.append(CALL, Holder(epoch, POD, LIFE), after(entries[3]), entries[4:])
    await kept.append(
        CALL, Holder(epoch, POD, LIFE), Head(caught.value.seq, caught.value.hash), entries[2:]
    )
    assert await kept.read(CALL) == entries


async def test_a_store_without_memory_refuses_whole_appends(client: Redis) -> None:
    """With noeviction a full store takes nothing, half an append neither; then it goes on."""
    kept = RedisJournal(client)
    epoch = (await kept.open_call(CALL, POD, LIFE)).epoch
    entries = chain(CALL, RECEIVED, *[SAID] * 20)
    await kept.append(CALL, Holder(epoch, POD, LIFE), Head(), entries[:1])
    await client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(StoreError, match="refused"):
            await kept.append(CALL, Holder(epoch, POD, LIFE), after(entries[0]), entries[1:])
        assert await kept.read(CALL) == entries[:1]
    finally:
        await client.config_set("maxmemory", "0")
    await kept.append(CALL, Holder(epoch, POD, LIFE), after(entries[0]), entries[1:])
    assert await kept.read(CALL) == entries


def test_the_twin_keeps_the_same_times() -> None:
    """Lifetimes are the same numbers in both; windows are those of `resume`."""
    for name in ("JOURNAL_TTL_MS", "ENDED_TTL_MS"):
        assert getattr(journal, name) == getattr(twin, name)
