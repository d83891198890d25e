"""What has happened to a simulated call, and what its socket shell shall do about it.

Requests and streams are numbered within their call: the number comes back in the event. What
comes fifty times a second is a `Struct`: it is made in a tenth of the time.
"""

from dataclasses import dataclass, field

from msgspec import Struct

from trunkline.wire.webhooks import Form


@dataclass(frozen=True, slots=True)
class WebhookAnswered:
    """A request of ours got an HTTP answer."""

    request: int
    status: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhookFailed:
    """A request of ours got none: refused, timed out, or cut off."""

    request: int
    reason: str


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The server answered 101."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamRefused:
    """The server did not answer 101 (31920), or could not be reached (31901)."""

    stream: int
    reason: str
    code: int = 31920


class StreamText(Struct, frozen=True, gc=False):
    """The server sent a text message."""

    stream: int
    text: bytes

    def __repr__(self) -> str:
        return f"StreamText(stream={self.stream})"


@dataclass(frozen=True, slots=True)
class StreamBinary:
    """The server sent a binary message."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """The socket is closed: `code` is that of the server's close frame, None where none came."""

    stream: int
    code: int | None
    violation: bool = False
    """The server broke the WebSocket protocol itself (31924)."""


@dataclass(frozen=True, slots=True)
class StreamStalled:
    """The server reads too slowly: our socket's buffer is full (or empty again)."""

    stream: int
    stalled: bool


@dataclass(frozen=True, slots=True)
class PersonHungUp:
    """Whoever is on the line puts the phone down now, whatever their script says."""


@dataclass(frozen=True, slots=True)
class Updated:
    """The Calls API changed the live call: a new document, or the end (`status`)."""

    url: str | None = None
    method: str = "POST"
    twiml: str | None = field(default=None, repr=False)
    status: str | None = None


Event = (
    WebhookAnswered
    | WebhookFailed
    | StreamOpened
    | StreamRefused
    | StreamText
    | StreamBinary
    | StreamClosed
    | StreamStalled
    | PersonHungUp
    | Updated
)


class SendFrame(Struct, frozen=True, gc=False):
    """Write a frame of the caller's audio. `payload` is set where it belongs into the ledger."""

    stream: int
    text: bytes
    payload: bytes | None = None

    def __repr__(self) -> str:
        return f"SendFrame(stream={self.stream})"


class SendMessage(Struct, frozen=True, gc=False):
    """Write any other message."""

    stream: int
    data: bytes
    binary: bool = False

    def __repr__(self) -> str:
        return f"SendMessage(stream={self.stream}, binary={self.binary})"


@dataclass(frozen=True, slots=True)
class Request:
    """Make an HTTP request: a webhook that wants an answer, or a callback that does not.

    For GET the form's fields are already in the URL.
    """

    request: int
    method: str
    url: str = field(repr=False)
    form: Form
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    timeout_s: float
    wants_answer: bool


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Open a WebSocket."""

    stream: int
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Send a close frame and close."""

    stream: int
    code: int = 1000


@dataclass(frozen=True, slots=True)
class ResetStream:
    """Drop the TCP connection without a close frame."""

    stream: int


@dataclass(frozen=True, slots=True)
class ReadStream:
    """Stop reading from the stream's socket, or go on."""

    stream: int
    reading: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The call and everything about it is over: the machine wants nothing more."""


Action = (
    SendFrame
    | SendMessage
    | Request
    | OpenStream
    | CloseStream
    | ResetStream
    | ReadStream
    | Finished
)
