import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.abc
import pytest
from redis import exceptions
from redis.asyncio import Redis

from chains import CALL, WHOLE_CALL, chain
from trunkline.adapters.redis.connect import (
    check,
    connect,
    doubts_of,
    refusal_of,
    store_errors,
)
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.core.ids import Incarnation, PodName
from trunkline.core.record import Head
from trunkline.errors import SettingsError, StoreError
from trunkline.ports import Holder

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


@contextlib.asynccontextmanager
async def guest(redis_url: str, *rules: str) -> AsyncIterator[Redis]:
    """A client whose user has these rules of ACL SETUSER."""
    commands = (("SETUSER", "guest", "on", ">pw", *rules), ("DELUSER", "guest"))
    async with connect(redis_url) as owner:
        await owner.execute_command("ACL", *commands[0])  # type: ignore[no-untyped-call]
        try:
            async with connect(redis_url.replace("unix://", "unix://guest:pw@")) as client:
                yield client
        finally:
            await owner.execute_command("ACL", *commands[1])  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("kept", ["-config", "-info", "-info -role"])
async def test_a_store_that_keeps_some_of_it_to_itself(redis_url: str, kept: str) -> None:
    """Managed stores forbid CONFIG, some INFO: what one keeps, another question tells."""
    async with (
        connect(redis_url) as owner,
        guest(redis_url, "~*", "+@all", *kept.split()) as client,
    ):
        assert len(await check(client)) == ("-role" in kept)
        await owner.config_set("maxmemory-policy", "volatile-lru")
        try:
            with pytest.raises(SettingsError, match="volatile-lru"):
                await check(client)
        finally:
            await owner.config_set("maxmemory-policy", "noeviction")


async def test_a_store_that_tells_nothing_is_doubted_and_used(redis_url: str) -> None:
    """The pod starts; each doubt is a line that names the setting and what to make sure of."""
    async with guest(redis_url, "~*", "+@all", "-info", "-config", "-role") as client:
        policy, role = await check(client)
    assert policy.startswith("TRUNKLINE_REDIS_URL: the store tells us neither INFO nor CONFIG GET")
    assert role.startswith("TRUNKLINE_REDIS_URL: the store does not tell whether it is a replica")
    assert doubts_of({"role": "master", "maxmemory_policy": "noeviction"}) == ()


async def test_the_least_that_a_user_must_be_let(redis_url: str) -> None:
    """The rule of docs/howto/stores.md is enough for a call's whole journal."""
    page = Path(__file__).parents[3] / "docs" / "howto" / "stores.md"
    rule = re.search(r"ACL SETUSER calls on >PASSWORD (.+)", page.read_text())
    assert rule is not None
    async with guest(redis_url, *rule[1].split()) as client:
        assert await check(client) == ()
        journal = RedisJournal(client)
        pod, life = PodName("pod-0"), Incarnation("a")
        opening = await journal.open_call(CALL, pod, life)
        await journal.append(
            CALL, Holder(opening.epoch, pod, life), Head(), chain(CALL, *WHOLE_CALL)
        )
        await journal.resume_call(CALL, opening.epoch, PodName("pod-1"), Incarnation("b"))
        assert await journal.read(CALL) == chain(CALL, *WHOLE_CALL)
        await journal.forget_call(CALL)
        with pytest.raises(StoreError, match="NoPermissionError"):
            async with store_errors():
                await client.get("a-key-of-others")


async def test_a_wrong_password_is_told(redis_url: str) -> None:
    """In one line, without it."""
    async with connect(redis_url.replace("unix://", f"unix://guest:{PASSWORD}@")) as client:
        with pytest.raises(StoreError, match="it refused the URL's user or password") as caught:
            await check(client)
    assert PASSWORD not in str(caught.value)


async def test_a_store_that_becomes_a_replica_is_left(redis_url: str) -> None:
    """A write there fails, the connection is dropped; the next step looks the name up again."""
    async with connect(redis_url, connections_max=1) as client, connect(redis_url) as owner:
        journal = RedisJournal(client)
        await check(client)
        first = await client.client_id()
        await owner.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(StoreError, match="can't be reached: it has become a replica"):
                await journal.open_call(CALL, PodName("pod-0"), Incarnation("a"))
        finally:
            await owner.replicaof("NO", "ONE")
        await journal.open_call(CALL, PodName("pod-0"), Incarnation("a"))
        assert await client.client_id() > first


async def test_a_store_that_is_loading_is_away() -> None:
    """It will answer soon: whoever asks tries again."""
    with pytest.raises(StoreError, match="can't be reached: it is still loading its data"):
        async with store_errors():
            raise exceptions.BusyLoadingError


def test_a_sentinel_is_no_store() -> None:
    """Its address belongs into another form of the URL."""
    assert "redis+sentinel://" in str(refusal_of({"redis_mode": "sentinel"}))


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
