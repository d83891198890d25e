import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trunkline.cli.app import app

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a .env, and an environment without our settings."""
    monkeypatch.chdir(tmp_path)


def test_what_fails_makes_the_command_fail() -> None:
    """Exit code 1; a line each, and one that counts them."""
    done = CliRunner().invoke(app, ["check"])
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("fail  settings          TRUNKLINE_PUBLIC_URL: missing  -> set it")
    assert lines[-1].endswith("3 failed")


def test_programs_get_json() -> None:
    """And nothing else on stdout."""
    done = CliRunner().invoke(app, ["check", "--json"])
    assert done.exit_code == 1
    read = json.loads(done.stdout)
    assert read["status"] == "fail"
    assert {"status", "what", "why", "remedy"} == set(read["items"][0])


def test_a_file_that_is_not_there_is_a_wrong_command() -> None:
    """It is asked for by name: nothing is checked."""
    done = CliRunner().invoke(app, ["check", "--env-file", "nowhere"])
    assert "there is no nowhere" in str(done.exception)
