"""What the caller has heard of what was sent.

The carrier queues audio and plays it in real time; it echoes a mark when all audio before it
has been played. So the truth lies between the last echoed mark and the next one that is not
echoed yet, and a clock estimates in between. Positions are bytes since the call began (8 bytes
are one millisecond): everything ever sent lies on one line, cut into segments by item.

    heard (proven)        position (estimated)         sent
    ────────┼───────────────────┼─────────────────────────┤
          echoed             the clock         unplayed: kept for a replay
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from trunkline.call.actions import Action, Note, NoteName, ToCaller
from trunkline.core.ids import StreamSid
from trunkline.wire.g711 import BYTES_PER_MS, frames, payload_bytes
from trunkline.wire.twilio import SendClear, SendMark, SendMarkFields, SendMedia, SendPayload

MARK_EVERY_BYTES: Final = 500 * BYTES_PER_MS
"""A mark follows each half second of audio, and each item's end."""

PIECE_BYTES_MAX: Final = 1002 * BYTES_PER_MS
PIECE_CHARS: Final = 5336
"""Longer payloads are sent in pieces of this many characters (4,002 bytes, a multiple of
base64's four), so that marks stand no further apart than a second."""

MARKS_MAX: Final = 256
"""Pending marks (over two minutes of audio). Beyond, each new one takes the newest's place:
the last word always has its mark, and some half seconds have none."""

SEGMENTS_MAX: Final = 256
"""Stretches of different items in the queue; audio beyond is not sent, and counted."""

RETAINED_BYTES_MAX: Final = 12_000 * BYTES_PER_MS
RETAINED_CHUNKS_MAX: Final = 1200
"""Unheard audio kept for a replay on the next stream. Beyond, the newest is not kept: a replay
goes on without a hole from where the caller was, and ends early."""

MARK_LATE_S: Final = 5.0
"""A mark that is later than this after its time by the clock holds up nothing any more."""

MARK_PREFIX: Final = "m"


@dataclass(slots=True)
class _Segment:
    """One item's stretch of the line; `key` is None for audio of our own."""

    key: str | None
    start: int
    end: int


@dataclass(slots=True)
class _Track:
    """One item's account in bytes: received, heard in segments already left, last position."""

    received: int = 0
    left: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class _Chunk:
    start: int
    end: int
    payload: str


@dataclass(frozen=True, slots=True)
class Heard:
    """Of one item: milliseconds received, and of these heard."""

    received_ms: int
    heard_ms: int


