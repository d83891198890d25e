"""Room for one more call: tokens of the minute, sessions of the key."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.capacity import Capacity


def told(limit: int, remaining: int, reset_s: float = 60.0, *, a_response: int = 1000) -> Capacity:
    """A model whose provider said this at second 100."""
    capacity = Capacity()
    capacity.spent(a_response)
    capacity.reported("tokens", limit, remaining, reset_s, 100.0)
    return capacity


def test_without_a_word_there_is_room() -> None:
    """Nobody is refused for what nobody said."""
    assert Capacity().has_room(1000, 0.0)
    assert Capacity().tokens_left(0.0) is None


def test_live_calls_come_first() -> None:
    """Each may want one more response before tokens come back, and the new call its first."""
    capacity = told(100_000, 10_500)
    assert capacity.has_room(9, 100.0)
    assert not capacity.has_room(10, 100.0)


def test_tokens_come_back_evenly() -> None:
    """Within the time that the provider gave, and never beyond its limit."""
    capacity = told(60_000, 0)
    assert capacity.tokens_left(100.0) == 0
    assert capacity.tokens_left(130.0) == 30_000
    assert capacity.tokens_left(1000.0) == 60_000
    assert not capacity.has_room(30, 130.0)
    assert capacity.has_room(29, 130.0)


def test_the_newest_report_counts() -> None:
    """A limit of another kind does not."""
    capacity = told(60_000, 0)
    capacity.reported("requests", 10, 0, 60.0, 101.0)
    capacity.reported("tokens", 60_000, 50_000, 10.0, 101.0)
    assert capacity.tokens_left(101.0) == 50_000
    capacity.reported("tokens", 60_000, 20, 0.0, 102.0)
    assert capacity.tokens_left(102.0) == 60_000


def test_what_a_response_takes_is_learned() -> None:
    """Slowly: one long answer changes little."""
    capacity = told(10_000, 5_000)
    assert capacity.has_room(4, 100.0)
    capacity.spent(2_000)
    assert not capacity.has_room(4, 100.0)
    for _ in range(40):
        capacity.spent(500)
    assert capacity.has_room(8, 100.0)


def test_sessions_of_a_key() -> None:
    """Some are kept for calls that need a second one for a while."""
    capacity = Capacity(sessions_max=40)
    assert capacity.has_room(37, 0.0)
    assert not capacity.has_room(38, 0.0)
    assert Capacity(sessions_max=1).has_room(0, 0.0)
    assert not Capacity(sessions_max=1).has_room(1, 0.0)


NUMBERS = st.integers(-(10**9), 10**9)


@given(NUMBERS, NUMBERS, st.floats(-10, 1000), NUMBERS, st.floats(0, 10**6), st.integers(0, 1000))
def test_whatever_a_provider_says(
    limit: int, remaining: int, reset_s: float, tokens: int, later_s: float, calls: int
) -> None:
    """Tokens left lie between nothing and the limit, and come back with time."""
    capacity = Capacity()
    capacity.spent(tokens)
    capacity.reported("tokens", limit, remaining, reset_s, 0.0)
    before, after = capacity.tokens_left(0.0), capacity.tokens_left(later_s)
    if before is not None and after is not None:
        assert 0 <= before <= after <= limit
    if capacity.has_room(calls + 1, later_s):
        assert capacity.has_room(calls, later_s)
