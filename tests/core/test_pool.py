import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.pool_world import World, run_history
from trunkline.core.breaker import FATAL
from trunkline.core.pool import Pool, PoolLimits
from trunkline.core.pool_events import (
    Abandoned,
    Close,
    Closed,
    Give,
    Keep,
    Lost,
    Open,
    Opened,
    OpenFailed,
    PoolStatistics,
    Refuse,
    Returned,
    SessionNo,
    WaiterNo,
)
from trunkline.core.pool_states import NEXT, Move, State

HISTORIES = 3000
STEPS = 120


def warm(limits: PoolLimits | None = None) -> World:
    """A pool that is full and quiet."""
    world = World(limits or PoolLimits())
    for session in sorted(world.opening):
        world.complete(session)
    return world


def serve(
    world: World, *, every_s: float, opens_in_s: float, for_s: float, call_s: float = 60.0
) -> list[Give]:
    """Steady demand on a well server: the answers, in order."""
    due: list[tuple[float, SessionNo]] = []
    calls: list[tuple[float, SessionNo]] = []
    seen: set[SessionNo] = set()
    gives: list[Give] = []
    end, next_caller = world.now + for_s, world.now
    while world.now < end:
        for session in sorted(world.opening - seen):
            seen.add(session)
            due.append((world.now + opens_in_s, session))
        times = [next_caller, *(at for at, _ in due[:1]), *(at for at, _ in calls[:1])]
        if (tick := world.pool.deadline()) is not None:
            times.append(tick)
        world.wait(max(0.0, min(times) - world.now))
        while due and due[0][0] <= world.now:
            _, session = due.pop(0)
            if session in world.opening:
                world.complete(session)
        while calls and calls[0][0] <= world.now:
            world.give_back(calls.pop(0)[1], clean=False)
        if next_caller <= world.now:
            next_caller += every_s
            answer = world.answers.get(world.want())
            assert isinstance(answer, Give)
            gives.append(answer)
            calls.append((world.now + call_s, answer.session))
        for session in sorted(world.closing):
            world.finish_close(session)
    return gives


def test_a_pool_fills_itself_at_its_first_tick() -> None:
    """Eight sessions are opened before anybody calls."""
    pool = Pool(PoolLimits())
    assert pool.tick(0.0) == [Open(SessionNo(n)) for n in range(1, 9)]
    assert pool.tick(0.0) == []


def test_a_ready_session_is_given_at_once_and_replaced_at_once() -> None:
    """The caller waits 0 ms; the pool opens the next one in the same step."""
    world = warm()
    world.now += 5.0
    world.want()
    assert world.actions == [
        Give(WaiterNo(1), SessionNo(7), "pool", waited_ms=0, age_s=5.0),
        Open(SessionNo(9)),
    ]


def test_the_session_that_would_retire_first_is_given_first() -> None:
    """Less is opened in vain if the oldest go first."""
    world = warm(PoolLimits(size=2))
    world.wait(250.0)
    assert isinstance(give := world.answers[world.want()], Give)
    assert give.session == SessionNo(1)


def test_a_caller_waits_for_a_session_on_its_way() -> None:
    """One that is being opened and comes within 50 ms serves him; none is opened for him."""
    world = World(PoolLimits(size=1))
    world.want()
    assert world.actions == []
    world.wait(0.049)
    world.complete(SessionNo(1))
    assert world.actions == [
        Give(WaiterNo(1), SessionNo(1), "pool", waited_ms=49, age_s=0.0),
        Open(SessionNo(2)),
    ]


def test_after_50_ms_a_session_is_opened_for_the_caller() -> None:
    """The pool's own one is slow: the caller gets whichever comes first, the pool the other."""
    world = World(PoolLimits(size=1))
    world.want()
    world.wait(0.05)
    assert world.actions == [Open(SessionNo(2))]
    world.wait(0.2)
    world.complete(SessionNo(2))
    assert world.actions == [
        Give(WaiterNo(1), SessionNo(2), "new", waited_ms=250, age_s=0.0),
    ]
    world.complete(SessionNo(1))
    assert world.actions == [Keep(SessionNo(1))]


def test_an_own_opening_becomes_the_pools_when_the_pools_is_faster() -> None:
    """No third session is opened: the late one is the replacement."""
    world = World(PoolLimits(size=1))
    world.want()
    world.wait(0.06)
    world.complete(SessionNo(1))
    assert world.actions == [
        Give(WaiterNo(1), SessionNo(1), "pool", waited_ms=60, age_s=0.0),
    ]
    world.complete(SessionNo(2))
    assert world.actions == [Keep(SessionNo(2))]


