"""The life of a session in the pool, as a table: docs/explain/pool.md draws it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a session stands."""

    OPENING = "opening"
    IDLE = "idle"
    LENT = "lent"
    CLOSING = "closing"
    GONE = "gone"


class Move(StrEnum):
    """Why a session changes its state."""

    KEPT = "kept"
    """Clean, and the pool is below its size."""
    GIVEN = "given"
    FAILED = "failed"
    """It could not be opened."""
    SURPLUS = "surplus"
    """Clean, and the pool is full or it is too old."""
    DIRTY = "dirty"
    """It heard a caller."""
    AGED = "aged"
    LOST = "lost"
    SHUT = "shut"
    """The pool closes."""
    CLOSED = "closed"


NEXT: Final[Mapping[State, Mapping[Move, State]]] = {
    State.OPENING: {
        Move.KEPT: State.IDLE,
        Move.GIVEN: State.LENT,
        Move.SURPLUS: State.CLOSING,
        Move.FAILED: State.GONE,
        Move.SHUT: State.CLOSING,
    },
    State.IDLE: {
        Move.GIVEN: State.LENT,
        Move.AGED: State.CLOSING,
        Move.LOST: State.CLOSING,
        Move.SHUT: State.CLOSING,
    },
    State.LENT: {
        Move.KEPT: State.IDLE,
        Move.GIVEN: State.LENT,
        Move.DIRTY: State.CLOSING,
        Move.SURPLUS: State.CLOSING,
        Move.SHUT: State.CLOSING,
    },
    State.CLOSING: {Move.CLOSED: State.GONE},
    State.GONE: {},
}
"""The life of a session. LENT to LENT is a clean session handed to the next who waits."""
