"""What several commands' tests start from."""

from collections.abc import Mapping
from pathlib import Path

import pytest

ENOUGH = {
    "TRUNKLINE_PUBLIC_URL": "https://pod.example",
    "TRUNKLINE_TWILIO_AUTH_TOKEN": "token",
    "TRUNKLINE_REALTIME_API_KEY": "key",
    "TRUNKLINE_PORT": "0",
    "TRUNKLINE_INTERNAL_PORT": "0",
}


@pytest.fixture
def enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """A folder without a .env, and an environment with enough to start a pod."""
    monkeypatch.chdir(tmp_path)
    for name, value in ENOUGH.items():
        monkeypatch.setenv(name, value)
    return ENOUGH
