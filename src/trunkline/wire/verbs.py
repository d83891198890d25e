"""The verbs of TwiML that this carrier's documents are made of, with their defaults.

Source: Twilio, "TwiML Voice". The simulator carries them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True)
class StreamNoun:
    """Where a stream goes. `parameters` become `start.customParameters`."""

    url: str
    name: str | None = None
    track: str = "inbound_track"
    status_callback: str | None = None
    status_callback_method: Method = "POST"
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Connect:
    """A bidirectional stream: the document goes on when it has ended, unless `action` is set."""

    stream: StreamNoun
    action: str | None = None
    method: Method = "POST"


@dataclass(frozen=True, slots=True)
class Redirect:
    """Another document takes over."""

    url: str
    method: Method = "POST"


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence; as first verb, ringing."""

    length_s: int = 1


@dataclass(frozen=True, slots=True)
class Say:
    """Speech made by the carrier. `loop` 0: for ever."""

    text: str
    voice: str | None = None
    language: str | None = None
    loop: int = 1


@dataclass(frozen=True, slots=True)
class Play:
    """A recording, or tones."""

    url: str | None = None
    digits: str | None = None
    loop: int = 1


@dataclass(frozen=True, slots=True)
class Number:
    """A number to dial."""

    number: str
    send_digits: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Dial:
    """Another call leg, joined to this one."""

    numbers: tuple[Number, ...]
    action: str | None = None
    method: Method = "POST"
    timeout_s: int = 30
    time_limit_s: int = 14_400
    caller_id: str | None = None
    answer_on_bridge: bool = False


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A queue of the carrier's."""

    queue: str
    action: str | None = None
    method: Method = "POST"
    wait_url: str | None = None


@dataclass(frozen=True, slots=True)
class Hangup:
    """The call ends."""


@dataclass(frozen=True, slots=True)
class Reject:
    """The call is not answered."""

    reason: Literal["rejected", "busy"] = "rejected"


@dataclass(frozen=True, slots=True)
class Gather:
    """Keys pressed are sent to `action`; `prompts` are played meanwhile."""

    action: str | None = None
    method: Method = "POST"
    input: str = "dtmf"
    timeout_s: int = 5
    num_digits: int | None = None
    finish_on_key: str = "#"
    action_on_empty_result: bool = False
    prompts: tuple["Say | Play | Pause", ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """Voicemail. Without `action` the carrier asks the document's own URL again."""

    action: str | None = None
    method: Method = "POST"
    timeout_s: int = 5
    max_length_s: int = 3600
    play_beep: bool = True


Verb = Connect | Redirect | Pause | Say | Play | Dial | Enqueue | Hangup | Reject | Gather | Record


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says, and what of it was ignored (each a warning `NOT_IN_SCHEMA`)."""

    verbs: tuple[Verb, ...]
    warnings: tuple[str, ...] = ()
