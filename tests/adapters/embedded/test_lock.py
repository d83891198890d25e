import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from trunkline.adapters.embedded.lock import POLL_S, locking, release
from trunkline.errors import Held

HEIR = "import sys; sys.stdin.read()"


def taken(steps: Generator[float, None, int]) -> int:
    """Take the lock, waiting as the stores do."""
    while True:
        try:
            time.sleep(next(steps))
        except StopIteration as stop:
            return int(stop.value)


def test_the_holder_is_named_at_once(tmp_path: Path) -> None:
    """A living holder is not waited for: its pid and its command are the answer."""
    lock = taken(locking(tmp_path))
    with pytest.raises(Held, match=f"held by pid {os.getpid()} "):
        next(locking(tmp_path))
    os.close(lock)
    os.close(taken(locking(tmp_path)))


def test_a_dead_holders_servers_are_waited_for(tmp_path: Path) -> None:
    """The lock lives in the servers that inherited it, and its file names somebody who is dead."""
    lock = taken(locking(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", HEIR], stdin=subprocess.PIPE, pass_fds=[lock]
    ) as heir:
        os.pwrite(lock, b"1 0                                  \n", 0)
        os.close(lock)
        steps = locking(tmp_path)
        assert [next(steps) for _ in range(3)] == [POLL_S] * 3
        heir.communicate()
        os.close(taken(steps))


def test_servers_that_outlive_a_stop_are_waited_for(tmp_path: Path) -> None:
    """Whoever let go is no holder, though it lives: it may be the one that starts again."""
    lock = taken(locking(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", HEIR], stdin=subprocess.PIPE, pass_fds=[lock]
    ) as heir:
        release(lock)
        steps = locking(tmp_path)
        assert [next(steps) for _ in range(3)] == [POLL_S] * 3
        heir.communicate()
        os.close(taken(steps))


def test_a_pid_that_was_given_again_is_no_holder(tmp_path: Path) -> None:
    """A process is its pid and its birth: another that got the pid later holds nothing."""
    (tmp_path / "lock").write_text(f"{os.getpid()} 1\n")
    os.close(taken(locking(tmp_path)))


def test_a_lock_that_leads_elsewhere_is_not_written(tmp_path: Path) -> None:
    """Root writes nothing through a link that the folder's owner has laid."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        next(locking(tmp_path))
    assert victim.read_text() == "precious"
