"""One config after another, as the pod takes them."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from call.script import plan
from pod.office import Book
from trunkline.config import file
from trunkline.config.source import Loaded, Source
from trunkline.errors import SettingsError
from trunkline.pod.compose_reload import LiveConfig, Ready
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What is logged."""
    stream = io.StringIO()
    logs.configure(stream, json=True)
    yield stream
    logs.configure(io.StringIO(), json=True)


def loaded(version: int, more: str = "") -> Loaded:
    content = f"""
version: {version}
agents: {{desk: {{instructions: Answer.}}{more}}}
numbers: {{"*": {{agent: desk}}}}
"""
    return Loaded(file.read(content.encode(), Path("trunkline.yaml")), {})


def ready(config: Loaded) -> Ready:
    """A config with a directory of its own."""
    return Ready(config.file, Book(plan()), {})


def live(first: Loaded, metrics: Metrics) -> LiveConfig:
    return LiveConfig(first, ready, logs.get_logger(), metrics)


def version(metrics: Metrics) -> str:
    lines = metrics.render().decode().splitlines()
    return next(line for line in lines if line.startswith("config_version "))


def test_the_next_config_s_directory_is_the_present_one(told: io.StringIO) -> None:
    """At once, with its version in metric and log."""
    metrics = Metrics()
    config = live(loaded(1), metrics)
    first = config.directory()
    assert version(metrics) == "config_version 1.0"
    config.swap(ready(loaded(2)))
    assert config.directory() is not first
    assert version(metrics) == "config_version 2.0"
    (line,) = [json.loads(line) for line in told.getvalue().splitlines()]
    assert (line["event"], line["version"]) == ("config_loaded", "2")


def test_what_is_doubtful_is_said_and_hinders_nothing(told: io.StringIO) -> None:
    """Of the file itself, and of its version after a higher one, however often it is loaded."""
    config = live(loaded(4), Metrics())
    config.swap(ready(loaded(2, ", idle: {instructions: Wait.}")))
    config.swap(ready(loaded(3)))
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    hints = [line["hint"] for line in lines if line["event"] == "setting_doubtful"]
    assert len(hints) == 3
    assert "no number and no handoff leads to this agent" in hints[0]
    assert "version 2 is lower than 4" in hints[1]
    assert "version 3 is lower than 4" in hints[2]


def test_a_first_config_that_can_t_be_used_is_not_begun_with() -> None:
    """A pod that starts says so and ends; there is no last right one."""

    def refuse(config: Loaded) -> Ready:
        del config
        raise SettingsError("no")

    with pytest.raises(SettingsError):
        LiveConfig(loaded(1), refuse, logs.get_logger(), Metrics())


def test_the_built_in_config_is_not_watched() -> None:
    """There is no file."""
    config = live(loaded(1), Metrics())
    assert config.watch(Source(None, {})) is None
