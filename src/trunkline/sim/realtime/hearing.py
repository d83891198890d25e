"""The input buffer of a session, and voice detection on audio time.

A frame counts as 20 ms whenever it comes: a burst is heard as it would have been in real time.
Frames keep the edges they have from the session's first byte.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from trunkline.sim.speech import FRAME_BYTES, FRAME_MS, LOUD_SAMPLES_MIN, QUIET_LEVEL, quiet_codes
from trunkline.wire.realtime.session import DEFAULT_VAD, SemanticVad, ServerVad, TurnDetection

ONSET_FRAMES: Final = 2
"""So many loud frames in a row are speech: a click is none."""

BYTES_PER_MS: Final = FRAME_BYTES // FRAME_MS

BUFFER_MS_MAX: Final = 300_000
"""Then the oldest audio is dropped: nobody speaks for five minutes in one turn."""
TRIM_MS: Final = 1_000
"""Silence before a turn is kept so much longer than the prefix, to be trimmed rarely."""

SILENCE_MS_OF: Final = {"low": 1_500, "medium": 800, "auto": 800, "high": 400}
"""Semantic detection, simulated by the silence that each eagerness waits for."""
SEMANTIC_PREFIX_MS: Final = 300


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The caller began to speak; `at_ms` is of all audio written, the prefix included."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The caller's turn is over; `audio` is the turn, from the prefix to the last silence."""

    at_ms: int
    audio: bytes


NOTHING: Final[list[SpeechBegan | SpeechEnded]] = []
"""What almost every frame is: never changed."""


class Hearing:
    """Audio as it is appended; says where turns begin and end."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0
        self._examined = 0
        self._speaking = False
        self._loud_frames = 0
        self._silent_ms = 0
        self.detects = True
        self._level = QUIET_LEVEL
        self._prefix_ms = 0
        self._silence_ms = 0
        self.tune(DEFAULT_VAD)

    @property
    def written_ms(self) -> int:
        """All audio written in this session."""
        return (self._start + len(self._buffer)) // BYTES_PER_MS

    @property
    def buffered_ms(self) -> int:
        """Audio that is not committed."""
        return len(self._buffer) // BYTES_PER_MS

    @property
    def speaking(self) -> bool:
        """Whether the caller is in a turn."""
        return self._speaking

    @property
    def can_skip(self) -> bool:
        """Whether whole frames that change nothing may be added together."""
        return self.detects and self._examined == self._start + len(self._buffer)

    def changes_nothing(self, frame: bytes) -> bool:
        """Whether a whole frame is silence that goes on, or speech that goes on."""
        loud = len(frame.translate(None, self._quiet)) >= LOUD_SAMPLES_MIN
        return loud is self._speaking

    def skip(self, frames: bytes) -> None:
        """Add frames of which each changes nothing."""
        if not frames:
            return
        self._buffer += frames
        self._examined += len(frames)
        self._silent_ms = self._loud_frames = 0
        if len(self._buffer) > self._trim_at:
            self._trim()

    def tune(self, detection: TurnDetection | None) -> None:
        """Set turn detection, all its fields filled in; None commits by hand."""
        self.detects = detection is not None
        match detection:
            case ServerVad():
                self._level = round(2 * QUIET_LEVEL * _number(detection.threshold))
                self._prefix_ms = round(_number(detection.prefix_padding_ms))
                self._silence_ms = round(_number(detection.silence_duration_ms))
            case SemanticVad(eagerness=eagerness):
                assert isinstance(eagerness, str)
                self._level, self._prefix_ms = QUIET_LEVEL, SEMANTIC_PREFIX_MS
                self._silence_ms = SILENCE_MS_OF[eagerness]
            case None:
                self._speaking, self._loud_frames = False, 0
            case _:
                assert_never(detection)
        self._quiet = quiet_codes(self._level)
        keep_ms = self._prefix_ms + ONSET_FRAMES * FRAME_MS + TRIM_MS
        self._trim_at = min(BUFFER_MS_MAX, keep_ms) * BYTES_PER_MS

    def append(self, ulaw: bytes) -> list[SpeechBegan | SpeechEnded]:
        """Add audio and say what it was, in order."""
        buffer = self._buffer
        aligned = self._examined == self._start + len(buffer)
        buffer += ulaw
        if aligned and len(ulaw) == FRAME_BYTES and self.detects:  # The usual case.
            self._examined += FRAME_BYTES
            loud = len(ulaw.translate(None, self._quiet)) >= LOUD_SAMPLES_MIN
            if loud is self._speaking:  # Speech that goes on, silence that goes on.
                event, self._silent_ms, self._loud_frames = None, 0, 0
            else:
                event = self._heard(loud=loud)
            if len(buffer) > self._trim_at:
                self._trim()
            return NOTHING if event is None else [event]
        found: list[SpeechBegan | SpeechEnded] = []
        end = self._start + len(self._buffer)
        while self._examined + FRAME_BYTES <= end:
            at = self._examined - self._start
            frame = bytes(self._buffer[at : at + FRAME_BYTES])
            self._examined += FRAME_BYTES
            if self.detects and (event := self._hear(frame)):
                found.append(event)
        self._trim()
        return found

    def commit(self) -> bytes:
        """Take what is buffered, to the last whole frame examined, and end the turn."""
        taken = self._take(self._examined)
        self._speaking, self._loud_frames = False, 0
        return taken

    def clear(self) -> None:
        """Throw away what is buffered; a turn that had begun is forgotten."""
        self.commit()

    def realign(self) -> None:
        """Audio of another format follows: forget what is buffered, and begin a frame anew."""
        self._take(self._start + len(self._buffer))
        self._start += -self._start % FRAME_BYTES
        self._examined = self._start
        self._speaking, self._loud_frames = False, 0

    def _hear(self, frame: bytes) -> SpeechBegan | SpeechEnded | None:
        return self._heard(loud=len(frame.translate(None, self._quiet)) >= LOUD_SAMPLES_MIN)

    def _heard(self, *, loud: bool) -> SpeechBegan | SpeechEnded | None:
        if not self._speaking:
            self._loud_frames = self._loud_frames + 1 if loud else 0
            if self._loud_frames < ONSET_FRAMES:
                return None
            self._speaking, self._silent_ms = True, 0
            begin = self._examined - ONSET_FRAMES * FRAME_BYTES - self._prefix_ms * BYTES_PER_MS
            begin -= begin % FRAME_BYTES
            self._take(max(begin, self._start))
            return SpeechBegan(self._start // BYTES_PER_MS)
        self._silent_ms = 0 if loud else self._silent_ms + FRAME_MS
        if self._silent_ms < max(self._silence_ms, FRAME_MS):
            return None
        self._speaking, self._loud_frames = False, 0
        at_ms = self._examined // BYTES_PER_MS
        return SpeechEnded(at_ms, self._take(self._examined))

    def _take(self, end: int) -> bytes:
        """Cut off everything before an offset, and return it."""
        count = max(0, end - self._start)
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._start += count
        return taken

    def _trim(self) -> None:
        keep_ms = BUFFER_MS_MAX
        if self.detects and not self._speaking:
            keep_ms = self._prefix_ms + ONSET_FRAMES * FRAME_MS
            if self.buffered_ms < keep_ms + TRIM_MS:
                return
        excess = (self.buffered_ms - keep_ms) * BYTES_PER_MS
        if excess > 0:
            self._take(self._start + excess - excess % FRAME_BYTES)


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
