"""Parts of a server's events: what a response is, what it cost, what went wrong."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from trunkline.wire.realtime.items import Item


class ErrorOfResponse(msgspec.Struct, frozen=True):
    type: str | None = None
    code: str | None = None
    message: str | None = None


class StatusDetails(msgspec.Struct, frozen=True):
    type: str | None = None
    reason: str | None = None
    error: ErrorOfResponse | None = None


class CachedTokens(msgspec.Struct, frozen=True):
    """Those of the input that were in the cache; contained in its counts."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


class InputTokens(msgspec.Struct, frozen=True):
    text_tokens: int = 0
    audio_tokens: int = 0
    cached_tokens: int = 0
    image_tokens: int = 0
    cached_tokens_details: CachedTokens = CachedTokens()


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


class ContentPart(msgspec.Struct, frozen=True):
    type: Literal["audio", "text"]
    transcript: str | UnsetType = UNSET
    text: str | UnsetType = UNSET


class ErrorDetail(msgspec.Struct, frozen=True):
    message: str = ""
    type: str = ""
    code: str | None = None
    param: str | None = None
    event_id: str | None = None


class TranscriptionError(msgspec.Struct, frozen=True):
    """Why an item has no transcript. Unlike other errors it names no event."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None


class DurationUsage(msgspec.Struct, frozen=True, tag="duration"):
    """What a transcription cost: seconds of audio."""

    seconds: float


class RateLimit(msgspec.Struct, frozen=True):
    name: str
    limit: int
    remaining: int
    reset_seconds: float


class TranscribedTokens(msgspec.Struct, frozen=True):
    audio_tokens: int = 0
    text_tokens: int = 0


class TokensUsage(msgspec.Struct, frozen=True, tag="tokens"):
    """What a transcription cost, with models that count tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_token_details: TranscribedTokens | UnsetType = UNSET
