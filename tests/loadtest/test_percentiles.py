"""Percentiles."""

from trunkline.loadtest.percentiles import Percentiles, Slices, counted, percentiles
from trunkline.sim.spread import Spread


def test_no_value_is_not_zero() -> None:
    """None, for a list and for what is counted."""
    assert percentiles([]) is None
    assert counted(Spread()) is None


def test_percentiles_of_a_hundred() -> None:
    """The values stand where they should."""
    assert percentiles([5.0]) == Percentiles(1, 5.0, 5.0, 5.0, 5.0)
    found = percentiles([float(value) for value in range(101)])
    assert found == Percentiles(101, 50.0, 90.0, 99.0, 100.0)


def test_what_is_counted_in_us_is_told_in_ms() -> None:
    """To a bucket's width."""
    spread = Spread()
    for value_us in (400, 500, 64_000):
        spread.add(value_us)
    found = counted(spread)
    assert found is not None
    assert (found.count, found.most) == (3, 64.0)
    assert 0.5 <= found.p50 <= 0.51


def test_slices_keep_seconds_apart() -> None:
    """And add up; a clock's grain below zero is the least there is."""
    slices = Slices()
    for at_s, value_ms in ((0.2, 1.0), (0.9, 1.0), (3.1, 5.0), (3.2, -0.4)):
        slices.add(at_s, value_ms)
    slices.merge(3.3, [slices.total()])
    assert [(each.at_s, each.count) for each in slices] == [(0.0, 2), (3.0, 6)]
    assert slices.total().count == 8
    assert slices.total().max == 5_000
    assert [slices.recent(at_s, 2).count for at_s in (1.0, 3.5, 9.0)] == [2, 6, 0]
    assert slices.total().buckets()[0] == (0, 2)
