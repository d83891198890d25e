"""`trunkline loadtest` as a user runs it: a pod of its own, a fault, Ctrl-C, and the report."""

import re
import signal
from pathlib import Path

import msgspec
import pytest

from acceptance.commands import assert_gone, environ, running
from trunkline.loadtest.report import Report

CALLS = 3

LATER = re.compile(r"^ +(1\d|[6-9]) of 60 s", re.MULTILINE)
"""A line of progress, some seconds after the fault."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loadtest")


def test_a_load_test_that_is_cut_short_reports_what_has_been(folder: Path) -> None:
    """One command and no account; marks of time in the audio; nothing is left running.

    No setting that lies about is taken for its pod's.
    """
    given = environ(folder, PUBLIC_URL="https://somebody.example", REDIS_URL="redis://nowhere")
    words = f"loadtest --calls {CALLS} --rate 10 --seconds 60 --script interrupt --seed 1"
    at = ("--at", "3s", "model.reset")
    files = ("--json", "report.json", "--html", "report.html", "--data-dir", "stores")
    with running(folder, given, *words.split(), *at, *files) as command:
        command.until_said(f"{CALLS} live, {CALLS} begun, 0 over")
        command.until(lambda: bool(LATER.search(command.out())))
        family = command.family()
        command.send(signal.SIGINT)
        done = command.done()
        assert_gone(family)
    assert done.err == "", done
    report = msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)
    # Whether promises hold on a machine that others use is not said here; that it is judged is.
    assert done.code == report.verdict.exit_code
    assert done.out.index("promise ") < done.out.index(report.verdict.text)
    _whole(report)
    page = (folder / "report.html").read_text()
    for words in ("Time lines of the calls", "model.reset, 3 s", "cut short by Ctrl-C"):
        assert words in page


def _whole(report: Report) -> None:
    """Every figure that can be known on one machine is there."""
    assert report.cut_short
    assert 5 <= report.lasted_s < 60
    totals = report.totals
    assert (totals.calls, len(report.calls)) == (CALLS, CALLS)
    assert totals.spoken >= CALLS
    assert (totals.lost, totals.doubled, totals.crossed) == (0, 0, 0)
    assert None not in {totals.false, totals.loop_lag_ms}
    for found in (
        totals.webhook_ms,
        totals.stream_ms,
        totals.first_sound_ms,
        totals.answer_ms,
        totals.to_model_ms,
        totals.to_caller_ms,
        totals.own_late_ms,
    ):
        assert found is not None
    assert report.course.pod[-1].calls is not None
    for call in report.calls:
        assert call.failed == ""
        assert call.to_model is not None
        assert call.to_caller is not None
