import asyncio

import anyio
import anyio.abc
import pytest
from redis import exceptions

from trunkline.adapters.redis.connect import check, connect, refusal_of, store_errors
from trunkline.errors import SettingsError, StoreError

pytestmark = pytest.mark.anyio
PASSWORD = "sesame-canary"


async def test_a_store_of_ours_will_do(redis_url: str) -> None:
    """What the launcher starts passes the check."""
    async with connect(redis_url) as client:
        await check(client)


async def test_a_store_that_evicts_is_refused(redis_url: str) -> None:
    """It would throw live calls away; the text names the policy and the remedy."""
    async with connect(redis_url) as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(SettingsError, match=r"allkeys-lru.*set it to noeviction"):
                await check(client)
        finally:
            await client.config_set("maxmemory-policy", "noeviction")


async def test_a_replica_is_refused(redis_url: str) -> None:
    """It takes no writes; the text says to name its primary."""
    async with connect(redis_url) as client:
        await client.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(SettingsError, match="name its primary"):
                await check(client)
        finally:
            await client.replicaof("NO", "ONE")
        await check(client)


def test_a_cluster_is_refused() -> None:
    """Our scripts touch several keys at once, which a cluster holds on several machines."""
    told = {"cluster_enabled": 1, "role": "master", "maxmemory_policy": "noeviction"}
    assert "cluster" in str(refusal_of(told))
    assert refusal_of(told | {"cluster_enabled": 0}) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        f"http://:{PASSWORD}@localhost",
        f"redis://:{PASSWORD}@localhost:port/0",
        f"redis://:{PASSWORD}@localhost/0?no_such_option=1",
    ],
)
async def test_a_url_that_can_not_be_read_is_not_quoted(url: str) -> None:
    """One line names the setting and its form; a password in it stays out, of the causes too."""
    with pytest.raises(SettingsError, match="TRUNKLINE_REDIS_URL") as caught:
        connect(url)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_a_store_that_is_not_there(scheme: str) -> None:
    """A refused connection is a fault of the store, in one line, without the password."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with connect(f"{scheme}://:{PASSWORD}@127.0.0.1:{port}/0") as client:
        with pytest.raises(StoreError, match="can't be reached") as caught:
            await check(client)
        assert PASSWORD not in str(caught.value)


async def test_a_store_that_is_silent_is_given_up() -> None:
    """Accepting and saying nothing holds a step up for its deadline and no longer."""

    async def say_nothing(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, say_nothing)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with connect(f"redis://127.0.0.1:{port}/0") as client:
            begun = asyncio.get_running_loop().time()
            with pytest.raises(StoreError):
                await check(client)
            assert asyncio.get_running_loop().time() - begun < 6
        tasks.cancel_scope.cancel()


async def test_an_answers_text_stays_out_of_ours() -> None:
    """A store's refusal may quote what we sent, words spoken included."""
    with pytest.raises(StoreError) as caught:
        async with store_errors():
            raise exceptions.ResponseError("unknown command, with args: 'words spoken'")
    assert "spoken" not in str(caught.value)


async def test_a_pool_is_bounded(redis_url: str) -> None:
    """More steps at once than connections wait for one; none fails."""
    async with connect(redis_url, connections_max=2) as client:
        async with asyncio.TaskGroup() as steps:
            for _ in range(50):
                steps.create_task(check(client))
        seen = await client.info("clients")
        assert seen["connected_clients"] <= 3
