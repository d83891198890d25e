"""Ground to check on: settings and a config that are well, unless told otherwise."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trunkline.check.ground import Ground, read
from trunkline.check.items import Item, Status

TOKEN: Final = "canary-auth-token"
KEY: Final = "sk-canary-key"
PASSWORD: Final = "canary-password"
CANARIES: Final = (TOKEN, KEY, PASSWORD)
"""No item may hold one."""

ENVIRON: Final[Mapping[str, str]] = {
    "TRUNKLINE_PUBLIC_URL": "https://voice.example.com",
    "TRUNKLINE_TWILIO_AUTH_TOKEN": TOKEN,
    "TRUNKLINE_TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "TRUNKLINE_REALTIME_API_KEY": KEY,
    "TRUNKLINE_POD_NAME": "pod-0",
}


def ground(config: Path | None = None, **settings: str) -> Ground:
    """What is read with these settings besides; names without their prefix."""
    return read({**ENVIRON, **environ(config, **settings)}, None)[0]


def environ(config: Path | None = None, **settings: str) -> dict[str, str]:
    given = {f"TRUNKLINE_{name}": value for name, value in settings.items()}
    return given if config is None else {**given, "TRUNKLINE_CONFIG": str(config)}


def told(items: list[Item]) -> list[tuple[Status, str]]:
    """How bad each is and what it is about; none may hold a secret."""
    for item in items:
        assert not any(canary in f"{item.why}{item.remedy}" for canary in CANARIES), item
        assert item.why
        assert item.status is Status.OK or item.remedy or item.what in {"settings", "config"}
    return [(item.status, item.what) for item in items]


def whys(items: list[Item]) -> str:
    """All that is said."""
    told(items)
    return "\n".join(f"{item.what}: {item.why}; {item.remedy}" for item in items)
