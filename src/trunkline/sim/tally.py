"""Marks at one end of a call: those it sends, and how those fared that came to it.

Sequences are counted for each sender (`Mark.origin`) by itself. At the model's end the first mark
says which call this is; the carrier knows.
"""

from collections.abc import Sequence
from typing import Final

from trunkline.sim.spread import Spread
from trunkline.sim.timemark import FRAME_BYTES, SILENCE, Mark, Sender, read_all

MISSING_MAX: Final = 2_000
"""Frames of one call that may still come late: 40 s. Beyond it the oldest are lost for good."""


class Tally:
    """All marks of one direction of one call."""

    __slots__ = (
        "_excused", "_expected", "_knows_call", "_missing", "_origin",
        "call", "count", "crossed", "doubled", "dropped", "latency_us", "lost", "reordered",
    )  # fmt: skip

    def __init__(self, call: int = 0) -> None:
        self.call = call
        """The call's number; 0: not yet known."""
        self.latency_us = Spread()
        """From the other end's socket to this one's."""
        self.count = 0
        """Marks of this call that came."""
        self.lost = 0
        """Frames that did not come, though later ones did."""
        self.dropped = 0
        """As `lost`, where an interruption had cut off what was on its way."""
        self.doubled = 0
        self.reordered = 0
        """Frames that came after a later one."""
        self.crossed = 0
        """Frames of another call."""
        self._knows_call = call != 0
        self._origin = -1
        self._expected = 0
        self._excused = False
        self._missing: dict[int, None] = {}

    def came(self, mark: Mark, now_us: int) -> None:
        """A mark was read from this end's socket."""
        call, origin, seq, at_us = mark
        if call != self.call and call:
            if self.call:
                self.crossed += 1
                return
            self.call = call
        if origin != self._origin:
            self._begin(origin, seq)
        self.next(seq, now_us - at_us)

    def next(self, seq: int, latency_us: int) -> None:
        """Another mark of the sender that sent the one before."""
        self.count += 1
        self.latency_us.add(latency_us)
        if seq == self._expected:  # The usual case.
            self._expected = seq + 1
        elif seq > self._expected:
            self._miss(seq)
        elif seq in self._missing:
            del self._missing[seq]
            self.reordered += 1
            self.lost -= 1
        else:
            self.doubled += 1
        self._excused = False

    def interrupted(self) -> None:
        """What was on its way was cut off: the next gap is meant."""
        self._excused = True

    def _begin(self, origin: int, seq: int) -> None:
        """Another sender: a session's first mark is its 0; a call may have begun before."""
        self._origin = origin
        self._missing.clear()
        self._expected = 0 if self._knows_call else seq

    def _miss(self, seq: int) -> None:
        gap = seq - self._expected
        if self._excused:
            self.dropped += gap
        else:
            self.lost += gap
            for missing in range(max(self._expected, seq - MISSING_MAX), seq):
                self._missing[missing] = None
            while len(self._missing) > MISSING_MAX:
                del self._missing[next(iter(self._missing))]
        self._expected = seq + 1

    def as_figures(self) -> dict[str, int]:
        """Its counts by name, and its latency in µs, for a report in JSON."""
        latency = self.latency_us
        return {
            "marks": self.count,
            "lost": self.lost,
            "dropped": self.dropped,
            "doubled": self.doubled,
            "reordered": self.reordered,
            "crossed": self.crossed,
            "latency_us_p50": latency.quantile(0.5),
            "latency_us_p99": latency.quantile(0.99),
            "latency_us_max": latency.max,
        }


class Marks:
    """One end of a call: `put` marks what it sends, `take` counts what comes."""

    __slots__ = ("_heard_from", "_ours", "_theirs", "came", "origin", "sent")

    def __init__(self, call: int = 0, origin: int = 0) -> None:
        self.came = Tally(call)
        self.origin = origin
        self.sent = 0
        """Frames marked so far."""
        self._ours = Sender(call, origin)
        self._theirs: Sender | None = None  # Who sent the newest mark.
        self._heard_from = -1

    @property
    def call(self) -> int:
        """The call's number; 0: not yet known."""
        return self.came.call

    def put(self, now: float, audio: bytes = SILENCE) -> bytes:
        """The audio with a mark in its first frame; what is shorter than a frame has none."""
        marked = self._ours.mark(int(now * 1e6), self.sent, audio)
        if marked is not audio:
            self.sent += 1
        return marked

    def take_all(self, times: Sequence[float], audio: bytes) -> None:
        """As `take` for whole frames, one for each time at which one came."""
        found = None if self._theirs is None else self._theirs.all_of(audio)
        if found is None:
            for number, now in enumerate(times):
                self.take(now, audio[number * FRAME_BYTES : (number + 1) * FRAME_BYTES])
            return
        for now, (seq, at_us) in zip(times, found, strict=True):
            self.came.next(seq, int(now * 1e6) - at_us)

    def take(self, now: float, audio: bytes) -> None:
        """Count the marks in audio that was read from the socket."""
        if self._theirs is not None and len(audio) == FRAME_BYTES:
            found = self._theirs.seq_and_at_us(audio)
            if found is not None:  # The usual case.
                seq, at_us = found
                self.came.next(seq, int(now * 1e6) - at_us)
                return
        for each in read_all(audio):
            self.came.came(each, int(now * 1e6))
            if each.call == self.came.call and each.origin != self._heard_from:
                self._heard_from = each.origin
                self._theirs = Sender(each.call, each.origin)
        if self._ours.call != self.came.call:
            self._ours = Sender(self.came.call, self.origin)
