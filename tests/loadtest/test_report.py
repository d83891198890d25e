"""The report as a file."""

from pathlib import Path

import msgspec
import pytest

from loadtest.samples import call, counts, report
from trunkline.errors import SettingsError
from trunkline.loadtest.report import Report, active, bars, check_writable, to_json
from trunkline.loadtest.timeline import Fault


def test_what_is_written_can_be_read_again() -> None:
    """All of it, faults and None included."""
    made = report(faults=[Fault(2.0, "model", "reset")], marked=True, pod=True)
    assert msgspec.json.decode(to_json(made), type=Report) == made


def test_calls_at_once_at_each_change() -> None:
    """Up with each beginning, down with each end."""
    assert active([call(0), call(1)]) == [(0.0, 1), (0.5, 2), (10.0, 1), (10.5, 0)]
    assert active([]) == []


def test_few_bars_hold_many_values() -> None:
    """What is beyond the last edge has a bar without end."""
    found = bars(counts(0.3, 0.4, 1.9, 5_000.0), edges=(0.5, 2.0))
    assert [(bar.up_to_ms, bar.count) for bar in found] == [(0.5, 2), (2.0, 1), (None, 1)]


def test_a_file_that_can_not_be_written_is_told_before_the_test(tmp_path: Path) -> None:
    """By the option's name."""
    check_writable("--json", tmp_path / "report.json")
    with pytest.raises(SettingsError, match=r"--html: .* can't be written"):
        check_writable("--html", tmp_path / "none" / "report.html")