def test_without_anything_on_its_way_a_session_is_opened_at_once() -> None:
    """Two callers and one opening: the second does not wait 50 ms for nothing."""
    world = World(PoolLimits(size=1))
    world.want()
    world.want()
    assert world.actions == [Open(SessionNo(2))]
    world.complete(SessionNo(2))
    assert isinstance(give := world.actions[0], Give)
    assert (give.waiter, give.source) == (WaiterNo(2), "new")


def test_the_session_of_a_caller_who_went_away_is_not_lost() -> None:
    """It goes to the pool below size, else it is closed."""
    world = World(PoolLimits(size=1))
    caller = world.want()
    world.wait(0.05)
    world.abandon(caller)
    world.complete(SessionNo(2))
    assert world.actions == [Keep(SessionNo(2))]
    world.complete(SessionNo(1))
    assert world.actions == [Close(SessionNo(1))]


def test_a_failed_opening_of_his_own_refuses_the_caller() -> None:
    """With the model's reason; whether to try again is the caller's ladder to say."""
    world = World(PoolLimits(size=0))
    world.want()
    world.fail(SessionNo(1), "rate_limited")
    assert world.actions == [Refuse(WaiterNo(1), "rate_limited")]


def test_a_failed_opening_of_the_pools_refuses_nobody() -> None:
    """Who waited for it gets an opening of his own at once, pause or not."""
    world = World(PoolLimits(size=1))
    world.want()
    world.fail(SessionNo(1))
    assert world.actions == [Open(SessionNo(2))]


def test_a_used_session_is_closed() -> None:
    """Whoever used it, for however short a time."""
    world = warm(PoolLimits(size=1))
    world.want()
    world.give_back(SessionNo(1), clean=False)
    assert world.actions == [Close(SessionNo(1))]


def test_a_clean_session_comes_back_below_size_only() -> None:
    """A pool that has its replacement already closes it; with a caller waiting it is his."""
    world = warm(PoolLimits(size=1))
    world.want()
    world.give_back(SessionNo(1), clean=True)
    assert world.actions == [Keep(SessionNo(1))]
    world.complete(SessionNo(2))
    assert world.actions == [Close(SessionNo(2))]
    world.want()
    world.want()
    world.give_back(SessionNo(1), clean=True)
    assert isinstance(give := world.actions[0], Give)
    assert (give.waiter, give.session, give.source) == (WaiterNo(3), SessionNo(1), "pool")


def test_a_clean_session_past_its_age_is_closed() -> None:
    """Also when it was lent while it aged."""
    world = warm(PoolLimits(size=1))
    world.want()
    world.wait(600.0)
    world.give_back(SessionNo(1), clean=True)
    assert world.actions == [Close(SessionNo(1))]


def test_sessions_opened_together_do_not_retire_together() -> None:
    """Eight in half the greatest age, 37.5 s apart; at most one is missing at any time."""
    world = warm()
    start, retired = world.now, []
    while world.now < start + 600.0:
        due = world.pool.deadline()
        assert due is not None
        world.wait(due - world.now)
        retired += [world.now - start for action in world.actions if isinstance(action, Close)]
        assert len(world.idle) == 7
        for session in sorted(world.opening):
            world.complete(session)
        for session in sorted(world.closing):
            world.finish_close(session)
    assert retired[:8] == [337.5 + 37.5 * n for n in range(8)]


def test_a_lost_idle_session_is_replaced() -> None:
    """An old one at once; a young one is a setback and replaced after a pause."""
    world = warm(PoolLimits(size=2))
    world.lose(SessionNo(1))
    assert world.actions == [Close(SessionNo(1))]
    world.wait(0.5)
    assert world.actions == [Open(SessionNo(3))]
    world.complete(SessionNo(3))
    world.wait(20.0)
    world.lose(SessionNo(2))
    assert world.actions == [Close(SessionNo(2)), Open(SessionNo(4))]


def fail_for(world: World, seconds: float, reasons: Iterable[str]) -> list[float]:
    """A server that refuses every opening after 10 ms: when the pool tried."""
    reason, end = iter(reasons), world.now + seconds
    while world.now < end:
        world.wait(0.01)
        for session in sorted(world.opening):
            world.fail(session, next(reason))
    return world.opens


def test_a_refusing_server_is_asked_ever_more_rarely() -> None:
    """Eight openings that fail together are one setback; then one attempt a pause, at most 15 s."""
    world = World(PoolLimits())
    opens = fail_for(world, 3600.0, ["server_error"] * 10_000)
    assert opens[:8] == [1000.0] * 8
    pauses = [round(b - a, 1) for a, b in pairwise(opens[7:])]
    assert pauses[:7] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert len(opens) < 8 + 5 + 3600 / 15


@pytest.mark.parametrize("reason", sorted(FATAL))
def test_a_fatal_refusal_pauses_for_long_at_once(reason: str) -> None:
    """A wrong key is not mended by trying again half a second later."""
    world = World(PoolLimits())
    opens = fail_for(world, 60.0, [reason] * 100)
    assert len(opens) == 8 + 3


