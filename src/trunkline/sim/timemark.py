"""Marks of time in audio: which call a frame is of, the how-manieth it is, and when it was sent.

A mark is written into the least significant bits of one frame's 160 µ-law bytes. In silence it is
as quiet as a sample can be, in speech it is masked by the speech: `speech.is_loud` gives the same
verdict with and without it, and `speech.hear` knows the clip's frame by its other bits.

    audio = mark(at_us, call=7, seq=0)      digital silence, or `audio=` a frame of speech
    read(audio)                             Mark(call=7, origin=0, seq=0, at_us=…)

It lies at any place of a payload: frames may be joined, or cut elsewhere, on the way. It is the
machine's monotonic clock, so that the other end may be another process of the same machine.
µ-law that was decoded to samples and encoded again keeps it.

    bits   28     24     12       24    48      24
           sync   call   origin   seq   at_us   check
"""

from typing import Final, NamedTuple

FRAME_BYTES: Final = 160
SILENCE: Final = b"\xff" * FRAME_BYTES

CALL_MAX: Final = 2**24 - 1
ORIGIN_MAX: Final = 2**12 - 1
SEQ_MAX: Final = 2**24 - 1
"""93 hours of frames; a call is shorter."""
AT_US_MAX: Final = 2**48 - 1
"""Nine years after the machine's start."""

_SYNC: Final = 0b1010_0110_0011_1000_0101_1110_0001
_SYNC_BITS: Final = 28
_CHECK_BITS: Final = 24
_AT_BITS: Final = 48
_SEQ_BITS: Final = 24
_ORIGIN_BITS: Final = 12
_CALL_BITS: Final = 24
_BODY: Final = 2 ** (_CALL_BITS + _ORIGIN_BITS + _SEQ_BITS + _AT_BITS) - 1
_CHECK: Final = 2**_CHECK_BITS - 1
_PRIME: Final = 2**_CHECK_BITS - 3
"""The check is what the rest leaves, divided by it."""
_PIECE_BITS: Final = 12
"""Bits are spread over bytes by a table of so many at once."""
_LOW: Final = 2**_PIECE_BITS - 1


class Mark(NamedTuple):
    """One frame's mark. `call` 0 is a call that its sender did not know."""

    call: int
    origin: int
    """Which of a call's senders: sequences of two of them have nothing to do with each other."""
    seq: int
    at_us: int
    """When it was sent, in µs of the machine's monotonic clock."""


BARE: Final = bytes(code | 1 for code in range(256))
"""To strike a mark out with `bytes.translate`: each pair of neighbouring codes becomes one."""

_DIGITS: Final = bytes(0x30 | (code & 1) for code in range(256))
"""µ-law to binary digits."""
_SYNC_DIGITS: Final = format(_SYNC, f"0{_SYNC_BITS}b").encode()
_ODD: Final = int.from_bytes(b"\x01" * FRAME_BYTES, "big")
_EVEN: Final = int.from_bytes(b"\xfe" * FRAME_BYTES, "big")


def _quiet(value: int, bits: int) -> bytes:
    """So many bits in the last bits of silence."""
    return bytes(0xFE | (value >> place & 1) for place in reversed(range(bits)))


_SYNC_QUIET: Final = _quiet(_SYNC, _SYNC_BITS)
_QUIET: Final = tuple(_quiet(value, _PIECE_BITS) for value in range(2**_PIECE_BITS))


def mark(at_us: int, call: int, seq: int, origin: int = 0, audio: bytes = SILENCE) -> bytes:
    """The audio with a mark in its first frame; shorter audio is returned as it is."""
    assert 0 <= call <= CALL_MAX, call
    assert 0 <= origin <= ORIGIN_MAX, origin
    if len(audio) < FRAME_BYTES:
        return audio
    seq &= SEQ_MAX
    at_us &= AT_US_MAX
    head = (call << _ORIGIN_BITS | origin) << _SEQ_BITS + _AT_BITS
    check = (head | seq << _AT_BITS | at_us) % _PRIME
    quiet = _QUIET
    frame = b"".join(
        (
            _SYNC_QUIET,
            quiet[call >> 12], quiet[call & _LOW],
            quiet[origin],
            quiet[seq >> 12], quiet[seq & _LOW],
            quiet[at_us >> 36], quiet[at_us >> 24 & _LOW],
            quiet[at_us >> 12 & _LOW], quiet[at_us & _LOW],
            quiet[check >> 12], quiet[check & _LOW],
        )
    )  # fmt: skip
    if audio == SILENCE:
        return frame
    own = int.from_bytes(audio[:FRAME_BYTES], "big") & _EVEN
    marked = own | int.from_bytes(frame, "big") & _ODD
    return marked.to_bytes(FRAME_BYTES, "big") + audio[FRAME_BYTES:]


def read(audio: bytes) -> Mark | None:
    """The first mark in the audio."""
    if audio[:_SYNC_BITS].translate(_DIGITS) == _SYNC_DIGITS and len(audio) >= FRAME_BYTES:
        found = _read(int(audio[:FRAME_BYTES].translate(_DIGITS), 2))  # The usual case: in front.
        if found is not None:
            return found
    return next(iter(read_all(audio)), None)


def read_all(audio: bytes) -> list[Mark]:
    """All marks in the audio, wherever they begin."""
    if len(audio) < FRAME_BYTES:
        return []
    digits = audio.translate(_DIGITS)
    marks: list[Mark] = []
    at = digits.find(_SYNC_DIGITS)
    while at >= 0 and at + FRAME_BYTES <= len(digits):
        found = _read(int(digits[at : at + FRAME_BYTES], 2))
        if found is not None:
            marks.append(found)
        at = digits.find(_SYNC_DIGITS, at + (1 if found is None else FRAME_BYTES))
    return marks


def _read(bits: int) -> Mark | None:
    """What a frame's 160 last bits say, the sync included; None if the check is wrong."""
    body = bits >> _CHECK_BITS & _BODY
    if body % _PRIME != bits & _CHECK:
        return None
    head = body >> _AT_BITS
    return Mark(
        head >> _SEQ_BITS + _ORIGIN_BITS,
        head >> _SEQ_BITS & ORIGIN_MAX,
        head & SEQ_MAX,
        body & AT_US_MAX,
    )
