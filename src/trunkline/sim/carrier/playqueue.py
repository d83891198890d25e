"""The audio that waits to be played to the caller, with marks at their places in it.

Audio drains at 8000 bytes a second from the moment it finds the queue empty. A mark comes back
when all audio before it was played; at once where none waits; and when the queue is cleared.
"""

from collections import deque
from typing import Final

from msgspec import Struct

BYTES_PER_S: Final = 8000

QUEUED_BYTES_MAX: Final = 600 * BYTES_PER_S
"""Ten minutes of audio. Twilio documents no limit: beyond ours audio is dropped and counted."""

MARKS_PENDING_MAX: Final = 10_000
"""Marks in the queue. Beyond it a mark is dropped and counted."""

_HALF_BYTE_S: Final = 0.5 / BYTES_PER_S
"""Tolerance of the clock's arithmetic: half of the smallest step."""


class Played(Struct, frozen=True, gc=False):
    """What was played since the last look: bytes, when they began and ended, marks reached."""

    audio: bytes
    began: float
    ended: float
    echoes: tuple[str, ...]
    emptied: bool
    """Whether the last queued byte was among them."""


NOTHING: Final = Played(b"", 0.0, 0.0, (), emptied=False)


class PlayQueue:
    """Call `advance(now)` before anything else: the queue has no clock of its own."""

    __slots__ = ("_added", "_audio", "_began", "_marks", "_offset", "_played", "_played_before")

    def __init__(self) -> None:
        self._audio: deque[bytes] = deque()
        self._offset = 0  # Played bytes of the first piece.
        self._marks: deque[tuple[int, str]] = deque()
        self._added = 0
        self._played = 0
        self._began = 0.0
        self._played_before = 0  # `_played` when the run of audio that began at `_began` did.

    @property
    def queued_bytes(self) -> int:
        """Audio not yet played."""
        return self._added - self._played

    @property
    def marks_pending(self) -> int:
        """Marks not yet echoed."""
        return len(self._marks)

    def deadline(self) -> float | None:
        """When the next mark comes due or the queue runs empty."""
        if self._added == self._played:
            return None
        place = self._marks[0][0] if self._marks else self._added
        return self._began + (place - self._played_before) / BYTES_PER_S

    def advance(self, now: float) -> Played:
        """Play what is due by now."""
        waiting = self._added - self._played
        if not waiting:
            return NOTHING
        run = int((now - self._began + _HALF_BYTE_S) * BYTES_PER_S)
        count = min(waiting, run - (self._played - self._played_before))
        if count <= 0:
            return NOTHING
        began = self._began + (self._played - self._played_before) / BYTES_PER_S
        audio = self._take(count)
        self._played += count
        echoes: list[str] = []
        while self._marks and self._marks[0][0] <= self._played:
            echoes.append(self._marks.popleft()[1])
        ended = self._began + (self._played - self._played_before) / BYTES_PER_S
        return Played(audio, began, ended, tuple(echoes), emptied=count == waiting)

    def _take(self, count: int) -> bytes:
        head = self._audio[0]
        if self._offset + count < len(head):  # The usual case: a frame out of a longer piece.
            self._offset += count
            return head[self._offset - count : self._offset]
        pieces: list[bytes] = []
        while count:
            head = self._audio[0]
            piece = head[self._offset : self._offset + count]
            pieces.append(piece)
            count -= len(piece)
            self._offset += len(piece)
            if self._offset == len(head):
                self._audio.popleft()
                self._offset = 0
        return b"".join(pieces)

    def add(self, audio: bytes, now: float) -> bool:
        """Queue audio; False where the queue is full and the audio was dropped."""
        if not audio:
            return True
        waiting = self._added - self._played
        if waiting + len(audio) > QUEUED_BYTES_MAX:
            return False
        if not waiting:
            self._began = now
            self._played_before = self._played
        self._audio.append(audio)
        self._added += len(audio)
        return True

    def mark(self, name: str) -> bool:
        """Whether the mark comes back at once; else it waits for the audio before it.

        A mark beyond `MARKS_PENDING_MAX` never comes back: ask `is_full_of_marks` first.
        """
        if self._added == self._played:
            return True
        self._marks.append((self._added, name))
        return False

    @property
    def is_full_of_marks(self) -> bool:
        """Whether no further mark may be queued."""
        return len(self._marks) >= MARKS_PENDING_MAX

    def clear(self, keep_bytes: int = 0) -> tuple[int, tuple[str, ...]]:
        """Drop what is queued but its first `keep_bytes`: bytes dropped, and all pending marks.

        What is kept stands for audio that was already on its way to the caller.
        """
        keep = min(keep_bytes, self.queued_bytes)
        dropped = self.queued_bytes - keep
        kept = self._take(keep) if keep else b""
        self._audio.clear()
        self._offset = 0
        if kept:
            self._audio.append(kept)
        self._added -= dropped
        echoes = tuple(name for _, name in self._marks)
        self._marks.clear()
        return dropped, echoes