def test_one_success_fills_the_pool_again() -> None:
    """After a setback one opening proves the server; then the rest follows at once."""
    world = World(PoolLimits())
    for session in sorted(world.opening):
        world.fail(session)
    world.wait(0.5)
    assert len(world.opening) == 1
    world.complete(min(world.opening))
    assert len(world.opening) == 7


def test_a_server_that_drops_what_it_opened_is_not_a_hot_loop() -> None:
    """Sessions lost young count as failures: eight openings a pause, and pauses grow."""
    world = World(PoolLimits())
    end = world.now + 3600.0
    while world.now < end:
        world.wait(0.05)
        for session in sorted(world.opening):
            world.complete(session)
        world.wait(0.05)
        for session in sorted(world.idle):
            world.lose(session)
    assert len(world.opens) < 8 * (10 + 3600 / 15)


def test_a_well_server_is_forgiven() -> None:
    """A session that settled after the last setback ends the count of setbacks."""
    world = World(PoolLimits(size=2))
    for _ in range(4):
        for session in sorted(world.opening):
            world.fail(session)
        world.wait(20.0)
    assert world.pool.statistics().setbacks == 4
    world.complete(min(world.opening))
    world.wait(11.0)
    world.want()
    assert world.pool.statistics().setbacks == 0


@pytest.mark.parametrize(
    ("every_s", "opens_in_s"), [(30.0, 1.0), (1.0, 5.0), (0.1, 0.5), (0.15, 0.9), (0.05, 0.25)]
)
def test_steady_demand_finds_the_pool_warm(every_s: float, opens_in_s: float) -> None:
    """As long as fewer than six sessions are on their way, nobody waits and nothing is "new"."""
    world = warm()
    call_s, for_s = min(60.0, 50 * every_s), min(900.0, 2000 * every_s)
    gives = serve(world, every_s=every_s, opens_in_s=opens_in_s, for_s=for_s, call_s=call_s)
    assert len(gives) >= for_s / every_s
    assert {(give.source, give.waited_ms) for give in gives} == {("pool", 0)}
    assert max(give.age_s for give in gives) < 600.0


def test_a_surge_is_served_in_turn_within_the_bounds() -> None:
    """Fifty callers at once on an empty pool: sixteen openings at a time, each caller gets one."""
    world = World(PoolLimits())
    callers = [world.want() for _ in range(50)]
    while world.waiting:
        world.wait(0.3)
        assert len(world.opening) == 16 or len(world.waiting) < 16
        for session in sorted(world.opening):
            world.complete(session)
    assert all(isinstance(world.answers[caller], Give) for caller in callers)


def test_a_caller_beyond_the_bounds_is_refused_at_once() -> None:
    """Waiters and sessions have their maximum; a full pool still serves what it has."""
    world = World(PoolLimits(size=1, waiters_max=2, sessions_max=3))
    refused = [world.want() for _ in range(3)][-1]
    assert world.answers[refused] == Refuse(refused, "pool_busy")
    for session in sorted(world.opening):
        world.complete(session)
    world.complete(min(world.opening))
    assert len(world.lent) == 2
    assert isinstance(world.answers[world.want()], Give)
    last = world.want()
    assert world.answers[last] == Refuse(last, "pool_full")


def test_the_pool_does_not_fill_what_the_key_allows() -> None:
    """Callers' sessions count first, and a caller beyond the limit is served all the same."""
    world = warm(PoolLimits(size=3, warm_within=4))
    assert len(world.idle) == 3
    world.want()
    world.complete(min(world.opening))
    assert (len(world.lent), len(world.idle)) == (1, 3)
    for _ in range(3):
        world.want()
    assert (len(world.lent), len(world.idle), len(world.opening)) == (4, 0, 0)
    world.want()
    world.wait(0.1)
    world.complete(min(world.opening))
    assert (len(world.lent), len(world.idle), len(world.opening)) == (5, 0, 0)
    for session in sorted(world.lent)[:2]:
        world.give_back(session, clean=True)
    assert (len(world.lent), len(world.idle), len(world.closing)) == (3, 0, 2)
    for session in sorted(world.closing):
        world.finish_close(session)
    assert len(world.opening) == 1


def test_a_caller_is_refused_after_ten_seconds() -> None:
    """Openings that never answer do not hold a caller."""
    world = World(PoolLimits())
    caller = world.want()
    world.wait(10.0)
    assert world.answers[caller] == Refuse(caller, "pool_timeout")


