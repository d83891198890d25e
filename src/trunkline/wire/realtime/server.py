"""Events that a server sends over the Realtime protocol.

Read leniently: unknown fields are ignored, unknown events are `Unknown`, and an event of a
known kind is read as far as it can be. Only what the product or the simulator uses is named.
"""

from typing import Final, get_args

import msgspec
from msgspec import UNSET, UnsetType

from trunkline.errors import ModelProtocolError
from trunkline.wire.realtime import leniency
from trunkline.wire.realtime.items import Item
from trunkline.wire.realtime.responses import (
    CachedTokens,
    ContentPart,
    DurationUsage,
    ErrorDetail,
    ErrorOfResponse,
    InputTokens,
    OutputTokens,
    RateLimit,
    Response,
    ResponseStatus,
    StatusDetails,
    TokensUsage,
    TranscriptionError,
    Usage,
)
from trunkline.wire.realtime.session import EffectiveSession, SessionView

# Defined beside, and named here too.
__all__ = [
    "CachedTokens",
    "ContentPart",
    "DurationUsage",
    "EffectiveSession",
    "ErrorDetail",
    "ErrorOfResponse",
    "InputTokens",
    "OutputTokens",
    "RateLimit",
    "Response",
    "ResponseStatus",
    "SessionView",
    "StatusDetails",
    "TokensUsage",
    "TranscriptionError",
    "Usage",
]

MESSAGE_BYTES_MAX: Final = 1024 * 1024
"""A longer message from a model is refused before it is parsed."""


class SessionCreated(msgspec.Struct, frozen=True, tag="session.created"):
    """The first event: only now is a connection good."""

    session: SessionView
    event_id: str = ""


class SessionUpdated(msgspec.Struct, frozen=True, tag="session.updated"):
    session: SessionView
    event_id: str = ""


class Error(msgspec.Struct, frozen=True, tag="error"):
    """Most errors leave the session open; `error.event_id` names the client event at fault."""

    error: ErrorDetail
    event_id: str = ""


class SpeechStarted(msgspec.Struct, frozen=True, tag="input_audio_buffer.speech_started"):
    audio_start_ms: int
    item_id: str
    event_id: str = ""


class SpeechStopped(msgspec.Struct, frozen=True, tag="input_audio_buffer.speech_stopped"):
    audio_end_ms: int
    item_id: str
    event_id: str = ""


class AudioCommitted(msgspec.Struct, frozen=True, tag="input_audio_buffer.committed"):
    item_id: str
    previous_item_id: str | None = None
    event_id: str = ""


class AudioCleared(msgspec.Struct, frozen=True, tag="input_audio_buffer.cleared"):
    event_id: str = ""


class IdleTimeout(msgspec.Struct, frozen=True, tag="input_audio_buffer.timeout_triggered"):
    audio_start_ms: int
    audio_end_ms: int
    item_id: str
    event_id: str = ""


class ItemAdded(msgspec.Struct, frozen=True, tag="conversation.item.added"):
    item: Item
    previous_item_id: str | None = None
    event_id: str = ""


class ItemDone(msgspec.Struct, frozen=True, tag="conversation.item.done"):
    item: Item
    previous_item_id: str | None = None
    event_id: str = ""


class ItemDeleted(msgspec.Struct, frozen=True, tag="conversation.item.deleted"):
    item_id: str
    event_id: str = ""


class ItemRetrieved(msgspec.Struct, frozen=True, tag="conversation.item.retrieved"):
    item: Item
    event_id: str = ""


class ItemTruncated(msgspec.Struct, frozen=True, tag="conversation.item.truncated"):
    item_id: str
    content_index: int
    audio_end_ms: int
    event_id: str = ""


class TranscriptionCompleted(
    msgspec.Struct, frozen=True, tag="conversation.item.input_audio_transcription.completed"
):
    """What the caller said. Comes at any time after the commit, often after the answer."""

    item_id: str
    content_index: int
    transcript: str
    usage: DurationUsage | TokensUsage | UnsetType = UNSET
    event_id: str = ""


class TranscriptionDelta(
    msgspec.Struct, frozen=True, tag="conversation.item.input_audio_transcription.delta"
):
    """Some of what the caller said; the whole comes with `TranscriptionCompleted`."""

    item_id: str
    content_index: int = 0
    delta: str = ""
    event_id: str = ""


class TranscriptionFailed(
    msgspec.Struct, frozen=True, tag="conversation.item.input_audio_transcription.failed"
):
    item_id: str
    content_index: int
    error: TranscriptionError
    event_id: str = ""


class ResponseCreated(msgspec.Struct, frozen=True, tag="response.created"):
    response: Response
    event_id: str = ""


class ResponseDone(msgspec.Struct, frozen=True, tag="response.done"):
    """Always sent, whatever became of the response."""

    response: Response
    event_id: str = ""


class OutputItemAdded(msgspec.Struct, frozen=True, tag="response.output_item.added"):
    response_id: str
    output_index: int
    item: Item
    event_id: str = ""


