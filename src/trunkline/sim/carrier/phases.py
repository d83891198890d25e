"""The life of a call leg as a table, and what it may wait for."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Twilio's call status."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


OVER: Final = frozenset(
    {Phase.COMPLETED, Phase.BUSY, Phase.FAILED, Phase.NO_ANSWER, Phase.CANCELED}
)
"""A call in one of these never leaves it."""

NEXT: Final[Mapping[Phase, frozenset[Phase]]] = {
    Phase.QUEUED: frozenset({Phase.RINGING, Phase.CANCELED, Phase.FAILED}),
    Phase.RINGING: frozenset({Phase.IN_PROGRESS, *(OVER - {Phase.COMPLETED})}),
    Phase.IN_PROGRESS: frozenset({Phase.COMPLETED, Phase.FAILED}),
    **dict.fromkeys(OVER, frozenset[Phase]()),
}


class Timer(StrEnum):
    """What a call may be waiting for."""

    VERB = "verb"
    RING = "ring"
    GIVE_UP = "give-up"
    DUPLICATE = "duplicate"
    REPLAY = "replay"
    PERSON = "person"
    VERDICT = "verdict"
    HANG_UP = "hang-up"
    LENGTH = "length"
    OPEN = "open"
