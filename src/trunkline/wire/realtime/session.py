"""The session object of the Realtime protocol, as a client may set it.

A server refuses an update for one unknown key, so these records forbid them throughout.
Fields left `UNSET` are not sent; `None` is sent as null where null means "off". Bounds in the
annotations hold for what is read; who builds a record keeps them himself.
"""

from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

_T = TypeVar("_T")

Effort = Literal["minimal", "low", "medium", "high", "xhigh"]
ToolChoiceMode = Literal["auto", "none", "required"]
Modalities = Annotated[list[Literal["audio", "text"]], Meta(min_length=1, max_length=1)]
"""One of the two, in a list: both at once are refused."""
OutputTokensMax = Annotated[int, Meta(ge=1, le=4096)] | Literal["inf"]

VOICES: Final = frozenset(
    {"alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"}
)
"""Voices by name. Others exist by id (custom voices), and with other providers."""


class Pcmu(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="audio/pcmu"):
    """µ-law at 8 kHz: Twilio's own format, so audio passes untouched. Has no `rate` field."""


class Transcription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    model: str
    language: str | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    languages: list[str] | UnsetType = UNSET
    keywords: list[str] | UnsetType = UNSET
    delay: Effort | UnsetType = UNSET


class NoiseReduction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["near_field", "far_field"]
    strength: float | UnsetType = UNSET


class ServerVad(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="server_vad"):
    threshold: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    prefix_padding_ms: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    silence_duration_ms: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET
    idle_timeout_ms: Annotated[int, Meta(ge=5000, le=30_000)] | UnsetType | None = UNSET


class SemanticVad(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="semantic_vad"):
    eagerness: Literal["low", "medium", "high", "auto"] | UnsetType = UNSET
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET


TurnDetection = ServerVad | SemanticVad


class AudioInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Pcmu | UnsetType = UNSET
    transcription: Transcription | UnsetType | None = UNSET
    noise_reduction: NoiseReduction | UnsetType | None = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET


class AudioOutput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Pcmu | UnsetType = UNSET
    voice: str | UnsetType = UNSET
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] | UnsetType = UNSET


class Audio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    input: AudioInput | UnsetType = UNSET
    output: AudioOutput | UnsetType = UNSET


class FunctionTool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="function"):
    """A tool the model may call. `parameters` is a JSON schema, carried and not read.

    It goes out byte for byte, so it must be what `msgspec.json.encode` made of an object.
    """

    name: str
    description: str
    parameters: msgspec.Raw


class Reasoning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    effort: Effort


class TokenLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    post_instructions: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class RetentionRatio(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="retention_ratio"
):
    """Too long a conversation is cut to this share of what fits, so that the cut lasts a while."""

    retention_ratio: Annotated[float, Meta(ge=0, le=1)]
    token_limits: TokenLimits | UnsetType = UNSET


Truncation = Literal["auto", "disabled"] | RetentionRatio


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="realtime"):
    """What `session.update` sets. Only fields to change are sent."""

    model: str | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    output_modalities: Modalities | UnsetType = UNSET
    audio: Audio | UnsetType = UNSET
    tools: list[FunctionTool] | UnsetType = UNSET
    tool_choice: ToolChoiceMode | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: Reasoning | UnsetType = UNSET
    max_output_tokens: OutputTokensMax | UnsetType = UNSET
    truncation: Truncation | UnsetType = UNSET


class SessionView(msgspec.Struct, frozen=True):
    """A server's copy of the session: `expires_at` in epoch seconds, where it says so."""

    id: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    expires_at: int | UnsetType = UNSET


class Pcm(msgspec.Struct, frozen=True, tag="audio/pcm"):
    """A server's format before it was told otherwise: 16 bits, little-endian, mono."""

    rate: Literal[24000] = 24000


class EffectiveInput(msgspec.Struct, frozen=True):
    format: Pcmu | Pcm = Pcm()
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = None


class EffectiveOutput(msgspec.Struct, frozen=True):
    format: Pcmu | Pcm = Pcm()
    voice: str = "alloy"
    speed: float = 1.0


class EffectiveAudio(msgspec.Struct, frozen=True):
    input: EffectiveInput = EffectiveInput()
    output: EffectiveOutput = EffectiveOutput()


class EffectiveSession(SessionView, frozen=True, tag="realtime"):
    """The full view that a server sends: every setting as it holds, defaults included."""

    object: Literal["realtime.session"] = "realtime.session"
    instructions: str = ""
    output_modalities: Modalities = msgspec.field(default_factory=lambda: ["audio"])
    audio: EffectiveAudio = EffectiveAudio()
    tools: list[FunctionTool] = []
    tool_choice: ToolChoiceMode = "auto"
    max_output_tokens: OutputTokensMax = "inf"
    truncation: Truncation = "auto"
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: Reasoning | UnsetType = UNSET
    include: None = None
    tracing: None = None
    prompt: None = None


DEFAULT_VAD: Final = ServerVad(
    threshold=0.5,
    prefix_padding_ms=300,
    silence_duration_ms=500,
    create_response=True,
    interrupt_response=True,
    idle_timeout_ms=None,
)
"""What a server does where a client says nothing of turn detection."""


def effective(
    settings: Session,
    *,
    session_id: str,
    model: str,
    expires_at: int,
) -> EffectiveSession:
    """All of a session as it holds after `settings`, the server's defaults filled in."""
    audio = _or(settings.audio, Audio())
    given, spoken = _or(audio.input, AudioInput()), _or(audio.output, AudioOutput())
    return EffectiveSession(
        id=session_id,
        model=model,
        expires_at=expires_at,
        instructions=_or(settings.instructions, ""),
        output_modalities=_or(settings.output_modalities, ["audio"]),
        audio=EffectiveAudio(
            input=EffectiveInput(
                format=_format(given.format),
                transcription=_or(given.transcription, None),
                noise_reduction=_or(given.noise_reduction, None),
                turn_detection=_filled(_or(given.turn_detection, DEFAULT_VAD)),
            ),
            output=EffectiveOutput(
                format=_format(spoken.format),
                voice=_or(spoken.voice, "alloy"),
                speed=_or(spoken.speed, 1.0),
            ),
        ),
        tools=_or(settings.tools, []),
        tool_choice=_or(settings.tool_choice, "auto"),
        max_output_tokens=_or(settings.max_output_tokens, "inf"),
        truncation="auto" if isinstance(cut := settings.truncation, UnsetType) else cut,
        parallel_tool_calls=settings.parallel_tool_calls,
        reasoning=settings.reasoning,
    )


def _or(value: _T | UnsetType, default: _T) -> _T:
    return default if isinstance(value, UnsetType) else value


def _format(said: Pcmu | UnsetType) -> Pcmu | Pcm:
    return Pcm() if isinstance(said, UnsetType) else said


def _filled(detection: TurnDetection | None) -> TurnDetection | None:
    """Turn detection with a server's defaults where the client said nothing."""
    if detection is None:
        return None
    if isinstance(detection, ServerVad):
        said = msgspec.structs.asdict(detection)
        return msgspec.structs.replace(
            DEFAULT_VAD, **{key: value for key, value in said.items() if value is not UNSET}
        )
    return SemanticVad(
        eagerness=_or(detection.eagerness, "auto"),
        create_response=_or(detection.create_response, True),
        interrupt_response=_or(detection.interrupt_response, True),
    )
