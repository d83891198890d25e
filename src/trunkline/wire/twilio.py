"""The messages of a Twilio Media Stream (bidirectional, one JSON object a text frame).

Source: Twilio, "Media Streams - WebSocket Messages". Numbers inside Twilio's messages are
strings in practice; both forms are read. What the server may send is checked as strictly as
warnings 31950 (malformed) and 31951 (not acceptable) demand.

`decode` and `encode` are one pass each: no second parse, no base64 work. A payload is carried
as the string it came as, and encoded (never pasted) when it goes out, so that no payload can
break out of its quotes; whether it is base64 at all matters only to who plays it.
"""

from typing import Final

import msgspec

from trunkline.errors import CarrierProtocolError
from trunkline.wire import g711

MESSAGE_BYTES_MAX: Final = 64 * 1024
"""A longer message from the carrier is refused before it is parsed."""

MALFORMED: Final = 31950
"""Warning for a message that can't be read: binary, oversized, no UTF-8, nested too deep."""

NOT_ACCEPTABLE: Final = 31951
"""Warning for a message that can be read and breaks the protocol."""

NUMBER_DIGITS_MAX: Final = 18
"""A longer number in a string is refused: no stream lives so long."""

FRAME_MS: Final = 20
"""Twilio's frames: 160 bytes of µ-law, 216 characters of base64."""


class MediaFormat(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    encoding: str
    sample_rate: int
    channels: int


class StartFields(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    account_sid: str
    stream_sid: str
    call_sid: str
    tracks: list[str]
    media_format: MediaFormat
    custom_parameters: dict[str, str] = {}


class MediaFields(msgspec.Struct, frozen=True, gc=False):
    """One frame: `payload` is base64 µ-law, `timestamp` ms since the stream started."""

    payload: str
    track: str = "inbound"
    chunk: int | str = 0
    timestamp: int | str = 0


class DtmfFields(msgspec.Struct, frozen=True, gc=False):
    digit: str
    track: str = "inbound_track"


class MarkFields(msgspec.Struct, frozen=True, gc=False):
    name: str


class StopFields(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    account_sid: str
    call_sid: str


class Connected(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="connected"):
    """The first message of a stream; carries no sequence number."""

    protocol: str = "Call"
    version: str = "1.0.0"


class Start(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="start", rename="camel"):
    start: StartFields
    stream_sid: str
    sequence_number: int | str


class Media(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="media", rename="camel"):
    """A frame of the caller's audio."""

    media: MediaFields
    stream_sid: str
    sequence_number: int | str


class Dtmf(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="dtmf", rename="camel"):
    dtmf: DtmfFields
    stream_sid: str
    sequence_number: int | str


class Mark(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="mark", rename="camel"):
    """Echo of our mark: all audio before it was played, or cleared."""

    mark: MarkFields
    stream_sid: str
    sequence_number: int | str


class Stop(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="stop", rename="camel"):
    stop: StopFields
    stream_sid: str
    sequence_number: int | str


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """A message of a kind this codec does not know. `event` is whatever was sent: no label."""

    event: str


FromCarrier = Connected | Start | Media | Dtmf | Mark | Stop | Unknown


class SendPayload(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    payload: str


class SendMedia(
    msgspec.Struct,
    frozen=True,
    gc=False,
    tag_field="event",
    tag="media",
    rename="camel",
    forbid_unknown_fields=True,
):
    """Audio for the caller: queued by Twilio and played in order; any length."""

    stream_sid: str
    media: SendPayload


class SendMarkFields(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    name: str


class SendMark(
    msgspec.Struct,
    frozen=True,
    gc=False,
    tag_field="event",
    tag="mark",
    rename="camel",
    forbid_unknown_fields=True,
):
    stream_sid: str
    mark: SendMarkFields


class SendClear(
    msgspec.Struct,
    frozen=True,
    gc=False,
    tag_field="event",
    tag="clear",
    rename="camel",
    forbid_unknown_fields=True,
):
    """Drop all queued audio; every pending mark comes back."""

    stream_sid: str


ToCarrier = SendMedia | SendMark | SendClear

Encodable = Connected | Start | Media | Dtmf | Mark | Stop | ToCarrier
"""Every message that either end may send."""


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    event: str


_ENCODER: Final = msgspec.json.Encoder()
_FROM_CARRIER: Final[msgspec.json.Decoder[FromCarrier]] = msgspec.json.Decoder(
    Connected | Start | Media | Dtmf | Mark | Stop
)
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_TO_CARRIER: Final[msgspec.json.Decoder[ToCarrier]] = msgspec.json.Decoder(ToCarrier)


def encode(message: Encodable) -> bytes:
    """JSON text of a message, as UTF-8."""
    try:
        return _ENCODER.encode(message)
    except UnicodeEncodeError as error:
        raise CarrierProtocolError("a string holds half a character", MALFORMED) from error


def decode(text: bytes | bytearray | memoryview | str) -> FromCarrier:
    """Read a message of the carrier's.

    An event of an unknown kind is `Unknown`. Anything else that is not of the protocol raises
    `CarrierProtocolError` and nothing else, whatever the text is.
    """
    if len(text) > MESSAGE_BYTES_MAX:
        raise CarrierProtocolError(f"message over {MESSAGE_BYTES_MAX} bytes", MALFORMED)
    try:
        return _FROM_CARRIER.decode(text)
    except msgspec.ValidationError as error:
        return _unknown(text, error)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise CarrierProtocolError(f"unreadable: {_reason(error)}", MALFORMED) from error


def _unknown(text: bytes | bytearray | memoryview | str, why: msgspec.ValidationError) -> Unknown:
    """The message as `Unknown`, if its kind is; else what is wrong with it."""
    try:
        event = _ENVELOPE.decode(text).event
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise CarrierProtocolError(f"unreadable: {_reason(error)}", MALFORMED) from error
    else:
        if event not in _KNOWN:
            return Unknown(event)
    raise CarrierProtocolError(str(why), NOT_ACCEPTABLE) from why


_KNOWN: Final = frozenset({"connected", "start", "media", "dtmf", "mark", "stop"})


def _reason(error: Exception) -> str:
    """What is wrong with a text, without a word of the text itself."""
    return str(error) if isinstance(error, msgspec.DecodeError) else type(error).__name__


def decode_from_server(text: bytes | bytearray | memoryview | str) -> ToCarrier:
    """Read what a server sent to the carrier, as strictly as the carrier does.

    Raises `CarrierProtocolError` with the code of the warning that Twilio would log. That a
    frame was binary is for the socket's owner to say: also `MALFORMED`.
    """
    if len(text) > MESSAGE_BYTES_MAX:
        raise CarrierProtocolError(f"message over {MESSAGE_BYTES_MAX} bytes", MALFORMED)
    try:
        message = _TO_CARRIER.decode(text)
    except msgspec.DecodeError as error:
        raise CarrierProtocolError(str(error), NOT_ACCEPTABLE) from error
    except (RecursionError, UnicodeError) as error:
        raise CarrierProtocolError(f"unreadable: {_reason(error)}", MALFORMED) from error
    if isinstance(message, SendMedia) and not g711.is_base64(message.media.payload):
        raise CarrierProtocolError("media.payload is not base64", NOT_ACCEPTABLE)
    return message


def number(value: int | str) -> int:
    """A sequence number, chunk or timestamp, in whichever form the carrier sent it."""
    if isinstance(value, int):
        return value
    if not (value.isascii() and value.isdigit() and len(value) <= NUMBER_DIGITS_MAX):
        raise CarrierProtocolError("not a number", NOT_ACCEPTABLE)
    return int(value)
