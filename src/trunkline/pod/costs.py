"""What the pod's calls cost, as they go: counted by part, at the prices of a dated list."""

from trunkline.call.actions import Note, NoteName
from trunkline.core.costs import CARRIER, Kind, Prices, part_of
from trunkline.telemetry.metrics import Metrics


class Costs:
    """Prices what calls use, and counts what has no price."""

    def __init__(self, prices: Prices, metrics: Metrics) -> None:
        self._prices = prices
        self._metrics = metrics

    def noted(self, model: str, note: Note) -> None:
        """A call that this model serves noted something: of tokens, what they cost."""
        if note.name is not NoteName.TOKENS:
            return
        kind, count = Kind(note.detail), round(note.value)
        cost = self._prices.of_tokens(model, kind, count)
        if cost is None:
            self._metrics.tokens_unpriced(kind, count)
        else:
            self._metrics.cost(part_of(kind), cost)

    def call(self, direction: str, seconds: float) -> None:
        """An answered call is over, so long after its answer."""
        cost = self._prices.of_call(direction, seconds)
        if cost is not None:
            self._metrics.cost(CARRIER, cost)
