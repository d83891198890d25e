"""What goes wrong in a world, from its seed: which kind, when, and to whom.

Each kind has its own chance; what would break a promise that was never given (SIGKILL while Redis
is away loses that pod's buffer) is kept apart in time.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from trunkline.sim.carrier.faults import NO_FAULTS, Duplicate, Faults


class Kind(StrEnum):
    """What may go wrong."""

    SLOW_WEBHOOKS = "slow webhooks"
    """Requests of the carrier take up to seconds, and overtake one another."""
    HALF_OPEN = "half-open streams"
    """Some streams carry nothing any more, and neither end knows."""
    RESET = "streams reset"
    KILL = "pod killed"
    """SIGKILL; a new life has its name some seconds later."""
    FREEZE = "pod frozen"
    """SIGSTOP, and SIGCONT later."""
    DRAIN = "pod drained"
    """SIGTERM; a new life has its name when it has ended."""
    REDIS_AWAY = "redis away"
    REDIS_LOSSY = "redis loses answers"
    REDIS_FORGETS = "redis forgets"
    """It comes back, and knows nothing."""
    POSTGRES_AWAY = "postgres away"
    MODEL_REFUSES = "model refuses"
    MODEL_SLOW = "model thinks long"
    MODEL_STALLS = "model stalls"
    """Some responses stop half-way."""
    MODEL_FAILS = "model fails responses"
    MODEL_DROPS = "model drops sessions"


PODS: Final = frozenset({Kind.KILL, Kind.FREEZE, Kind.DRAIN})
REDIS: Final = frozenset({Kind.REDIS_AWAY, Kind.REDIS_LOSSY, Kind.REDIS_FORGETS})

APART_S: Final = 20.0
"""So far apart are what happens to pods and what happens to Redis."""

EVERY_S: Final = (4.0, 24.0)
"""From one event to the next."""

PODS_SHARE: Final = 0.15
"""Beside its own turn each kind that is about pods has this chance of being taken first."""

LONGEST_S: Final[dict[Kind, float]] = {
    Kind.SLOW_WEBHOOKS: 20.0,
    Kind.FREEZE: 25.0,
    Kind.REDIS_AWAY: 15.0,
    Kind.REDIS_LOSSY: 10.0,
    Kind.REDIS_FORGETS: 3.0,
    Kind.POSTGRES_AWAY: 60.0,
    Kind.MODEL_REFUSES: 15.0,
    Kind.MODEL_SLOW: 20.0,
    Kind.MODEL_FAILS: 10.0,
}
"""How long it lasts at most; what is not here happens at once."""


@dataclass(frozen=True)
class Squall:
    """One thing that goes wrong."""

    at_s: float
    kind: Kind
    for_s: float
    """How long; 0: it is over at once."""
    chance: float
    """From 0 to 1: whom it hits, and how hard."""


def forecast(rng: random.Random, seconds: float, kinds: Sequence[Kind]) -> list[Squall]:
    """All of a world's weather, in the order of its beginnings."""
    squalls: list[Squall] = []
    pods_until, redis_until = 0.0, 0.0
    at = rng.uniform(*EVERY_S)
    while kinds and at < seconds:
        often = [kind for kind in kinds if kind in PODS and rng.random() < PODS_SHARE]
        kind, chance = rng.choice(often or kinds), rng.random()
        for_s = rng.uniform(0.2, 1.0) * LONGEST_S.get(kind, 0.0)
        if kind in PODS and at > redis_until:
            squalls.append(Squall(at, kind, for_s, chance))
            pods_until = max(pods_until, at + for_s + APART_S)
        elif kind in REDIS and at > pods_until:
            squalls.append(Squall(at, kind, for_s, chance))
            redis_until = max(redis_until, at + for_s + APART_S)
        elif kind not in PODS | REDIS:
            squalls.append(Squall(at, kind, for_s, chance))
        at += rng.uniform(*EVERY_S)
    return squalls


def faults_of(rng: random.Random) -> Faults:
    """What goes wrong at the carrier in one call: callbacks lost, doubled, late; webhooks twice."""
    faults = replace(
        NO_FAULTS,
        after_loss_s=rng.uniform(0.5, 2.0),
        after_close_s=rng.uniform(0.1, 1.5),
        callback_loss=0.2,
        callback_double=0.2,
        callback_delay_s_max=5.0,
    )
    dice = rng.random()
    if dice < 0.15:  # noqa: PLR2004 - so many calls
        doubled = rng.choice((Duplicate.IGNORED, Duplicate.OBEYED))
        return replace(faults, duplicate_webhook=doubled, duplicate_after_ms=rng.randint(5, 800))
    if dice < 0.18:  # noqa: PLR2004
        return replace(faults, parameters=(("ticket", "forged"),))
    if dice < 0.25:  # noqa: PLR2004
        return replace(faults, replay_after_s=rng.uniform(1.0, 10.0))
    if dice < 0.3:  # noqa: PLR2004
        return replace(faults, hang_up_during_resume=True)
    return faults
