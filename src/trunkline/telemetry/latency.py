"""How long sampled audio takes through the pod: from a socket's callback to the write behind it.

All that lies between is one callback, so one stopwatch for each direction serves all calls.
Where it is not running it costs its owners a comparison a frame.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Final

FRAMES_EACH: Final = 64
"""Of a stream's messages, how many pass before one is timed: some 1.3 s of frames."""

MODEL_MESSAGES_EACH: Final = 16
"""The same of a session's messages: a few a second while the model speaks."""


class Stopwatch:
    """Times messages of one direction. Who reads one starts it, who writes its audio stops it."""

    __slots__ = ("_began", "_late_s", "_observe", "each", "running")

    def __init__(
        self, each: int, observe: Callable[[float], None], late_s: Callable[[], float]
    ) -> None:
        """Each time goes to `observe`; `late_s` is how late the loop ran its last tick."""
        self.each = each
        self._observe = observe
        self._late_s = late_s
        self._began = 0.0
        self.running = False

    def start(self) -> None:
        """A message has come in."""
        self.running = True
        self._began = perf_counter()

    def written(self) -> None:
        """The audio of the message that is timed was written."""
        self._observe(perf_counter() - self._began + self._late_s())
        self.running = False

    def stop(self) -> bool:
        """The message is done with. Whether it was timed: else it brought no audio."""
        timed, self.running = not self.running, False
        return timed

    def timing(self, read: Callable[[memoryview], None]) -> Callable[[memoryview], None]:
        """`read`, timed once in `each` messages: the first from then on that brings audio."""
        left = self.each

        def read_timed(text: memoryview) -> None:
            nonlocal left
            left -= 1
            if left > 0:
                read(text)
                return
            self.start()
            try:
                read(text)
            finally:
                if self.stop():
                    left = self.each

        return read_timed
