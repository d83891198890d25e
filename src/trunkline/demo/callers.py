"""Who calls in the demo: people with different things on their minds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trunkline.sim.caller import HangUp, Interrupt, Listen, Say, Script, WaitForHangUp

CLINIC: Final = "+15550100001"
SHOP: Final = "+15550100002"


@dataclass(frozen=True, slots=True)
class Caller:
    """One of them: what the table calls them, whom they call, and what they do."""

    name: str
    to: str
    script: Script


CALLERS: Final[Sequence[Caller]] = (
    Caller(
        "books an appointment, then asks billing",
        CLINIC,
        (
            Listen(),
            Say("i would like to book an appointment tomorrow"),
            Listen(),
            Say("transfer me to billing please"),
            Listen(),
            Say("tell me everything"),
            Interrupt(1200, "wait please stop"),
            Listen(),
            Say("what are your prices"),
            Listen(),
            Say("thank you goodbye"),
            WaitForHangUp(),
        ),
    ),
    Caller(
        "asks for the stock, and hears a filler",
        SHOP,
        (Listen(), Say("is it in stock"), Listen(1500), Say("thank you goodbye"), WaitForHangUp()),
    ),
    Caller(
        "interrupts a long story",
        SHOP,
        (
            Listen(),
            Say("tell me a story"),
            Interrupt(1500, "stop please"),
            Listen(),
            Say("goodbye"),
            WaitForHangUp(),
        ),
    ),
    Caller(
        "looks for an appointment and hangs up",
        CLINIC,
        (Listen(), Say("appointments on monday please"), Listen(), HangUp()),
    ),
)


def caller(number: int) -> Caller:
    """The callers one after another, for ever."""
    return CALLERS[number % len(CALLERS)]
