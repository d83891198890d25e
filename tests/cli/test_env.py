import os
from pathlib import Path

import pytest

from trunkline.cli.env import file_of, read_settings
from trunkline.errors import SettingsError


def test_a_file_that_nobody_asked_for_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.env` of the folder where a command runs is read if it is there."""
    monkeypatch.chdir(tmp_path)
    assert read_settings(None).port == 8080
    (tmp_path / ".env").write_text("TRUNKLINE_PORT=8090\n")
    assert read_settings(None).port == 8090
    monkeypatch.setenv("TRUNKLINE_PORT", "8091")
    assert read_settings(None).port == 8091


def test_a_file_that_was_asked_for_is_there_and_is_a_file(tmp_path: Path) -> None:
    """A typing error is not taken for `no settings`; a pipe can be read once, and we read twice."""
    with pytest.raises(SettingsError, match=r"--env-file: there is no .*typo.env$"):
        file_of(tmp_path / "typo.env")
    with pytest.raises(SettingsError, match="is no file; expected NAME=value lines"):
        file_of(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="is no file"):
        file_of(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SettingsError, match="loop: cannot be read"):
        file_of(tmp_path / "loop")


def test_no_file_can_be_asked_for() -> None:
    """With the null device, as in a shell."""
    assert file_of(Path(os.devnull)) == Path(os.devnull)
