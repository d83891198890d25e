"""Scripts from their files, and what those of the fleet have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from trunkline.core.fleet_states import (
    FLEET_TTL_MS,
    HOLDER_MS_MAX,
    LEASE_MS,
    PAST_MS,
    QUIET_MS_MAX,
    REAP_MAX,
)
from trunkline.core.slots import INBOUND_HOLD_S

NowMs: TypeAlias = Callable[[], int]
"""A time of the tests' own in the place of the store's."""

SETTINGS: Final = (
    *(LEASE_MS, QUIET_MS_MAX, REAP_MAX, HOLDER_MS_MAX, PAST_MS, FLEET_TTL_MS),
    int(INBOUND_HOLD_S * 1000),
)
"""ARGV 2 to 8 of each of the fleet's scripts."""


def script(client: Redis, *names: str) -> AsyncScript:
    """A script from its files: called by its hash, sent whole where the store has forgotten it."""
    texts = (Path(__file__).with_name(f"{name}.lua").read_text() for name in names)
    return client.register_script("\n".join(texts))


def told(now_ms: NowMs | None) -> str:
    """The time for a script; empty: it asks the store."""
    return "" if now_ms is None else str(now_ms())


def fleet_args(now_ms: NowMs | None) -> list[str | int]:
    """What each of the fleet's scripts is told first."""
    return [told(now_ms), *SETTINGS]
