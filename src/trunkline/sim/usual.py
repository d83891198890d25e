"""The three messages that come fifty times a second, in their usual form, without a JSON parser.

What is read here is exact to the byte: a prefix, base64 as strict as the codecs ask for, and an
end. Base64 needs no escapes, so that such a text is the message that a parser would find.
Whatever is written in any other way is None here, and goes to the codec that judges it.
"""

from binascii import Error, a2b_base64, b2a_base64
from typing import Final

USUAL_BYTES_MAX: Final = 64 * 1024
"""A longer message is not usual; the carrier refuses it (31950)."""

_APPEND: Final = b'{"type":"input_audio_buffer.append","audio":"'
_APPEND_END: Final = b'"}'
_APPEND_AT: Final = len(_APPEND)
_APPEND_BYTES: Final = len(_APPEND) + len(_APPEND_END)
_SEND_END: Final = b'"}}'


def appended(text: bytes) -> bytes | None:
    """The audio of a client's `input_audio_buffer.append`."""
    if not (text.startswith(_APPEND) and text.endswith(_APPEND_END)):
        return None
    if not _APPEND_BYTES <= len(text) <= USUAL_BYTES_MAX:
        return None
    try:
        return a2b_base64(text[_APPEND_AT:-2], strict_mode=True)
    except Error:
        return None


class UsualMedia:
    """The media messages of one stream: the carrier's, written, and the server's, read."""

    __slots__ = ("_prefix", "shape")

    def __init__(self, stream_sid: str) -> None:
        assert stream_sid.isalnum(), "needs no escapes"
        sid = stream_sid.encode("ascii")
        self._prefix = b'{"event":"media","streamSid":"%b","media":{"payload":"' % sid
        self.shape = (
            b'{"event":"media","media":{"payload":"%%b","track":"inbound","chunk":"%%d",'
            b'"timestamp":"%%d"},"streamSid":"%b","sequenceNumber":"%%d"}' % sid
        )
        """Of a frame: payload, chunk, timestamp and sequence number are to be filled in."""

    def written(self, payload: bytes, chunk: int, at_ms: int, sequence: int) -> bytes:
        """A frame of the caller's, as `wire.twilio.encode` writes it; `payload` is base64."""
        return self.shape % (payload, chunk, at_ms, sequence)

    def read(self, text: bytes) -> bytes | None:
        """The audio that the server sends in this stream."""
        if not (text.startswith(self._prefix) and text.endswith(_SEND_END)):
            return None
        return _audio(text, len(self._prefix), len(_SEND_END))


def _audio(text: bytes, before: int, behind: int) -> bytes | None:
    if len(text) > USUAL_BYTES_MAX or len(text) < before + behind:
        return None
    try:
        return a2b_base64(memoryview(text)[before:-behind], strict_mode=True)
    except Error:
        return None


def base64_of(audio: bytes) -> bytes:
    """The audio as base64."""
    return b2a_base64(audio, newline=False)
