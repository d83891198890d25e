"""Room for one more call: tokens of the minute, sessions of the key."""

import heapq
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.capacity import MINUTE_S, REPORT_S_MAX, Capacity, calls_max


def told(limit: int, remaining: int, reset_s: float = 60.0, *, response: int = 1000) -> Capacity:
    """A model whose provider said this at second 100."""
    capacity = Capacity()
    capacity.used(response, None)
    capacity.told(limit, remaining, reset_s, 100.0)
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


def test_an_empty_minute_has_no_room_though_no_response_was_measured() -> None:
    """The report comes before the first response is over."""
    capacity = Capacity()
    capacity.told(100_000, 0, 60.0, 0.0)
    assert not capacity.has_room(0, 0.5)
    assert capacity.has_room(0, 1.0)


def test_an_idle_model_whose_minute_is_whole_has_room() -> None:
    """Though its responses take more than a minute holds: it will never have more."""
    capacity = told(800, 0)
    assert not capacity.has_room(0, 159.0)
    assert capacity.has_room(0, 160.0)
    assert not capacity.has_room(1, 160.0)


def test_tokens_come_back_evenly() -> None:
    """Within the time that the provider gave, and never beyond its limit."""
    capacity = told(60_000, 0)
    assert capacity.tokens_left(100.0) == 0
    assert capacity.tokens_left(130.0) == 30_000
    assert capacity.tokens_left(1000.0) == 60_000
    assert not capacity.has_room(30, 130.0)
    assert capacity.has_room(29, 130.0)


def test_the_newest_report_counts() -> None:
    """Also one that says the opposite."""
    capacity = told(60_000, 0)
    capacity.told(60_000, 50_000, 10.0, 101.0)
    assert capacity.tokens_left(101.0) == 50_000
    capacity.told(60_000, 20, 0.0, 102.0)
    assert capacity.tokens_left(102.0) == 60_000
    capacity.told(0, 0, 60.0, 103.0)
    assert capacity.tokens_left(103.0) == 60_000


def test_no_report_keeps_callers_out_for_ever() -> None:
    """A provider that says "in a day" is asked again by a call."""
    capacity = told(60_000, 0, 86_400.0)
    assert not capacity.has_room(0, 101.0)
    assert capacity.has_room(0, 100.0 + REPORT_S_MAX)


def test_what_a_response_takes_is_learned() -> None:
    """Slowly: one long answer changes little."""
    capacity = told(10_000, 5_000)
    assert capacity.has_room(4, 100.0)
    capacity.used(2_000, None)
    assert not capacity.has_room(4, 100.0)
    for _ in range(40):
        capacity.used(500, None)
    assert capacity.has_room(8, 100.0)


def test_what_a_call_spends_in_a_minute_is_learned() -> None:
    """From how much a response takes and how soon the next one follows."""
    capacity = told(100_000, 40_000)
    assert capacity.tokens_a_minute() == 0
    capacity.used(1_000, 6.0)
    assert capacity.tokens_a_minute() == pytest.approx(10_000)


def test_calls_may_not_spend_more_in_a_minute_than_comes_back_in_one() -> None:
    """A surge that the whole minute would do for at first: live calls would starve later."""
    capacity = told(60_000, 60_000)
    capacity.used(1_000, 6.0)
    assert capacity.has_room(5, 100.0)
    assert not capacity.has_room(6, 100.0)


@pytest.mark.parametrize(
    ("sessions", "calls"), [(1, 1), (2, 1), (3, 2), (20, 19), (21, 19), (100, 95), (1000, 950)]
)
def test_sessions_of_a_key(sessions: int, calls: int) -> None:
    """Some are kept for calls that need a second one for a while."""
    assert calls_max(sessions) == calls


NUMBERS = st.integers(-(10**9), 10**9)
REPORTS = st.tuples(NUMBERS, NUMBERS, st.floats(-10, 1000))
USES = st.tuples(NUMBERS, st.none() | st.floats(-10, 1000))


@given(st.lists(REPORTS | USES, max_size=8), st.floats(0, 10**6), st.integers(0, 1000))
def test_whatever_a_provider_says(
    said: list[tuple[int, int, float] | tuple[int, float | None]], later_s: float, calls: int
) -> None:
    """Tokens left lie within the limit and come back with time; fewer calls never have less room.

    And an idle key has room in the end.
    """
    capacity, limit = Capacity(), 0
    for each in said:
        if len(each) == 3:
            capacity.told(*each, 0.0)
            limit = each[0] if each[0] > 0 else limit
        else:
            capacity.used(*each)
    before, after = capacity.tokens_left(0.0), capacity.tokens_left(later_s)
    assert (before is None) == (after is None) == (limit == 0)
    if before is not None and after is not None:
        assert 0 <= before <= after <= limit
    if capacity.has_room(calls + 1, later_s):
        assert capacity.has_room(calls, later_s)
    assert capacity.has_room(0, REPORT_S_MAX)
    if capacity.has_room(calls, 0.0):
        assert capacity.has_room(calls, later_s)


STAYS_S_MAX = 200.0


@dataclass
class Provider:
    """Tokens of a minute as a provider counts them: what was used comes back evenly."""

    limit: int
    now: float = 0.0
    left: float = 0.0

    def until(self, now: float) -> None:
        """Time passes."""
        back = (now - self.now) * self.limit / MINUTE_S
        self.now, self.left = now, min(self.left + back, self.limit)

    def respond(self, tokens: int, capacity: Capacity) -> None:
        """One more response, and the report that comes with it."""
        self.left -= tokens
        assert self.left >= -1, "a live call starves"  # A report is in whole tokens.
        used = self.limit - self.left
        capacity.told(self.limit, int(self.left), used * MINUTE_S / self.limit, self.now)


@given(
    calls=st.floats(1, 60),
    others=st.floats(0, 1),
    tokens=st.integers(50, 5_000),
    apart_s=st.floats(1, 20),
    arrivals=st.lists(
        st.tuples(st.floats(0, 2), st.floats(20, STAYS_S_MAX)), min_size=10, max_size=60
    ),
)
def test_no_call_that_was_let_in_starves(
    calls: float,
    others: float,
    tokens: int,
    apart_s: float,
    arrivals: list[tuple[float, float]],
) -> None:
    """Whoever comes whenever and stays however long: what calls use is there when they want it.

    The limit does for so many calls, and other pods have just used a part of it. Each begins with a
    response and has its next ones in equal steps, as was measured before.
    """
    limit = math.ceil(calls * max(tokens, tokens * MINUTE_S / apart_s))
    capacity, provider = Capacity(), Provider(limit, left=limit * (1 - others))
    capacity.used(tokens, None)
    capacity.used(tokens, apart_s)
    capacity.told(limit, int(provider.left), others * MINUTE_S, 0.0)
    live: list[tuple[float, float]] = []
    """When each call wants its next response, and when it ends."""

    def talk(until: float) -> None:
        while live and live[0][0] <= until:
            at, ends_at = heapq.heappop(live)
            provider.until(at)
            provider.respond(tokens, capacity)
            if at + apart_s < ends_at:
                heapq.heappush(live, (at + apart_s, ends_at))
        provider.until(until)

    now = 0.0
    for pause_s, stays_s in arrivals:
        now += pause_s
        talk(now)
        if capacity.has_room(len(live), now):
            provider.respond(tokens, capacity)
            heapq.heappush(live, (now + apart_s, now + stays_s))
    talk(now + STAYS_S_MAX + apart_s)
    assert not live
