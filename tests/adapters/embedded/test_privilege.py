"""Root's servers pass through closed folders as somebody else, and can do no more than that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trunkline.adapters.embedded.privilege import can_share_search

root = pytest.mark.skipif(
    os.geteuid() != 0 or not can_share_search(), reason="only root has the capability to share"
)

BECOME = """
import os, sys
from trunkline.adapters.embedded.places import User
from trunkline.adapters.embedded.privilege import become
become(User(65534, 65534, "nobody"))
os.execv("/bin/sh", ["sh", "-c", sys.argv[1]])
"""


def as_nobody(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BECOME, script], capture_output=True, text=True, check=False
    )


@root
def test_a_closed_folder_is_passed_after_the_exec(tmp_path: Path) -> None:
    """The program that is started, not only the child that starts it, can read there."""
    (tmp_path / "closed").mkdir(mode=0o700)
    (tmp_path / "closed" / "word").write_text("read")
    done = as_nobody(f"id -u; cat {tmp_path}/closed/word")
    assert done.stdout.split() == ["65534", "read"]


@root
def test_nothing_of_others_can_be_written(tmp_path: Path) -> None:
    """To pass and to read is all: root's files stay root's."""
    word = tmp_path / "word"
    word.write_text("mine")
    done = as_nobody(f"echo theirs > {word}")
    assert done.returncode != 0
    assert word.read_text() == "mine"


def test_whether_it_can_be_shared_is_read_from_the_kernel() -> None:
    """Without being root there is nothing to share."""
    if os.geteuid() != 0:
        assert not can_share_search()
