"""What is Redis' own; the port's promises are in tests/contract/test_fleet.py."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from contract.fleets import life, placed, sid
from contract.recount import recounted, stored
from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.fleet import RedisFleet
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.adapters.redis.keys import FLEET_KEYS
from trunkline.core.fleet_states import (
    ANYWHERE,
    FLEET_TTL_MS,
    LEASE_MS,
    Beat,
    Claim,
    Life,
    Listed,
)
from trunkline.core.ids import Epoch, Incarnation, PodName
from trunkline.core.slots import INBOUND_HOLD_S, Bounds, ModelLimit
from trunkline.errors import StoreError
from trunkline.ports import Resumption

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    made = connect(redis_url)
    yield made
    await made.aclose()


def beat(number: int = 0, *slots: Listed) -> Beat:
    return Beat(life(number), f"http://pod-{number}", "1", 3, 5, slots=slots)


async def test_its_time_is_the_stores(client: Redis) -> None:
    """Leases and reservations end by Redis' own clock, whatever a pod's says."""
    fleet = RedisFleet(client)
    seconds, micros = await client.time()
    before = seconds * 1000 + micros // 1000
    heard = await fleet.beat(beat())
    seconds, micros = await client.time()
    after = seconds * 1000 + micros // 1000
    assert before <= heard.now_ms <= after
    assert heard.joined_ms == heard.now_ms
    placed(await fleet.reserve(sid(1)))
    kept = (await stored(client)).slots[sid(1)]
    assert 0 <= kept.expires_at_ms - INBOUND_HOLD_S * 1000 - after < 5000
    [pod] = (await fleet.look()).pods
    assert 0 < pod.lease_left_ms <= LEASE_MS


async def test_a_store_that_forgot_the_scripts_gets_them_again(client: Redis) -> None:
    """After a restart of the store, or its failover, the next step works as ever."""
    fleet, journal = RedisFleet(client), RedisJournal(client)
    await fleet.beat(beat())
    opening = await journal.open_call(sid(1), life(0).pod, life(0).incarnation)
    await client.script_flush()
    placed(await fleet.reserve(sid(1)))
    await client.script_flush()
    assert isinstance(await fleet.resume(sid(1), opening.epoch, ANYWHERE, Claim()), Resumption)
    await client.script_flush()
    await fleet.look()


async def test_every_key_expires(client: Redis) -> None:
    """A fleet that is gone for a day leaves nothing in a store that others use too."""
    fleet = RedisFleet(client)
    await fleet.beat(beat(0, Listed(sid(9), Epoch(1), bound=True)))
    await fleet.beat(Beat(life(0, "b"), "", "1", 3, 1))
    placed(await fleet.reserve(sid(1), bounds=Bounds(1, "t", "v"), models=[ModelLimit("m", 3)]))
    await fleet.reserve(sid(2), holding=True)
    await fleet.beat(beat())
    keys = {key.decode() async for key in client.scan_iter("*")}
    assert keys == set(FLEET_KEYS)
    for key in keys:
        assert FLEET_TTL_MS - 60_000 < await client.pttl(key) <= FLEET_TTL_MS


async def test_nothing_is_left_of_calls_that_are_over(client: Redis) -> None:
    """Slots, counts, holders: all go with their calls."""
    fleet = RedisFleet(client)
    await fleet.beat(Beat(life(0), "", "1", 1, 1))
    got = placed(await fleet.reserve(sid(1), bounds=Bounds(1, "t", "v")))
    await fleet.reserve(sid(2), holding=True)
    await fleet.release(sid(1), got.life, Epoch(0))
    await fleet.release(sid(2), got.life, Epoch(0))
    left = {key.decode().rsplit(":")[-1] async for key in client.scan_iter("*")}
    assert left == {"pods", "order", "leases", "limits", "state", "names"}


async def test_names_may_hold_anything_that_a_config_may(client: Redis) -> None:
    """Tenants, verticals, models and addresses are data to the scripts."""
    fleet = RedisFleet(client)
    odd = "a b\n\"c' d\\ü🙂 \x00]"
    await fleet.beat(Beat(life(0), odd, odd, 1, 1))
    bounds = Bounds(1, odd, odd + "v", 5, 5, 5)
    got = placed(await fleet.reserve(sid(1), bounds=bounds, models=[ModelLimit(odd, 4)]))
    assert (got.address, got.model) == (odd, odd)
    await fleet.reserve(sid(2), bounds=bounds, models=[ModelLimit(odd, 4)], holding=True)
    assert (await fleet.look()).holders == 1
    kept = await stored(client)
    assert kept.slots[sid(1)].claim == Claim("inbound", odd, odd + "v", odd)
    assert kept.counts == recounted(kept.slots)
    assert await fleet.release(sid(1), got.life, Epoch(0))
    placed(await fleet.reserve(sid(2), bounds=bounds, models=[ModelLimit(odd, 4)]))
    assert (await fleet.look()).holders == 0


async def test_the_counts_are_the_slots_after_a_crowd_of_clients(
    client: Redis, redis_url: str
) -> None:
    """Ten connections reserve, beat, resume and release at once: no cap is exceeded."""
    fleet, journal = RedisFleet(client), RedisJournal(client)
    for number in range(3):
        await fleet.beat(beat(number))

    async def one(number: int) -> None:
        async with connect(redis_url, connections_max=1) as mine:
            here = RedisFleet(mine)
            for at in range(20):
                call = sid(100 * number + at)
                await here.reserve(call, bounds=Bounds(1, "t", tenant_calls_max=9))
                opening = await journal.open_call(call, life(0).pod, life(0).incarnation)
                resumed = await here.resume(call, opening.epoch, ANYWHERE, Claim())
                await here.beat(beat(number % 3))
                assert all(pod.held <= pod.cap for pod in (await here.look()).pods)
                if at % 2 and isinstance(resumed, Resumption):
                    assert await here.release(call, resumed.life, resumed.epoch)

    await asyncio.gather(*(one(number) for number in range(10)))
    kept = await stored(client)
    assert kept.counts == recounted(kept.slots)


async def test_a_pods_name_must_be_a_part_of_a_path(client: Redis) -> None:
    """The scripts join it with its incarnation by a space."""
    bad = Beat(Life(PodName("pod 0"), Incarnation("a")), "", "1", 1, 1)
    with pytest.raises(AssertionError, match="space"):
        await RedisFleet(client).beat(bad)


async def test_a_store_that_is_away_is_a_store_error() -> None:
    """The pod's own cap binds then; the text holds no name and no call."""
    async with connect("redis://127.0.0.1:1/0") as client:
        fleet = RedisFleet(client)
        for ask in (fleet.reserve(sid(1)), fleet.look(), fleet.beat(beat())):
            with pytest.raises(StoreError) as told:
                await ask
            assert "CA" not in str(told.value)