class Playout:
    """The account of one call's audio to its caller, over all its streams."""

    __slots__ = (
        "_anchor",
        "_anchor_at",
        "_frozen",
        "_marked",
        "_marks",
        "_marks_made",
        "_proven",
        "_retained",
        "_segments",
        "_sent",
        "_tracks",
        "stream_sid",
    )

    def __init__(self) -> None:
        self.stream_sid: StreamSid | None = None
        self._sent = 0
        self._proven = 0
        self._anchor = 0
        self._anchor_at = 0.0
        self._frozen = 0
        self._marked = 0
        self._marks: deque[tuple[int, int]] = deque()
        self._marks_made = 0
        self._segments: deque[_Segment] = deque()
        self._tracks: dict[str, _Track] = {}
        self._retained: deque[_Chunk] = deque()

    # What goes out

    def send(self, key: str | None, payload: str, now: float) -> list[Action]:
        """Send a payload of an item, or of our own (`key` None), with the marks that are due.

        While no stream is up it is kept only. Without room it is dropped, and that is noted.
        """
        size = payload_bytes(payload)
        if size <= 0:
            return []
        if size > PIECE_BYTES_MAX:
            return self._send_pieces(key, payload, now)
        start = self._sent
        if not self._enter(key, start, start + size):
            return [Note(NoteName.DROPPED, "caller", float(frames(size)))]
        if self._clock(now) >= start:
            self._anchor, self._anchor_at = start, now
        self._sent = start + size
        self._retain(start, payload)
        if self.stream_sid is None:
            return []
        media = ToCaller(SendMedia(self.stream_sid, SendPayload(payload)))
        if self._sent - self._marked < MARK_EVERY_BYTES:
            return [media]
        return [media, *self.mark()]

    def mark(self) -> list[Action]:
        """Have the present end of the audio marked, unless it is."""
        if self.stream_sid is None or self._marked >= self._sent:
            return []
        self._marked = self._sent
        self._marks_made += 1
        if len(self._marks) >= MARKS_MAX:
            self._marks.pop()
        self._marks.append((self._marks_made, self._sent))
        name = f"{MARK_PREFIX}{self._marks_made}"
        return [ToCaller(SendMark(self.stream_sid, SendMarkFields(name)))]

    def clear(self, now: float) -> list[Action]:
        """Drop what is unplayed, and every account: ask `heard` before."""
        sid = self.stream_sid
        self._segments.clear()
        self._tracks.clear()
        self._marks.clear()
        self._retained.clear()
        self._proven = self._marked = self._frozen = self._anchor = self._sent
        self._anchor_at = now
        return [] if sid is None else [ToCaller(SendClear(sid))]

    # What comes back

    def echoed(self, name: str, now: float) -> bool:
        """A mark came back. False if it is none of ours.

        Echoes of marks that were pending at a `clear` prove nothing, and move nothing.
        """
        number = name.removeprefix(MARK_PREFIX)
        if number == name or not number.isdecimal() or len(number) > len(str(self._marks_made)):
            return False
        if int(number) > self._marks_made:
            return False
        proven = None
        while self._marks and self._marks[0][0] <= int(number):
            _, proven = self._marks.popleft()
        if proven is not None:
            self._anchor, self._anchor_at = proven, now
            self._prove(proven)
        return True

    # The stream breaks and comes back

    def lose(self, now: float) -> None:
        """The stream is gone: what was heard until now stays heard, nothing more is."""
        self._frozen = self._position(now)
        self.stream_sid = None
        self._marks.clear()

    def resume(self, stream_sid: StreamSid, now: float) -> tuple[list[Action], list[str]]:
        """Replay on a new stream what was not heard, from where the caller was.

        Also returns the items of which audio was not kept: the rest of it will not be heard.
        """
        self.stream_sid = stream_sid
        heard = self._frozen
        while self._retained and self._retained[0].end <= heard:
            self._retained.popleft()
        if self._retained and self._retained[0].start > heard:
            self._retained.clear()
        kept_until = self._retained[-1].end if self._retained else heard
        cut = self._trim(kept_until)
        self._prove(heard)
        self._sent = kept_until
        self._marked = self._anchor = heard
        self._anchor_at = now
        actions: list[Action] = []
        for chunk in self._retained:
            skipped = max(heard - chunk.start, 0)
            payload = chunk.payload[skipped // 3 * 4 :]
            actions.append(ToCaller(SendMedia(stream_sid, SendPayload(payload))))
            self._sent = chunk.end
            if chunk.end - self._marked >= MARK_EVERY_BYTES:
                actions += self.mark()
        return actions + self.mark(), cut

    # Questions

    def heard(self, key: str, now: float) -> Heard:
        """What the caller has heard of an item: never more than was sent, never less than before.

        Between the last echoed mark and the next one by the clock, which starts when the first
        byte is sent into an empty queue and is set right by each echo. So it is ahead of the
        truth by the delay to the carrier at most.
        """
        track = self._tracks.get(key)
        if track is None:
            return Heard(0, 0)
        position = self._position(now)
        heard = track.left + sum(
            min(max(position - segment.start, 0), segment.end - segment.start)
            for segment in self._segments
            if segment.key == key
        )
        return Heard(track.received // BYTES_PER_MS, heard // BYTES_PER_MS)

    def queued_ms(self, key: str) -> int:
        """How much of an item was heard or stands in the queue: less than received after a loss."""
        track = self._tracks.get(key)
        if track is None:
            return 0
        queued = sum(part.end - part.start for part in self._segments if part.key == key)
        return (track.left + queued) // BYTES_PER_MS

    def unplayed_ms(self, now: float) -> int:
        """What is sent and not heard yet, by marks and clock."""
        return (self._sent - self._position(now)) // BYTES_PER_MS

    @property
    def drained(self) -> bool:
        """Everything sent has been played: its last mark came back."""
        return self._proven >= self._sent

    def played(self, key: str) -> bool:
        """Everything received of an item has been played, proven by a mark."""
        track = self._tracks.get(key)
        return track is None or self._proven >= track.end

    def ends_at(self, now: float) -> float:
        """When everything will have been played, by the clock."""
        return now if self.drained else max(now, self._end())

    def busy_until(self, now: float) -> float:
        """The same, with time for marks that are late; those that never come are given up."""
        return now if self.drained else max(now, self._end() + MARK_LATE_S)

    def forget(self, key: str) -> None:
        """Close an item's account."""
        self._tracks.pop(key, None)

    def size(self) -> int:
        """How many entries all tables hold together, for tests that nothing grows."""
        accounts = len(self._segments) + len(self._tracks)
        return accounts + len(self._marks) + len(self._retained)

    # Inside

    def _clock(self, now: float) -> int:
        return self._anchor + round((now - self._anchor_at) * (1000 * BYTES_PER_MS))

    def _end(self) -> float:
        left_s = (self._sent - self._anchor) / (1000 * BYTES_PER_MS)
        return self._anchor_at + left_s

    def _position(self, now: float) -> int:
        if self.stream_sid is None:
            return self._frozen
        ceiling = self._marks[0][1] if self._marks else self._sent
        return max(self._proven, min(self._clock(now), ceiling))

    def _enter(self, key: str | None, start: int, end: int) -> bool:
        """Put a stretch into its item's account; False if the queue has too many items."""
        if self._segments and self._segments[-1].key == key:
            self._segments[-1].end = end
        elif len(self._segments) < SEGMENTS_MAX:
            self._segments.append(_Segment(key, start, end))
        else:
            return False
        if key is not None:
            track = self._tracks.get(key)
            if track is None:
                track = self._tracks[key] = _Track()
            track.received += end - start
            track.end = end
        return True

    def _retain(self, start: int, payload: str) -> None:
        kept = self._retained
        if kept and (
            kept[-1].end != start
            or self._sent - kept[0].start > RETAINED_BYTES_MAX
            or len(kept) >= RETAINED_CHUNKS_MAX
        ):
            return
        kept.append(_Chunk(start, self._sent, payload))

    def _prove(self, position: int) -> None:
        """Everything before this position was heard."""
        self._proven = position
        while self._retained and self._retained[0].end <= position:
            self._retained.popleft()
        while self._segments and self._segments[0].end <= position:
            segment = self._segments.popleft()
            if segment.key in self._tracks:
                self._tracks[segment.key].left += segment.end - segment.start

    def _trim(self, until: int) -> list[str]:
        """Cut the line behind this position; says whose audio was cut."""
        cut: dict[str, None] = {}
        while self._segments and self._segments[-1].end > until:
            segment = self._segments[-1]
            if segment.key is not None:
                cut[segment.key] = None
            if segment.start < until:
                segment.end = until
                break
            self._segments.pop()
        for key in cut:
            if key in self._tracks:
                self._tracks[key].end = until
        return [key for key in self._tracks if key in cut]

    def _send_pieces(self, key: str | None, payload: str, now: float) -> list[Action]:
        actions: list[Action] = []
        for start in range(0, len(payload), PIECE_CHARS):
            actions += self.send(key, payload[start : start + PIECE_CHARS], now)
        return actions
