"""Commands as users run them: processes of their own, judged by what they say and leave behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

from trunkline.sim.carrier.account import AUTH_TOKEN

KEY: Final = "sk-commands"
ANSWER_S_MAX: Final = 40.0
"""Deadline of whatever a command does."""

GONE_S_MAX: Final = 10.0
POLL_S: Final = 0.02

KEPT: Final = ("PATH", "HOME", "LANG", "PYTHONPATH")
"""Of our own environment a command gets these; all else is the test's."""

COMMAND: Final = (sys.executable, "-m", "trunkline.cli.main")

AS_ANOTHER: Final = """
import os, sys
import trunkline.cli.up, trunkline.cli.serve, trunkline.cli.stores, typer._adapters, encodings.idna
import trunkline.adapters.postgres.migrate
from trunkline.cli.main import main
# Everything is imported: the interpreter itself may lie where this user can't go.
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1])); del sys.argv[1]
main()
"""
"""The command line, run by another user."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command that has ended leaves."""

    code: int
    out: str
    err: str

    def assert_tells(self, code: int, *beginnings: str) -> None:
        """It ended with this code and said these lines, one each and nothing else."""
        lines = self.err.splitlines()
        assert (self.code, self.out, len(lines)) == (code, "", len(beginnings)), self
        for line, beginning in zip(lines, beginnings, strict=True):
            assert line.startswith(f"trunkline: {beginning}"), self


class Running:
    """A command that runs; the end of `running` ends it, whatever the test did."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def pid(self) -> int:
        return self.process.pid

    def out(self) -> str:
        """What it has written to stdout by now."""
        return (self._folder / "stdout").read_text()

    def err(self) -> str:
        return (self._folder / "stderr").read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def family(self) -> list[psutil.Process]:
        """It and every process that it has started by now."""
        me = psutil.Process(self.pid)
        return [me, *me.children(recursive=True)]

    def until(self, happens: Callable[[], bool], within_s: float = ANSWER_S_MAX) -> None:
        """Wait for something that it does while it runs."""
        late = time.monotonic() + within_s
        while not happens():
            assert self.process.poll() is None, f"ended: {self.out()}{self.err()}"
            assert time.monotonic() < late, f"too slow: {self.out()}{self.err()}"
            time.sleep(POLL_S)

    def until_said(self, words: str) -> str:
        """Wait for a line with these words; it is the answer."""
        self.until(lambda: any(words in line for line in self._whole_lines()))
        return next(line for line in self._whole_lines() if words in line)

    def _whole_lines(self) -> list[str]:
        text = self.out()
        return text[: text.rfind("\n") + 1].splitlines()

    def done(self, within_s: float = ANSWER_S_MAX) -> Done:
        """Wait for its end."""
        return Done(self.process.wait(within_s), self.out(), self.err())


def environ(folder: Path, **settings: str) -> dict[str, str]:
    """The environment of a command; settings without their prefix."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    if sys.dont_write_bytecode:
        # Else each command of ours would compile every module again, for seconds.
        kept["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")
    return kept | {f"TRUNKLINE_{name}": value for name, value in settings.items()}


@contextlib.contextmanager
def running(
    folder: Path,
    given: Mapping[str, str],
    *arguments: str,
    uid: int | None = None,
    terminal: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> Iterator[Running]:
    """A command in this folder, with files for what it writes, or a terminal."""
    own = folder / f"command-{time.monotonic_ns()}"
    own.mkdir()
    command = COMMAND if uid is None else (sys.executable, "-c", AS_ANOTHER, str(uid))
    with (own / "stdout").open("wb") as out, (own / "stderr").open("wb") as err:
        process = subprocess.Popen(
            [*command, *arguments],
            env=dict(given),
            cwd=folder,
            stdin=terminal or subprocess.DEVNULL,
            stdout=terminal or stdout or out,
            stderr=terminal or err,
            start_new_session=True,
        )
    try:
        yield Running(process, own)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GONE_S_MAX)
        if process.poll() is None:
            process.kill()
            process.wait(GONE_S_MAX)


def run(folder: Path, given: Mapping[str, str], *arguments: str) -> Done:
    """A command from start to end."""
    with running(folder, given, *arguments) as command:
        return command.done()


def run_all(folder: Path, *commands: tuple[Mapping[str, str], Sequence[str]]) -> list[Done]:
    """Several commands at the same time."""
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(running(folder, given, *arguments)) for given, arguments in commands
        ]
        return [command.done() for command in started]


def assert_gone(family: Sequence[psutil.Process], within_s: float = GONE_S_MAX) -> None:
    """None of them is left; a process is its pid and its birth."""
    late = time.monotonic() + within_s
    while left := [process for process in family if _lives(process)]:
        assert time.monotonic() < late, f"left running: {left}"
        time.sleep(POLL_S)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_ports(count: int) -> list[int]:
    """Ports that are free now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def pod_settings(realtime_url: str, data_dir: Path) -> dict[str, str]:
    """What `trunkline up` needs, on ports of its own."""
    public, internal = free_ports(2)
    return {
        "HOST": "127.0.0.1",
        "PORT": str(public),
        "INTERNAL_PORT": str(internal),
        "PUBLIC_URL": f"http://127.0.0.1:{public}",
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "REALTIME_API_KEY": KEY,
        "REALTIME_URL": realtime_url,
        "DATA_DIR": str(data_dir),
        "DRAIN_S_MAX": "30",
    }
