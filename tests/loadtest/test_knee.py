"""How many calls one pod carries."""

import pytest

from trunkline.loadtest.knee import Step, capacity_of, next_load
from trunkline.loadtest.verdict import Outcome, Promise, Verdict

LAG = Promise("the pod's event loop in time", "p99 20 ms", "p99 50.0 ms", False)


def step(calls: int, *, held: bool, generator_late: bool = False) -> Step:
    outcome = Outcome.KEPT if held else Outcome.UNPROVEN if generator_late else Outcome.BROKEN
    broken = () if held or generator_late else (LAG,)
    return Step(calls, Verdict(outcome, str(outcome), generator_late), broken)


def searched(knee: int, first: int = 25, most: int = 400) -> list[Step]:
    """The whole search where so many calls hold."""
    steps: list[Step] = []
    while (calls := next_load(steps, first, most)) is not None:
        steps.append(step(calls, held=calls <= knee))
    return steps


@pytest.mark.parametrize("knee", [1, 7, 24, 25, 60, 130, 399])
def test_the_search_ends_near_the_knee(knee: int) -> None:
    """Twice as many until it breaks, then half-way; a tenth is near enough."""
    found = capacity_of(searched(knee))
    assert found.held <= knee
    assert found.broke is not None
    assert found.broke > knee
    assert found.broke - found.held <= max(1, 0.1 * found.held)
    assert len(found.steps) <= 16


def test_the_settings_have_a_margin() -> None:
    """And say which promise broke first."""
    found = capacity_of(searched(100))
    assert found.held == 100
    assert found.first == "the pod's event loop in time: p99 50.0 ms (limit p99 20 ms)"
    assert found.settings == ["TRUNKLINE_CALLS_MAX=80", "TRUNKLINE_CALLS_TARGET=48"]


def test_nothing_broke() -> None:
    """The search ends at the most that is tried, and says that this is no limit of the pod's."""
    found = capacity_of(searched(1_000))
    assert [each.calls for each in found.steps] == [25, 50, 100, 200, 400]
    assert (found.held, found.broke) == (400, None)
    assert "nothing broke at 400 calls: the pod may carry more" in found.first


def test_nothing_held() -> None:
    """No settings are made up."""
    found = capacity_of(searched(0, first=8))
    assert (found.held, found.settings) == (0, [])
    assert found.broke == 1


def test_a_late_generator_is_told_as_what_it_is() -> None:
    """It ended the search, not the pod."""
    found = capacity_of([step(25, held=True), step(50, held=False, generator_late=True)])
    assert found.generator_limited
    assert "the load generator's own lateness ended the search" in found.first
    assert found.calls_max == 20


def test_a_load_that_shows_only_a_late_generator_is_tried_once_more() -> None:
    """Machines that others use are late at times; twice is no accident."""
    late = step(50, held=False, generator_late=True)
    first = [step(25, held=True), late]
    assert next_load(first, 25) == 50
    assert next_load([*first, step(50, held=True)], 25) == 100
    assert capacity_of([*first, step(50, held=True)]).held == 50
    assert next_load([*first, late], 25) == 37


def test_no_step_was_made() -> None:
    """Ctrl-C at once."""
    found = capacity_of([])
    assert (found.held, found.settings) == (0, [])
    assert "no load was held to its end" in found.first
    assert next_load([], 900, 400) == 400
