"""µ-law (ITU-T G.711) at 8 kHz, as it travels in base64: duration, silence, level, tones.

Audio passes through us as an opaque base64 string; its duration follows from the string's
length alone. Only the simulators, the fallback audio and `send_digits` look inside.
"""

import binascii
import math
from array import array
from collections.abc import Iterable
from functools import cache
from typing import Final

SAMPLES_PER_S: Final = 8000
BYTES_PER_MS: Final = 8
SILENCE: Final = 0xFF
"""The byte of digital silence (positive zero)."""

FRAME_BYTES: Final = 20 * BYTES_PER_MS
"""What the carrier sends at a time."""

_BIAS: Final = 33
"""G.711's offset, on the 14-bit scale: it makes each segment's step a power of two."""
_CLIP: Final = 8191 - _BIAS
"""The largest 14-bit magnitude that still fits into the last segment with the bias added."""

TONE_MS: Final = 100
TONE_GAP_MS: Final = 100
PAUSE_MS: Final = 500
"""A `w` among the digits waits so long, as in Twilio's own digits."""
DIGITS_MAX: Final = 128
"""More digits at once are refused: half a minute of tones is no extension."""

_DBM0_OF_FULL_SCALE: Final = 3.17
"""A sine that peaks at G.711's virtual decision value (8159 of 14 bits) has +3.17 dBm0."""
_TONE_DBM0: Final = -7.0
_TONE_PEAK: Final = 4 * 8159 * 10 ** ((_TONE_DBM0 - _DBM0_OF_FULL_SCALE) / 20)
_ROWS_HZ: Final = (697, 770, 852, 941)
_COLUMNS_HZ: Final = (1209, 1336, 1477, 1633)
_KEYPAD: Final = ("123A", "456B", "789C", "*0#D")


def _linear_of(code: int) -> int:
    """The 16-bit sample that a µ-law byte stands for (G.711, table 2a)."""
    inverted = ~code & 0xFF
    segment, step = inverted >> 4 & 7, inverted & 15
    magnitude = ((2 * step + 33) << segment) - _BIAS
    return -4 * magnitude if inverted & 0x80 else 4 * magnitude


def _code_of(sample: int) -> int:
    """The µ-law byte of a 16-bit sample."""
    magnitude = min(abs(sample) >> 2, _CLIP) + _BIAS
    segment = magnitude.bit_length() - 6
    step = magnitude >> segment + 1 & 15
    return ~((0x80 if sample < 0 else 0) | segment << 4 | step) & 0xFF


_LINEAR: Final = tuple(_linear_of(code) for code in range(256))
_SQUARES: Final = tuple(sample * sample for sample in _LINEAR)


@cache
def _codes() -> bytes:
    """The µ-law byte of each 16-bit sample, from -32768 up: made when first asked for."""
    return bytes(_code_of(sample) for sample in range(-32768, 32768))


def encode(pcm: Iterable[int]) -> bytes:
    """16-bit samples to µ-law. A sample outside 16 bits raises `ValueError`."""
    try:
        samples = array("h", pcm)
    except OverflowError as error:
        raise ValueError("a sample does not fit into 16 bits") from error
    codes = _codes()
    return bytes([codes[sample + 32768] for sample in samples])


def decode(ulaw: bytes) -> "array[int]":
    """µ-law to 16-bit samples, one for each byte."""
    return array("h", [_LINEAR[code] for code in ulaw])


def rms(ulaw: bytes) -> float:
    """Root mean square of the samples, on the 16-bit scale; of nothing: 0."""
    if not ulaw:
        return 0.0
    return math.sqrt(sum(map(_SQUARES.__getitem__, ulaw)) / len(ulaw))


def frames(size: int) -> int:
    """How many frames so many bytes are; a begun one counts."""
    return -(-size // FRAME_BYTES)


def payload_bytes(payload: str) -> int:
    """How many bytes a base64 string stands for, by its length and padding alone."""
    return max(0, len(payload) * 3 // 4 - payload.count("=", -2))


def payload_ms(payload: str) -> float:
    """How long a base64 µ-law string plays, in milliseconds."""
    return payload_bytes(payload) / BYTES_PER_MS


def is_base64(payload: str) -> bool:
    """Whether a string is base64 of the standard alphabet, padded, without anything else."""
    try:
        binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:
        return False
    return True


def silence(ms: int) -> bytes:
    """So many milliseconds of digital silence."""
    return bytes([SILENCE]) * (ms * BYTES_PER_MS)


_HZ: Final = {
    key: (row_hz, column_hz)
    for keys, row_hz in zip(_KEYPAD, _ROWS_HZ, strict=True)
    for key, column_hz in zip(keys, _COLUMNS_HZ, strict=True)
}


@cache
def _tone(key: str) -> bytes:
    low_hz, high_hz = _HZ[key]
    turn = 2 * math.pi / SAMPLES_PER_S
    return encode(
        round(_TONE_PEAK * (math.sin(turn * low_hz * n) + math.sin(turn * high_hz * n)))
        for n in range(TONE_MS * BYTES_PER_MS)
    )


def dtmf(digits: str) -> bytes:
    """Tones (ITU-T Q.23) of `0-9 * # A-D`, each with a gap behind it; `w` pauses.

    Each of a tone's two frequencies has -7 dBm0. Other characters, and more than `DIGITS_MAX`,
    raise `ValueError`.
    """
    if len(digits) > DIGITS_MAX:
        raise ValueError(f"more than {DIGITS_MAX} digits")
    gap, pause = silence(TONE_GAP_MS), silence(PAUSE_MS)
    audio = bytearray()
    for digit in digits:
        if digit == "w":
            audio += pause
        elif digit in _HZ:
            audio += _tone(digit) + gap
        else:
            raise ValueError(f"no tone for {digit!r}: use 0-9, *, #, A-D, w")
    return bytes(audio)
