from hypothesis import given
from hypothesis import strategies as st

from trunkline.telemetry.pace import LINES_BURST, LINES_PER_S, Pace


def test_a_burst_passes_then_a_trickle() -> None:
    """What is held back is told with the next line."""
    pace = Pace()
    assert [pace.admit("a", 0.0) for _ in range(100)] == [0] * 100
    assert [pace.admit("a", 0.0) for _ in range(7)] == [None] * 7
    assert pace.admit("a", 1 / LINES_PER_S) == 7
    assert pace.admit("a", 1 / LINES_PER_S) is None


def test_names_do_not_hinder_each_other() -> None:
    """A flood of one leaves the others as they are."""
    pace = Pace()
    for _ in range(1000):
        pace.admit("flood", 0.0)
    assert pace.admit("other", 0.0) == 0


def test_what_was_held_back_is_told_once() -> None:
    """Also when no line of its name comes any more."""
    pace = Pace()
    for _ in range(103):
        pace.admit("a", 0.0)
    pace.admit("b", 0.0)
    assert pace.take_suppressed() == {"a": 3}
    assert pace.take_suppressed() == {}
    assert pace.admit("a", 1.0) == 0


@given(st.lists(st.floats(0, 2), min_size=1, max_size=300))
def test_never_more_than_the_rate(waits: list[float]) -> None:
    """Over any time: the burst and so many a second; every line is written or told of."""
    pace, now, written, told = Pace(), 0.0, 0, 0
    for wait in waits:
        now += wait / 20
        for _ in range(5):
            suppressed = pace.admit("a", now)
            if suppressed is not None:
                written += 1
                told += suppressed
    assert written <= LINES_BURST + LINES_PER_S * now + 1e-6
    assert written + told + sum(pace.take_suppressed().values()) == 5 * len(waits)


def test_a_clock_that_goes_back_stops_nothing() -> None:
    """No line is earned by it, and none is lost for ever."""
    pace = Pace()
    for _ in range(100):
        pace.admit("a", 100.0)
    assert pace.admit("a", 50.0) is None
    assert pace.admit("a", 51.0) == 1
