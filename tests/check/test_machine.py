"""Folders, disk, open files and functions."""

import resource
from pathlib import Path

import pytest

from check.grounds import ground, told
from trunkline.check import machine
from trunkline.check.items import Status

CONFIG = """
agents: {desk: {instructions: Answer., tools: [find]}}
numbers: {"*": {agent: desk}}
tools: {find: {kind: python, target: "TARGET", description: Finds.}}
"""


def with_tool(folder: Path, target: str) -> Path:
    path = folder / "trunkline.yaml"
    path.write_text(CONFIG.replace("TARGET", target))
    return path


def test_a_folder_that_does_not_exist_yet_will_do(tmp_path: Path) -> None:
    """And is not made: nothing is changed."""
    wanted = tmp_path / "a" / "b"
    (item,) = machine.check_data_dir(ground(DATA_DIR=str(wanted)))
    assert item.why.startswith(f"{wanted} has ")
    assert not wanted.parent.exists()


def test_a_file_in_its_place_will_not(tmp_path: Path) -> None:
    """Nor a folder below it."""
    (tmp_path / "file").write_text("")
    for wanted in (tmp_path / "file", tmp_path / "file" / "data"):
        items = machine.check_data_dir(ground(DATA_DIR=str(wanted)))
        assert told(items) == [(Status.FAIL, "data dir")]


def test_stores_elsewhere_need_no_folder() -> None:
    """Both of them."""
    urls = {"REDIS_URL": "redis://127.0.0.1/0", "DATABASE_URL": "postgresql://127.0.0.1/calls"}
    assert machine.check_data_dir(ground(None, **urls)) == []


@pytest.mark.parametrize(
    ("mib", "status"), [(100_000, Status.OK), (1000, Status.WARN), (100, Status.FAIL)]
)
def test_how_much_room_there_must_be(mib: int, status: Status) -> None:
    """Said in time, and when it is too late."""
    assert machine.of_disk(Path("/data"), mib * 1024 * 1024).status is status


def test_a_full_pod_needs_its_open_files() -> None:
    """More calls need more; who may raise the limit is said."""
    settings = ground(CALLS_MAX="200").settings
    assert settings is not None
    assert machine.of_open_files(settings, 1024, 4096).status is Status.FAIL
    assert "hard limit" not in machine.of_open_files(settings, 1024, 4096).remedy
    assert "hard limit" in machine.of_open_files(settings, 1024, 1024).remedy
    assert machine.of_open_files(settings, 4096, 4096).status is Status.OK
    unlimited = machine.of_open_files(settings, resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert unlimited.status is Status.OK
    assert len(machine.check_open_files(ground())) == 1


def test_a_tool_s_function_is_found_beside_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What its module prints does not mix with our items."""
    (tmp_path / "tools_of_check.py").write_text("print('hello')\ndef find(): ...\n")
    items = machine.check_tools(ground(with_tool(tmp_path, "tools_of_check:find")))
    assert told(items) == [(Status.OK, "tools")]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("target", ["no_such_module:find", "json:find", "json:decoder"])
def test_one_that_is_not_there_is_told_by_the_tool_s_name(tmp_path: Path, target: str) -> None:
    """No module, no function in it, and what is no function."""
    items = machine.check_tools(ground(with_tool(tmp_path, target)))
    assert (items[0].status, items[0].what) == (Status.FAIL, "tools")
    assert "find: " in items[0].why


def test_without_tools_nothing_is_said() -> None:
    """Neither good nor bad."""
    assert machine.check_tools(ground()) == []
