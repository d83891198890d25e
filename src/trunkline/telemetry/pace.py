"""How many lines of one name may be written: a bucket for each name."""

from dataclasses import dataclass
from typing import Final

LINES_PER_S: Final = 20.0
"""Lines of one name, over time; more are counted and not written, so no flood fills a disk."""

LINES_BURST: Final = 100.0
"""Lines of one name at once: all calls of a full pod may end in one moment."""


@dataclass(slots=True)
class _Bucket:
    lines: float
    at: float
    suppressed: int = 0


class Pace:
    """Token buckets by name. The names are a closed set, so are the buckets."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, name: str, now: float) -> int | None:
        """None: do not write this line. Else how many of its name were held back before it."""
        bucket = self._buckets.setdefault(name, _Bucket(LINES_BURST, now))
        earned = max(now - bucket.at, 0.0) * LINES_PER_S
        bucket.lines = min(bucket.lines + earned, LINES_BURST)
        bucket.at = now
        if bucket.lines < 1:
            bucket.suppressed += 1
            return None
        bucket.lines -= 1
        suppressed, bucket.suppressed = bucket.suppressed, 0
        return suppressed

    def take_suppressed(self) -> dict[str, int]:
        """What was held back and not told yet, by name; told now."""
        counts = {}
        for name, bucket in self._buckets.items():
            if bucket.suppressed:
                counts[name] = bucket.suppressed
                bucket.suppressed = 0
        return counts
