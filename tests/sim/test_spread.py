"""Values counted in buckets."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.sim.spread import Spread

VALUES = st.lists(st.integers(0, 10**9), min_size=1, max_size=200)


def spread_of(values: list[int]) -> Spread:
    spread = Spread()
    for value in values:
        spread.add(value)
    return spread


@given(VALUES, st.floats(0, 1))
def test_a_quantile_is_off_by_less_than_two_percent(values: list[int], share: float) -> None:
    """And never below the true one."""
    spread = spread_of(values)
    place = max(1, -(-share * len(values) // 1))
    true = sorted(values)[int(place) - 1]
    assert true <= spread.quantile(share) <= true * 65 / 64
    assert spread.quantile(1.0) == spread.max == max(values)


@given(VALUES, VALUES)
def test_merged_is_counted_together(one: list[int], other: list[int]) -> None:
    """Calls add up to a load test."""
    merged = Spread().merge([spread_of(one), spread_of(other)])
    assert merged.buckets() == spread_of(one + other).buckets()
    assert merged.count == len(one) + len(other)
    assert merged.max == max(one + other)


def test_of_nothing_all_is_nothing() -> None:
    """And a value below 0 is 0: clocks are read at two places."""
    assert Spread().quantile(0.99) == Spread().max == 0
    assert spread_of([-5]).buckets() == [(0, 1)]


def test_what_is_above_a_bound_is_counted() -> None:
    """Exactly, for small bounds."""
    assert spread_of([1, 20, 21, 5000]).above(20) == 2
