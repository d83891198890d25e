"""One timer for all calls of a process, on the absolute clock, and how late it was itself."""

import asyncio
import heapq
import math
import time
from typing import Final, Protocol

from trunkline.sim.spread import Spread

SLOT_S: Final = 0.002
"""What is due within one slot is done at its end, together: code that was just run costs half."""

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
    """A late tick does not make the next late. `late_us` is each tick's, after its slot: beyond a
    few ms, the process is overloaded and no other figure of its is to be trusted.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.late_us = Spread()
        self._loop = loop
        self._slots: dict[int, list[Paced]] = {}
        """Who is due, by the number of the slot's end."""
        self._order: list[int] = []
        """The slots' numbers as a heap."""
        self._handle: asyncio.TimerHandle | None = None
        self._at: float = math.inf
        """The slot that the timer is set for."""
        self._closed = False

    def arm(self, call: Paced) -> None:
        """Look at the call's deadline again."""
        at = call.deadline()
        if at is None or self._closed:
            call.armed_at = math.inf
            return
        slot = math.ceil(at / SLOT_S)
        if slot != call.armed_at:
            call.armed_at = slot
            due = self._slots.get(slot)
            if due is None:
                self._slots[slot] = [call]
                heapq.heappush(self._order, slot)
                if slot < self._at:
                    self._schedule(slot)
            else:
                due.append(call)

    def _schedule(self, slot: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._at = slot
        delay_s = max(0.0, slot * SLOT_S - time.monotonic()) + TIMER_GRAIN_S
        self._handle = self._loop.call_later(delay_s, self._fire)

    def _fire(self) -> None:
        self._handle = None
        self._at = -math.inf  # No rescheduling while calls are ticked.
        try:
            self._tick_due()
        finally:  # One call's bug shall not stop the others' clock.
            self._at = math.inf
            if self._order and not self._closed:
                self._schedule(self._order[0])

    def _tick_due(self) -> None:
        order = self._order
        while order and order[0] * SLOT_S <= (now := time.monotonic()):
            slot = order[0]
            due = self._slots[slot]
            end, add_late = slot * SLOT_S, self.late_us.add
            while due:
                call = due.pop()
                if call.armed_at == slot:  # Else it was armed anew since.
                    call.armed_at = math.inf
                    now = time.monotonic()
                    add_late(int((now - end) * 1e6))
                    call.tick(now)
                    self.arm(call)
            if order and order[0] == slot:  # Else closed meanwhile.
                heapq.heappop(order)
                del self._slots[slot]

    def late_ms(self, share: float) -> float:
        """So late was the given share of all ticks at most."""
        return self.late_us.quantile(share) / 1000

    def close(self) -> None:
        """No call is ticked any more."""
        self._closed = True
        self._slots.clear()
        self._order.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
