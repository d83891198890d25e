"""All faults of settings, `.env` and config file at once."""

from pathlib import Path

from check.grounds import ENVIRON, KEY, PASSWORD, TOKEN, environ, told, whys
from trunkline.check.ground import read
from trunkline.check.items import Status

CONFIG = """
agents:
  desk: {instructions: Answer., tools: [find], fallback_script: Sorry.}
  other: {instructions: Answer.}
numbers: {"*": {agent: desk}}
tools: {find: {kind: http, url: "https://t.example.com/", description: F., sign_with: TOOL_KEY}}
"""


def written(folder: Path, content: str = CONFIG) -> Path:
    path = folder / "trunkline.yaml"
    path.write_text(content)
    return path


def test_enough_settings_and_no_file() -> None:
    """One built-in agent answers, and that is said."""
    ground, items = read(ENVIRON, None)
    assert told(items) == [(Status.OK, "settings"), (Status.OK, "config")]
    assert "one built-in agent answers every number" in items[1].why
    assert ground.settings is not None
    assert ground.file is not None


def test_what_is_missing_is_said_with_its_remedy() -> None:
    """Each of the three, and nothing of the network is asked for it."""
    _, items = read({}, None)
    failed = [item for item in items if item.status is Status.FAIL]
    assert [item.why.partition(":")[0] for item in failed] == [
        "TRUNKLINE_PUBLIC_URL",
        "TRUNKLINE_TWILIO_AUTH_TOKEN",
        "TRUNKLINE_REALTIME_API_KEY",
    ]
    assert all(item.remedy.startswith("set it") or "copy" in item.remedy for item in failed)


def test_wrong_settings_do_not_hide_a_wrong_file(tmp_path: Path) -> None:
    """Its faults have their line and column; no value of a secret is quoted."""
    path = written(tmp_path, CONFIG.replace("agent: desk", "agent: desc"))
    given = {
        **ENVIRON,
        **environ(path, PORT="high", DATABASE_URL=PASSWORD, TICKET_KEY=f"{KEY} b"),
    }
    ground, items = read(given, None)
    assert ground.settings is None
    assert ground.file is None
    text = whys(items)
    for name in ("TRUNKLINE_PORT", "TRUNKLINE_DATABASE_URL", "TRUNKLINE_TICKET_KEY"):
        assert name in text
    assert f"{path}:5:24: numbers.*.agent: there is no agent 'desc'" in text


def test_a_secret_that_is_not_set_is_told_by_its_place(tmp_path: Path) -> None:
    """The rest of the file still serves the other steps."""
    path = written(tmp_path)
    ground, items = read({**ENVIRON, **environ(path)}, None)
    assert "TOOL_KEY is not set" in whys(items)
    assert f"{path}:6:" in whys(items)
    assert ground.file is not None
    ground, items = read({**ENVIRON, **environ(path), "TOOL_KEY": TOKEN}, None)
    assert ground.named["TOOL_KEY"].get_secret_value() == TOKEN
    assert (Status.FAIL, "config") not in told(items)
    assert "version 1, 2 agents, 1 numbers, 1 tools, 1 secrets" in whys(items)


def test_what_hinders_nothing_is_a_warning(tmp_path: Path) -> None:
    """A setting that nobody reads, an agent that nobody reaches or that has nothing to fall to."""
    given = {**ENVIRON, **environ(written(tmp_path), POOL_SISE="3"), "TOOL_KEY": TOKEN}
    _, items = read(given, None)
    assert {status for status, _ in told(items)} == {Status.OK, Status.WARN}
    text = whys(items)
    assert "did you mean TRUNKLINE_POOL_SIZE?" in text
    assert "no number and no handoff leads to this agent" in text
    assert "fallback scripts: none for other" in text


def test_an_env_file_is_read_and_said(tmp_path: Path) -> None:
    """One that can't be read is a fault of its own, told once."""
    env_file = tmp_path / ".env"
    env_file.write_text("TRUNKLINE_CALLS_MAX=12\n")
    _, items = read(ENVIRON, env_file)
    assert "carries 12 calls" in whys(items)
    env_file.write_bytes(b"\xff")
    _, items = read(ENVIRON, env_file)
    assert [item.what for item in items if item.status is Status.FAIL] == [".env"]
