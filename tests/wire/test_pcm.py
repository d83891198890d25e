import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import SoundError
from trunkline.wire import g711, pcm

RATES = (8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000)


def tone(hz: float, rate: int, *, seconds: float = 0.2, peak: float = 8000) -> "array[int]":
    turn = 2 * math.pi * hz / rate
    return array("h", [round(peak * math.sin(turn * n)) for n in range(int(seconds * rate))])


def silence(rate: int, seconds: float) -> "array[int]":
    return array("h", bytes(2 * int(seconds * rate)))


def rms(samples: list[float]) -> float:
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def loudness(ulaw: bytes) -> float:
    """Of the frames with speech in them, in dBov, measured without the code under test."""
    frames = [g711.rms(ulaw[at : at + 160]) for at in range(0, len(ulaw), 160)]
    speech = [level for level in frames if level > max(frames) / 10]
    return 20 * math.log10(rms(speech) / 32768)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hz", [300, 1000, 3000, 3300])
def test_what_a_telephone_carries_stays_as_it_is(rate: int, hz: int) -> None:
    """Within a quarter of a decibel, from 300 to 3300 Hz."""
    heard = pcm.resample(tone(hz, rate), rate)[200:-200]
    assert 20 * math.log10(rms(heard) / (8000 / math.sqrt(2))) == pytest.approx(0, abs=0.25)


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate > 2 * 4400])
@pytest.mark.parametrize("hz", [4100, 4400, 5000, 7000, 11_000])
def test_what_it_can_not_carry_is_gone(rate: int, hz: int) -> None:
    """Over 50 dB down: left in, it would be heard as another tone."""
    if 2 * hz < rate:
        heard = pcm.resample(tone(hz, rate), rate)[200:-200]
        assert rms(heard) < 8000 / math.sqrt(2) * 10 ** (-50 / 20)


@given(rate=st.sampled_from(RATES), samples=st.integers(0, 3000), level=st.integers(-999, 999))
def test_a_steady_level_is_kept_and_so_is_the_time(rate: int, samples: int, level: int) -> None:
    """A constant is that constant in the middle; a second is a second."""
    sound = pcm.resample([level] * samples, rate)
    assert len(sound) == samples * 8000 // rate
    for sample in sound[30:-30]:
        assert sample == pytest.approx(level, abs=1e-6 * abs(level))


@pytest.mark.parametrize("rate", [0, -1, 7999, 48_001, 192_000])
def test_a_rate_that_no_engine_has_is_refused(rate: int) -> None:
    """Before anything is computed."""
    with pytest.raises(SoundError, match="samples a second"):
        pcm.resample([1, 2, 3], rate)


@given(
    rate=st.sampled_from([8000, 22_050, 24_000]),
    peak=st.floats(40, 32_767),
    hz=st.floats(200, 3200),
)
def test_every_clip_is_equally_loud(rate: int, peak: float, hz: float) -> None:
    """Whether the engine whispers or shouts; no sample is at the end of the scale."""
    ulaw = pcm.telephone(tone(hz, rate, peak=peak), rate)
    assert loudness(ulaw) == pytest.approx(pcm.LEVEL_DBOV, abs=1.0)
    assert max(map(abs, g711.decode(ulaw))) < 32768 * 10 ** (pcm.PEAK_DBOV / 20) * 1.04


def test_a_click_is_not_clipped() -> None:
    """Speech beside a loud click stays softer: nothing goes beyond the highest peak."""
    sound = tone(500, 8000, seconds=0.5, peak=1500)
    sound[2000] = 32_000
    ulaw = pcm.telephone(sound, 8000)
    heard = g711.decode(ulaw)
    assert max(map(abs, heard)) == pytest.approx(32768 * 10 ** (pcm.PEAK_DBOV / 20), rel=0.04)
    assert abs(heard[2000]) == max(map(abs, heard))


def test_silence_is_cut_from_both_ends() -> None:
    """But for 40 ms: what is left is 0.5 s of speech and twice that, in whole frames."""
    rate = 24_000
    sound = silence(rate, 1.0) + tone(400, rate, seconds=0.5) + silence(rate, 2.0)
    ulaw = pcm.telephone(sound, rate)
    assert len(ulaw) % 160 == 0
    assert len(ulaw) / 8 == pytest.approx(580, abs=40)
    assert g711.rms(ulaw[:160]) < 100 < g711.rms(ulaw[640:800])


def test_a_pause_between_words_stays() -> None:
    """Only the ends are trimmed."""
    rate = 24_000
    word = tone(400, rate, seconds=0.2)
    ulaw = pcm.telephone(word + silence(rate, 1.0) + word, rate)
    assert len(ulaw) / 8 == pytest.approx(1400, abs=100)


@pytest.mark.parametrize("samples", [[], [0] * 8000, [3, -3] * 4000])
def test_silence_alone_is_no_clip(samples: list[int]) -> None:
    """An engine that gave nothing is told, not stored."""
    with pytest.raises(SoundError, match="nothing but silence"):
        pcm.telephone(samples, 8000)
