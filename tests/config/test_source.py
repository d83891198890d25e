"""Files that are read again, changed in the ways people and machines change them."""

import os
from pathlib import Path

import pytest

from trunkline.config.source import Source
from trunkline.errors import SettingsError

CONFIG = """
agents: {desk: {instructions: Answer., tools: [find]}}
numbers: {"*": {agent: desk}}
tools: {find: {kind: http, url: "https://tools.example.com/", description: F., sign_with: TOOL_KEY}}
"""
ENVIRON = {"TOOL_KEY": "first"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A config file."""
    path = tmp_path / "trunkline.yaml"
    path.write_text(CONFIG)
    return path


def notices(source: Source) -> bool:
    """Whether it sees a change once it has looked twice."""
    source.changed()
    return source.changed()


def test_what_was_read_is_no_change(path: Path) -> None:
    """However often one looks."""
    source = Source(path, ENVIRON)
    assert source.is_file
    assert source.load().named["TOOL_KEY"].get_secret_value() == "first"
    assert not notices(source)


def test_a_file_that_is_written_is_a_change_once_it_is_still(path: Path) -> None:
    """In the midst of it nobody reads."""
    source = Source(path, ENVIRON)
    source.load()
    path.write_text(CONFIG + "# half")
    assert not source.changed()
    path.write_text(CONFIG + "# half and half")
    assert not source.changed()
    assert source.changed()
    source.load()
    assert not notices(source)


def test_a_file_that_is_replaced_is_a_change(path: Path) -> None:
    """As editors do; also with the same size and time."""
    source = Source(path, ENVIRON)
    source.load()
    other = path.with_suffix(".new")
    other.write_text(CONFIG.replace("Answer", "Listen"))
    times = path.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.rename(path)
    assert notices(source)


def test_a_symbolic_link_above_it_may_be_swapped(tmp_path: Path) -> None:
    """As a ConfigMap's is."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "trunkline.yaml").write_text(CONFIG)
    (tmp_path / "data").symlink_to("1")
    source = Source(tmp_path / "data" / "trunkline.yaml", ENVIRON)
    source.load()
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").rename(tmp_path / "data")
    assert notices(source)


def test_a_wrong_file_is_refused_once(path: Path) -> None:
    """And seen again when it is mended."""
    source = Source(path, ENVIRON)
    source.load()
    path.write_text("agents: [")
    assert notices(source)
    with pytest.raises(SettingsError, match=r"trunkline\.yaml:1:"):
        source.load()
    assert not notices(source)
    path.write_text(CONFIG)
    assert notices(source)
    source.load()


def test_a_file_that_is_gone_is_a_change(path: Path) -> None:
    """It is refused, and the same file back is a change again."""
    source = Source(path, ENVIRON)
    source.load()
    path.rename(path.with_suffix(".away"))
    assert notices(source)
    with pytest.raises(SettingsError, match="cannot be read"):
        source.load()
    path.with_suffix(".away").rename(path)
    assert notices(source)


def test_a_secret_s_file_is_watched_too(path: Path, tmp_path: Path) -> None:
    """A rotated secret needs no change of the config."""
    secret = tmp_path / "tool-key"
    secret.write_text("first")
    source = Source(path, {"TOOL_KEY_FILE": str(secret)})
    source.load()
    assert not notices(source)
    secret.write_text("second")
    assert notices(source)
    assert source.load().named["TOOL_KEY"].get_secret_value() == "second"
    assert not notices(source)


def test_an_env_file_is_read_again_with_the_config(path: Path, tmp_path: Path) -> None:
    """It is not watched: settings in it need a restart, so nothing shall look otherwise."""
    env_file = tmp_path / ".env"
    env_file.write_text("TOOL_KEY=first")
    source = Source(path, {}, env_file)
    source.load()
    env_file.write_text("TOOL_KEY=second")
    assert not notices(source)
    assert source.load().named["TOOL_KEY"].get_secret_value() == "second"
    env_file.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="UTF-8"):
        source.load()


def test_without_a_file_there_is_nothing_to_read_again() -> None:
    """The built-in agent answers."""
    source = Source(None, {})
    assert not source.is_file
    assert source.load().file.path is None
    assert not notices(source)
