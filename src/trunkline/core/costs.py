"""What calls cost, in whole picodollars: integers, so that no sum of them drifts.

A dollar for a million tokens is a million picodollars for one. Prices have at most six decimals,
so a token costs a whole number of them. Minutes are rounded once for each call, to the nearest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

PICO_PER_USD: Final = 10**12
"""Picodollars in a dollar."""

PICO_PER_TOKEN: Final = 10**6
"""Picodollars that a token costs at one dollar for a million."""


class Kind(StrEnum):
    """Tokens of one price. `…_in` are those of the input that were not in the cache."""

    TEXT_IN = "text_in"
    TEXT_CACHED = "text_cached"
    AUDIO_IN = "audio_in"
    AUDIO_CACHED = "audio_cached"
    IMAGE_IN = "image_in"
    IMAGE_CACHED = "image_cached"
    TEXT_OUT = "text_out"
    AUDIO_OUT = "audio_out"

    @property
    def is_output(self) -> bool:
        """Whether the model made them."""
        return self is Kind.TEXT_OUT or self is Kind.AUDIO_OUT


CARRIER: Final = "carrier"
"""The part of a call's cost that the carrier takes: its minutes, and those of its stream."""


def part_of(kind: Kind) -> str:
    """The part of a call's cost that these tokens are."""
    return f"model_{kind}"


@dataclass(frozen=True, slots=True)
class CarrierPrices:
    """What a minute costs, in picodollars, and in steps of how many seconds it is billed."""

    inbound: int
    outbound: int
    stream: int
    step_s: int


@dataclass(frozen=True, slots=True)
class Prices:
    """A price list of one day.

    `models` has picodollars a token, for the kinds of each that have a price.
    """

    as_of: date
    source: str
    models: Mapping[str, Mapping[Kind, int]]
    carrier: CarrierPrices | None = None

    def of_tokens(self, model: str, kind: Kind, count: int) -> int | None:
        """What so many tokens cost, in picodollars; None if the list has no price for them."""
        assert count >= 0
        price = self.models.get(model, {}).get(kind)
        return None if price is None else price * count

    def of_call(self, direction: str, seconds: float) -> int | None:
        """What the carrier takes for a call of so long, its stream included; None as above.

        Begun steps are whole ones, and an answered call has one at least.
        """
        carrier = self.carrier
        if carrier is None:
            return None
        leg = carrier.outbound if direction == "outbound" else carrier.inbound
        steps = max(-(-round(1000 * seconds) // (1000 * carrier.step_s)), 1)
        return ((leg + carrier.stream) * steps * carrier.step_s + 30) // 60
