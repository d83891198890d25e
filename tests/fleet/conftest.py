"""What every machine here stands on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.commands import (
    KEY,
    environ,
    pod_settings,
    running,
)
from folders import open_folder


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture(scope="module")
def settings(folder: Path) -> Iterator[dict[str, str]]:
    """With a realtime model of our own: `trunkline sim realtime`."""
    options = ("--port", "0", "--key", KEY, "--speed", "20")
    with running(folder, environ(folder), "sim", "realtime", *options) as simulator:
        url = simulator.until_said("ws://").removeprefix("realtime simulator: ")
        yield {
            **pod_settings(url, folder / "data"),
            "INTERNAL_PORT": "0",
            "POOL_SIZE": "2",
            "CALLS_MAX": "1000",  # Most of the calls here never get a stream.
        }
