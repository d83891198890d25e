"""When a process that ended is started again.

The first time at once: its calls are waiting. If it does not stay, after longer and longer pauses;
it is never given up, for a pod that can't start now may start when a store is back.
"""

from typing import Final

PAUSES_S: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Before each start again, one after another; the last stands for all that follow."""

STEADY_S: Final = 30.0
"""A process that lived so long was well: the next pause is the first again."""


class Restarts:
    """One process's starts. Time is an argument."""

    def __init__(self) -> None:
        self.count = 0
        """Starts after the first, ever."""
        self._in_a_row = 0

    def ended(self, lived_s: float) -> float:
        """It ended, having lived so long: how many seconds to wait before it is started again."""
        assert lived_s >= 0
        if lived_s >= STEADY_S:
            self._in_a_row = 0
        pause_s = PAUSES_S[min(self._in_a_row, len(PAUSES_S) - 1)]
        self._in_a_row += 1
        self.count += 1
        return pause_s
