"""What has happened to a call, in the past tense: the wires' messages, plus the pod's own."""

from dataclasses import dataclass
from typing import Literal

from trunkline.core.ids import StreamSid
from trunkline.wire import twilio
from trunkline.wire.realtime import server


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """A stream with a valid ticket: the first of the call, or the one after a lost one."""

    stream_sid: StreamSid


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The stream's socket is gone and the carrier did not say `stop`."""

    reason: str


@dataclass(frozen=True, slots=True)
class StreamPromised:
    """The carrier was sent to a stream once more, under the same ticket: its webhook was repeated.

    If it obeys twice, the `stop` of the present stream is followed by another stream.
    """


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    """The carrier says that the call is over (a status callback)."""

    status: str


@dataclass(frozen=True, slots=True)
class ModelOpened:
    """A session is ours: it sent `session.created` and has had no settings of a caller yet.

    `age_s` is since then.
    """

    source: Literal["pool", "new"]
    model: str
    waited_ms: int
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelAway:
    """Every model was asked in vain; the search goes on."""

    reason: str


@dataclass(frozen=True, slots=True)
class ModelLost:
    """Our session is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool of the pod's has finished. `output` is what the model is told, errors included."""

    call_id: str
    ok: bool
    output: str


@dataclass(frozen=True, slots=True)
class Drained:
    """The pod can't carry this call any longer: its grace period is over, or `reason` says."""

    reason: str = "drained"


Own = (
    StreamStarted
    | StreamLost
    | StreamPromised
    | CallerHungUp
    | ModelOpened
    | ModelAway
    | ModelLost
    | ToolReturned
    | Drained
)

Event = twilio.FromCarrier | server.FromServer | Own
