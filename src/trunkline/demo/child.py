"""The demo's pod: `trunkline up` as a child process, which ends with us whatever ends us."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import aiohttp

from trunkline.errors import SettingsError, TrunklineError

READY_S_MAX: Final = 60.0
"""From the start of the process to its first answer; the first start makes a database."""

STOP_S_MAX: Final = 20.0
"""From SIGTERM to the end; then it is killed, and its stores end with it."""

POLL_S: Final = 0.1

LOG_BYTES_MAX: Final = 10_000_000
"""A longer log of earlier demos is begun anew."""

OURS: Final = "trunkline: "
"""How a line of the command line's begins: what a user can mend."""


@dataclass(frozen=True, slots=True)
class Child:
    """A pod that takes calls."""

    public_url: str
    internal_url: str
    pid: int


@asynccontextmanager
async def pod(
    environ: Mapping[str, str], *, log: Path, http: aiohttp.ClientSession
) -> AsyncIterator[Child]:
    """Start it, wait until it takes calls, and drain it at the end.

    `environ` is the whole environment but the ports, which are chosen here; no .env is read. What
    the pod writes is added to `log`: its folder may be another demo's.

    Raises:
        SettingsError: the log can't be written.
        TrunklineError: it did not start; the text holds its own words.
    """
    public, internal = _free_ports()
    child = Child(f"http://127.0.0.1:{public}", f"http://127.0.0.1:{internal}", 0)
    given = {
        **environ,
        "TRUNKLINE_HOST": "127.0.0.1",
        "TRUNKLINE_PORT": str(public),
        "TRUNKLINE_INTERNAL_PORT": str(internal),
        "TRUNKLINE_PUBLIC_URL": child.public_url,
    }
    command = [sys.executable, "-m", "trunkline.cli.main", "up"]
    # What lies in a .env here is meant for a real pod, its database too.
    command += ["--env-file", os.devnull, "--end-with-parent", str(os.getpid())]
    with _opened(log) as out:
        begun = out.tell()
        # In a group of its own: Ctrl-C is ours, and the pod drains when we say so.
        process = await asyncio.create_subprocess_exec(
            *command, env=given, stdin=DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        await _until_ready(process, child, http, log, begun)
        yield Child(child.public_url, child.internal_url, process.pid)
    finally:
        await asyncio.shield(_stop(process))


def _free_ports() -> tuple[int, int]:
    """Two ports that are free now; nobody holds them until the pod binds them."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _opened(log: Path) -> BinaryIO:
    """The log, to be written at its end."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        out = log.open("ab")
        if out.tell() > LOG_BYTES_MAX:
            out.truncate(0)
            out.seek(0)
    except OSError as error:
        raise SettingsError(
            f"--data-dir: {log.parent} can't be used ({error.strerror}); name a folder of yours"
        ) from None
    return out


async def _until_ready(
    process: Process, child: Child, http: aiohttp.ClientSession, log: Path, begun: int
) -> None:
    loop = asyncio.get_running_loop()
    late = loop.time() + READY_S_MAX
    while loop.time() < late:
        if process.returncode is not None:
            raise TrunklineError(f"the pod did not start: {last_words(log, begun)}")
        with suppress(aiohttp.ClientError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=1)
            async with http.get(f"{child.internal_url}/readyz", timeout=timeout) as answer:
                if answer.ok:
                    return
        await asyncio.sleep(POLL_S)
    raise TrunklineError(f"the pod was not ready within {READY_S_MAX:.0f} s: see {log}")


def last_words(log: Path, begun: int) -> str:
    """What it said of its failure, the demo's option in place of the setting it stands for."""
    written = log.read_bytes()[begun:].decode(errors="replace")
    lines = [line for line in written.splitlines() if line.strip()]
    told = [line.removeprefix(OURS) for line in lines if line.startswith(OURS)]
    words = "; ".join(told) or (lines[-1] if lines else "it said nothing")
    return words.replace("TRUNKLINE_DATA_DIR", "--data-dir")


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
