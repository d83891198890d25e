"""`trunkline pod`, and what it has in common with `up`: one process that carries calls."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
import uvloop
from pydantic import SecretStr

from trunkline.cli.env import EnvFile, file_of, read_settings
from trunkline.cli.streams import say
from trunkline.config import prices
from trunkline.config.file import ConfigFile
from trunkline.config.settings import Settings
from trunkline.config.source import Source
from trunkline.errors import SettingsError
from trunkline.pod import compose
from trunkline.pod.compose_voices import AgentVoices
from trunkline.pod.life import Pod
from trunkline.telemetry import logs
from trunkline.telemetry.logs import LogName

app = typer.Typer(rich_markup_mode=None)


@app.command()
def pod(*, env_file: EnvFile = None) -> None:
    """Carry calls as one of several pods, with stores elsewhere.

    As `up`, but it starts no store and changes no schema: TRUNKLINE_REDIS_URL and
    TRUNKLINE_DATABASE_URL must be set, and `trunkline migrate` must have run.
    """
    start = read(env_file, needs_stores=True)
    redis_url, database_url = start.settings.redis_url, start.settings.database_url
    assert redis_url is not None
    assert database_url is not None
    with listening(start) as sockets:
        serve(start, sockets, redis_url.get_secret_value(), database_url.get_secret_value())


@dataclass(frozen=True, slots=True)
class Start:
    """What a pod starts from, checked whole."""

    settings: Settings
    file: ConfigFile
    named: Mapping[str, SecretStr]
    source: Source
    """From which the config is read again."""


def read(env_file: Path | None, *, needs_stores: bool = False) -> Start:
    """What a pod starts from.

    Raises:
        SettingsError: a line for each setting that is wrong or missing, or for each fault in the
            config file.
    """
    found = read_settings(env_file)
    missing = found.pod_requirements()
    if needs_stores:
        missing += [
            f"TRUNKLINE_{name}: missing; set it to the store that all pods use (`trunkline up` "
            "starts one of its own)"
            for name, url in (
                ("REDIS_URL", found.redis_url),
                ("DATABASE_URL", found.database_url),
            )
            if url is None
        ]
    if missing:
        raise SettingsError("\n".join(missing))
    prices.load(found.prices)  # What is wrong with it is told before a store is started.
    source = Source(found.config, os.environ, file_of(env_file))
    loaded = source.load()
    return Start(found, loaded.file, loaded.named, source)


@contextmanager
def listening(start: Start) -> Iterator[compose.Sockets]:
    """Both ports, before a store is started."""
    sockets = compose.listen(start.settings)
    try:
        yield sockets
    finally:
        sockets.close()


def serve(start: Start, sockets: compose.Sockets, redis_url: str, database_url: str) -> None:
    """Be a pod until it is told to stop."""
    logs.configure(sys.stderr, json=not sys.stderr.isatty())
    logs.catch_strays()
    log = logs.get_logger(pod=start.settings.pod_name)
    unheard = AgentVoices(start.file).faults
    for hint in (*start.settings.warnings, *start.file.warnings, *unheard):
        log.warning(LogName.SETTING_DOUBTFUL, hint=hint)
    uvloop.run(
        compose.run_pod(
            start.settings,
            start.file,
            start.named,
            sockets=sockets,
            redis_url=redis_url,
            database_url=database_url,
            source=start.source,
            on_ready=_on_ready(start),
        )
    )


def _on_ready(start: Start) -> Callable[[Pod], None]:
    def on_ready(pod: Pod) -> None:
        """From now on signals drain; the first says so, a second Ctrl-C hurries."""
        loop = asyncio.get_running_loop()
        asked = False

        def interrupted() -> None:
            nonlocal asked
            if asked:
                pod.hurry()
                return
            asked = True
            pod.stop()
            say("draining: calls may end; Ctrl-C again ends them now")

        loop.add_signal_handler(signal.SIGTERM, pod.stop)
        if not sys.stdin.isatty():  # Else it says that the terminal is gone, and nobody stops us.
            loop.add_signal_handler(signal.SIGHUP, pod.reload)
        loop.add_signal_handler(signal.SIGINT, interrupted)
        say(greeting(start.settings, pod.public_port, pod.internal_port))

    return on_ready


def greeting(given: Settings, public_port: int, internal_port: int) -> str:
    """What a person needs to know of a pod that takes calls: one line for programs, then more."""
    url = given.public_url
    text = (
        f"trunkline answers on port {public_port}; "
        f"health, metrics and calls on port {internal_port}\n"
        f"webhooks for Twilio: {url}/twilio/voice for calls, {url}/twilio/status for their status"
    )
    if given.config is None:
        text += "\nTRUNKLINE_CONFIG is not set: one built-in agent answers every number"
    return text