def test_closing_ends_everything() -> None:
    """Idle, opening and lent sessions are closed, callers refused; late news changes nothing."""
    world = World(PoolLimits(size=2, patience_s=0.0))
    world.complete(SessionNo(1))
    world.want()
    waiters = [world.want() for _ in range(2)]
    lent, opening = next(iter(world.lent)), min(world.opening)
    world.end()
    assert [world.answers[w] for w in waiters] == [Refuse(w, "pool_closing") for w in waiters]
    assert world.pool.receive(Returned(lent, clean=True), world.now) == []
    assert world.pool.receive(Opened(opening), world.now) == [Close(opening)]
    world.closing.discard(opening)
    assert world.pool.receive(OpenFailed(opening, "closing"), world.now) == []
    for session in sorted(world.closing):
        world.finish_close(session)
    assert world.pool.statistics() == PoolStatistics(0, 0, 0, 0, 0, 0)


def test_news_of_strangers_changes_nothing() -> None:
    """The shell's news may cross the pool's orders."""
    world = warm()
    before = world.pool.statistics()
    stranger = SessionNo(99)
    for event in (
        Opened(stranger),
        OpenFailed(stranger, "timeout"),
        Lost(stranger),
        Returned(stranger, clean=True),
        Closed(stranger),
        Abandoned(WaiterNo(99)),
    ):
        assert world.pool.receive(event, world.now) == []
    assert world.pool.statistics() == before


def test_the_table_has_one_way_out_for_the_dirty() -> None:
    """Every state but GONE can end; DIRTY leads to CLOSING, and CLOSING only to GONE."""
    assert set(NEXT) == set(State)
    assert NEXT[State.LENT][Move.DIRTY] is State.CLOSING
    assert set(NEXT[State.CLOSING].values()) == {State.GONE}
    assert NEXT[State.GONE] == {}
    assert {move for moves in NEXT.values() for move in moves} == set(Move)


def test_thousands_of_long_histories() -> None:
    """Never dirty to another, never above bounds, each caller answered once, nothing leaks."""
    gave = refused = 0
    for seed in range(HISTORIES):
        try:
            world = run_history(seed, steps=STEPS)
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise
        gave += sum(isinstance(answer, Give) for answer in world.answers.values())
        refused += sum(isinstance(answer, Refuse) for answer in world.answers.values())
    assert gave > HISTORIES * 10, "the histories are about something"
    assert refused > HISTORIES


class Histories(RuleBasedStateMachine):
    """The same world, with Hypothesis to shrink what it finds."""

    world: World

    @initialize(
        size=strategies.integers(0, 4),
        opening_max=strategies.integers(1, 4),
        spare=strategies.integers(1, 6),
        waiters_max=strategies.integers(1, 4),
        patience_s=strategies.sampled_from([0.0, 0.05]),
    )
    def begin(
        self, size: int, opening_max: int, spare: int, waiters_max: int, patience_s: float
    ) -> None:
        self.world = World(
            PoolLimits(
                size=size,
                opening_max=opening_max,
                sessions_max=size + spare,
                waiters_max=waiters_max,
                patience_s=patience_s,
            )
        )

    @rule()
    def want(self) -> None:
        self.world.want()

    @rule(seconds=strategies.sampled_from([0.01, 0.05, 0.5, 10.0, 300.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @precondition(lambda self: self.world.waiting)
    @rule(choice=strategies.randoms(use_true_random=False))
    def abandon(self, choice: random.Random) -> None:
        self.world.abandon(choice.choice(sorted(self.world.waiting)))

    @precondition(lambda self: self.world.opening)
    @rule(choice=strategies.randoms(use_true_random=False))
    def complete(self, choice: random.Random) -> None:
        self.world.complete(choice.choice(sorted(self.world.opening)))

    @precondition(lambda self: self.world.opening)
    @rule(
        choice=strategies.randoms(use_true_random=False),
        reason=strategies.sampled_from(["timeout", "invalid_api_key"]),
    )
    def fail(self, choice: random.Random, reason: str) -> None:
        self.world.fail(choice.choice(sorted(self.world.opening)), reason)

    @precondition(lambda self: self.world.idle)
    @rule(choice=strategies.randoms(use_true_random=False))
    def lose(self, choice: random.Random) -> None:
        self.world.lose(choice.choice(sorted(self.world.idle)))

    @precondition(lambda self: self.world.lent)
    @rule(choice=strategies.randoms(use_true_random=False), clean=strategies.booleans())
    def give_back(self, choice: random.Random, clean: bool) -> None:  # noqa: FBT001 - drawn by name
        self.world.give_back(choice.choice(sorted(self.world.lent)), clean=clean)

    @precondition(lambda self: self.world.closing)
    @rule(choice=strategies.randoms(use_true_random=False))
    def finish_close(self, choice: random.Random) -> None:
        self.world.finish_close(choice.choice(sorted(self.world.closing)))

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.end()


def test_any_history_holds() -> None:
    """What the random histories show, Hypothesis may try to break and would shrink."""
    run_state_machine_as_test(
        Histories, settings=settings(max_examples=150, stateful_step_count=50, deadline=None)
    )
