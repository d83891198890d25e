"""Whether a model is worth asking: one breaker for each URL, model and key.

Repeated failure opens it, so that new callers are told at once instead of waiting for what will
fail. From time to time one caller is let through to find out; when he succeeds, all are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

FATAL: Final = frozenset(
    {
        "invalid_api_key",
        "insufficient_quota",
        "account_deactivated",
        "billing_hard_limit_reached",
        "model_not_found",
    }
)
"""Reasons that no second attempt mends: a person must."""

BREAKER_OPEN: Final = "breaker_open"
"""The refusal of a caller who comes while the breaker is open."""

DOUBLINGS_MAX: Final = 16
"""Waits stop doubling here, whatever their limits."""


class BreakerState(StrEnum):
    """How the breaker stands."""

    CLOSED = "closed"
    """Everybody may ask."""
    OPEN = "open"
    """Nobody may ask before its wait is over."""
    PROBING = "probing"
    """One asks for all."""


BREAKER_NEXT: Final[Mapping[BreakerState, Mapping[BreakerState, str]]] = MappingProxyType(
    {
        BreakerState.CLOSED: {BreakerState.OPEN: "failures in a row, or a fatal one"},
        BreakerState.OPEN: {
            BreakerState.PROBING: "the wait is over, and somebody asks",
            BreakerState.CLOSED: "a session opened all the same",
        },
        BreakerState.PROBING: {
            BreakerState.CLOSED: "a session opened",
            BreakerState.OPEN: "it failed, and the next wait is longer",
        },
    }
)
"""`docs/explain/ladder.md` is drawn from it."""


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """Its counts and waits, in seconds."""

    failures_max: int = 3
    """So many in a row open it; what began before the last one is the same trouble."""
    open_s_min: float = 0.5
    """The first wait; it doubles with each probe that fails."""
    open_s_max: float = 2.0
    """The longest: callers are on the line, and want to know soon."""
    fatal_s: float = 15.0
    """The wait after a fatal failure."""
    probe_s_max: float = 10.0
    """A probe without a verdict by then is forgotten: its caller may be gone."""

    def __post_init__(self) -> None:
        assert self.failures_max >= 1
        assert 0 < self.open_s_min <= self.open_s_max <= self.fatal_s
        assert self.probe_s_max > 0


class Breaker:
    """Times are seconds of one monotonic clock."""

    __slots__ = ("_counted_at", "_failures", "_limits", "_opened", "_probe_at", "_state", "_until")

    def __init__(self, limits: BreakerLimits | None = None) -> None:
        self._limits = limits or BreakerLimits()
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._counted_at = float("-inf")
        self._opened = 0
        """Times it opened since it was closed last."""
        self._until = float("-inf")
        self._probe_at = float("-inf")

    @property
    def state(self) -> BreakerState:
        """How it stands."""
        return self._state

    def admit(self, now: float) -> bool:
        """Whether a caller may ask now. Of an open breaker whose wait is over: one, as a probe."""
        if self._state is BreakerState.CLOSED:
            return True
        waits = now < self._until
        probed = self._state is BreakerState.PROBING
        if waits or (probed and now < self._probe_at + self._limits.probe_s_max):
            return False
        if not probed:
            self._to(BreakerState.PROBING)
        self._probe_at = now
        return True

    def succeeded(self) -> None:
        """A session opened: the model is well."""
        self._failures = self._opened = 0
        if self._state is not BreakerState.CLOSED:
            self._to(BreakerState.CLOSED)

    def failed(self, reason: str, begun_at: float, now: float) -> None:
        """What began at `begun_at` has failed: an opening, a session, a response."""
        fatal = reason in FATAL
        if begun_at <= self._counted_at and not fatal:
            return
        self._counted_at = now
        self._failures += 1
        match self._state:
            case BreakerState.CLOSED:
                if fatal or self._failures >= self._limits.failures_max:
                    self._open(now, fatal=fatal)
            case BreakerState.PROBING:
                self._open(now, fatal=fatal)
            case BreakerState.OPEN:
                if fatal:
                    self._until = now + self._limits.fatal_s

    def _open(self, now: float, *, fatal: bool) -> None:
        self._to(BreakerState.OPEN)
        doublings = min(self._opened, DOUBLINGS_MAX)
        wait_s = min(self._limits.open_s_min * 2**doublings, self._limits.open_s_max)
        self._until = now + (self._limits.fatal_s if fatal else wait_s)
        self._opened += 1

    def _to(self, state: BreakerState) -> None:
        assert state in BREAKER_NEXT[self._state], f"{self._state} to {state}"
        self._state = state
