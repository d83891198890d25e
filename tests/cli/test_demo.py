from pathlib import Path

import pytest
from typer.testing import CliRunner

from trunkline.cli.demo import app
from trunkline.errors import SettingsError


@pytest.mark.parametrize("arguments", [["--calls", "0"], ["--calls", "501"], ["--rate", "nan"]])
def test_numbers_out_of_range_are_usage_errors(arguments: list[str]) -> None:
    """Exit code 2, nothing started."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert f"Invalid value for '{arguments[0]}'" in done.output


def test_a_relative_folder_is_taken_from_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pod may run elsewhere. One that can't be used is told by the option's name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    done = CliRunner().invoke(app, ["--data-dir", "taken/demo"])
    with pytest.raises(SettingsError, match=f"--data-dir: {tmp_path}/taken/demo can't be used"):
        raise done.exception or AssertionError(done.output)
