"""WAV files of µ-law at 8 kHz, mono: RIFF's format 7, which Python's own `wave` refuses.

A chunk that is not ours is skipped, and whatever stands behind the RIFF's end is left alone.
Every size is checked against what is there: half a clip is refused, not played.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from trunkline.errors import SoundError
from trunkline.wire.g711 import SAMPLES_PER_S

NOTE_BYTES_MAX: Final = 1000
"""What follows in a longer note is not read; to write one is a mistake of ours."""

_MULAW: Final = 7
_FORMAT: Final = struct.Struct("<HHIIHH")
"""Tag, channels, samples and bytes a second, bytes of a sample of all channels, its bits."""
_EXPECTED: Final = (_MULAW, 1, SAMPLES_PER_S, SAMPLES_PER_S, 1, 8)
_ONCE: Final = frozenset({b"fmt ", b"fact", b"data"})
_HEAD_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Wav:
    """A clip: µ-law, a byte for each sample, and a note on where it comes from."""

    audio: bytes
    note: str = ""


def encode(wav: Wav) -> bytes:
    """The file: `fmt`, `fact` (asked of all formats but PCM), the note if there is one, `data`."""
    note = wav.note.encode()
    assert len(note) <= NOTE_BYTES_MAX, "a note is a line, not a page"
    assert b"\0" not in note, "a note ends at its first NUL"
    body = _chunk(b"fmt ", _FORMAT.pack(*_EXPECTED) + b"\0\0")
    body += _chunk(b"fact", struct.pack("<I", len(wav.audio)))
    if note:
        body += _chunk(b"LIST", b"INFO" + _chunk(b"ICMT", note + b"\0"))
    body += _chunk(b"data", wav.audio)
    return _chunk(b"RIFF", b"WAVE" + body)


def decode(content: bytes) -> Wav:
    """What a file holds. Whatever it is, nothing else than `SoundError` is raised."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise SoundError("no WAV file")
    end = _HEAD_BYTES + int.from_bytes(content[4:8], "little")
    if end > len(content):
        raise SoundError(f"cut off: its head says {end} bytes, and it has {len(content)}")
    found: dict[bytes, bytes] = {}
    note = ""
    for name, part in _chunks(content[12:end]):
        if name in _ONCE:
            if name in found:
                raise SoundError(f"two chunks {name.decode().strip()!r}")
            found[name] = part
        elif name == b"LIST" and part[:4] == b"INFO":
            note = note or _comment(part[4:])
    _check_format(found.get(b"fmt "))
    audio = found.get(b"data")
    if audio is None:
        raise SoundError("no chunk 'data': it holds no audio")
    fact = found.get(b"fact")
    if fact is not None and fact[:4] != struct.pack("<I", len(audio)):
        raise SoundError(f"its chunk 'fact' does not say {len(audio)} samples, as many as it has")
    return Wav(audio, note)


def _check_format(fmt: bytes | None) -> None:
    if fmt is None or len(fmt) < _FORMAT.size:
        raise SoundError("no chunk 'fmt': it does not say what it holds")
    tag, channels, rate, per_s, width, bits = given = _FORMAT.unpack_from(fmt)
    if given != _EXPECTED:
        raise SoundError(
            f"expected µ-law (format 7), 1 channel, 8000 Hz, 8 bits, not format {tag}, "
            f"channels: {channels}, {rate} Hz ({per_s} bytes/s, {width} at a time), {bits} bits"
        )


def _comment(listed: bytes) -> str:
    """The comment of a list of remarks; a list that is broken says nothing."""
    try:
        for name, part in _chunks(listed):
            if name == b"ICMT":
                return part[:NOTE_BYTES_MAX].partition(b"\0")[0].decode(errors="replace")
    except SoundError:
        pass
    return ""


def _chunk(name: bytes, content: bytes) -> bytes:
    """A chunk's length is its content's; it begins at even places."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(content):
        if at + _HEAD_BYTES > len(content):
            raise SoundError("it ends in the head of a chunk")
        name = content[at : at + 4]
        length = int.from_bytes(content[at + 4 : at + _HEAD_BYTES], "little")
        at += _HEAD_BYTES
        if length > len(content) - at:
            shown = name.decode("ascii", errors="backslashreplace").strip()
            raise SoundError(f"its chunk {shown!r} is cut off")
        yield name, content[at : at + length]
        at += length + length % 2
