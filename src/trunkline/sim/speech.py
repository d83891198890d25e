"""Recorded words: to speak a sentence, and to hear which words were spoken, frame by frame.

The clips (espeak-ng, `scripts/make_clips.py`) hold no frame of 20 ms twice, not even where marks
of time (`sim.timemark`) have taken the lowest bits. So hearing is exact:
what was lost, doubled or crossed on the way stands in the text, and two transcripts are equal
only if every frame arrived once and in order.

    speak("this is caller seven")   µ-law at 8 kHz, whole frames of 20 ms
    hear(ulaw)                      "this is caller seven"
                                    "this is caller[lost 3] seven[again 2]" after faults
"""

import functools
import importlib.resources
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from trunkline.sim.timemark import BARE, read

FRAME_BYTES: Final = 160
FRAME_MS: Final = 20
SILENCE: Final = b"\xff" * FRAME_BYTES
"""20 ms of digital silence."""

WORD_GAP_FRAMES: Final = 3
"""Silence between two clips of a sentence: 60 ms, far below any turn's end."""

BROKEN_OFF_FRAMES: Final = 25
"""After so much silence inside a word, the word is over: its rest counts as lost."""

QUIET_LEVEL: Final = 600
"""Samples below are quiet, on the 16-bit scale (-35 dBFS)."""
LOUD_SAMPLES_MIN: Final = 8
"""A frame with fewer loud samples is silent: a click is no speech."""

_WORD: Final = re.compile(r"[a-z0-9']+")


class UnknownWordError(LookupError):
    """A sentence holds a word of which there is no clip."""

    def __init__(self, word: str) -> None:
        super().__init__(f"there is no clip of {word!r}: see trunkline.sim.clips, index.json")
        self.word = word


def level_of(code: int) -> int:
    """The amplitude of a µ-law byte on the 16-bit scale."""
    code = ~code & 0xFF
    return ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84


@functools.cache
def quiet_codes(level: int) -> bytes:
    """The µ-law bytes whose amplitude is below a level: to strike out with `bytes.translate`.

    Both codes of a pair that differs in the last bit, or none: a mark of time changes no verdict.
    """
    return bytes(code for code in range(256) if level_of(BARE[code]) < level)


def is_loud(frame: bytes, level: int = QUIET_LEVEL) -> bool:
    """Whether a stretch holds sound: cheap enough for every frame of hundreds of calls."""
    return len(frame.translate(None, quiet_codes(level))) >= LOUD_SAMPLES_MIN


class Speech:
    """A vocabulary: `clips` maps each text to whole frames, no frame twice."""

    def __init__(self, clips: Mapping[str, bytes]) -> None:
        self._clips = dict(clips)
        self._longest = max(len(text.split()) for text in clips)
        self._places = {
            frame: (text, index)
            for text, clip in clips.items()
            for index, frame in enumerate(_frames(clip))
        }
        assert len(self._places) * FRAME_BYTES == sum(map(len, clips.values())), "a frame twice"

    @property
    def clips(self) -> Mapping[str, bytes]:
        """Text to µ-law, for every text that has a clip."""
        return self._clips

    def speak(self, text: str) -> bytes:
        """A sentence as µ-law, whole frames. Raises `UnknownWordError`."""
        gap = SILENCE * WORD_GAP_FRAMES
        return gap.join(self._clips[part] for part in self.parts(text))

    def parts(self, text: str) -> list[str]:
        """The clips a sentence is spoken with, longest first. Raises `UnknownWordError`.

        Case and punctuation do not matter.
        """
        words = _WORD.findall(text.lower())
        parts: list[str] = []
        while words:
            for length in range(min(self._longest, len(words)), 0, -1):
                part = " ".join(words[:length])
                if part in self._clips:
                    parts.append(part)
                    del words[:length]
                    break
            else:
                raise UnknownWordError(words[0])
        return parts

    def knows(self, text: str) -> bool:
        """Whether a text can be spoken, and is not empty."""
        try:
            return bool(self.parts(text))
        except UnknownWordError:
            return False

    def hear(self, audio: bytes) -> str:
        """The words in a stretch of audio that begins at a frame's edge; of silence: "".

        `[lost 3]` frames of the word did not come, `[again 2]` came twice or late, `[gap 4]`
        silent frames lay inside it; `[noise 240 ms]` is sound that is no frame of any clip.
        """
        ear = _Ear(self._clips)
        for frame in _frames(audio):
            place = self._places.get(frame)
            if place is None and read(frame) is not None:
                place = self._bare.get(frame.translate(BARE))
            if place is not None:
                ear.word(*place)
            elif is_loud(frame):
                ear.noise()
            else:
                ear.silence()
        return ear.text()

    @functools.cached_property
    def _bare(self) -> Mapping[bytes, tuple[str, int]]:
        """Places by what a mark of time leaves of their frames."""
        return {frame.translate(BARE): place for frame, place in self._places.items()}


class _Ear:
    """What was heard so far, and the word that is being heard."""

    def __init__(self, clips: Mapping[str, bytes]) -> None:
        self._clips = clips
        self._texts: list[str] = []
        self._word: str | None = None
        self._expected = 0
        self._length = 0
        self._lost = self._again = self._gap = self._silent = self._noise = 0

    def word(self, text: str, index: int) -> None:
        """A frame of a clip."""
        if self._noise:
            self._close()
        anew = index == 0 and self._expected == self._length
        if self._word != text or anew:
            self._close()
            self._word, self._length = text, len(self._clips[text]) // FRAME_BYTES
            self._expected = 0
        self._gap += self._silent
        self._silent = 0
        self._lost += max(0, index - self._expected)
        self._again += max(0, self._expected - index)
        self._expected = index + 1

    def silence(self) -> None:
        """A silent frame: ends a complete word, and lies inside an incomplete one."""
        if self._word is None:
            return
        self._silent += 1
        if self._expected == self._length or self._silent > BROKEN_OFF_FRAMES:
            self._close()

    def noise(self) -> None:
        """Sound that is of no clip."""
        if self._word is not None:
            self._close()
        self._noise += 1

    def text(self) -> str:
        """All that was heard."""
        self._close()
        return " ".join(self._texts)

    def _close(self) -> None:
        if self._word is not None:
            self._lost += self._length - self._expected
            marks = (("lost", self._lost), ("again", self._again), ("gap", self._gap))
            self._texts.append(self._word + "".join(f"[{m} {n}]" for m, n in marks if n))
        if self._noise:
            self._texts.append(f"[noise {self._noise * FRAME_MS} ms]")
        self._word = None
        self._lost = self._again = self._gap = self._silent = self._noise = 0
        self._expected = self._length = 0


def words_of(heard: str) -> str:
    """What `hear` returned, without its marks: the words alone."""
    return " ".join(re.sub(r"\[[^]]*\]", " ", heard).split())


def _frames(ulaw: bytes) -> Iterable[bytes]:
    return (ulaw[at : at + FRAME_BYTES] for at in range(0, len(ulaw), FRAME_BYTES))


@functools.cache
def recorded() -> Speech:
    """The vocabulary that ships with Trunkline."""
    folder = importlib.resources.files("trunkline.sim") / "clips"
    packed = (folder / "words.ulaw").read_bytes()
    index: dict[str, list[int]] = json.loads((folder / "index.json").read_text())
    return Speech(
        {
            text: packed[first * FRAME_BYTES : (first + count) * FRAME_BYTES]
            for text, (first, count) in index.items()
        }
    )
