"""Counters, gauges and histograms made of plain numbers, read at scrape.

To count is an addition in a dictionary cell; nothing is locked, since one loop writes and reads.
Label values come from closed sets: a word outside its set is counted as `other`, so that nothing
a peer sends can make a series.
"""

import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

OTHER: Final = "other"
"""What every word outside a label's closed set is counted as."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label and the closed set of its values."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """What a metric is called and what it means. `unit` is that of its value."""

    name: str
    meaning: str
    unit: str
    labels: tuple[Label, ...] = ()

    def cell(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """The values, each kept if it is of its label's set, else `other`."""
        assert len(values) == len(self.labels)
        return tuple(
            # A member of an enumeration is counted as its value.
            str(value) if value in label.values else OTHER
            for label, value in zip(self.labels, values, strict=True)
        )

    def cells(self) -> Iterable[tuple[str, ...]]:
        """Every combination of the sets: shown from the start, at zero."""
        return itertools.product(*(label.values for label in self.labels))

    def label_names(self) -> list[str]:
        """The labels' names, in order."""
        return [label.name for label in self.labels]


class Counter:
    """Something that happens again and again. Its name ends in `_total`.

    Counted is in whole numbers, of which `per` are one of its unit: so no sum drifts.
    """

    kind: Final = "counter"

    def __init__(self, name: str, meaning: str, unit: str, *labels: Label, per: int = 1) -> None:
        assert name.endswith("_total")
        self.spec = Spec(name, meaning, unit, labels)
        self._per = per
        self._cells: dict[tuple[str, ...], int] = dict.fromkeys(self.spec.cells(), 0)

    def add(self, *values: str, count: int = 1) -> None:
        """Count it, under its labels' values in order."""
        assert count >= 0
        cell = self.spec.cell(values)
        self._cells[cell] = self._cells.get(cell, 0) + count

    def put(self, *values: str, count: int) -> None:
        """Set what was counted elsewhere, by a plain integer in a hot path."""
        self._cells[self.spec.cell(values)] = count

    def family(self) -> Metric:
        """What a scrape shows."""
        spec = self.spec
        family = CounterMetricFamily(spec.name, spec.meaning, labels=spec.label_names())
        for cell, count in self._cells.items():
            family.add_metric(cell, count / self._per)
        return family


class Gauge:
    """Something that stands at a value now: asked for at each scrape."""

    kind: Final = "gauge"

    def __init__(self, name: str, meaning: str, unit: str, *labels: Label) -> None:
        self.spec = Spec(name, meaning, unit, labels)
        self._read: Callable[[], float] | None = None
        self._read_each: Callable[[], Mapping[str, float]] | None = None

    def read_by(self, read: Callable[[], float]) -> None:
        """From now on `read` is asked. For a gauge without labels."""
        assert not self.spec.labels
        self._read = read

    def read_each_by(self, read: Callable[[], Mapping[str, float]]) -> None:
        """From now on `read` is asked for the values by their label. For a gauge with one label."""
        assert len(self.spec.labels) == 1
        self._read_each = read

    def family(self) -> Metric:
        """What a scrape shows; nothing while there is nobody to ask."""
        spec = self.spec
        family = GaugeMetricFamily(spec.name, spec.meaning, labels=spec.label_names())
        if self._read is not None:
            family.add_metric((), self._read())
        if self._read_each is not None:
            cells = dict.fromkeys(spec.cells(), 0.0)
            for value, amount in self._read_each().items():
                cell = spec.cell((value,))
                cells[cell] = cells.get(cell, 0.0) + amount
            for cell, amount in cells.items():
                family.add_metric(cell, amount)
        return family


class Histogram:
    """How long something took, each time: counted by upper bounds, with its sum."""

    kind: Final = "histogram"

    def __init__(
        self, name: str, meaning: str, unit: str, bounds: tuple[float, ...], *labels: Label
    ) -> None:
        assert list(bounds) == sorted(set(bounds))
        self.spec = Spec(name, meaning, unit, labels)
        self.bounds = bounds
        self._counts = {cell: [0] * (len(bounds) + 1) for cell in self.spec.cells()}
        self._sums = dict.fromkeys(self.spec.cells(), 0.0)

    def observe(self, amount: float, *values: str) -> None:
        """One took `amount`, under its labels' values in order."""
        cell = self.spec.cell(values)
        counts = self._counts.get(cell)
        if counts is None:
            counts = self._counts[cell] = [0] * (len(self.bounds) + 1)
            self._sums[cell] = 0.0
        counts[bisect_left(self.bounds, amount)] += 1
        self._sums[cell] += amount

    def observer(self, *values: str) -> Callable[[float], None]:
        """`observe` under these values of their sets, looked up once: for what happens often."""
        cell, bounds, sums = values, self.bounds, self._sums
        counts = self._counts[cell]

        def observe(amount: float) -> None:
            counts[bisect_left(bounds, amount)] += 1
            sums[cell] += amount

        return observe

    def family(self) -> Metric:
        """What a scrape shows."""
        spec = self.spec
        family = HistogramMetricFamily(spec.name, spec.meaning, labels=spec.label_names())
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        for cell, counts in self._counts.items():
            heights = itertools.accumulate(counts)
            buckets = [(name, float(height)) for name, height in zip(names, heights, strict=True)]
            family.add_metric(cell, buckets, self._sums[cell])
        return family


Series = Counter | Gauge | Histogram


class SeriesCollector(Collector):
    """Hands the registry what the series show at this moment."""

    def __init__(self, series: Callable[[], Iterable[Series]]) -> None:
        self._series = series

    def collect(self) -> Iterable[Metric]:
        """Every series' family."""
        return [one.family() for one in self._series()]
