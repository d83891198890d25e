"""The breaker: repeated failure is told at once, and one caller finds out when it is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.breaker import (
    BREAKER_NEXT,
    FATAL,
    Breaker,
    BreakerLimits,
    BreakerState,
)

CLOSED, OPEN, PROBING = BreakerState


def opened(at: float = 0.0) -> Breaker:
    """Three failures in a row, each begun after the one before was known."""
    breaker = Breaker()
    for number in range(3):
        breaker.failed("server_error", at + number, at + number + 0.1)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    """The third; then nobody may ask."""
    breaker = Breaker()
    breaker.failed("timeout", 0.0, 0.1)
    breaker.failed("timeout", 0.2, 0.3)
    assert breaker.admit(0.3)
    breaker.failed("timeout", 0.4, 0.5)
    assert breaker.state is OPEN
    assert not breaker.admit(0.5)


def test_a_success_in_between_begins_the_count_anew() -> None:
    """A model that mostly works is asked."""
    breaker = Breaker()
    for number in range(20):
        breaker.failed("timeout", float(number), number + 0.1)
        breaker.failed("timeout", number + 0.2, number + 0.3)
        breaker.succeeded()
    assert breaker.state is CLOSED


def test_what_failed_together_is_one_failure() -> None:
    """Fifty openings that one hiccup ended do not open it."""
    breaker = Breaker()
    for number in range(50):
        breaker.failed("closed", 0.0, 0.1 + number / 1000)
    assert breaker.state is CLOSED


@pytest.mark.parametrize("reason", sorted(FATAL))
def test_a_fatal_failure_opens_it_at_once_and_for_longer(reason: str) -> None:
    """A wrong key is not tried again twice a second, and never by two at once."""
    breaker = Breaker()
    breaker.failed(reason, 0.0, 0.1)
    assert not breaker.admit(15.0)
    assert breaker.admit(15.1)
    assert not breaker.admit(15.1)


def test_a_fatal_failure_of_a_breaker_that_is_open_prolongs_it() -> None:
    """The one that began before it opened tells more than the others did."""
    breaker = opened()
    breaker.failed("insufficient_quota", 0.0, 2.2)
    assert not breaker.admit(17.1)
    assert breaker.admit(17.2)


def test_one_caller_asks_for_all() -> None:
    """After the wait; the others are told meanwhile, and let in when he succeeds."""
    breaker = opened()
    assert not breaker.admit(2.59)
    assert breaker.admit(2.6)
    assert breaker.state is PROBING
    assert not breaker.admit(2.7)
    breaker.succeeded()
    assert breaker.state is CLOSED
    assert breaker.admit(2.8)


def test_a_probe_that_fails_doubles_the_wait_up_to_its_limit() -> None:
    """Callers are on the line: two seconds at most."""
    breaker, now, waits = opened(), 2.1, []
    for _ in range(6):
        began = now
        while not breaker.admit(now):
            now += 0.125
        waits.append(round(now - began, 3))
        breaker.failed("timeout", now, now + 0.001)
        now += 0.001
    assert waits == [0.5, 1.0, 2.0, 2.0, 2.0, 2.0]


def test_a_probe_whose_caller_is_gone_is_forgotten() -> None:
    """Else nobody would ever ask again."""
    breaker = opened()
    assert breaker.admit(3.0)
    assert not breaker.admit(12.99)
    assert breaker.admit(13.0)
    assert not breaker.admit(13.1)


def test_a_session_that_opens_meanwhile_closes_it() -> None:
    """The pool's own opening proves as much as a caller's."""
    breaker = opened()
    breaker.succeeded()
    assert breaker.admit(2.2)


def test_the_next_trouble_begins_with_the_shortest_wait() -> None:
    """What was is forgotten with the first success."""
    breaker = opened()
    assert breaker.admit(3.0)
    breaker.failed("timeout", 3.0, 3.1)
    assert breaker.admit(4.2)
    breaker.succeeded()
    for number in range(3):
        breaker.failed("timeout", 10.0 + number, 10.1 + number)
    assert breaker.admit(12.7)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.sampled_from(["ask", "ask", "win", "lose", "fatal", "late"]),
        ),
        max_size=200,
    )
)
def test_any_history(steps: list[tuple[float, str]]) -> None:
    """Only moves of the table; nobody is kept out for longer than its longest wait."""
    limits = BreakerLimits()
    breaker, now, refused_since, began = Breaker(limits), 0.0, None, 0.0
    for wait_s, step in steps:
        now += wait_s
        before = breaker.state
        match step:
            case "ask":
                if breaker.admit(now):
                    refused_since, began = None, now
                else:
                    refused_since = now if refused_since is None else refused_since
                    assert now - refused_since <= limits.fatal_s + limits.probe_s_max
            case "win":
                breaker.succeeded()
                assert breaker.admit(now)
                refused_since = None
            case "lose":
                breaker.failed("timeout", began, now)
            case "fatal":
                breaker.failed("invalid_api_key", began, now)
                assert not breaker.admit(now)
                refused_since = now
            case _:
                breaker.failed("timeout", began - 5, now)
        assert breaker.state in BREAKER_NEXT[before] or breaker.state is before or step == "ask"
