"""The demo's pods: `trunkline up` as a child process, which ends with us whatever ends us."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

import aiohttp

from trunkline.errors import SettingsError, TrunklineError

READY_S_MAX: Final = 60.0
"""From the start of the process to its first answer; the first start makes a database."""

STOP_S_MAX: Final = 20.0
"""From SIGTERM to the end; then it is killed, and its stores end with it."""

POLL_S: Final = 0.1

PORTS_TRIES_MAX: Final = 20
"""Rows of ports that are looked at; on most machines the first is free."""

LOG_BYTES_MAX: Final = 10_000_000
"""A longer log of earlier demos is begun anew."""

OURS: Final = "trunkline: "
"""How a line of the command line's begins: what a user can mend."""


ANSWERS: Final = "trunkline answers on port "
"""What it says when all its pods take calls, and their ingress follows them."""


@dataclass(frozen=True, slots=True)
class Child:
    """Pods that take calls, one or several."""

    public_url: str
    internal_urls: Sequence[str]
    """Of each pod."""
    pid: int

    @property
    def internal_url(self) -> str:
        """The first pod's."""
        return self.internal_urls[0]


@asynccontextmanager
async def pod(
    environ: Mapping[str, str], *, log: Path, http: aiohttp.ClientSession, pods: int = 1
) -> AsyncIterator[Child]:
    """Start it, wait until it takes calls, and drain it at the end.

    Of several `pods` TRUNKLINE_POD_NAME is what their names begin with.

    `environ` is the whole environment but the ports, which are chosen here; no .env is read. What
    the pod writes is added to `log`: its folder may be another demo's.

    Raises:
        SettingsError: the log can't be written.
        TrunklineError: it did not start; the text holds its own words.
    """
    public, *internal = _free_ports(pods)
    urls = [f"http://127.0.0.1:{port}" for port in internal]
    child = Child(f"http://127.0.0.1:{public}", urls, 0)
    given = {
        **environ,
        "TRUNKLINE_HOST": "127.0.0.1",
        "TRUNKLINE_PORT": str(public),
        "TRUNKLINE_INTERNAL_PORT": str(internal[0]),
        "TRUNKLINE_PUBLIC_URL": child.public_url,
    }
    command = [sys.executable, "-m", "trunkline.cli.main", "up"]
    # What lies in a .env here is meant for a real pod, its database too.
    command += ["--env-file", os.devnull, "--end-with-parent", str(os.getpid())]
    if pods > 1:
        command += ["--pods", str(pods)]
    with _opened(log) as out:
        begun = out.tell()
        # In a group of its own: Ctrl-C is ours, and the pod drains when we say so.
        process = await asyncio.create_subprocess_exec(
            *command, env=given, stdin=DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        await _until_ready(process, child, http, log, begun)
        yield replace(child, pid=process.pid)
    finally:
        await asyncio.shield(_stop(process))


def _free_ports(pods: int) -> list[int]:
    """A public port, and internal ones in a row; nobody holds them until they are bound."""
    for _ in range(PORTS_TRIES_MAX):
        with ExitStack() as held:
            public, first = (held.enter_context(socket.socket()) for _ in range(2))
            try:
                public.bind(("127.0.0.1", 0))
                first.bind(("127.0.0.1", 0))
                start = first.getsockname()[1]
                for port in range(start + 1, start + pods):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            return [public.getsockname()[1], *range(start, start + pods)]
    raise TrunklineError(f"no {pods} free ports in a row: stop some of what listens here")


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
        if len(child.internal_urls) > 1:
            # Their ingress has nothing that could be asked: its keeper says when all are ready.
            if has_said(ANSWERS, log, begun):
                return
            await asyncio.sleep(POLL_S)
            continue
        with suppress(aiohttp.ClientError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=1)
            async with http.get(f"{child.internal_url}/readyz", timeout=timeout) as answer:
                if answer.ok:
                    return
        await asyncio.sleep(POLL_S)
    raise TrunklineError(f"the pod was not ready within {READY_S_MAX:.0f} s: see {log}")


def has_said(words: str, log: Path, begun: int) -> bool:
    """Whether it has written this by now."""
    return words.encode() in log.read_bytes()[begun:]


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
