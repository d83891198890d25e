"""A call's search for a session: which model is asked when, over its agent's list.

Each model is tried, and tried again after a short pause, then the next one is; where every model
was tried in vain the caller must be told, and the search goes on in the background, for the line
is still open. An attempt that does not answer gets company: whichever comes first is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trunkline.core.breaker import BREAKER_OPEN, FATAL

NO_SECOND_TRY: Final = FATAL | {BREAKER_OPEN, "pool_closing", "session_refused"}
"""Reasons for which the same model is not asked again at once."""

DOUBLINGS_MAX: Final = 16
"""Pauses stop doubling here, whatever their limits."""


@dataclass(frozen=True, slots=True)
class LadderLimits:
    """Counts and pauses, in seconds."""

    retries_max: int = 2
    """So often a model is asked again before the next one is."""
    pause_s_min: float = 0.15
    """Before the first retry; doubles, and is cut by up to a half, at random: calls that failed
    together shall not come back together."""
    round_s_min: float = 0.5
    """After the whole list failed: so long until it is tried again; doubles."""
    round_s_max: float = 1.5
    """The longest pause between two rounds."""
    hedge_s: float = 1.2
    """An attempt without an answer for so long gets company."""
    attempts_max: int = 2
    """Attempts of one call at once."""

    def __post_init__(self) -> None:
        assert self.retries_max >= 0
        assert self.pause_s_min > 0
        assert 0 < self.round_s_min <= self.round_s_max
        assert self.hedge_s > 0
        assert self.attempts_max >= 1


@dataclass(frozen=True, slots=True)
class Try:
    """Ask a model (its place in the list) for a session; a failure is told by `attempt`."""

    attempt: int
    model: int


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Every model was tried in vain: tell the caller. The search goes on. Said once."""

    reason: str


Step = Try | Exhausted


class Ladder:
    """One search. `begin`, then `failed` and `tick` until a session was had; times in seconds."""

    def __init__(
        self,
        models: int,
        *,
        jitter: Callable[[], float],
        first: int = 0,
        limits: LadderLimits | None = None,
    ) -> None:
        """`models` are asked from the place `first` on; `jitter` gives numbers from 0 to 1."""
        assert models >= 1
        self._models = models
        self._limits = limits or LadderLimits()
        self._jitter = jitter
        self._model = first % models
        self._tries = 0
        """Failures of the present model in this round."""
        self._passed = 0
        """Models given up in this round."""
        self._rounds = 0
        self._attempts = 0
        self._running: dict[int, tuple[int, float]] = {}
        """Attempts by number: their model, and since when."""
        self._next_at: float | None = None

    def begin(self, now: float, *, pause_s: float = 0.0) -> list[Step]:
        """The first attempt, after a pause if the last session was lost at once."""
        assert self._attempts == 0
        self._next_at = now + pause_s * (1 - self._jitter() / 2)
        return self.tick(now)

    def failed(self, attempt: int, reason: str, now: float) -> list[Step]:
        """An attempt has failed."""
        model, _ = self._running.pop(attempt)
        steps: list[Step] = []
        if model == self._model:  # Else it was given up already.
            self._tries += 1
            if reason in NO_SECOND_TRY or self._tries > self._limits.retries_max:
                steps += self._give_up(reason, now)
            else:
                self._pause(self._limits.pause_s_min * 2 ** (self._tries - 1), now)
        elif not self._running and self._next_at is None:
            self._next_at = now
        return steps + self.tick(now)

    def tick(self, now: float) -> list[Step]:
        """What is due at `now`."""
        steps: list[Step] = []
        while len(self._running) < self._limits.attempts_max:
            if self._next_at is not None:
                if now < self._next_at:
                    break
            elif not self._running or now < self._hedge_at():
                break
            else:
                self._go_on()
            self._next_at = None
            self._attempts += 1
            self._running[self._attempts] = (self._model, now)
            steps.append(Try(self._attempts, self._model))
        return steps

    def deadline(self) -> float | None:
        """When `tick` must come next, if nothing fails before."""
        if len(self._running) >= self._limits.attempts_max:
            return None
        return self._next_at if self._next_at is not None else self._hedge_at()

    def _hedge_at(self) -> float:
        newest = max(since for _, since in self._running.values())
        return newest + self._limits.hedge_s

    def _go_on(self) -> None:
        """Company for an attempt that does not answer: of the next model, if there is one."""
        self._model = (self._model + 1) % self._models
        self._tries = 0

    def _give_up(self, reason: str, now: float) -> list[Step]:
        """On to the next model; after the last one, a pause and the first again."""
        self._model = (self._model + 1) % self._models
        self._tries = 0
        self._passed += 1
        if self._passed < self._models:
            self._next_at = now
            return []
        self._passed = 0
        self._rounds += 1
        doublings = min(self._rounds - 1, DOUBLINGS_MAX)
        self._pause(min(self._limits.round_s_min * 2**doublings, self._limits.round_s_max), now)
        return [Exhausted(reason)] if self._rounds == 1 else []

    def _pause(self, seconds: float, now: float) -> None:
        self._next_at = now + seconds * (1 - self._jitter() / 2)
