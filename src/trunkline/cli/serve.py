"""`trunkline up`, `pod` and `migrate`: one process that carries calls, and its schema."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
import uvloop
from pydantic import SecretStr

from trunkline.adapters.postgres import migrate as schema
from trunkline.cli.stores import own_stores
from trunkline.config import environment, file, settings
from trunkline.config.file import ConfigFile
from trunkline.config.settings import Settings
from trunkline.errors import SettingsError
from trunkline.pod import compose
from trunkline.pod.life import Pod
from trunkline.telemetry import logs
from trunkline.telemetry.logs import LogName

PR_SET_PDEATHSIG: Final = 1

EnvFile = Annotated[
    Path, typer.Option("--env-file", help="Settings that the environment does not have.")
]


def up(
    *,
    env_file: EnvFile = Path(".env"),
    end_with_parent: Annotated[
        bool, typer.Option("--end-with-parent", help="Be killed when the parent process ends.")
    ] = False,
) -> None:
    """Answer calls on this one machine: a pod, and the stores that no URL is set for.

    Needs TRUNKLINE_PUBLIC_URL, TRUNKLINE_TWILIO_AUTH_TOKEN and TRUNKLINE_REALTIME_API_KEY (or
    OPENAI_API_KEY). Without TRUNKLINE_REDIS_URL and TRUNKLINE_DATABASE_URL, Valkey and PostgreSQL
    are started under TRUNKLINE_DATA_DIR and end with this process.

    Ctrl-C or SIGTERM drains: no new calls, and the present ones may end. Ctrl-C again ends them.
    """
    if end_with_parent:
        _end_with_parent()
    start = _read(env_file)
    with _listening(start) as sockets, own_stores(start.settings) as stores:
        uvloop.run(schema.migrate(stores.database_url))
        _serve(start, sockets, stores.redis_url, stores.database_url)


def pod(env_file: EnvFile = Path(".env")) -> None:
    """Carry calls as one of several pods: stores are elsewhere, the schema is there.

    As `up`, but it starts no store and changes no schema: TRUNKLINE_REDIS_URL and
    TRUNKLINE_DATABASE_URL must be set, and `trunkline migrate` must have run.
    """
    start = _read(env_file)
    read = start.settings
    if read.redis_url is None or read.database_url is None:
        name = "REDIS_URL" if read.redis_url is None else "DATABASE_URL"
        raise SettingsError(
            f"TRUNKLINE_{name}: missing; `trunkline pod` uses stores that others use too "
            "(`trunkline up` starts its own)"
        )
    urls = read.redis_url.get_secret_value(), read.database_url.get_secret_value()
    with _listening(start) as sockets:
        _serve(start, sockets, *urls)


def migrate(env_file: EnvFile = Path(".env")) -> None:
    """Bring the call log's schema to this version. Several at once wait for each other."""
    read = settings.load(os.environ, env_file)
    with own_stores(read) as stores:
        done = uvloop.run(schema.migrate(stores.database_url))
    print(f"schema: {done.before} -> {done.after}")


def _end_with_parent() -> None:
    """Let the kernel kill us when our parent ends, SIGKILL included; our stores end with us."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        sys.exit(1)  # It ended before the kernel was told.


@dataclass(frozen=True, slots=True)
class _Start:
    """What a pod starts from, checked whole."""

    settings: Settings
    file: ConfigFile
    named: Mapping[str, SecretStr]


def _read(env_file: Path) -> _Start:
    read = settings.load(os.environ, env_file)
    if missing := read.pod_requirements():
        raise SettingsError("\n".join(missing))
    config = file.load(read.config)
    given, _ = environment.read(os.environ, env_file)
    return _Start(read, config, config.resolve_secrets(given))


@contextmanager
def _listening(start: _Start) -> Iterator[compose.Sockets]:
    """Both ports, before a store is started."""
    sockets = compose.listen(start.settings)
    try:
        yield sockets
    finally:
        sockets.close()


def _serve(start: _Start, sockets: compose.Sockets, redis_url: str, database_url: str) -> None:
    logs.configure(sys.stderr, json=not sys.stderr.isatty())
    logs.catch_strays()
    log = logs.get_logger(pod=start.settings.pod_name)
    for hint in (*start.settings.warnings, *start.file.warnings):
        log.warning(LogName.SETTING_DOUBTFUL, hint=hint)
    uvloop.run(
        compose.run_pod(
            start.settings,
            start.file,
            start.named,
            sockets=sockets,
            redis_url=redis_url,
            database_url=database_url,
            on_ready=_on_ready,
        )
    )


def _on_ready(pod: Pod) -> None:
    """From now on signals drain; the first says so, a second Ctrl-C hurries."""
    loop = asyncio.get_running_loop()
    asked = False

    def interrupted() -> None:
        nonlocal asked
        if asked:
            pod.hurry()
            return
        asked = True
        print("draining: calls may end; Ctrl-C again ends them now", file=sys.stderr)
        pod.stop()

    loop.add_signal_handler(signal.SIGTERM, pod.stop)
    loop.add_signal_handler(signal.SIGINT, interrupted)
    print(
        f"trunkline answers on port {pod.public_port}; "
        f"health, metrics and calls on port {pod.internal_port}",
        flush=True,
    )
