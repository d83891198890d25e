"""A script that nobody checked would pass whatever happened: each test's are checked at its end."""

from collections.abc import Iterator

import pytest

from call.script import Script


@pytest.fixture(autouse=True)
def scripts_are_checked() -> Iterator[None]:
    Script.open.clear()
    yield
    for script in Script.open:
        script.check()
    Script.open.clear()
