"""What is measured: a pod as users run it, and the bare relay. Each a process on one core."""

import asyncio
import os
import signal
import socket
import ssl
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import trustme
from aiohttp import web

from trunkline.adapters.embedded.stores import EmbeddedStores
from trunkline.loadtest.ends import Wanted, own_environ

READY_S_MAX: Final = 30.0
STOP_S_MAX: Final = 20.0
POLL_S: Final = 0.02
LOG_CHARS_SHOWN: Final = 2_000
"""Of the last words of a process that ended by itself."""
KEY: Final = "bench"

Fact = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Target:
    """A process that takes calls at `url`."""

    name: str
    url: str
    pid: int
    ready_s: float
    """From the process's start to its first yes."""


@asynccontextmanager
async def pod(
    stores: EmbeddedStores, wanted: Wanted, model_url: str, core: int, more: Mapping[str, str]
) -> AsyncIterator[Target]:
    """`trunkline pod`, with journal, call log and metrics, on this core only."""
    public, internal = _free_port(), _free_port()
    url = f"http://127.0.0.1:{public}"
    given = own_environ(wanted, model_url) | {
        "PATH": os.environ["PATH"],
        "TRUNKLINE_HOST": "127.0.0.1",
        "TRUNKLINE_PORT": str(public),
        "TRUNKLINE_INTERNAL_PORT": str(internal),
        "TRUNKLINE_PUBLIC_URL": url,
        "TRUNKLINE_REDIS_URL": stores.redis_url,
        "TRUNKLINE_DATABASE_URL": stores.database_url,
        **more,
    }
    command = ("-m", "trunkline.cli.main", "pod", "--env-file", os.devnull)
    async with _process(command, given, core, wanted.data_dir / "pod.log") as process:
        began = time.monotonic()
        async with aiohttp.ClientSession() as http:
            await _until(process, lambda: _says_yes(http, f"http://127.0.0.1:{internal}/readyz"))
        yield Target("pod", f"{url}/twilio/voice", process.pid, time.monotonic() - began)


@asynccontextmanager
async def relay(
    folder: Path, model_url: str, core: int, ca_file: str | None
) -> AsyncIterator[Target]:
    """The bare relay, and a webhook that leads to it. The webhook costs the relay nothing."""
    port = _free_port()
    command = [
        str(Path(__file__).with_name("relay.py")),
        str(port),
        f"{model_url}?model=gpt-realtime",
    ]
    command += [KEY, *([ca_file] if ca_file else [])]
    document = (
        f'<Response><Connect><Stream url="ws://127.0.0.1:{port}/media"/></Connect></Response>'
    )
    async with _process(command, {}, core, folder / "relay.log") as process:
        began = time.monotonic()
        await _until(process, lambda: _listens(port))
        async with _webhook(document) as url:
            yield Target("relay", url, process.pid, time.monotonic() - began)


@asynccontextmanager
async def _process(
    command: tuple[str, ...] | list[str], environ: Mapping[str, str], core: int, log: Path
) -> AsyncIterator[Process]:
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=environ, stdin=DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    os.sched_setaffinity(process.pid, {core})
    try:
        yield process
    finally:
        if process.returncode is not None:
            sys.stderr.write(log.read_text()[-LOG_CHARS_SHOWN:])  # noqa: ASYNC240 - we end now
        else:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_S_MAX)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _until(process: Process, fact: Fact) -> None:
    async with asyncio.timeout(READY_S_MAX):
        while not await fact():
            if process.returncode is not None:
                raise RuntimeError("the process ended before it was ready: see its log")
            await asyncio.sleep(POLL_S)


async def _says_yes(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.ok
    except aiohttp.ClientError:
        return False


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def _webhook(document: str) -> AsyncIterator[str]:
    async def voice(_: web.Request) -> web.Response:
        return web.Response(text=document, content_type="text/xml")

    application = web.Application()
    application.router.add_post("/voice", voice)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/voice"
    finally:
        await runner.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """For a server on loopback, with a certificate of this authority's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context
