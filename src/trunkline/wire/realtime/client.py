"""Events that a client sends over the Realtime protocol.

`encode` is one pass, for the pod. `decode` is the simulator's: strict at every level, as a
server is that refuses a whole update for one unknown key. What depends on a session's state
(a frozen voice, an unknown item) is not decided here.
"""

from typing import Annotated, Final, Literal, NoReturn

import msgspec
from msgspec import UNSET, Meta, UnsetType

from trunkline.errors import ModelProtocolError
from trunkline.wire import g711
from trunkline.wire.realtime.items import (
    ID_CHARS_MAX,
    InputAudio,
    InputText,
    Item,
    Message,
    OutputText,
)
from trunkline.wire.realtime.session import (
    VOICES,
    Audio,
    AudioOutput,
    FunctionTool,
    Modalities,
    OutputTokensMax,
    Reasoning,
    Session,
    ToolChoiceMode,
)

AUDIO_BYTES_MAX: Final = 15 * 1024 * 1024
"""Audio in one append, decoded: more is refused."""

MESSAGE_BYTES_MAX: Final = AUDIO_BYTES_MAX * 4 // 3 + 64 * 1024
"""A longer event is refused before it is parsed: the longest append and its envelope."""


Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
    Meta(max_length=16),
]
"""What a response is marked with; it comes back with `response.created` and `.done`."""


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
    content_index: Annotated[int, Meta(ge=0)]
    audio_end_ms: Annotated[int, Meta(ge=0)]
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
    output_modalities: Modalities | UnsetType = UNSET
    tools: list[FunctionTool] | UnsetType = UNSET
    tool_choice: ToolChoiceMode | UnsetType = UNSET
    max_output_tokens: OutputTokensMax | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: Reasoning | UnsetType = UNSET


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
    complaint, at, place = why.rpartition(" - at ")
    if not at:
        complaint, place = why, "$"
    # "`$.session.audio`", and of a key "`key` in `$.response.metadata`"
    path = place.rpartition("$")[2].strip("`.")
    field = complaint.partition("`")[2].partition("`")[0]
    inside = f"{path}.{field}" if path else field
    if complaint.startswith("Object contains unknown field"):
        raise _unknown(inside) from cause
    if complaint.startswith("Object missing required field"):
        raise _missing(inside) from cause
    code = "invalid_value"
    if complaint.startswith("Expected `str` of length <="):
        code = "string_above_max_length"
    raise ModelProtocolError(f"Invalid '{path}': {complaint}.", code, path or None) from cause


def _unknown(param: str) -> ModelProtocolError:
    return ModelProtocolError(f"Unknown parameter: '{param}'.", "unknown_parameter", param)


def _missing(param: str) -> ModelProtocolError:
    message = f"Missing required parameter: '{param}'."
    return ModelProtocolError(message, "missing_required_parameter", param)


def _compare(given: object, kept: object, path: str) -> None:
    """Refuse what reading dropped (surplus keys of items) or took for granted (`type`)."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key in given:
            inside = f"{path}.{key}" if path else str(key)
            if key not in kept:
                raise _unknown(inside)
            _compare(given[key], kept[key], inside)
        for key in kept:
            if key not in given:
                raise _missing(f"{path}.{key}" if path else str(key))
    elif isinstance(given, list) and isinstance(kept, list):
        for index, (one, other) in enumerate(zip(given, kept, strict=True)):
            _compare(one, other, f"{path}[{index}]")


def _check(event: FromClient) -> None:
    """Refuse what no server takes, whatever its state."""
    match event:
        case AppendAudio(audio=audio):
            _check_audio(audio, "audio")
        case SessionUpdate(session=session):
            _check_voice(session)
            _check_tools(session.tools, "session.tools")
        case CreateResponse(response=ResponseOptions(tools=tools)):
            _check_tools(tools, "response.tools")
        case CreateItem(item=item):
            _check_item(item)
        case _:
            pass


def _check_voice(session: Session) -> None:
    match session.audio:
        case Audio(output=AudioOutput(voice=str(voice))) if voice not in VOICES:
            raise ModelProtocolError(
                f"Invalid voice: supported are {', '.join(sorted(VOICES))}.",
                param="session.audio.output.voice",
            )


def _check_tools(tools: list[FunctionTool] | UnsetType, path: str) -> None:
    for index, tool in enumerate([] if isinstance(tools, UnsetType) else tools):
        if not bytes(tool.parameters).lstrip().startswith(b"{"):
            param = f"{path}[{index}].parameters"
            raise ModelProtocolError(f"Invalid '{param}': no JSON schema.", param=param)


def _check_item(item: Item) -> None:
    call_id = UNSET if isinstance(item, Message) else item.call_id
    for name, value in (("id", item.id), ("call_id", call_id)):
        if isinstance(value, str) and len(value) > ID_CHARS_MAX:
            raise ModelProtocolError(
                f"Invalid 'item.{name}': string too long, at most {ID_CHARS_MAX} characters.",
                "string_above_max_length",
                f"item.{name}",
            )
    if not isinstance(item, Message):
        return
    for index, part in enumerate(item.content):
        if not isinstance(part, CONTENT_OF[item.role]):
            raise ModelProtocolError(
                f"Invalid content of a message of role '{item.role}'.",
                param=f"item.content[{index}].type",
            )
        if isinstance(part, InputAudio):
            _check_audio(part.audio, f"item.content[{index}].audio")


def _check_audio(audio: str | UnsetType, param: str) -> None:
    if isinstance(audio, UnsetType):
        raise _missing(param)
    if not g711.is_base64(audio):
        raise ModelProtocolError(f"Invalid '{param}': not base64.", param=param)
    if g711.payload_bytes(audio) > AUDIO_BYTES_MAX:
        raise ModelProtocolError(f"Invalid '{param}': over {AUDIO_BYTES_MAX} bytes.", param=param)
