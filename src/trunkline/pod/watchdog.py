"""Names the stack that blocks the loop.

The loop marks the time every `TICK_S`; a thread looks at the marks. A mark that is late while
the loop's thread has burnt CPU means that one callback holds the loop: its stack is taken then
and there. A mark that is late without CPU means that the machine is busy, which is not ours.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

TICK_S: Final = 0.01
"""How often the loop marks the time: a hundred cheap callbacks a second."""

BLOCKED_CPU_S: Final = 0.02
"""More CPU than this in one callback is a broken promise (design, promise 10)."""

STACK_FRAMES_MAX: Final = 12
"""The innermost frames that are reported; the outer ones are the loop's own."""


class Watchdog:
    """Watches the loop it is started in. `lag` gets seconds late, `blocked` CPU and a stack."""

    def __init__(
        self, *, lag: Callable[[float], None], blocked: Callable[[float, str], None]
    ) -> None:
        self._lag = lag
        self._blocked = blocked
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._cpu_clock = time.pthread_getcpuclockid(self._thread_id)
        self._marked_at = time.monotonic()
        self._marked_cpu = time.clock_gettime(self._cpu_clock)
        self._stack: str | None = None
        self._stop = threading.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to mark and to look: what came before is nobody's."""
        self._marked_at, self._marked_cpu = time.monotonic(), time.clock_gettime(self._cpu_clock)
        self._mark()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the marks; does nothing to one that was not started."""
        self._stop.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread.ident is not None:
            self._thread.join()

    def _mark(self) -> None:
        now, cpu = time.monotonic(), time.clock_gettime(self._cpu_clock)
        late = now - self._marked_at - TICK_S
        stack, self._stack = self._stack, None
        self._lag(max(late, 0.0))
        burnt = cpu - self._marked_cpu
        if stack is not None and burnt > BLOCKED_CPU_S:
            self._blocked(burnt, stack)
        # What the report itself has cost is not held against the next callback.
        self._marked_at, self._marked_cpu = time.monotonic(), time.clock_gettime(self._cpu_clock)
        self._timer = self._loop.call_later(TICK_S, self._mark)

    def _watch(self) -> None:
        while not self._stop.wait(TICK_S):
            burnt = time.clock_gettime(self._cpu_clock) - self._marked_cpu
            late = time.monotonic() - self._marked_at - TICK_S
            if late > BLOCKED_CPU_S and burnt > BLOCKED_CPU_S and self._stack is None:
                frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - the documented way
                if frame is not None:
                    self._stack = "".join(traceback.format_stack(frame)[-STACK_FRAMES_MAX:])
