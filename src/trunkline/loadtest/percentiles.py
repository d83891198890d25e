"""Percentiles: of a list, and of very many values that are counted, not kept."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from trunkline.sim.spread import Spread

SLICES_MAX: Final = 7_200
"""Seconds kept apart; what comes later is added to the last."""

US_PER_MS: Final = 1_000


class Percentiles(msgspec.Struct, frozen=True):
    """What many values are like, in ms."""

    count: int
    p50: float
    p90: float
    p99: float
    most: float


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """None where there is no value: that is no zero."""
    if not values:
        return None
    if len(values) == 1:
        return Percentiles(1, values[0], values[0], values[0], values[0])
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return Percentiles(len(values), cuts[49], cuts[89], cuts[98], max(values))


def counted(spread: Spread) -> Percentiles | None:
    """Of values that were counted in µs; None where nothing was."""
    if not spread.count:
        return None
    p50, p90, p99 = (spread.quantile(share) / US_PER_MS for share in (0.5, 0.9, 0.99))
    return Percentiles(spread.count, p50, p90, p99, spread.max / US_PER_MS)


class Slice(msgspec.Struct, frozen=True):
    """What the values of one stretch of time are like, in ms."""

    at_s: float
    count: int
    p50: float
    p99: float
    most: float


class Slices:
    """Values by the second in which they were had."""

    def __init__(self, width_s: float = 1.0) -> None:
        self._width_s = width_s
        self._spreads: dict[int, Spread] = {}

    def add(self, at_s: float, value_ms: float) -> None:
        """Count a value that was had at this second of the test."""
        self._at(at_s).add(round(value_ms * US_PER_MS))

    def merge(self, at_s: float, spreads: Iterable[Spread]) -> None:
        """Count all that others have counted since the second before."""
        self._at(at_s).merge(spreads)

    def _at(self, at_s: float) -> Spread:
        place = min(SLICES_MAX, max(0, int(at_s / self._width_s)))
        return self._spreads.setdefault(place, Spread())

    def recent(self, now_s: float, for_s: int) -> Spread:
        """Those of the last seconds: however long it lasts, this costs the same."""
        last = int(now_s / self._width_s)
        places = range(last - for_s, last + 1)
        return Spread().merge(self._spreads[each] for each in places if each in self._spreads)

    def total(self) -> Spread:
        """All of them together."""
        return Spread().merge(self._spreads.values())

    def __iter__(self) -> Iterator[Slice]:
        for place, spread in sorted(self._spreads.items()):
            found = counted(spread)
            if found is not None:
                at_s = round(place * self._width_s, 3)
                yield Slice(at_s, found.count, found.p50, found.p99, found.most)
