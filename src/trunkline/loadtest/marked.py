"""What the marks of time in the audio tell: of each call, and second by second.

A mark says which call its frame is of and when it was sent. Each end counts what came to it; here
those counts are collected while the calls last, a part of them at a time, so that no frame waits.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from trunkline.loadtest.figures import Way
from trunkline.loadtest.percentiles import US_PER_MS, Slices, counted
from trunkline.loadtest.verdict import ADDED_MS_MAX
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.spread import Spread
from trunkline.sim.tally import Marks, Tally

PARTS: Final = 10
"""In so many parts the ends are looked through, one after another."""


class Collector:
    """Both directions of all calls of one load."""

    def __init__(self) -> None:
        self.to_model = Slices()
        self.to_caller = Slices()
        self._own: dict[int, Spread] = {}
        """Of each tally that still counts, all that was collected of it; by its identity."""
        self._part = 0

    def collect(
        self, now_s: float, callers: Iterable[Marks], sessions: Iterable[SessionRecord]
    ) -> None:
        """Take what one part of the ends has counted since the last time."""
        self._part = (self._part + 1) % PARTS
        model_ends = (each.marks.came for each in sessions if each.marks is not None)
        self._take(now_s, self.to_model, self._some(model_ends))
        self._take(now_s, self.to_caller, self._some(each.came for each in callers))

    def _some(self, tallies: Iterable[Tally]) -> Iterator[Tally]:
        return (each for index, each in enumerate(tallies) if index % PARTS == self._part)

    def _take(self, now_s: float, slices: Slices, tallies: Iterable[Tally]) -> None:
        fresh = []
        for tally in tallies:
            if tally.latency_us.count:
                fresh.append(tally.latency_us)
                self._own.setdefault(id(tally), Spread()).merge((tally.latency_us,))
                tally.latency_us = Spread()
        if fresh:
            slices.merge(now_s, fresh)

    def way_of(self, now_s: float, slices: Slices, tallies: list[Tally]) -> Way | None:
        """One direction of a call that is over; None where no mark ever came."""
        self._take(now_s, slices, tallies)
        own = Spread().merge(self._own.pop(id(tally), Spread()) for tally in tallies)
        found = counted(own)
        if found is None:
            return None
        return Way(
            frames=found.count,
            p50_ms=found.p50,
            p99_ms=found.p99,
            most_ms=found.most,
            lost=sum(tally.lost for tally in tallies),
            dropped=sum(tally.dropped for tally in tallies),
            doubled=sum(tally.doubled for tally in tallies),
            crossed=sum(tally.crossed for tally in tallies),
            late=own.above(round(ADDED_MS_MAX * US_PER_MS))
            + sum(tally.reordered for tally in tallies),
        )


def sessions_of(call: int, sessions: Iterable[SessionRecord]) -> list[SessionRecord]:
    """The model's sessions that heard this call."""
    return [each for each in sessions if each.marks is not None and each.marks.call == call]


def false_turns(spoken: int, sessions: Iterable[SessionRecord]) -> int:
    """Turns that the model heard beyond those that the caller made."""
    return max(0, sum(len(session.heard) for session in sessions) - spoken)
