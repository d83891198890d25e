"""One primary, one replica, three sentinels that want two for a failover."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import redis

from folders import open_folder
from servers import (
    HOST,
    Certificates,
    asking,
    free_port,
    give,
    redis_command,
    running,
    store_answers,
    until,
)

STORE_PASSWORD: Final = "store-canary"
SENTINEL_PASSWORD: Final = "sentinel-canary"
DOWN_MS: Final = 500
"""After so much silence a sentinel takes a store for dead."""


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


@contextlib.contextmanager
def serve_sky(program: Path, files: Certificates | None) -> Iterator[Sky]:
    """All five, of one program; with TLS everywhere if there are certificates."""
    made = Sky(files)
    with open_folder() as folder, contextlib.ExitStack() as stack:
        give(folder)
        start(made, program, folder, stack)
        yield made
