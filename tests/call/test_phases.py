"""The tables of a call's phases."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from call.script import plan
from trunkline.call.phases import LINE_NEXT, NEXT, Line, Phase
from trunkline.call.responses import RESPONSE_NEXT, ResponseState
from trunkline.call.state import State


@pytest.mark.parametrize(
    ("table", "first"),
    [(NEXT, Phase.EXPECTED), (LINE_NEXT, Line.ABSENT), (RESPONSE_NEXT, ResponseState.NONE)],
)
def test_a_table_is_total_and_every_state_is_reached(
    table: Mapping[StrEnum, Mapping[StrEnum, str]], first: StrEnum
) -> None:
    """Every state has its row, every edge leads to a state and says why it is taken."""
    assert set(table) == set(type(first))
    reached = {first}
    while more := {after for state in reached for after in table[state]} - reached:
        reached |= more
    assert reached == set(table)
    assert all(reason for edges in table.values() for reason in edges.values())


def test_every_phase_can_end_and_the_end_is_final() -> None:
    """No call hangs in a phase, none comes back."""
    assert not NEXT[Phase.ENDED]
    assert all(Phase.ENDED in NEXT[phase] for phase in Phase if phase is not Phase.ENDED)


def test_a_change_that_is_not_in_the_table_is_a_bug_of_ours() -> None:
    """It is an assertion, not a state."""
    call_plan = plan()
    state = State(call_plan, call_plan.agents["desk"])
    with pytest.raises(AssertionError, match="expected to closing"):
        state.to(Phase.CLOSING)
    with pytest.raises(AssertionError, match="absent to lost"):
        state.to_line(Line.LOST)
