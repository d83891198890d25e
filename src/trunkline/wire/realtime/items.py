"""Conversation items of the Realtime protocol."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

ID_CHARS_MAX = 32
"""Longer item ids and call ids are refused (`string_above_max_length`)."""


class InputText(msgspec.Struct, frozen=True, tag="input_text"):
    text: str


class InputAudio(msgspec.Struct, frozen=True, tag="input_audio"):
    audio: str | UnsetType = UNSET
    transcript: str | UnsetType | None = UNSET


class OutputText(msgspec.Struct, frozen=True, tag="output_text"):
    text: str


class OutputAudio(msgspec.Struct, frozen=True, tag="output_audio"):
    audio: str | UnsetType = UNSET
    transcript: str | UnsetType | None = UNSET


Content = InputText | InputAudio | OutputText | OutputAudio
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class Message(msgspec.Struct, frozen=True, tag="message"):
    role: Literal["system", "user", "assistant"]
    content: list[Content]
    id: str | UnsetType = UNSET
    status: ItemStatus | UnsetType = UNSET
    object: Literal["realtime.item"] | UnsetType = UNSET


class FunctionCall(msgspec.Struct, frozen=True, tag="function_call"):
    """`arguments` is JSON text, complete only when `status` is `completed`."""

    name: str
    arguments: str
    call_id: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    status: ItemStatus | UnsetType = UNSET
    object: Literal["realtime.item"] | UnsetType = UNSET


class FunctionCallOutput(msgspec.Struct, frozen=True, tag="function_call_output"):
    call_id: str
    output: str
    id: str | UnsetType = UNSET
    status: ItemStatus | UnsetType = UNSET
    object: Literal["realtime.item"] | UnsetType = UNSET


Item = Message | FunctionCall | FunctionCallOutput
