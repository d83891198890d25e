"""Events that a client sends over the Realtime protocol."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from trunkline.wire.realtime.items import Item
from trunkline.wire.realtime.session import FunctionTool, Session, ToolChoiceMode


class SessionUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="session.update"):
    session: Session
    event_id: str | UnsetType = UNSET


class AppendAudio(
    msgspec.Struct,
    frozen=True,
    gc=False,
    forbid_unknown_fields=True,
    tag="input_audio_buffer.append",
):
    """A stretch of the caller's audio, base64. Any length up to 15 MiB."""

    audio: str
    event_id: str | UnsetType = UNSET


class CommitAudio(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="input_audio_buffer.commit"
):
    event_id: str | UnsetType = UNSET


class ClearAudio(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="input_audio_buffer.clear"
):
    event_id: str | UnsetType = UNSET


class CreateItem(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="conversation.item.create"
):
    """Add an item: at the end, at the front (`root`), or behind the item named."""

    item: Item
    previous_item_id: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET


class RetrieveItem(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="conversation.item.retrieve"
):
    item_id: str
    event_id: str | UnsetType = UNSET


class TruncateItem(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="conversation.item.truncate"
):
    """Cut an assistant's audio to what was heard. `audio_end_ms` beyond its length is refused."""

    item_id: str
    content_index: int
    audio_end_ms: int
    event_id: str | UnsetType = UNSET


class DeleteItem(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="conversation.item.delete"
):
    item_id: str
    event_id: str | UnsetType = UNSET


class ResponseOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one response does differently from its session."""

    instructions: str | UnsetType = UNSET
    conversation: Literal["auto", "none"] | UnsetType = UNSET
    output_modalities: list[Literal["audio", "text"]] | UnsetType = UNSET
    tools: list[FunctionTool] | UnsetType = UNSET
    tool_choice: ToolChoiceMode | UnsetType = UNSET
    max_output_tokens: int | Literal["inf"] | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


class CreateResponse(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="response.create"
):
    response: ResponseOptions | UnsetType = UNSET
    event_id: str | UnsetType = UNSET


class CancelResponse(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="response.cancel"
):
    response_id: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET


class Unknown(msgspec.Struct, frozen=True):
    """An event of a kind this codec does not know."""

    type: str


FromClient = (
    SessionUpdate
    | AppendAudio
    | CommitAudio
    | ClearAudio
    | CreateItem
    | RetrieveItem
    | TruncateItem
    | DeleteItem
    | CreateResponse
    | CancelResponse
)
