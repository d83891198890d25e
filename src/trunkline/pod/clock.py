"""The time that tickets live by."""

import time
from collections.abc import Callable


class RedisClock:
    """Redis time, as well as this pod knows it: the wall clock, set right by each answer of Redis.

    Pods' clocks differ; what one pod signs another must date. Milliseconds since 1970.
    """

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._ahead_ms = 0

    def set(self, redis_ms: int) -> None:
        """Redis says that it is `redis_ms` now."""
        self._ahead_ms = redis_ms - self._wall_ms()

    def now_ms(self) -> int:
        """What Redis would say."""
        return self._wall_ms() + self._ahead_ms


def wall_ms() -> int:
    """Milliseconds since 1970, by this machine."""
    return time.time_ns() // 1_000_000
