"""What a speech engine gives, made fit for a telephone: 16-bit samples to µ-law at 8 kHz.

Everything above 4 kHz is filtered out before samples are left out, or it would be heard as
another tone; silence is cut from both ends; every clip is made equally loud.
"""

import math
from array import array
from collections.abc import Sequence
from functools import cache
from operator import mul
from typing import Final

from trunkline.errors import SoundError
from trunkline.wire import g711
from trunkline.wire.g711 import SAMPLES_PER_S

RATES: Final = range(8000, 48_001)
"""Samples a second that engines give."""

LEVEL_DBOV: Final = -22.0
"""How loud speech is where it is loud: its RMS against a square wave of full scale (dBov).

A telephone's talker has about -26, an announcement may be somewhat clearer.
"""
PEAK_DBOV: Final = -2.0
"""No sample goes beyond, whatever the level would be: clipped speech is worse than soft speech."""
SOFT_DB: Final = 25.0
"""A frame softer than the loudest one by more is no speech where loudness is measured."""
EDGE_DB: Final = 40.0
"""A frame softer than the loudest one by more is silence at the ends."""
EDGE_MS: Final = 40
"""So much of the silence stays at each end: a word that is cut in sharply clicks."""
SILENT_RMS: Final = 10.0
"""If no frame is louder (-70 dBov), nothing was said at all."""

FRAME: Final = 20 * g711.BYTES_PER_MS
"""Samples of 20 ms, a carrier's frame; a clip is made of whole ones."""

_FULL_SCALE: Final = 32768.0
_CUTOFF_HZ: Final = 3700.0
"""Half of the amplitude is left here; all of it up to 3.3 kHz, from 4.1 kHz on less than 1/300."""
_LOBES: Final = 24
"""The filter reaches so many samples of 8 kHz to each side (3 ms)."""


def telephone(samples: Sequence[int], rate: int) -> bytes:
    """Speech as a telephone's: µ-law in whole frames, trimmed, at `LEVEL_DBOV`.

    Raises:
        SoundError: there is nothing but silence, or nobody has such a rate.
    """
    sound = _trimmed(resample(samples, rate))
    gain = _gain(sound)
    padding = [0] * (-len(sound) % FRAME)
    return g711.encode([round(gain * sample) for sample in sound] + padding)


def resample(samples: Sequence[int], rate: int) -> list[float]:
    """The samples at 8 kHz, without what 8 kHz can't hold. A rate not in `RATES`: `SoundError`."""
    if rate not in RATES:
        raise SoundError(f"expected from {RATES[0]} to {RATES[-1]} samples a second, not {rate}")
    if rate == SAMPLES_PER_S:
        return [float(sample) for sample in samples]
    common = math.gcd(rate, SAMPLES_PER_S)
    up, down = SAMPLES_PER_S // common, rate // common
    reach = math.ceil(_LOBES * rate / SAMPLES_PER_S)
    silence = array("h", bytes(2 * reach))
    around = silence + array("h", samples) + silence
    sound = []
    for n in range(len(samples) * up // down):
        at, phase = divmod(n * down, up)
        taps = _taps(rate, phase, up)
        sound.append(sum(map(mul, taps, around[at + 1 : at + 1 + len(taps)])))
    return sound


@cache
def _taps(rate: int, phase: int, up: int) -> tuple[float, ...]:
    """The filter for a place that lies `phase / up` samples behind one: a windowed sinc.

    It weighs the samples from `reach - 1` before that one to `reach` behind it, and its weights
    add up to one, so that no place is louder than another.
    """
    reach = math.ceil(_LOBES * rate / SAMPLES_PER_S)
    turn = 2 * math.pi * _CUTOFF_HZ / rate
    weights = []
    for k in range(1 - reach, reach + 1):
        distance = k - phase / up
        part = distance / reach
        window = 0.42 + 0.5 * math.cos(math.pi * part) + 0.08 * math.cos(2 * math.pi * part)
        x = turn * distance
        weights.append(window * (math.sin(x) / x if x else 1.0))
    whole = sum(weights)
    return tuple(weight / whole for weight in weights)


def _trimmed(sound: list[float]) -> list[float]:
    """From a little before the first frame that can be heard to a little behind the last one."""
    levels = _levels(sound)
    loudest = max(levels, default=0.0)
    if loudest < SILENT_RMS:
        raise SoundError("nothing but silence")
    least = loudest * _ratio(-EDGE_DB)
    heard = [n for n, level in enumerate(levels) if level >= least]
    kept = EDGE_MS * g711.BYTES_PER_MS
    return sound[max(0, heard[0] * FRAME - kept) : (heard[-1] + 1) * FRAME + kept]


def _gain(sound: list[float]) -> float:
    levels = _levels(sound)
    least = max(levels) * _ratio(-SOFT_DB)
    speech = [level * level for level in levels if level >= least]
    wanted = _FULL_SCALE * _ratio(LEVEL_DBOV) / math.sqrt(sum(speech) / len(speech))
    return min(wanted, _FULL_SCALE * _ratio(PEAK_DBOV) / max(map(abs, sound)))


def _levels(sound: list[float]) -> list[float]:
    """The RMS of each frame, the last one's over what there is of it."""
    frames = (sound[at : at + FRAME] for at in range(0, len(sound), FRAME))
    return [math.sqrt(sum(map(mul, frame, frame)) / len(frame)) for frame in frames]


def _ratio(decibels: float) -> float:
    return float(10 ** (decibels / 20))
