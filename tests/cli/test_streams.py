import subprocess
import sys
from pathlib import Path

import pytest

MEND = "from trunkline.cli import streams; streams.mend(); "


def told(
    code: str, *, shell: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """What a process says that mends its streams first."""
    command = f'exec "$0" -c "$1" {shell}'
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, MEND + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env={"PYTHONIOENCODING": encoding},
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_is_there(closed: str) -> None:
    """Nothing of ours asks whether there is one."""
    code = "import sys; sys.stdin.isatty(); print(1); print(2, file=sys.stderr, flush=True)"
    assert told(code, shell=closed).returncode == 0


def test_a_terminal_that_knows_ascii_only_shows_every_word() -> None:
    """Escaped, and not as an error."""
    assert told("print('schema → 1')", encoding="ascii").stdout == "schema \\u2192 1\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_what_nobody_can_hear_harms_nobody() -> None:
    """A full disk, or a reader who has gone: `say` goes on, and the exit code stays 0."""
    done = told("streams.say('ready'); streams.say('steady')", shell="> /dev/full")
    assert (done.returncode, done.stderr) == (0, "")
