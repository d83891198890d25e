import base64
import math
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.wire import g711

# A few points of G.711's table 2a, as 16-bit samples: code, value.
POINTS = [
    (0x00, -32124),
    (0x0F, -16764),
    (0x10, -15996),
    (0x7E, -8),
    (0x7F, 0),
    (0x80, 32124),
    (0x8F, 16764),
    (0x9F, 8316),
    (0xAF, 4092),
    (0xBF, 1980),
    (0xCF, 924),
    (0xDF, 396),
    (0xEF, 132),
    (0xFE, 8),
    (0xFF, 0),
]


@pytest.mark.parametrize(("code", "sample"), POINTS)
def test_codes_stand_for_g711s_values(code: int, sample: int) -> None:
    """The table's corners: full scale, each segment's first step, and zero."""
    assert g711.decode(bytes([code])) == array("h", [sample])


def test_every_code_comes_back() -> None:
    """Decoding and encoding keep each code but the negative zero, which is silence."""
    codes = bytes(range(256))
    assert g711.encode(g711.decode(codes)) == codes.replace(b"\x7f", b"\xff")


def test_a_sample_is_heard_within_half_a_step() -> None:
    """Up to the load limit no sample is off by more than half the step of where it lies."""
    values = sorted(set(g711.decode(bytes(range(256)))))
    steps = dict(zip(values, _steps(values), strict=True))
    samples = range(-4 * 8158, 4 * 8158, 3)
    for sample, heard in zip(samples, g711.decode(g711.encode(samples)), strict=True):
        dropped = 4  # The two low bits, which µ-law does not have.
        assert abs(sample - heard) <= steps[heard] / 2 + dropped


def _steps(values: list[int]) -> list[int]:
    """The larger of each value's distances to its neighbours; at the ends, the last step."""
    gaps = [other - one for one, other in pairwise(values)]
    return [max(pair) for pair in zip([gaps[0], *gaps], [*gaps, gaps[-1]], strict=True)]


def test_louder_stays_louder() -> None:
    """Encoding is monotonic over all samples, and odd: sound has no side."""
    heard = g711.decode(g711.encode(range(-32768, 32768)))
    assert all(one <= other for one, other in pairwise(heard))
    positive = g711.decode(g711.encode(range(1, 32768)))
    negative = g711.decode(g711.encode(range(-1, -32768, -1)))
    assert list(positive) == [-sample for sample in negative]


@pytest.mark.parametrize("sample", [32768, -32769, 10**9])
def test_a_sample_over_16_bits_is_refused(sample: int) -> None:
    """It would wrap into noise."""
    with pytest.raises(ValueError, match="16 bits"):
        g711.encode([0, sample])


def test_silence_is_silent() -> None:
    """Digital silence is 0xFF: zero, and the level of nothing."""
    assert g711.encode([0]) == bytes([g711.SILENCE])
    assert g711.silence(20) == b"\xff" * 160
    assert g711.rms(g711.silence(20)) == 0.0
    assert g711.rms(b"") == 0.0


@given(st.binary(min_size=1, max_size=400))
def test_level_is_that_of_the_samples(ulaw: bytes) -> None:
    """The table of squares gives what the definition gives."""
    samples = g711.decode(ulaw)
    expected = math.sqrt(sum(sample * sample for sample in samples) / len(samples))
    assert g711.rms(ulaw) == pytest.approx(expected)


@given(st.binary(max_size=2000))
def test_duration_follows_from_the_payloads_length(audio: bytes) -> None:
    """No byte is decoded to know how long a payload plays, padded or not."""
    payload = base64.b64encode(audio).decode()
    assert g711.payload_bytes(payload) == len(audio)
    assert g711.payload_bytes(payload.rstrip("=")) == len(audio)
    assert g711.payload_ms(payload) == len(audio) / 8
    assert g711.is_base64(payload)


def test_a_frame_lasts_20_ms() -> None:
    """Twilio's frame: 160 bytes, 216 characters."""
    payload = base64.b64encode(g711.silence(20)).decode()
    assert len(payload) == 216
    assert g711.payload_ms(payload) == 20.0


@given(st.text(max_size=40))
def test_any_string_has_a_duration(payload: str) -> None:
    """Hostile payloads are measured, never negative; what is no base64 is said to be none."""
    assert g711.payload_bytes(payload) >= 0
    try:
        expected = base64.b64encode(base64.b64decode(payload, validate=True)).decode() == payload
    except ValueError:
        expected = False
    if expected:
        assert g711.is_base64(payload)


@pytest.mark.parametrize(
    "payload",
    ["=", "==", "====", "A", "AA", "AAA", "A===", "AA=", "AAA==", "-_-_", "AA==AA==", "é"],
)
def test_what_is_no_base64_is_none(payload: str) -> None:
    """Wrong padding, the URL alphabet, data behind the end, and no ASCII."""
    assert not g711.is_base64(payload)
    assert not g711.is_base64(payload + "\n")
    assert g711.payload_bytes(payload) >= 0


def power_at(ulaw: bytes, hz: float) -> float:
    """Power of one frequency, by Goertzel's definition, in 16-bit units squared."""
    samples = g711.decode(ulaw)
    turn = 2 * math.pi * hz / g711.SAMPLES_PER_S
    real = sum(sample * math.cos(turn * n) for n, sample in enumerate(samples))
    imaginary = sum(sample * math.sin(turn * n) for n, sample in enumerate(samples))
    return 2 * (real**2 + imaginary**2) / len(samples) ** 2


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("column", range(4))
def test_each_key_has_its_pair_of_tones(row: int, column: int) -> None:
    """Two frequencies of Q.23, as loud as each other, at -7 dBm0 each; the rest 25 dB below."""
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
    audio = g711.dtmf(("123A", "456B", "789C", "*0#D")[row][column])
    tone, gap = audio[: 100 * 8], audio[100 * 8 :]
    assert gap == g711.silence(100)
    full_scale = (4 * 8159) ** 2 / 2
    for hz in rows + columns:
        dbm0 = 3.17 + 10 * math.log10(power_at(tone, hz) / full_scale)
        if hz in {rows[row], columns[column]}:
            assert dbm0 == pytest.approx(-7.0, abs=0.3)
        else:
            assert dbm0 < -32.0


def test_digits_follow_each_other_with_pauses() -> None:
    """100 ms of tone and 100 ms of gap a digit, half a second for each `w`."""
    assert g711.dtmf("") == b""
    assert g711.dtmf("w") == g711.silence(500)
    assert g711.dtmf("1w2") == g711.dtmf("1") + g711.silence(500) + g711.dtmf("2")
    assert len(g711.dtmf("12#")) == 3 * 200 * 8


@pytest.mark.parametrize("digits", ["1-2", "a", " ", "W", "٣", "1\0", "é"])
def test_what_is_no_digit_is_refused(digits: str) -> None:
    """A wrong key pressed is worse than none."""
    with pytest.raises(ValueError, match="no tone"):
        g711.dtmf(digits)


def test_too_many_digits_are_refused() -> None:
    """The longest string is a bound on the audio that one tool call can make."""
    assert len(g711.dtmf("1" * g711.DIGITS_MAX)) == g711.DIGITS_MAX * 1600
    with pytest.raises(ValueError, match="more than"):
        g711.dtmf("1" * (g711.DIGITS_MAX + 1))
