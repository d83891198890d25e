from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.restarts import PAUSES_S, STEADY_S, Restarts


def test_a_process_that_ends_once_is_started_again_at_once() -> None:
    """Its calls are waiting."""
    assert Restarts().ended(STEADY_S * 100) == 0


def test_one_that_does_not_stay_waits_longer_each_time_up_to_a_bound() -> None:
    """A machine is not kept busy by what can't start."""
    restarts = Restarts()
    pauses = [restarts.ended(1.0) for _ in range(len(PAUSES_S) + 2)]
    assert pauses == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]]
    assert restarts.count == len(pauses)


def test_one_that_stayed_begins_anew_and_the_count_goes_on() -> None:
    """Only failures in a row tell that something is wrong."""
    restarts = Restarts()
    for _ in range(5):
        restarts.ended(0.1)
    assert restarts.ended(STEADY_S) == 0
    assert restarts.ended(0.1) == PAUSES_S[1]
    assert restarts.count == 7


@given(st.lists(st.floats(0, 100)))
def test_no_pause_is_longer_than_the_last(lives: list[float]) -> None:
    """Whatever happened, capacity is tried for again within a known time."""
    restarts = Restarts()
    assert all(0 <= restarts.ended(lived) <= PAUSES_S[-1] for lived in lives)
