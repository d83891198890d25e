"""The ladder: who is asked when, when the caller is told, and that the search never ends."""

import random

from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.ladder import Exhausted, Ladder, LadderLimits, Step, Try

LIMITS = LadderLimits()


def ladder(models: int, *, first: int = 0) -> Ladder:
    """Without jitter: pauses are as long as they get."""
    return Ladder(models, jitter=lambda: 0.0, first=first)


def test_the_first_model_is_asked_at_once() -> None:
    """Nobody waits for a first attempt."""
    assert ladder(2).begin(10.0) == [Try(1, 0)]


def test_a_model_that_refuses_is_asked_again_twice() -> None:
    """After growing pauses; then the caller is told, once."""
    search = ladder(1)
    search.begin(0.0)
    assert search.failed(1, "timeout", 0.1) == []
    assert search.deadline() == 0.25
    assert search.tick(0.25) == [Try(2, 0)]
    assert search.failed(2, "timeout", 0.3) == []
    assert search.tick(0.6) == [Try(3, 0)]
    assert search.failed(3, "server_error", 0.7) == [Exhausted("server_error")]
    assert search.tick(1.2) == [Try(4, 0)]
    for attempt in (4, 5, 6):
        assert search.failed(attempt, "timeout", 2.0 + attempt) == []
        assert search.tick(9.0 + attempt) == [Try(attempt + 1, 0)]


def test_the_next_model_follows_without_a_pause() -> None:
    """The list's second choice is asked when the first was given up, and the caller not told."""
    search = ladder(2)
    search.begin(0.0)
    assert search.failed(1, "invalid_api_key", 0.1) == [Try(2, 1)]
    search.failed(2, "timeout", 0.2)
    search.tick(0.35)
    search.failed(3, "timeout", 0.4)
    search.tick(0.8)
    assert search.failed(4, "timeout", 0.9) == [Exhausted("timeout")]
    assert search.tick(1.4) == [Try(5, 0)]


def test_an_open_breaker_tells_the_caller_at_once() -> None:
    """Nothing is tried that is known to fail, and the background asks again and again."""
    search = ladder(2)
    assert search.begin(0.0) == [Try(1, 0)]
    assert search.failed(1, "breaker_open", 0.0) == [Try(2, 1)]
    assert search.failed(2, "breaker_open", 0.0) == [Exhausted("breaker_open")]
    assert search.deadline() == 0.5


def test_an_attempt_that_does_not_answer_gets_company() -> None:
    """Of the next model; two at once and no more, whoever fails first."""
    search = ladder(2)
    search.begin(0.0)
    assert search.deadline() == 1.2
    assert search.tick(1.2) == [Try(2, 1)]
    assert search.deadline() is None
    assert search.tick(2.0) == []
    assert search.failed(1, "timeout", 2.0) == []
    assert search.deadline() == 2.4
    assert search.tick(2.4) == [Try(3, 0)]


def test_a_single_model_gets_a_second_attempt_beside_a_stalled_one() -> None:
    """A packet may be lost on the way to a model that is well."""
    search = ladder(1)
    search.begin(0.0)
    assert search.tick(1.3) == [Try(2, 0)]


def test_a_stalled_attempt_that_fails_late() -> None:
    """Its model was left already, and was not given up: its turn comes again."""
    search = ladder(3)
    search.begin(0.0)
    search.tick(1.2)
    assert search.failed(2, "model_not_found", 1.3) == [Try(3, 2)]
    assert search.failed(1, "timeout", 1.4) == []
    assert search.failed(3, "model_not_found", 1.5) == [Try(4, 0)]


def test_a_late_failure_of_a_model_left_behind_is_no_failure_of_the_present_one() -> None:
    """The present model's tries are its own."""
    search = ladder(2)
    search.begin(0.0)
    search.tick(1.2)
    search.failed(1, "timeout", 1.3)
    assert search.deadline() == 2.4


def test_the_search_after_a_failing_model_begins_with_the_next() -> None:
    """`first` goes round the list; a pause may stand before the first attempt."""
    search = ladder(2, first=2)
    assert search.begin(5.0, pause_s=1.0) == []
    assert search.deadline() == 6.0
    assert search.tick(6.0) == [Try(1, 0)]


@given(
    st.integers(1, 4),
    st.integers(0, 2**32),
    st.lists(st.sampled_from(["timeout", "breaker_open", "refused"]), min_size=40, max_size=120),
)
def test_any_history(models: int, seed: int, reasons: list[str]) -> None:
    """Two attempts at once at most, every model's turn comes, the caller is told once, and there
    always is something under way or due.
    """
    rng = random.Random(seed)
    search = Ladder(models, jitter=rng.random)
    now, running, asked = 100.0, [], []
    told: list[Step] = []

    def take(steps: list[Step]) -> None:
        for step in steps:
            if isinstance(step, Try):
                running.append(step.attempt)
                asked.append(step.model)
            else:
                told.append(step)
        assert len(running) <= LIMITS.attempts_max
        assert len(set(running)) == len(running)

    take(search.begin(now))
    for reason in reasons:
        deadline = search.deadline()
        assert running or deadline is not None
        if deadline is not None and (not running or rng.random() < 0.3):
            now = max(now, deadline)
            take(search.tick(now))
        if running:
            now += rng.random() / 10
            take(search.failed(running.pop(rng.randrange(len(running))), reason, now))
    assert len(told) <= 1
    assert len(told) == 1 or models > 2
    assert set(asked) == set(range(models))
