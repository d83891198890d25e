from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.costs import CarrierPrices, Kind, Prices, part_of

PRICES = Prices(
    as_of=date(2026, 11, 22),
    source="a test",
    models={"m": {Kind.TEXT_IN: 600_000, Kind.TEXT_CACHED: 60_000, Kind.AUDIO_OUT: 64_000_000}},
    carrier=CarrierPrices(
        inbound=8_500_000_000, outbound=14_000_000_000, stream=4_400_000_000, step_s=60
    ),
)
COUNTS = st.integers(0, 10_000_000)


def test_tokens_cost_their_price() -> None:
    """60 cents for a million: a thousand are 0.0006 USD."""
    assert PRICES.of_tokens("m", Kind.TEXT_IN, 1000) == 600_000_000
    assert PRICES.of_tokens("m", Kind.TEXT_IN, 0) == 0


def test_what_has_no_price_costs_nothing_known() -> None:
    """None is not 0: who asks must say so."""
    assert PRICES.of_tokens("m", Kind.IMAGE_IN, 5) is None
    assert PRICES.of_tokens("another", Kind.TEXT_IN, 5) is None
    assert Prices(date(2026, 1, 1), "", {}).of_call("inbound", 60) is None


@given(st.lists(st.tuples(st.sampled_from(list(PRICES.models["m"])), COUNTS), max_size=50))
def test_a_sum_is_the_price_of_the_sum(responses: list[tuple[Kind, int]]) -> None:
    """One by one or all at once: not a picodollar apart, and never negative."""
    for kind in PRICES.models["m"]:
        counts = [count for of, count in responses if of is kind]
        costs = [PRICES.of_tokens("m", kind, count) for count in counts]
        assert sum(cost or 0 for cost in costs) == PRICES.of_tokens("m", kind, sum(counts))
        assert all(cost is not None and cost >= 0 for cost in costs)


def test_begun_minutes_are_whole_ones() -> None:
    """One at least; the stream's minute comes on top of the call's."""
    minute = 8_500_000_000 + 4_400_000_000
    assert PRICES.of_call("inbound", 0.0) == minute
    assert PRICES.of_call("inbound", 60.0) == minute
    assert PRICES.of_call("inbound", 60.001) == 2 * minute
    assert PRICES.of_call("outbound", 59.0) == 14_000_000_000 + 4_400_000_000


@given(
    seconds=st.floats(0, 100_000),
    step_s=st.integers(1, 3600),
    price=st.integers(0, 10**15),
)
def test_a_call_costs_its_steps(seconds: float, step_s: int, price: int) -> None:
    """To the nearest picodollar, and never less for a longer call."""
    prices = Prices(date(2026, 1, 1), "", {}, CarrierPrices(price, price, 0, step_s))
    cost, longer = prices.of_call("inbound", seconds), prices.of_call("inbound", seconds + 1)
    assert cost is not None
    assert longer is not None
    assert 0 <= cost <= longer
    exact = max(-(-round(1000 * seconds) // (1000 * step_s)), 1) * step_s * price
    assert abs(60 * cost - exact) <= 30


def test_parts_are_named_by_kind() -> None:
    """The input's kinds and the output's."""
    assert part_of(Kind.AUDIO_CACHED) == "model_audio_cached"
    assert [kind for kind in Kind if kind.is_output] == [Kind.TEXT_OUT, Kind.AUDIO_OUT]
