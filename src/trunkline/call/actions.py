"""What shall be done for a call, in the imperative. The pod's runner does it, in order."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from trunkline.core.facts import Fact, Outcome
from trunkline.wire import twilio
from trunkline.wire.realtime import client


class ToCaller(msgspec.Struct, frozen=True, gc=False):
    """Send on the call's present stream. A record of msgspec's: made for every piece of audio."""

    message: twilio.ToCarrier


class ToModel(msgspec.Struct, frozen=True, gc=False):
    """Send on the call's present session."""

    event: client.FromClient


@dataclass(frozen=True, slots=True)
class OpenModel:
    """Look for a session until one is had or the call ends: `ModelOpened` will answer.

    `ModelAway` is said once if every model was asked in vain. `skip`: begin with the model after
    the one that failed last; `pause_s`: not at once, for the last one was lost at once.
    """

    skip: bool = False
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TakeModel:
    """The session that was opened last is the call's from now on; one before it is let go."""


@dataclass(frozen=True, slots=True)
class DropModel:
    """Let go of the call's session: it is gone, or of no use."""


@dataclass(frozen=True, slots=True)
class BlameModel:
    """The model failed this call, in what began at `begun_at`: let whoever counts that know."""

    reason: str
    begun_at: float


@dataclass(frozen=True, slots=True)
class MeterLimit:
    """The model's word on the tokens of a minute: let whoever lets calls in know."""

    limit: int
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True)
class MeterUse:
    """A response has taken so many tokens of the present model's minute.

    `apart_s`: since the one before it; None: it is the session's first.
    """

    tokens: int
    apart_s: float | None


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run a tool of the pod's: `ToolReturned` will answer, whatever happens."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CancelTool:
    """Nobody waits for this tool any more; no `ToolReturned` follows."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """Write the fact to the journal."""

    fact: Fact


class NoteName(StrEnum):
    """Names of log lines and metrics that a call gives: stable, and without words spoken."""

    PHASE = "phase"
    BARGE_IN = "barge_in"
    TURN_LATENCY = "turn_latency"
    """Seconds from the caller's speech end to the first audio of the answer."""
    FILLER = "filler"
    FALLBACK = "fallback"
    """The fallback script was played: no model could be had; `detail` says why."""
    DEAD_AIR = "dead_air"
    """A caller who was owed a sound heard none in time; `detail` is what it was owed for."""
    MODEL_ERROR = "model_error"
    RESPONSE_FAILED = "response_failed"
    UNEXPECTED = "unexpected"
    """A message that the protocol allows and this moment does not; ignored and counted."""
    TOKENS = "tokens"
    """Tokens of a response; `detail` is a `core.costs.Kind`."""
    DROPPED = "dropped"
    """Audio towards `detail` (`caller`, `model`) that was dropped, in frames of 20 ms."""
    GAP = "gap"
    """Seconds from a lost stream to the next."""
    TAKEN_OVER = "taken_over"
    """The call comes from another pod; `detail` says why. Nobody knows how long the caller heard
    nothing."""


@dataclass(frozen=True, slots=True)
class Note:
    """Write a log line and count it. `detail` is one of a small, closed set of words."""

    name: NoteName
    detail: str = ""
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class EndCall:
    """The call is over: no action follows, and no event is received any more."""

    outcome: Outcome
    reason: str


Action = (
    ToCaller
    | ToModel
    | OpenModel
    | TakeModel
    | DropModel
    | BlameModel
    | MeterLimit
    | MeterUse
    | RunTool
    | CancelTool
    | Record
    | Note
    | EndCall
)
