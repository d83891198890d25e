"""The data folder's lock, which lives as long as the last server.

The servers inherit the descriptor, so the lock outlives a killed parent until its last server has
gone: whoever holds it knows that nothing else writes the folder.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from trunkline.errors import Held

HOLDER_GONE_S_MAX: Final = 15.0
"""Time for the servers of a dead parent to stop and let go of the lock; then the start fails. A
killed PostgreSQL leaves helpers for a moment, also where its parent lives and starts it again."""

POLL_S: Final = 0.01
COMMAND_CHARS_MAX: Final = 120

Steps = Generator[float, None, None]
"""Work that asks for pauses: yields how many seconds to wait before it goes on."""


def locking(data_dir: Path) -> Generator[float, None, int]:
    """Take the data folder; returns the descriptor that holds it.

    Waits for the servers of a parent that died or let go, not for a holder that lives.

    Raises:
        Held: another process holds it; the text names its pid and command.
    """
    with contextlib.ExitStack() as undo:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(data_dir / "lock", flags, 0o600)
        undo.callback(os.close, lock)
        deadline = time.monotonic() + HOLDER_GONE_S_MAX
        while not _taken(lock):
            pid, _, born = os.pread(lock, 64, 0).decode(errors="replace").strip().partition(" ")
            if pid and _born(pid) == born:
                raise Held(
                    f"{data_dir} is held by pid {pid} ({_command(pid)}): stop it, or set"
                    " TRUNKLINE_DATA_DIR to another folder"
                )
            if time.monotonic() > deadline:
                parent = f"parent, {pid}, died" if pid else "parent let go"
                raise Held(f"{data_dir} is still held by servers whose {parent}")
            yield POLL_S
        os.ftruncate(lock, 0)
        me = str(os.getpid())
        os.pwrite(lock, f"{me} {_born(me)}\n".encode(), 0)
        undo.pop_all()
    return lock


def release(lock: int) -> None:
    """Let go: the file names no holder, and what is left of killed servers is waited for."""
    os.ftruncate(lock, 0)
    os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _born(pid: str) -> str:
    """When a process began, in the kernel's ticks: with its pid it names one process for ever."""
    try:
        text = Path("/proc", pid, "stat").read_text(errors="replace")
    except OSError:
        return "gone"
    return text.rpartition(")")[2].split()[19]


def _command(pid: str) -> str:
    try:
        words = Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").split()
    except OSError:
        return "unknown"
    return b" ".join(words).decode(errors="replace")[:COMMAND_CHARS_MAX]
