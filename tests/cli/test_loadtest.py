"""`trunkline loadtest`: what it refuses before anything is started."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trunkline.cli.loadtest import app
from trunkline.errors import SettingsError
from trunkline.loadtest.plan import CONSENT

HERE = ("--url", "http://127.0.0.1:9/voice")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--calls", "0"],
        ["--calls", "1001"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--seconds", "3601"],
        ["--model", "0"],
        ["--added-ms", "0"],
    ],
)
def test_numbers_out_of_range_are_usage_errors(arguments: list[str]) -> None:
    """Exit code 2, nothing started."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert f"Invalid value for '{arguments[0]}'" in done.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--url", "https://bot.example/voice"], f"add {CONSENT} if that is you"),
        (["--url", "voice"], "--url: expected http://HOST/PATH"),
        (["--calls", "50", "--rate", "1", "--seconds", "20"], "--seconds 20 is too short"),
        (["--script", "sing"], "--script sing: there are talk, interrupt, tools"),
        ([*HERE, "--at", "3s", "model.reset"], "--at model.…: the model is not ours here"),
        (["--at", "3s", "model.sleep=1s"], "no such fault; there are: refuse"),
        (["--at", "3s"], "write it as --at 20s model.refuse=10s"),
        (["--at", "30s", "model.reset"], "the test is over by then"),
        (["--json", "none/report.json"], "--json: none/report.json can't be written"),
    ],
)
def test_what_can_not_work_is_told_in_one_line(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the option and the remedy, and nothing is started."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments)
    with pytest.raises(SettingsError) as refused:
        raise done.exception or AssertionError(done.output)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_help_teaches_with_examples_and_lists_the_faults() -> None:
    """The simulators' own switches, by their names."""
    done = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    for words in (
        "trunkline loadtest --calls 50 --rate 5 --seconds 60 --html report.html",
        "refuse, handshake",
        "refuse_streams",
        "0 all promises kept",
    ):
        assert words in done.output, words
