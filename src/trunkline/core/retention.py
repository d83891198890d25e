"""How long the record of a call keeps what was said in it, and by whom. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

DAY_MS: Final = 24 * 3600 * 1000

UNENDED_MS_MAX: Final = 2 * DAY_MS
"""A call without an end is over after this: none lasts longer than 4 hours, and its journal goes
24 hours after its last fact. Until then it may be live, and is left alone."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days by tenant; None keeps for ever. `verticals` are for tenants that are not listed."""

    tenants: Mapping[str, int | None] = field(default_factory=dict)
    verticals: Mapping[str, int] = field(default_factory=dict)

    def before_ms(self, tenant: str, vertical: str, now_ms: int) -> int | None:
        """The time before which a call must have ended to be erased now; None: it is kept."""
        days = self.tenants[tenant] if tenant in self.tenants else self.verticals.get(vertical)
        return None if days is None else now_ms - days * DAY_MS

    @property
    def keeps_all(self) -> bool:
        """Nothing is ever erased by age."""
        return not self.verticals and not any(self.tenants.values())


@dataclass(frozen=True, slots=True)
class Erased:
    """How many calls and how many of their facts were erased, or would be."""

    calls: int = 0
    facts: int = 0

    def __add__(self, other: "Erased") -> "Erased":
        return Erased(self.calls + other.calls, self.facts + other.facts)


def over_at_ms(started_at_ms: int, ended_at_ms: int | None) -> int:
    """From when on a call is certainly over."""
    return started_at_ms + UNENDED_MS_MAX if ended_at_ms is None else ended_at_ms
