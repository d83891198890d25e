"""Events that a server sends over the Realtime protocol.

Read leniently: unknown fields are ignored, unknown events are `Unknown`. Only what the
product or the simulator uses is named.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from trunkline.wire.realtime.items import Item

MESSAGE_BYTES_MAX = 1024 * 1024
"""A longer message from a model is refused before it is parsed."""


class SessionView(msgspec.Struct, frozen=True):
    """A server's copy of the session: `expires_at` in epoch seconds, where it says so."""

    id: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    expires_at: int | UnsetType = UNSET


class SessionCreated(msgspec.Struct, frozen=True, tag="session.created"):
    """The first event: only now is a connection good."""

    session: SessionView
    event_id: str = ""


class SessionUpdated(msgspec.Struct, frozen=True, tag="session.updated"):
    session: SessionView
    event_id: str = ""


class ErrorDetail(msgspec.Struct, frozen=True):
    message: str
    type: str = ""
    code: str | None = None
    param: str | None = None
    event_id: str | None = None


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


class DurationUsage(msgspec.Struct, frozen=True, tag="duration"):
    """What a transcription cost: seconds of audio."""

    seconds: float


class TranscriptionCompleted(
    msgspec.Struct, frozen=True, tag="conversation.item.input_audio_transcription.completed"
):
    """What the caller said. Comes at any time after the commit, often after the answer."""

    item_id: str
    content_index: int
    transcript: str
    usage: DurationUsage | UnsetType = UNSET
    event_id: str = ""


class TranscriptionFailed(
    msgspec.Struct, frozen=True, tag="conversation.item.input_audio_transcription.failed"
):
    item_id: str
    content_index: int
    error: ErrorDetail
    event_id: str = ""


class ErrorOfResponse(msgspec.Struct, frozen=True):
    type: str | None = None
    code: str | None = None
    message: str | None = None


class StatusDetails(msgspec.Struct, frozen=True):
    type: str | None = None
    reason: str | None = None
    error: ErrorOfResponse | None = None


class InputTokens(msgspec.Struct, frozen=True):
    text_tokens: int = 0
    audio_tokens: int = 0
    cached_tokens: int = 0


class OutputTokens(msgspec.Struct, frozen=True):
    text_tokens: int = 0
    audio_tokens: int = 0


class Usage(msgspec.Struct, frozen=True):
    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_token_details: InputTokens = InputTokens()
    output_token_details: OutputTokens = OutputTokens()


ResponseStatus = Literal["in_progress", "completed", "cancelled", "failed", "incomplete"]


class Response(msgspec.Struct, frozen=True):
    id: str
    status: ResponseStatus
    status_details: StatusDetails | None = None
    output: list[Item] = []
    usage: Usage | None = None
    metadata: dict[str, str] | None = None
    conversation_id: str | None = None
    object: Literal["realtime.response"] = "realtime.response"


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


class ContentPart(msgspec.Struct, frozen=True):
    type: Literal["audio", "text"]
    transcript: str | UnsetType = UNSET
    text: str | UnsetType = UNSET


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


class RateLimit(msgspec.Struct, frozen=True):
    name: str
    limit: int
    remaining: int
    reset_seconds: float


class RateLimitsUpdated(msgspec.Struct, frozen=True, tag="rate_limits.updated"):
    rate_limits: list[RateLimit]
    event_id: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """An event of a kind this codec does not know; counted, never an error."""

    type: str


FromServer = (
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
    | Unknown
)
