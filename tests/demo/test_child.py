"""The demo's pod: what it says of itself when it does not start."""

import os
import sys
from pathlib import Path

import aiohttp
import pytest

from trunkline.demo import child
from trunkline.errors import SettingsError, TrunklineError

pytestmark = pytest.mark.anyio


async def test_a_pod_that_does_not_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    """Its line with the remedy, without its prefix, and no process is left."""
    log = tmp_path / "pod.log"
    environ = {"PATH": os.environ["PATH"], "TRUNKLINE_CALLS_MAX": "none"}
    async with aiohttp.ClientSession() as http:
        with pytest.raises(TrunklineError) as failed:
            async with child.pod(environ, log=log, http=http):
                pytest.fail("it took calls")
    assert "the pod did not start: TRUNKLINE_CALLS_MAX: expected" in str(failed.value)
    assert str(sys.executable) not in str(failed.value)


async def test_a_log_that_can_not_be_written_names_the_option(tmp_path: Path) -> None:
    """The folder is a file: one line, before any process is started."""
    taken = tmp_path / "taken"
    taken.write_text("")
    async with aiohttp.ClientSession() as http:
        with pytest.raises(SettingsError, match="--data-dir"):
            async with child.pod({}, log=taken / "pod.log", http=http):
                pytest.fail("it took calls")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "it said nothing"),
        ("Traceback\nValueError: x\n", "ValueError: x"),
        ("noise\ntrunkline: one\ntrunkline: TRUNKLINE_DATA_DIR: two\n", "one; --data-dir: two"),
    ],
)
def test_the_last_words_are_those_meant_for_people(tmp_path: Path, written: str, told: str) -> None:
    """Lines of the command line's first; else the last one; and only this run's."""
    log = tmp_path / "pod.log"
    log.write_text("trunkline: of an earlier run\n" + written)
    assert child.last_words(log, len("trunkline: of an earlier run\n")) == told


def test_only_what_this_run_said_counts(tmp_path: Path) -> None:
    """A log is many demos'."""
    log = tmp_path / "pod.log"
    earlier = f"{child.ANSWERS}8080\n"
    log.write_text(earlier)
    assert not child.has_said(child.ANSWERS, log, len(earlier))
    log.write_text(earlier * 2)
    assert child.has_said(child.ANSWERS, log, len(earlier))
