"""How a quantity is spread, without its single values: counts in buckets of 1.6 % each."""

import math
from collections.abc import Iterable
from typing import Final, Self

_DIGITS: Final = 7
"""Bits of a value that are kept: a bucket is at most 1/64 of its value wide."""


class Spread:
    """Whole numbers from 0 up, counted; memory grows with the number of buckets hit only."""

    __slots__ = ("_counts", "count", "max")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.max = 0
        """The largest value itself."""

    def add(self, value: int) -> None:
        """Count a value; one below 0 counts as 0."""
        if value < 0:  # noqa: PLR1730 - once a frame: a call costs more
            value = 0
        shift = value.bit_length() - _DIGITS
        bucket = value if shift <= 0 else value >> shift << shift
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self.count += 1
        if value > self.max:  # noqa: PLR1730 - as above
            self.max = value

    def merge(self, others: Iterable[Self]) -> Self:
        """Add what others counted; returns itself."""
        for other in others:
            for bucket, count in other._counts.items():  # noqa: SLF001 - its own kind
                self._counts[bucket] = self._counts.get(bucket, 0) + count
            self.count += other.count
            self.max = max(self.max, other.max)
        return self

    def quantile(self, share: float) -> int:
        """So much the given share of all values is at most, rounded up to a bucket's end."""
        wanted, seen = max(1, math.ceil(share * self.count)), 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return min(self.max, _end(bucket))
        return 0

    def above(self, value: int) -> int:
        """How many values are above this one, to a bucket."""
        return sum(count for bucket, count in self._counts.items() if _end(bucket) > value)

    def buckets(self) -> list[tuple[int, int]]:
        """Smallest value and count of each bucket that was hit, in order."""
        return sorted(self._counts.items())


def _end(bucket: int) -> int:
    """The largest value in a bucket."""
    return bucket + (1 << max(0, bucket.bit_length() - _DIGITS)) - 1
