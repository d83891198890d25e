"""A program that lives as long as we do: started again when it ends, gone when we are.

    kept = Kept(Program("pod-0", command, environ, …), say)
    await kept.start()
    tasks.create_task(kept.keep())
    …
    kept.end(signal.SIGTERM)
    await kept.gone(within_s)

The kernel kills it when we die, SIGKILL included. Start it in the main thread: the kernel's signal
is sent when the *thread* that started the child ends. Linux only.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import threading
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from trunkline.core.restarts import Restarts

PR_SET_PDEATHSIG: Final = 1

KILLED_S_MAX: Final = 10.0
"""So long a killed program may take to be gone: the kernel tidies up."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Program:
    """What is run, and under which name it is spoken of."""

    name: str
    command: Sequence[str | Path]
    environ: Mapping[str, str]
    log: Path | None = None
    """Where it writes, one life's words; None: where we write errors."""


class Kept:
    """One program, through all its lives."""

    def __init__(self, program: Program, say: Say) -> None:
        self.program = program
        self._say = say
        self._restarts = Restarts()
        self._process: Process | None = None
        self._began = 0.0
        self._ending = asyncio.Event()

    @property
    def code(self) -> int | None:
        """How its present life ended; negative by a signal. None while it lives."""
        return None if self._process is None else self._process.returncode

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return self._restarts.count

    async def start(self) -> None:
        """Its next life begins.

        Raises:
            OSError: the system has none to give.
        """
        assert threading.current_thread() is threading.main_thread()
        assert self._process is None or self._process.returncode is not None
        parent, libc = os.getpid(), ctypes.CDLL(None)

        def tie_to_parent() -> None:
            libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
            if os.getppid() != parent:
                os._exit(1)

        program = self.program
        with contextlib.ExitStack() as undo:
            log: BinaryIO | None = None
            if program.log is not None:
                # One life's log: it can't grow for ever.
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                log = undo.enter_context(os.fdopen(os.open(program.log, flags, 0o600), "wb"))
            self._process = await asyncio.create_subprocess_exec(
                *(str(part) for part in program.command),
                stdin=DEVNULL,
                stdout=log or DEVNULL,
                stderr=log,
                env=program.environ,
                start_new_session=True,  # Ctrl-C is for us: we say who ends when.
                preexec_fn=tie_to_parent,
            )
        self._began = asyncio.get_running_loop().time()

    async def keep(self) -> None:
        """Start it again whenever it ends, until it is told to end."""
        assert self._process is not None
        loop = asyncio.get_running_loop()
        while not self._ending.is_set():
            end = how(await self._process.wait())
            while not self._ending.is_set() and self.code is not None:
                pause_s = self._restarts.ended(loop.time() - self._began)
                self._say(
                    f"{self.program.name} {end}: it is started again"
                    f" {f'in {pause_s:g} s' if pause_s else 'now'}, restart {self.restarts}"
                )
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._ending.wait()
                if not self._ending.is_set():
                    end = await self._start_again()

    async def _start_again(self) -> str:
        """Why it did not start, if it did not."""
        try:
            await self.start()
        except OSError as error:
            self._began = asyncio.get_running_loop().time()
            return f"can't be started ({error.strerror})"
        return ""

    def end(self, number: signal.Signals) -> None:
        """It shall end, and not begin again. Said again, the signal is sent again."""
        self._ending.set()
        self.send(number)

    def send(self, number: signal.Signals) -> None:
        """A signal to its present life, if it has one."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def gone(self, within_s: float) -> None:
        """Wait for its end, at most so long; then it is killed."""
        assert self._ending.is_set(), "it would be started again"
        if self._process is None:
            return
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            async with asyncio.timeout(KILLED_S_MAX):
                await self._process.wait()


def how(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
