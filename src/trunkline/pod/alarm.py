"""One timer for a machine that says when it must be ticked."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Rings once, at the earliest time that it was set to since it rang last."""

    __slots__ = ("_handle", "_ring", "at")

    def __init__(self, ring: Callable[[], None]) -> None:
        """`ring` is called from the loop in which the alarm is set."""
        self._ring = ring
        self._handle: asyncio.Handle | None = None
        self.at: float | None = None
        """When it rings, by the loop's clock; None: not at all. Kept here, for uvloop's handle of
        a time that is over does not know it."""

    def set(self, at: float) -> None:
        """Ring at this time, unless it rings sooner anyway."""
        if self.at is not None:
            if self.at <= at:
                return
            self.stop()
        self.at = at
        self._handle = asyncio.get_running_loop().call_at(at, self._rings)

    def stop(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self.at = None

    def _rings(self) -> None:
        self._handle = self.at = None
        self._ring()
