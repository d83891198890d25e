"""One timer for all calls of a process, on the absolute clock, and how late it was itself."""

import asyncio
import heapq
import math
import time
from typing import Final, Protocol

from trunkline.sim.spread import Spread

TIMER_GRAIN_S: Final = 0.0005
"""The loop's timers have whole milliseconds: so much later, none comes before its time."""


class Paced(Protocol):
    """What the pacer drives: one call, one session."""

    armed_at: float
    """Infinite at first; the pacer's own."""

    def deadline(self) -> float | None:
        """When `tick` must come."""
        ...

    def tick(self, now: float) -> None:
        """Do what is due."""
        ...


class Pacer:
    """A late tick does not make the next late. `late_us` is each tick's: beyond a few ms, the
    process is overloaded and no other figure of its is to be trusted.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.late_us = Spread()
        self._loop = loop
        self._heap: list[tuple[float, int, Paced]] = []
        self._count = 0
        self._handle: asyncio.TimerHandle | None = None
        self._at = math.inf
        self._closed = False

    def arm(self, call: Paced) -> None:
        """Look at the call's deadline again."""
        at = call.deadline()
        if at is None or self._closed:
            call.armed_at = math.inf
        elif at != call.armed_at:
            call.armed_at = at
            self._count += 1
            heapq.heappush(self._heap, (at, self._count, call))
            if at < self._at:
                self._schedule(at)

    def _schedule(self, at: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._at = at
        delay_s = max(0.0, at - time.monotonic()) + TIMER_GRAIN_S
        self._handle = self._loop.call_later(delay_s, self._fire)

    def _fire(self) -> None:
        self._handle = None
        self._at = -math.inf  # No rescheduling while calls are ticked.
        try:
            self._tick_due()
        finally:  # One call's bug shall not stop the others' clock.
            self._at = math.inf
            if self._heap and not self._closed:
                self._schedule(self._heap[0][0])

    def _tick_due(self) -> None:
        heap, late_us = self._heap, self.late_us
        while heap:
            now = time.monotonic()
            at, _, call = heap[0]
            if at > now:
                break
            heapq.heappop(heap)
            if call.armed_at != at:
                continue  # Armed anew since.
            call.armed_at = math.inf
            late_us.add(int((now - at) * 1e6))
            call.tick(now)
            following = call.deadline()
            if following is not None and following != call.armed_at and not self._closed:
                call.armed_at = following
                self._count += 1
                heapq.heappush(heap, (following, self._count, call))

    def late_ms(self, share: float) -> float:
        """So late was the given share of all ticks at most."""
        return self.late_us.quantile(share) / 1000

    def close(self) -> None:
        """No call is ticked any more."""
        self._closed = True
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
