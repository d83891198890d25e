"""The session object of the Realtime protocol, as a client may set it.

A server refuses an update for one unknown key, so these records forbid them throughout.
Fields left `UNSET` are not sent; `None` is sent as null where null means "off".
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

Effort = Literal["minimal", "low", "medium", "high", "xhigh"]
ToolChoiceMode = Literal["auto", "none", "required"]


class Pcmu(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="audio/pcmu"):
    """µ-law at 8 kHz: Twilio's own format, so audio passes untouched. Has no `rate` field."""


class Transcription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    model: str
    language: str | UnsetType = UNSET
    prompt: str | UnsetType = UNSET


class NoiseReduction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["near_field", "far_field"]


class ServerVad(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="server_vad"):
    threshold: float | UnsetType = UNSET
    prefix_padding_ms: int | UnsetType = UNSET
    silence_duration_ms: int | UnsetType = UNSET
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET
    idle_timeout_ms: int | UnsetType | None = UNSET


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
    speed: float | UnsetType = UNSET


class Audio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    input: AudioInput | UnsetType = UNSET
    output: AudioOutput | UnsetType = UNSET


class FunctionTool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="function"):
    """A tool the model may call. `parameters` is a JSON schema, carried and not read."""

    name: str
    description: str
    parameters: msgspec.Raw


class Reasoning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    effort: Effort


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="realtime"):
    """What `session.update` sets. Only fields to change are sent."""

    model: str | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    output_modalities: list[Literal["audio", "text"]] | UnsetType = UNSET
    audio: Audio | UnsetType = UNSET
    tools: list[FunctionTool] | UnsetType = UNSET
    tool_choice: ToolChoiceMode | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: Reasoning | UnsetType = UNSET
    max_output_tokens: int | Literal["inf"] | UnsetType = UNSET
