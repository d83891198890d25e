"""The messages of a Twilio Media Stream (bidirectional, one JSON object a text frame).

Source: Twilio, "Media Streams - WebSocket Messages". Numbers inside Twilio's messages are
strings in practice; both forms are read. What the server may send is checked as strictly as
warnings 31950 (malformed) and 31951 (not acceptable) demand.
"""

from typing import Final

import msgspec

MESSAGE_BYTES_MAX: Final = 64 * 1024
"""A longer message from the carrier is refused before it is parsed."""

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
    """A message of a kind this codec does not know."""

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
