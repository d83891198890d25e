"""Marks of time in audio: which call a frame is of, the how-manieth it is, and when it was sent.

A mark is written into the least significant bits of one frame's 160 µ-law bytes. In silence it is
as quiet as a sample can be, in speech it is masked by the speech: `speech.is_loud` gives the same
verdict with and without it, and `speech.hear` knows the clip's frame by its other bits.

    audio = mark(at_us, call=7, seq=0)      digital silence, or `audio=` a frame of speech
    read(audio)                             Mark(call=7, origin=0, seq=0, at_us=…)

It lies at any place of a payload: frames may be joined, or cut elsewhere, on the way. It is the
machine's monotonic clock, so that the other end may be another process of the same machine.
µ-law that was decoded to samples and encoded again keeps it.

    bits   24     24     12       24    48      24      4
           sync   call   origin   seq   at_us   check   none
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

_SYNC: Final = 0b1010_0110_0011_1000_0101_1110
_SYNC_BITS: Final = 24
_CHECK_BITS: Final = 24
_AT_BITS: Final = 48
_SEQ_BITS: Final = 24
_ORIGIN_BITS: Final = 12
_CALL_BITS: Final = 24
HEAD_BITS: Final = _SYNC_BITS + _CALL_BITS + _ORIGIN_BITS
"""The same in all marks of one sender."""
TAIL_BITS: Final = _SEQ_BITS + _AT_BITS + _CHECK_BITS
BITS: Final = HEAD_BITS + TAIL_BITS
_BODY_BITS: Final = _SEQ_BITS + _AT_BITS
_BODY: Final = 2**_BODY_BITS - 1
_CHECK: Final = 2**_CHECK_BITS - 1
_PRIME: Final = 2**_CHECK_BITS - 3
"""The check is what all before it leaves, divided by it."""


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
_QUIET: Final = bytes(0xFE | (code & 1) for code in range(256))
"""Binary digits to µ-law."""
_ODD: Final = int.from_bytes(b"\x01" * BITS, "big")
_EVEN: Final = int.from_bytes(b"\xfe" * BITS, "big")
_REST: Final = SILENCE[BITS:]


class Sender:
    """What is the same in all marks of one sender, made once."""

    __slots__ = ("_check", "_head", "call", "digits", "origin")

    def __init__(self, call: int, origin: int = 0) -> None:
        assert 0 <= call <= CALL_MAX, call
        assert 0 <= origin <= ORIGIN_MAX, origin
        self.call, self.origin = call, origin
        head = _SYNC << _CALL_BITS + _ORIGIN_BITS | call << _ORIGIN_BITS | origin
        self.digits = format(head, f"0{HEAD_BITS}b").encode()
        """Its marks begin with these binary digits."""
        self._head = self.digits.translate(_QUIET)
        self._check = (head << _BODY_BITS) % _PRIME

    def mark(self, at_us: int, seq: int, audio: bytes = SILENCE) -> bytes:
        """The audio with a mark in its first frame; shorter audio is returned as it is."""
        if len(audio) < FRAME_BYTES:
            return audio
        body = (seq & SEQ_MAX) << _AT_BITS | at_us & AT_US_MAX
        tail = body << _CHECK_BITS | (self._check + body) % _PRIME
        marked = self._head + format(tail, "096b").encode().translate(_QUIET)
        if audio == SILENCE:
            return marked + _REST
        own = int.from_bytes(audio[:BITS], "big") & _EVEN
        bits = own | int.from_bytes(marked, "big") & _ODD
        return bits.to_bytes(BITS, "big") + audio[BITS:]

    def all_of(self, audio: bytes) -> list[tuple[int, int]] | None:
        """As `seq_and_at_us` of each frame; None where one has no mark of this sender's."""
        digits, head, check = audio.translate(_DIGITS), self.digits, self._check
        found: list[tuple[int, int]] = []
        for at in range(0, len(audio), FRAME_BYTES):
            if not digits.startswith(head, at):
                return None
            tail = int(digits[at + HEAD_BITS : at + BITS], 2)
            body = tail >> _CHECK_BITS
            if (check + body) % _PRIME != tail & _CHECK:
                return None
            found.append((body >> _AT_BITS, body & AT_US_MAX))
        return found

    def seq_and_at_us(self, audio: bytes) -> tuple[int, int] | None:
        """Sequence and time of the mark that the audio begins with, if it is this sender's."""
        digits = audio[:BITS].translate(_DIGITS)
        if not digits.startswith(self.digits) or len(digits) < BITS:
            return None
        tail = int(digits[HEAD_BITS:], 2)
        body = tail >> _CHECK_BITS
        if (self._check + body) % _PRIME != tail & _CHECK:
            return None
        return body >> _AT_BITS, body & AT_US_MAX


def mark(at_us: int, call: int, seq: int, origin: int = 0, audio: bytes = SILENCE) -> bytes:
    """The audio with a mark in its first frame; shorter audio is returned as it is."""
    return Sender(call, origin).mark(at_us, seq, audio)


def read(audio: bytes) -> Mark | None:
    """The first mark in the audio."""
    return next(iter(read_all(audio)), None)


def read_all(audio: bytes) -> list[Mark]:
    """All marks in the audio, wherever they begin."""
    if len(audio) < BITS:
        return []
    digits = audio.translate(_DIGITS)
    marks: list[Mark] = []
    at = digits.find(_SYNC_DIGITS)
    while at >= 0 and at + BITS <= len(digits):
        found = _read(int(digits[at : at + BITS], 2))
        if found is not None:
            marks.append(found)
        at = digits.find(_SYNC_DIGITS, at + (1 if found is None else BITS))
    return marks


def _read(bits: int) -> Mark | None:
    """What a frame's last bits say; None if the check is wrong."""
    whole = bits >> _CHECK_BITS
    if whole % _PRIME != bits & _CHECK:
        return None
    head = whole >> _BODY_BITS
    return Mark(
        head >> _ORIGIN_BITS & CALL_MAX,
        head & ORIGIN_MAX,
        whole >> _AT_BITS & SEQ_MAX,
        whole & AT_US_MAX,
    )
