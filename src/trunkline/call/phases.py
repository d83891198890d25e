"""The phases of a call and of its stream, as tables. `docs/explain/call.md` is drawn from them.

A call always is in one phase, and its line is in one state: a stream may be lost and come back
in any phase in which there is one, so the two are not multiplied.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Phase(StrEnum):
    """Where a call is in its life."""

    EXPECTED = "expected"
    """Set up; no stream came yet."""
    OPENING = "opening"
    """A session was asked for."""
    INSTRUCTING = "instructing"
    """The session was sent its settings: before it confirms them it must hear no audio."""
    TALKING = "talking"
    CLOSING = "closing"
    """The last words are made and played: a goodbye, or the announcement of a transfer."""
    ENDED = "ended"


NEXT: Final[Mapping[Phase, Mapping[Phase, str]]] = MappingProxyType(
    {
        Phase.EXPECTED: {
            Phase.OPENING: "the stream starts",
            Phase.ENDED: "hung up, drained",
        },
        Phase.OPENING: {
            Phase.INSTRUCTING: "a session is ours",
            Phase.ENDED: "hung up, no model in time, stream not back, drained",
        },
        Phase.INSTRUCTING: {
            Phase.TALKING: "the session took its settings",
            Phase.OPENING: "session lost, or settings not taken",
            Phase.ENDED: "hung up, settings refused by every model, stream not back, drained",
        },
        Phase.TALKING: {
            Phase.CLOSING: "end_call, transfer_call, longest call",
            Phase.OPENING: "session lost",
            Phase.INSTRUCTING: "session old, and the next one ready",
            Phase.ENDED: "hung up, idle, no model in time, stream not back, drained",
        },
        Phase.CLOSING: {
            Phase.TALKING: "the caller speaks into a goodbye",
            Phase.ENDED: "last words played, or cut at their limit, or hung up",
        },
        Phase.ENDED: {},
    }
)


class Line(StrEnum):
    """Whether a stream carries the call at present."""

    ABSENT = "absent"
    """None came yet."""
    UP = "up"
    LOST = "lost"
    """The last one broke: the session waits, what the caller has not heard is kept."""


LINE_NEXT: Final[Mapping[Line, Mapping[Line, str]]] = MappingProxyType(
    {
        Line.ABSENT: {Line.UP: "the first stream starts"},
        Line.UP: {Line.LOST: "the socket is gone, or another stream takes its place"},
        Line.LOST: {Line.UP: "the next stream starts, the unheard is replayed"},
    }
)
