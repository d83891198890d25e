"""Named deadlines."""

import math
from enum import StrEnum

from hypothesis import given
from hypothesis import strategies as st

from trunkline.sim.carrier.timers import Timers


class Name(StrEnum):
    A = "a"
    B = "b"
    C = "c"


def test_a_deadline_is_set_moved_and_forgotten() -> None:
    """One of each name; the earliest is next."""
    timers: Timers[Name] = Timers()
    assert timers.next == math.inf
    timers.set(Name.A, 5.0)
    timers.set(Name.B, 3.0)
    timers.set(Name.B, 7.0)
    assert timers.next == 5.0
    timers.forget(Name.A, Name.C)
    assert timers.next == 7.0
    timers.clear()
    assert timers.take(99.0) is None


@given(st.lists(st.tuples(st.sampled_from(Name), st.floats(0, 10)), max_size=20), st.floats(0, 10))
def test_what_is_due_is_taken_earliest_first(
    settings: list[tuple[Name, float]], now: float
) -> None:
    """And what is not due stays."""
    timers: Timers[Name] = Timers()
    expected: dict[Name, float] = {}
    for name, at in settings:
        timers.set(name, at)
        expected[name] = at
    taken = []
    while (name_taken := timers.take(now)) is not None:
        taken.append(expected.pop(name_taken))
    assert taken == sorted(taken)
    assert all(at <= now for at in taken)
    assert timers.next == min(expected.values(), default=math.inf)
