"""How many calls one pod carries: which load to try next, and what the settings should be."""

from collections.abc import Sequence
from typing import Final

import msgspec

from trunkline.loadtest.plan import CALLS_MAX
from trunkline.loadtest.verdict import Outcome, Promise, Verdict

STEPS_MAX: Final = 16
"""Loads tried at most."""

FINE: Final = 0.1
"""Close enough: the first load that broke is no more than this share above the last that held."""

MAX_SHARE: Final = 0.8
"""CALLS_MAX is this share of the highest load that held: other machines, longer days."""

TARGET_SHARE: Final = 0.6
"""CALLS_TARGET is this share of CALLS_MAX: room for the calls that come while a pod starts."""


class Step(msgspec.Struct, frozen=True):
    """One load, and how it went."""

    calls: int
    verdict: Verdict
    broken: tuple[Promise, ...]

    @property
    def held(self) -> bool:
        """Whether every promise was kept."""
        return self.verdict.outcome is Outcome.KEPT


class Capacity(msgspec.Struct, frozen=True):
    """What was found, and the settings that follow."""

    steps: tuple[Step, ...]
    held: int
    """The highest load that kept every promise; 0 for none."""
    broke: int | None
    """The lowest that did not; None where all held."""
    first: str
    """What broke first, or what ended the search."""
    generator_limited: bool
    """The generator's own lateness ended it: the pod may carry more."""
    calls_max: int | None
    calls_target: int | None

    @property
    def text(self) -> str:
        """The finding in a line."""
        if not self.held:
            return f"no load held: {self.first}"
        breaking = "" if self.broke is None else "first to break: "
        return f"one pod held {self.held} calls; {breaking}{self.first}"

    @property
    def settings(self) -> list[str]:
        """Lines for the environment; none where no load held."""
        if self.calls_max is None:
            return []
        return [
            f"TRUNKLINE_CALLS_MAX={self.calls_max}",
            f"TRUNKLINE_CALLS_TARGET={self.calls_target}",
        ]


def next_load(steps: Sequence[Step], first: int, most: int = CALLS_MAX) -> int | None:
    """Twice as many until a promise breaks, then half-way between; None when it is known.

    A load that shows nothing but the generator's own lateness is tried once more: a machine that
    others use is late at times.
    """
    if not steps:
        return min(first, most)
    if len(steps) >= STEPS_MAX:
        return None
    last = steps[-1]
    if not last.held and last.verdict.generator_late and last.calls not in _loads(steps[:-1]):
        return last.calls
    held = max((step.calls for step in steps if step.held), default=0)
    broke = min((step.calls for step in _broken(steps)), default=None)
    if broke is None:
        return min(2 * held, most) if held < most else None
    if broke <= 1 or (broke - held) <= max(1, FINE * held):
        return None
    middle = (held + broke) // 2
    return middle if held < middle < broke else None


def _loads(steps: Sequence[Step]) -> set[int]:
    return {step.calls for step in steps}


def _broken(steps: Sequence[Step]) -> list[Step]:
    """Those whose load did not hold when it was tried again, either."""
    held = _loads([step for step in steps if step.held])
    return [step for step in steps if step.calls not in held]


def capacity_of(steps: Sequence[Step]) -> Capacity:
    """What the steps show."""
    held = max((step.calls for step in steps if step.held), default=0)
    breaking = min(_broken(steps), key=lambda step: step.calls, default=None)
    limited = breaking is not None and breaking.verdict.generator_late
    if not steps:
        first = "nothing is known: no load was held to its end"
    elif breaking is None:
        first = f"nothing broke at {held} calls: the pod may carry more"
    elif limited:
        first = (
            "the load generator's own lateness ended the search: the pod may carry more; "
            "give the generator a core of its own"
        )
    elif breaking.broken:
        worst = breaking.broken[0]
        first = f"{worst.name}: {worst.found} (limit {worst.limit})"
    else:
        first = breaking.verdict.text
    most = max(1, int(held * MAX_SHARE)) if held else None
    return Capacity(
        steps=tuple(steps),
        held=held,
        broke=None if breaking is None else breaking.calls,
        first=first,
        generator_limited=limited,
        calls_max=most,
        calls_target=None if most is None else max(1, int(most * TARGET_SHARE)),
    )
