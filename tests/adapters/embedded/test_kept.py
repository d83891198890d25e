import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import psutil
import pytest

from trunkline.adapters.embedded.kept import Kept, Program, how

pytestmark = pytest.mark.anyio

SOON_S: Final = 20.0

LIVES: Final = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
DEAF: Final = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + LIVES


def program(folder: Path, text: str = LIVES) -> Program:
    """One that says its pid and lives until it is ended."""
    command = [sys.executable, "-c", text]
    return Program("a program", command, dict(os.environ), folder / "log")


async def born(folder: Path, other_than: int | None = None) -> int:
    """The pid that it says; waits for the next life if one is named."""
    async with asyncio.timeout(SOON_S):
        while True:
            text = (folder / "log").read_text().strip()
            if text and int(text) != other_than:
                return int(text)
            await asyncio.sleep(0.01)


async def test_what_ends_is_started_again_and_it_is_said(tmp_path: Path) -> None:
    """Killed, or by itself: how, and how often."""
    said: list[str] = []
    kept = Kept(program(tmp_path), said.append)
    await kept.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kept.keep())
        first = await born(tmp_path)
        os.kill(first, signal.SIGKILL)
        second = await born(tmp_path, first)
        os.kill(second, signal.SIGTERM)
        await born(tmp_path, second)
        kept.end(signal.SIGTERM)
        await kept.gone(SOON_S)
    assert said == [
        "a program was ended by SIGKILL: it is started again now, restart 1",
        "a program was ended by SIGTERM: it is started again in 0.5 s, restart 2",
    ]
    assert kept.restarts == 2


async def test_what_is_told_to_end_does_not_begin_again(tmp_path: Path) -> None:
    """Also between two lives; one that does not listen is killed."""
    said: list[str] = []
    deaf = Kept(program(tmp_path, DEAF), said.append)
    await deaf.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(deaf.keep())
        pid = await born(tmp_path)
        deaf.end(signal.SIGTERM)
        await deaf.gone(0.05)
    assert deaf.code == -signal.SIGKILL
    assert not psutil.pid_exists(pid)
    assert said == []


async def test_what_can_not_be_started_is_tried_again_later(tmp_path: Path) -> None:
    """Its program may be on its way: an upgrade replaces it."""
    said: list[str] = []
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o755)
    kept = Kept(Program("a script", [script], dict(os.environ)), said.append)
    await kept.start()
    async with asyncio.timeout(SOON_S):
        while kept.code is None:  # noqa: ASYNC110 - nobody keeps it yet
            await asyncio.sleep(0.01)
    script.unlink()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kept.keep())
        async with asyncio.timeout(SOON_S):
            while len(said) < 2:  # noqa: ASYNC110 - a list tells nobody
                await asyncio.sleep(0.01)
        kept.end(signal.SIGTERM)
        await kept.gone(SOON_S)
    ended, missing = said
    assert ended == "a script ended with code 3: it is started again now, restart 1"
    assert missing.startswith("a script can't be started (No such file or directory): it is")
    assert missing.endswith("started again in 0.5 s, restart 2")


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    """SIGKILL of whoever started it is enough."""
    parent = (
        "import asyncio, os, sys, pathlib; from trunkline.adapters.embedded.kept import *\n"
        "async def run():\n"
        f"    kept = Kept(Program('x', [sys.executable, '-c', {program(tmp_path).command[2]!r}],"
        f" dict(os.environ), pathlib.Path({str(tmp_path / 'log')!r})), print)\n"
        "    await kept.start(); await kept.keep()\n"
        "asyncio.run(run())\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent]) as process:
        try:
            child = psutil.Process(asyncio.run(born_soon(tmp_path)))
        finally:
            process.kill()
    late = time.monotonic() + SOON_S
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < late
        time.sleep(0.01)


async def born_soon(folder: Path) -> int:
    """As `born`; the parent has yet to make the log."""
    async with asyncio.timeout(SOON_S):
        while not (folder / "log").exists():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    return await born(folder)


def test_how_a_process_ended_is_told_in_words() -> None:
    """By name, where the system has one."""
    assert how(0) == "ended with code 0"
    assert how(-signal.SIGTERM) == "was ended by SIGTERM"
    assert how(-250) == "was ended by signal 250"