class OutputItemDone(msgspec.Struct, frozen=True, tag="response.output_item.done"):
    response_id: str
    output_index: int
    item: Item
    event_id: str = ""


class ContentPartAdded(msgspec.Struct, frozen=True, tag="response.content_part.added"):
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    part: ContentPart
    event_id: str = ""


class ContentPartDone(msgspec.Struct, frozen=True, tag="response.content_part.done"):
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    part: ContentPart
    event_id: str = ""


class AudioDelta(msgspec.Struct, frozen=True, gc=False, tag="response.output_audio.delta"):
    """A stretch of the answer, base64, faster than real time."""

    response_id: str
    item_id: str
    delta: str
    output_index: int = 0
    content_index: int = 0
    event_id: str = ""


class AudioDone(msgspec.Struct, frozen=True, tag="response.output_audio.done"):
    response_id: str
    item_id: str
    output_index: int = 0
    content_index: int = 0
    event_id: str = ""


class TranscriptDelta(msgspec.Struct, frozen=True, tag="response.output_audio_transcript.delta"):
    response_id: str
    item_id: str
    delta: str
    output_index: int = 0
    content_index: int = 0
    event_id: str = ""


class TranscriptDone(msgspec.Struct, frozen=True, tag="response.output_audio_transcript.done"):
    response_id: str
    item_id: str
    transcript: str
    output_index: int = 0
    content_index: int = 0
    event_id: str = ""


class TextDelta(msgspec.Struct, frozen=True, tag="response.output_text.delta"):
    """A stretch of an answer in text mode."""

    response_id: str
    item_id: str
    delta: str
    output_index: int = 0
    content_index: int = 0
    event_id: str = ""


class TextDone(msgspec.Struct, frozen=True, tag="response.output_text.done"):
    response_id: str
    item_id: str
    text: str
    output_index: int = 0
    content_index: int = 0
    event_id: str = ""


class ArgumentsDelta(msgspec.Struct, frozen=True, tag="response.function_call_arguments.delta"):
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    delta: str
    event_id: str = ""


class ArgumentsDone(msgspec.Struct, frozen=True, tag="response.function_call_arguments.done"):
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    arguments: str
    name: str | UnsetType = UNSET
    event_id: str = ""


class RateLimitsUpdated(msgspec.Struct, frozen=True, tag="rate_limits.updated"):
    rate_limits: list[RateLimit]
    event_id: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """An event of a kind this codec does not know; counted, never an error."""

    type: str


Read = (
    SessionCreated
    | SessionUpdated
    | Error
    | SpeechStarted
    | SpeechStopped
    | AudioCommitted
    | AudioCleared
    | IdleTimeout
    | ItemAdded
    | ItemDone
    | ItemDeleted
    | ItemRetrieved
    | ItemTruncated
    | TranscriptionDelta
    | TranscriptionCompleted
    | TranscriptionFailed
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | ContentPartAdded
    | ContentPartDone
    | AudioDelta
    | AudioDone
    | TranscriptDelta
    | TranscriptDone
    | ArgumentsDelta
    | ArgumentsDone
    | RateLimitsUpdated
)
"""Events that are read."""

FromServer = Read | Unknown
ToClient = Read | TextDelta | TextDone
"""Events that the simulator sends. The pod has no use for the last two: to it, `Unknown`."""


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    type: str


_ENCODER: Final = msgspec.json.Encoder()
_READ: Final[msgspec.json.Decoder[Read]] = msgspec.json.Decoder(Read)
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_TREE: Final = msgspec.json.Decoder(dict[str, object])
_KINDS: Final = frozenset(str(record.__struct_config__.tag) for record in get_args(Read))


def encode(event: ToClient) -> bytes:
    """JSON text of an event, as UTF-8."""
    try:
        return _ENCODER.encode(event)
    except UnicodeEncodeError as error:
        raise ModelProtocolError("a string holds half a character") from error


def decode(text: bytes | bytearray | memoryview | str) -> FromServer:
    """Read a server's event as far as it can be read.

    An event of an unknown kind, or of a known kind in an unknown shape, is `Unknown`. Text that
    is no event at all raises `ModelProtocolError` and nothing else.
    """
    if len(text) > MESSAGE_BYTES_MAX:
        raise ModelProtocolError(f"event over {MESSAGE_BYTES_MAX} bytes")
    try:
        return _READ.decode(text)
    except msgspec.ValidationError:
        return _salvage(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ModelProtocolError("the event is not JSON that can be read") from error


def _salvage(text: bytes | bytearray | memoryview | str) -> FromServer:
    """Read an event that is not quite of the shape we know: a newer server, or another one."""
    try:
        kind = _ENVELOPE.decode(text).type
        if kind not in _KINDS or len(text) > leniency.BYTES_MAX:
            return Unknown(kind)
        event = leniency.readable(_TREE.decode(text))
    except msgspec.ValidationError as error:
        raise ModelProtocolError(f"no event: {error}", param="type") from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ModelProtocolError("the event is not JSON that can be read") from error
    try:
        read: Read = msgspec.convert(event, Read)
    except (msgspec.ValidationError, RecursionError):
        return Unknown(kind)
    return read
