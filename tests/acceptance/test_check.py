"""`trunkline check` beside a pod that runs, and a pod that is told to read its config again."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.commands import KEY, Running, environ, pod_settings, run, running
from folders import open_folder

CONFIG = """
version: 1
agents: {desk: {instructions: You answer., fallback_script: Please call again.}}
numbers: {"*": {agent: desk}}
"""
BARE = ("--env-file", os.devnull)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the commands of this file run."""
    with open_folder() as made:
        (made / "trunkline.yaml").write_text(CONFIG)
        yield made


@pytest.fixture(scope="module")
def settings(folder: Path) -> Iterator[dict[str, str]]:
    """A pod's, with `trunkline sim realtime` as its model."""
    options = ("--port", "0", "--key", KEY)
    with running(folder, environ(folder), "sim", "realtime", *options) as simulator:
        url = simulator.until_said("ws://").removeprefix("realtime simulator: ")
        given = pod_settings(url, folder / "data")
        yield {**given, "CONFIG": str(folder / "trunkline.yaml")}


@pytest.fixture(scope="module")
def up(folder: Path, settings: dict[str, str]) -> Iterator[Running]:
    """`trunkline up`, ready."""
    with running(folder, environ(folder, **settings), "up", *BARE) as command:
        command.until_said("trunkline answers")
        yield command


def checked(folder: Path, settings: dict[str, str], code: int, **more: str) -> dict[str, str]:
    """How each thing stands, after a check that ended so."""
    given = environ(folder, **{**settings, **more})
    done = run(folder, given, "check", "--json", *BARE)
    assert (done.code, done.err) == (code, ""), done
    assert settings["TWILIO_AUTH_TOKEN"] not in done.out
    return {item["what"]: item["status"] for item in json.loads(done.out)["items"]}


@pytest.mark.usefixtures("up")
def test_a_pod_that_runs_is_found_through_its_public_url(
    folder: Path, settings: dict[str, str]
) -> None:
    """Everything is well but the account, which has no SID to be asked by."""
    assert checked(folder, settings, 0) == {
        "settings": "ok",
        "config": "ok",
        "fallback audio": "warn",
        "data dir": "ok",
        "open files": "ok",
        "redis": "ok",
        "postgres": "ok",
        "model": "ok",
        "twilio": "warn",
        "public url": "ok",
        "media": "ok",
    }


@pytest.mark.usefixtures("up")
def test_what_is_wrong_is_found(folder: Path, settings: dict[str, str]) -> None:
    """A key, a store, a token: each by its own name."""
    told = checked(
        folder,
        settings,
        1,
        REALTIME_API_KEY="sk-wrong",
        REDIS_URL="redis://127.0.0.1:1/0",
        TWILIO_AUTH_TOKEN="another",
    )
    failed = {what for what, status in told.items() if status == "fail"}
    assert failed == {"model", "redis", "public url"}


def lines(command: Running, name: str) -> list[dict[str, object]]:
    """What it has logged under this name."""
    read = [json.loads(line) for line in command.err().splitlines() if line.startswith("{")]
    return [line for line in read if line["event"] == name]


def test_sighup_has_the_config_read_at_once(folder: Path, up: Running) -> None:
    """Also one that has not changed; a wrong one is told with line and column, and stays out."""
    path = folder / "trunkline.yaml"
    up.send(signal.SIGHUP)
    up.until(lambda: len(lines(up, "config_loaded")) == 1)
    path.write_text(CONFIG.replace("agent: desk", "agent: nobody"))
    up.send(signal.SIGHUP)
    up.until(lambda: bool(lines(up, "config_refused")))
    refused, *_ = lines(up, "config_refused")
    assert f"{path}:4:24: numbers.*.agent: there is no agent" in str(refused["hint"])
    path.write_text(CONFIG.replace("version: 1", "version: 2"))
    up.send(signal.SIGHUP)
    up.until(lambda: any(line["version"] == "2" for line in lines(up, "config_loaded")))
