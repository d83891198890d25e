"""Who calls: people who speak, pause, break in, and ask for what takes a tool.

Every word has a clip that the simulators can tell apart frame by frame.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from trunkline.sim.caller import Interrupt, Listen, Pause, Say, Script, Step, WaitForHangUp

ANSWER_MS_MAX: Final = 8_000
"""So long a caller waits for an answer; then the turn is missed and they go on."""

CYCLE_S_MIN: Final = 4.0
"""No round of a script is shorter: so many rounds fill a call."""

_LISTEN: Final = Listen(max_ms=ANSWER_MS_MAX)

SCRIPTS: Final[Mapping[str, Sequence[Step]]] = {
    "talk": (
        Say("hello i have an order"),
        _LISTEN,
        Pause(600),
        Say("what is the number please"),
        _LISTEN,
    ),
    "interrupt": (
        Say("tell me a story"),
        Interrupt(1_200, "wait please stop", max_ms=ANSWER_MS_MAX),
        _LISTEN,
        Pause(400),
        Say("thank you"),
        _LISTEN,
    ),
    "tools": (
        Say("what are your prices"),
        _LISTEN,
        Say("i would like to book an appointment tomorrow"),
        _LISTEN,
    ),
}
"""What a caller does again and again, by the name of `--script`."""

MEANINGS: Final[Mapping[str, str]] = {
    "talk": "speaks, listens, pauses",
    "interrupt": "breaks into a long answer",
    "tools": "asks for what our demo's agents need a tool for",
}

MIXED: Final = ("talk", "interrupt", "talk", "tools")
"""Without `--script` the callers are these, one after another."""


def script_of(name: str, lasts_s: float) -> Script:
    """So many rounds that the call ends first: whoever counts its time hangs up."""
    rounds = int(lasts_s / CYCLE_S_MIN) + 1
    return (_LISTEN, *tuple(SCRIPTS[name]) * rounds, WaitForHangUp(lasts_s))


def name_of(number: int, names: Sequence[str]) -> str:
    """The scripts one after another, for ever."""
    return names[number % len(names)]
