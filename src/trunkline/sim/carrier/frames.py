"""The caller's frames as one stream sends them: when each is due, its numbers, and its text.

Nothing else is due with most frames. Such a frame is `calm`: until `calm_until` no other part of
the call is looked at. What is not touched need not be fetched from
memory, which for hundreds of calls costs more than what is computed.
"""

from collections.abc import Callable
from typing import Final

from trunkline.sim.carrier.playqueue import BYTES_PER_S
from trunkline.sim.tally import Marks
from trunkline.sim.usual import UsualMedia, base64_of

FRAMES_LATE_MAX: Final = 250
"""Frames later than 5 s are lost audio, not late audio: skipped and counted (31930)."""


Speaks = Callable[[float, int], bytes | None]
"""The audio of the frame that ends at this time, of so many bytes."""


class Frames:
    """Due on an absolute clock; `due` and the numbers move with each frame sent or skipped."""

    __slots__ = (
        "_frame_ms", "_frame_s", "_marks", "_media", "_opened_at", "_quiet", "_shape", "_silence",
        "calm_until", "chunk", "due", "late_s_max", "sequence", "size", "skipped",
        "speaks",
    )  # fmt: skip

    def __init__(self, sid: str, frame_ms: int, marks: Marks | None) -> None:
        self.due = 0.0
        """When the next frame must be sent."""
        self.calm_until = 0.0
        """Until then nothing but the next frame has to be done; in the past: unknown."""
        self.speaks: Speaks | None = None
        """Says what is spoken in a calm frame; None: they are silent."""
        self.chunk = self.skipped = 0
        self.sequence = 0
        self.late_s_max = 0.0
        """How late a frame of ours was at worst; stalls that a fault wanted do not count."""
        self.size = frame_ms * BYTES_PER_S // 1000
        self._frame_ms, self._frame_s = frame_ms, frame_ms / 1000
        self._marks = marks
        self._media = UsualMedia(sid)
        self._quiet = b"\xff" * self.size
        self._silence = base64_of(self._quiet)
        self._shape = self._media.shape
        self._opened_at = 0.0

    def begin(self, now: float) -> None:
        """The stream is open, and `start` is out."""
        self._opened_at = now
        self.due = now + self._frame_s
        self.sequence = 1

    def next_sequence(self) -> str:
        """Of any other message."""
        self.sequence += 1
        return str(self.sequence)

    def calm(self, now: float) -> bytes | None:
        """The frame that is due, sent; None where it is not alone, or anything else is due.

        Straight on, without the methods below: hundreds of calls do it 50 times a second.
        """
        due = self.due
        late_s = now - due
        if not 0.0 <= late_s < self._frame_s or now >= self.calm_until:
            return None
        if late_s > self.late_s_max:  # noqa: PLR1730 - once a frame: a call costs more
            self.late_s_max = late_s
        self.chunk = chunk = self.chunk + 1
        self.sequence = sequence = self.sequence + 1
        count = chunk + self.skipped
        self.due = self._opened_at + (count + 1) * self._frame_s
        marks, audio = self._marks, self._quiet
        if marks is None:
            payload = self._silence
        else:
            if self.speaks is not None:
                audio = self.speaks(due, self.size) or audio
            payload = base64_of(marks.put(now, audio))
        return self._shape % (payload, chunk, count * self._frame_ms, sequence)

    def notes_lateness(self, now: float, *, meant: bool) -> bool:
        """Whether the frame that is due is so late that it is lost."""
        late_s = now - self.due
        if late_s > self.late_s_max and not meant:
            self.late_s_max = late_s
        return late_s > FRAMES_LATE_MAX * self._frame_s

    def text(self, audio: bytes | None, now: float) -> bytes:
        """The message of frame `chunk`; None is silence."""
        if self._marks is not None:
            audio = self._marks.put(now, self._quiet if audio is None else audio)
        payload = self._silence if audio is None else base64_of(audio)
        at_ms = (self.chunk + self.skipped) * self._frame_ms
        self.sequence += 1
        return self._media.written(payload, self.chunk, at_ms, self.sequence)

    def moves_on(self) -> None:
        """The next frame's turn."""
        self.due = self._opened_at + (self.chunk + self.skipped + 1) * self._frame_s

    def read(self, text: bytes) -> bytes | None:
        """The audio that the server sends in this stream, where the message is a usual one."""
        return self._media.read(text)
