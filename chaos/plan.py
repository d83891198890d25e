"""Which fault strikes when."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Final

SPARE_SHARE: Final = 0.1
"""So many slots more than the pods that stay need: an ended call frees its own a moment late."""

SPARE_MIN: Final = 2

UP_S: Final = 8.0
"""From the last call's begin to the first fault: greetings are over, people talk."""

AFTER_S: Final = 10.0
"""From the last fault's end to the calls' end."""


class Name(StrEnum):
    """The faults, in the order in which they strike."""

    KILL = "kill"
    DRAIN = "drain"
    ROLL = "roll"
    INGRESS = "ingress"
    VALKEY = "valkey"
    POSTGRES = "postgres"
    MODEL = "model"


MEANINGS: Final = {
    Name.KILL: "SIGKILL of the pod with the most calls",
    Name.DRAIN: "drain of the pod with the most calls",
    Name.ROLL: "drain of each pod, one after another",
    Name.INGRESS: "SIGKILL of Traefik",
    Name.VALKEY: "Valkey stands still",
    Name.POSTGRES: "PostgreSQL stands still",
    Name.MODEL: "the model refuses sessions, and breaks a third of those that are open",
}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the faults last that have an end, in seconds."""

    valkey_s: float = 10.0
    postgres_s: float = 60.0
    model_s: float = 20.0
    pace: float = 1.0
    """All waits between faults are so many times as long."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A fault's place on the timeline: it strikes at `at_s`, and by `until_s` all is well again."""

    name: Name
    at_s: float
    for_s: float
    """0: it is over at once."""
    until_s: float


REST_S: Final = {
    Name.KILL: 20.0,
    Name.DRAIN: 25.0,
    Name.ROLL: 90.0,
    Name.INGRESS: 15.0,
    Name.VALKEY: 15.0,
    Name.POSTGRES: 10.0,
    Name.MODEL: 15.0,
}
"""From a fault's end to the next: killed pods come back, calls go on."""


def slots(names: Sequence[Name], ramp_s: float, timing: Timing) -> tuple[Slot, ...]:
    """One after another, never two at once."""
    lasts = {
        Name.VALKEY: timing.valkey_s,
        Name.POSTGRES: timing.postgres_s,
        Name.MODEL: timing.model_s,
    }
    found: list[Slot] = []
    at_s = ramp_s + UP_S * timing.pace
    for name in names:
        for_s = lasts.get(name, 0.0)
        until_s = at_s + for_s + REST_S[name] * timing.pace
        found.append(Slot(name, at_s, for_s, until_s))
        at_s = until_s
    return tuple(found)


def seconds(found: Sequence[Slot], timing: Timing) -> float:
    """How long the calls last."""
    return found[-1].until_s + AFTER_S * timing.pace


def cap(calls: int, pods: int) -> int:
    """So many calls a pod may carry: all but one of them carry all."""
    needed = ceil(calls / max(1, pods - 1))
    return needed + max(SPARE_MIN, ceil(needed * SPARE_SHARE))
