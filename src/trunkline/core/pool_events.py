"""What a pool is told and what it orders: its events, in the past tense, and its actions."""

from dataclasses import dataclass
from typing import Literal, NewType

SessionNo = NewType("SessionNo", int)
"""The pool's number for a session, from the wish to open it until its socket is gone."""

WaiterNo = NewType("WaiterNo", int)
"""The shell's number for a caller who wants a session; never used twice."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A caller wants a session: `Give` or `Refuse` will answer, unless he goes away."""

    waiter: WaiterNo


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The caller went away before an answer."""

    waiter: WaiterNo


@dataclass(frozen=True, slots=True)
class Opened:
    """The session sent `session.created` just now."""

    session: SessionNo


@dataclass(frozen=True, slots=True)
class OpenFailed:
    """The session could not be opened, and nothing of it is left."""

    session: SessionNo
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """An idle session's socket is gone, or it said something that an idle session should not."""

    session: SessionNo


@dataclass(frozen=True, slots=True)
class Returned:
    """A lent session is no longer needed. `clean`: nothing was ever sent on it."""

    session: SessionNo
    clean: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """What `Close` ordered is done: the socket is gone."""

    session: SessionNo


@dataclass(frozen=True, slots=True)
class Closing:
    """The process ends: no caller is served any more."""


Event = Wanted | Abandoned | Opened | OpenFailed | Lost | Returned | Closed | Closing

Source = Literal["pool", "new"]
"""Whether a session was there, or on its way, before its caller; or was opened for him."""


@dataclass(frozen=True, slots=True)
class Open:
    """Open a session: `Opened`, `OpenFailed`, or after a `Close` `Closed`, will answer."""

    session: SessionNo


@dataclass(frozen=True, slots=True)
class Give:
    """The session is this caller's, and nobody else's, until it is returned."""

    waiter: WaiterNo
    session: SessionNo
    source: Source
    waited_ms: int
    age_s: float
    """Since `session.created`: providers end sessions by this age."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the caller that there is no session for him, and why."""

    waiter: WaiterNo
    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """The session is idle now: watch it, and say when it is lost."""

    session: SessionNo


@dataclass(frozen=True, slots=True)
class Close:
    """Close the session, or give up opening it: `Closed` will answer."""

    session: SessionNo


PoolAction = Open | Give | Refuse | Keep | Close


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """How many sessions stand where, how many callers wait, and setbacks in a row."""

    opening: int
    idle: int
    lent: int
    closing: int
    waiting: int
    setbacks: int
