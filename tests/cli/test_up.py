import os
import subprocess
import sys
import time

import psutil

CHILD = (
    "import sys; from trunkline.cli.up import tie_to; "
    "tie_to(int(sys.argv[1])); print('lives', flush=True); sys.stdin.read()"
)


def test_whoever_shall_end_with_a_parent_does_not_outlive_it() -> None:
    """SIGKILL of the parent is enough."""
    parent = (
        "import os, subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', {CHILD!r}, str(os.getpid())],"
        " stdout=subprocess.PIPE, stdin=subprocess.PIPE); "
        "child.stdout.readline(); print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        assert child.is_running()
        process.kill()
    late = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < late
        time.sleep(0.01)


def test_a_parent_that_has_gone_already_is_noticed() -> None:
    """While we loaded our modules: our parent is another by now, and nobody would ever end us."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(os.getppid())],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
