from datetime import date

import pytest

from pod.edge import counted
from trunkline.call.actions import Note, NoteName
from trunkline.core.costs import CarrierPrices, Kind, Prices
from trunkline.pod.costs import Costs
from trunkline.telemetry.metrics import Metrics

PRICES = Prices(
    date(2026, 11, 22),
    "a test",
    {"m": {Kind.TEXT_IN: 4_000_000}},
    CarrierPrices(8_500_000_000, 14_000_000_000, 4_400_000_000, 60),
)


def test_tokens_are_costed_by_their_part() -> None:
    """A million at 4 USD; other notes cost nothing."""
    metrics = Metrics()
    costs = Costs(PRICES, metrics)
    costs.noted("m", Note(NoteName.TOKENS, Kind.TEXT_IN, 1_000_000.0))
    costs.noted("m", Note(NoteName.GAP, "", 5.0))
    assert counted(metrics, "call_cost_usd_total") == {"model_text_in": 4}
    assert counted(metrics, "model_tokens_unpriced_total") == {}


@pytest.mark.parametrize(("model", "kind"), [("m", Kind.AUDIO_IN), ("other", Kind.TEXT_IN)])
def test_what_has_no_price_is_counted_as_such(model: str, kind: Kind) -> None:
    """Not as 0 dollars that nobody sees."""
    metrics = Metrics()
    Costs(PRICES, metrics).noted(model, Note(NoteName.TOKENS, kind, 7.0))
    assert counted(metrics, "call_cost_usd_total") == {}
    assert counted(metrics, "model_tokens_unpriced_total") == {kind: 7}


def test_the_sum_of_many_small_costs_does_not_drift() -> None:
    """A million responses of one token each cost what a million tokens cost."""
    metrics = Metrics()
    for _ in range(1_000_000):
        metrics.cost("model_text_in", 60_000)
    assert 'call_cost_usd_total{part="model_text_in"} 0.06\n' in metrics.render().decode()


def test_a_call_costs_its_minutes() -> None:
    """Two begun ones; without the carrier's prices nothing is counted."""
    metrics = Metrics()
    Costs(PRICES, metrics).call("inbound", 61.0)
    Costs(Prices(date(2026, 1, 1), "", {}), metrics).call("inbound", 61.0)
    assert 'call_cost_usd_total{part="carrier"} 0.0258\n' in metrics.render().decode()
