"""The waits of a call."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.call.timers import Timer, Timers

STEPS = st.lists(st.tuples(st.sampled_from(Timer), st.none() | st.integers(0, 20)))


@given(STEPS, st.integers(0, 20))
def test_what_is_due_comes_out_in_order_and_the_next_is_known(
    steps: list[tuple[Timer, int | None]], now: int
) -> None:
    """Whatever was set, moved and cancelled before."""
    timers = Timers()
    model: dict[Timer, int] = {}
    for timer, at in steps:
        if at is None:
            timers.cancel(timer)
            model.pop(timer, None)
        else:
            timers.set(timer, at)
            model[timer] = at
        assert timers.next == min(model.values(), default=None)
        assert (timer in timers) is (timer in model)
    due = []
    while (popped := timers.pop_due(now)) is not None:
        due.append(popped)
    assert [model[timer] for timer in due] == sorted(at for at in model.values() if at <= now)
    assert timers.next == min((at for at in model.values() if at > now), default=None)


def test_nothing_is_waited_for_after_a_clear() -> None:
    """Neither now nor later."""
    timers = Timers()
    timers.set(Timer.IDLE, 1.0)
    timers.clear()
    assert timers.next is None
    assert timers.pop_due(2.0) is None
