"""A stage around `trunkline pod` as users run it: a process of its own, judged by what it says.

async with far_pod(redis_url, database_url, folder) as here:
    report = await here.call(*conversation("hello"))
assert "hello" not in here.written()
"""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from acceptance.scene import CONFIG, KEY, POLL_S, Stage, assert_clean, carrier_options
from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN, Account
from trunkline.sim.realtime.brain import Brain
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.serve_carrier import serve_carrier
from trunkline.sim.serve_realtime import serve_realtime

COMMAND: Final = (sys.executable, "-m", "trunkline.cli.main", "pod")

READY_S_MAX: Final = 30
STOP_S_MAX: Final = 15
RESTART_S: Final = 1.0
"""A supervisor waits so long before it starts a pod again that ended before it was ready."""

KEPT: Final = ("PATH", "PYTHONPATH", "HOME", "LANG")
"""Of our own environment the pod gets these; all else is a setting of the test's."""


class EndedError(AssertionError):
    """The pod ended before it was ready; the text is all that it wrote."""


@dataclass
class FarPod(Stage):
    """What a test has in its hands while the pod runs, and what it wrote when it has ended."""

    process: Process
    folder: Path
    environ: Mapping[str, str]
    lives: AsyncExitStack
    """Ends whatever process is left."""

    async def kill(self) -> None:
        """SIGKILL: nothing of it is left but what the stores have."""
        self.process.kill()
        await self.process.wait()

    async def start_again(self) -> None:
        """The same pod, in its next life; returns when it is ready."""
        self.process = await self.lives.enter_async_context(started(self.folder, self.environ))
        await _until_ready(self)

    async def supervise(self) -> int:
        """Start it again until it is ready, as a supervisor does; how many lives it took."""
        for life in itertools.count(1):
            self.process = await self.lives.enter_async_context(started(self.folder, self.environ))
            try:
                await _until_ready(self)
            except EndedError:
                await asyncio.sleep(RESTART_S)  # A supervisor's own pace.
            else:
                return life
        raise AssertionError

    def written(self) -> str:
        """All that the pod wrote to stdout and stderr."""
        return (self.folder / "stdout").read_text() + (self.folder / "stderr").read_text()


@asynccontextmanager
async def far_pod(
    redis_url: str,
    database_url: str,
    folder: Path,
    *,
    config: Path = CONFIG,
    environ: Mapping[str, str] | None = None,
    account: Account | None = None,
    model: RealtimeSimOptions | None = None,
    brain: Brain | None = None,
    seed: int = 1,
    marks_from: int | None = None,
) -> AsyncIterator[FarPod]:
    """Start it, play, see that nothing is left of any call, and have it end with exit code 0.

    `account` is the carrier's; a test that sets another auth token tells the pod in `environ`.
    """
    public, internal = free_port(), free_port()
    public_url, internal_url = f"http://127.0.0.1:{public}", f"http://127.0.0.1:{internal}"
    options = model or RealtimeSimOptions(keys=(KEY,))
    async with (
        aiohttp.ClientSession() as http,
        _opened(database_url) as book,
        serve_realtime("127.0.0.1", 0, options, brain) as realtime,
        serve_carrier(carrier_options(public_url, seed, account, marks_from)) as carrier,
    ):
        given = {
            "TRUNKLINE_HOST": "127.0.0.1",
            "TRUNKLINE_PORT": str(public),
            "TRUNKLINE_INTERNAL_PORT": str(internal),
            "TRUNKLINE_PUBLIC_URL": public_url,
            "TRUNKLINE_POD_NAME": "pod-0",
            "TRUNKLINE_REDIS_URL": redis_url,
            "TRUNKLINE_DATABASE_URL": database_url,
            "TRUNKLINE_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TRUNKLINE_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TRUNKLINE_REALTIME_URL": realtime.url,
            "TRUNKLINE_REALTIME_API_KEY": KEY,
            "TRUNKLINE_DRAIN_S_MAX": "5",
            "TRUNKLINE_CONFIG": str(config),
            **(environ or {}),
        }
        async with AsyncExitStack() as lives:
            process = await lives.enter_async_context(started(folder, given))
            here = FarPod(
                public_url,
                internal_url,
                carrier,
                realtime,
                book,
                http,
                process,
                folder,
                given,
                lives,
            )
            await _until_ready(here)
            yield here
            await assert_clean(here)
        assert here.process.returncode == 0, here.written()


@asynccontextmanager
async def _opened(database_url: str) -> AsyncIterator[PostgresCallBook]:
    pool = await postgres.connect(database_url)
    try:
        yield PostgresCallBook(pool)
    finally:
        await pool.close()


@asynccontextmanager
async def started(
    folder: Path, environ: Mapping[str, str], command: tuple[str, ...] = COMMAND
) -> AsyncIterator[Process]:
    """A command with this environment in this folder; at the block's end it is told to stop."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    with (folder / "stdout").open("ab") as out, (folder / "stderr").open("ab") as err:
        process = await asyncio.create_subprocess_exec(
            *command, env={**kept, **environ}, cwd=folder, stdout=out, stderr=err
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _until_ready(here: FarPod) -> None:
    async with asyncio.timeout(READY_S_MAX):
        while True:
            if here.process.returncode is not None:
                raise EndedError(here.written())
            with contextlib.suppress(aiohttp.ClientConnectionError):
                if (await here.get("/readyz")).startswith("ready"):
                    return
            await asyncio.sleep(POLL_S)


def free_port() -> int:
    """A port that is free now; nobody holds it until it is bound."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
