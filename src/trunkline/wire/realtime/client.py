"""Events that a client sends over the Realtime protocol.

`encode` is one pass, for the pod. `decode` is the simulator's: strict at every level, as a
server is that refuses a whole update for one unknown key. What depends on a session's state
(a frozen voice, an unknown item) is not decided here.
"""

from typing import Final, Literal, NoReturn

import msgspec
from msgspec import UNSET, UnsetType

from trunkline.errors import ModelProtocolError
from trunkline.wire import g711
from trunkline.wire.realtime.items import (
    InputAudio,
    InputText,
    Item,
    Message,
    OutputText,
)
from trunkline.wire.realtime.session import FunctionTool, Session, ToolChoiceMode

AUDIO_BYTES_MAX: Final = 15 * 1024 * 1024
"""Audio in one append, decoded: more is refused."""

MESSAGE_BYTES_MAX: Final = AUDIO_BYTES_MAX * 4 // 3 + 64 * 1024
"""A longer event is refused before it is parsed: the longest append and its envelope."""


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


class _Envelope(msgspec.Struct, frozen=True):
    event_id: object = None


_ENCODER: Final = msgspec.json.Encoder()
_EVENT: Final[msgspec.json.Decoder[FromClient]] = msgspec.json.Decoder(FromClient)
_TREE: Final = msgspec.json.Decoder(dict[str, object])
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)

CONTENT_OF: Final = {
    "system": (InputText,),
    "user": (InputText, InputAudio),
    "assistant": (OutputText,),
}
"""What a client may put into a message of each role. Assistant audio can't be created."""


def encode(event: FromClient) -> bytes:
    """JSON text of an event, as UTF-8."""
    try:
        return _ENCODER.encode(event)
    except UnicodeEncodeError as error:
        raise ModelProtocolError("a string holds half a character") from error


def decode(text: bytes | bytearray | memoryview | str) -> FromClient:
    """Read a client's event, or raise `ModelProtocolError` with the protocol's code and param."""
    if len(text) > MESSAGE_BYTES_MAX:
        raise ModelProtocolError(f"event over {MESSAGE_BYTES_MAX} bytes")
    try:
        event = _EVENT.decode(text)
        if not isinstance(event, AppendAudio):
            _compare(_TREE.decode(text), _TREE.decode(_ENCODER.encode(event)), "")
    except msgspec.ValidationError as error:
        _refuse(str(error), error)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ModelProtocolError("the event is not JSON that can be read") from error
    _check(event)
    return event


def event_id_of(text: bytes | bytearray | memoryview | str) -> str | None:
    """The `event_id` of an event that `decode` refused, for the error that answers it."""
    if len(text) > MESSAGE_BYTES_MAX:
        return None
    try:
        found = _ENVELOPE.decode(text).event_id
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return found if isinstance(found, str) else None


def _refuse(why: str, cause: msgspec.ValidationError) -> NoReturn:
    """Say msgspec's complaint in the protocol's codes, `param` a dotted path."""
    complaint, _, place = why.partition(" - at ")
    path = place.strip("`").removeprefix("$").removeprefix(".")
    if "` in `$" in place:  # "`key` in `$.response.metadata`"
        path = place.rpartition("$.")[2].strip("`")
    field = complaint.partition("`")[2].partition("`")[0]
    inside = f"{path}.{field}" if path else field
    if complaint.startswith("Object contains unknown field"):
        raise ModelProtocolError(
            f"Unknown parameter: '{inside}'.", "unknown_parameter", inside
        ) from cause
    if complaint.startswith("Object missing required field"):
        raise ModelProtocolError(
            f"Missing required parameter: '{inside}'.", "missing_required_parameter", inside
        ) from cause
    code = "invalid_value"
    if complaint.startswith("Expected `str` of length <="):
        code = "string_above_max_length"
    raise ModelProtocolError(f"Invalid '{path}': {complaint}.", code, path or None) from cause


def _compare(given: object, kept: object, path: str) -> None:
    """Refuse what reading dropped (surplus keys of items) or took for granted (`type`)."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key in given:
            inside = f"{path}.{key}" if path else str(key)
            if key not in kept:
                raise ModelProtocolError(
                    f"Unknown parameter: '{inside}'.", "unknown_parameter", inside
                )
            _compare(given[key], kept[key], inside)
        for key in kept:
            if key not in given:
                inside = f"{path}.{key}" if path else str(key)
                raise ModelProtocolError(
                    f"Missing required parameter: '{inside}'.",
                    "missing_required_parameter",
                    inside,
                )
    elif isinstance(given, list) and isinstance(kept, list):
        for index, (one, other) in enumerate(zip(given, kept, strict=True)):
            _compare(one, other, f"{path}[{index}]")


def _check(event: FromClient) -> None:
    """Refuse what no server takes, whatever its state."""
    match event:
        case AppendAudio(audio=audio):
            if not g711.is_base64(audio):
                raise ModelProtocolError("Invalid 'audio': not base64.", param="audio")
            if g711.payload_bytes(audio) > AUDIO_BYTES_MAX:
                raise ModelProtocolError("Invalid 'audio': over 15 MiB.", param="audio")
        case CreateItem(item=Message(role=role, content=content)):
            for index, part in enumerate(content):
                if not isinstance(part, CONTENT_OF[role]):
                    raise ModelProtocolError(
                        f"Invalid content of a message of role '{role}'.",
                        param=f"item.content[{index}].type",
                    )
        case _:
            pass
