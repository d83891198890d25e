"""Which pod a call goes to: even load on as few pods as will do, so that the others run empty."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trunkline.core.ids import PodName

ORDINAL: Final = re.compile(r"([0-9]{1,9})$")

NO_ORDINAL: Final = 10**9
"""Pods without a number come last, by name."""


def ordinal(pod: PodName) -> int:
    """The number at the end of a pod's name."""
    found = ORDINAL.search(pod)
    return NO_ORDINAL if found is None else int(found[1])


@dataclass(frozen=True, slots=True)
class Place:
    """A pod that may get a call."""

    held: int
    target: int
    cap: int
    revision: str = ""
    joined_ms: int = 0


def newest(pods: Sequence[Place]) -> str | None:
    """The revision that came last, by the first of its pods; `pods` are all that live.

    So a pod of an old revision that was started anew is not taken for the future.
    """
    since: dict[str, int] = {}
    for pod in pods:
        since[pod.revision] = min(since.get(pod.revision, pod.joined_ms), pod.joined_ms)
    return max(since, key=since.__getitem__, default=None)


def choose(places: Sequence[Place], *, prefer: str | None = None) -> int | None:
    """The place for one more call; `places` in the order of their ordinals. None: all are full.

    The least loaded of the lowest that are needed for the calls they all have at their targets,
    and of one more; the lowest of two that are alike. If those are full, the next with room.
    `prefer`: of these, those of one revision, if they have room.
    """
    if prefer is not None:
        preferred = [at for at, place in enumerate(places) if place.revision == prefer]
        found = choose([places[at] for at in preferred])
        if found is not None:
            return preferred[found]
    calls = sum(place.held for place in places)
    best, needed, reached = None, 0, False
    for at, place in enumerate(places):
        beyond = reached
        reached = reached or needed >= calls
        needed += place.target
        if beyond and best is not None:
            break
        if place.held >= place.cap:
            continue
        # Loads as fractions of targets, compared without division.
        if best is None or place.held * places[best].target < places[best].held * place.target:
            best = at
    return best
