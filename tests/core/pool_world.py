"""A shell without sockets for the pool: it performs actions, and knows what must never happen."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from trunkline.core.pool import Pool, PoolLimits
from trunkline.core.pool_events import (
    Abandoned,
    Close,
    Closed,
    Closing,
    Event,
    Give,
    Keep,
    Lost,
    Open,
    Opened,
    OpenFailed,
    PoolAction,
    Refuse,
    Returned,
    SessionNo,
    WaiterNo,
    Wanted,
)


@dataclass
class World:
    """What a shell would see of its pool, kept from events and actions alone."""

    limits: PoolLimits
    now: float = 1000.0
    opening: set[SessionNo] = field(default_factory=set)
    idle: set[SessionNo] = field(default_factory=set)
    lent: dict[SessionNo, WaiterNo] = field(default_factory=dict)
    closing: set[SessionNo] = field(default_factory=set)
    gone: set[SessionNo] = field(default_factory=set)
    dirty: set[SessionNo] = field(default_factory=set)
    opened_at: dict[SessionNo, float] = field(default_factory=dict)
    waiting: dict[WaiterNo, float] = field(default_factory=dict)
    answers: dict[WaiterNo, Give | Refuse] = field(default_factory=dict)
    opens: list[float] = field(default_factory=list)
    actions: list[PoolAction] = field(default_factory=list)
    ended: bool = False
    waiters: int = 0
    room_left: int = 0
    """Idle sessions after the last step: they stay, whatever callers take elsewhere."""

    def __post_init__(self) -> None:
        self.pool = Pool(self.limits)
        self._perform(self.pool.tick(self.now), free=None)

    def want(self) -> WaiterNo:
        self.waiters += 1
        waiter = WaiterNo(self.waiters)
        self.waiting[waiter] = self.now
        idle_before = bool(self.idle)
        self.tell(Wanted(waiter))
        if idle_before:
            assert isinstance(self.answers[waiter], Give), "a ready session is given at once"
        return waiter

    def abandon(self, waiter: WaiterNo) -> None:
        del self.waiting[waiter]
        self.tell(Abandoned(waiter))

    def complete(self, session: SessionNo) -> None:
        self.opening.remove(session)
        self.opened_at[session] = self.now
        self.tell(Opened(session), free=session)

    def fail(self, session: SessionNo, reason: str = "timeout") -> None:
        self.opening.remove(session)
        self.gone.add(session)
        self.tell(OpenFailed(session, reason))

    def lose(self, session: SessionNo) -> None:
        self.idle.remove(session)
        self.tell(Lost(session), free=session)
        assert session in self.closing

    def give_back(self, session: SessionNo, *, clean: bool) -> None:
        del self.lent[session]
        if not clean:
            self.dirty.add(session)
        self.tell(Returned(session, clean), free=session)
        assert clean or session in self.closing, "a dirty session is always closed"

    def finish_close(self, session: SessionNo) -> None:
        self.closing.remove(session)
        self.gone.add(session)
        self.tell(Closed(session))

    def end(self) -> None:
        self.ended = True
        self.tell(Closing())
        assert not self.waiting
        assert not self.opening
        assert not self.idle
        assert not self.lent

    def wait(self, seconds: float) -> None:
        """Let time pass, ticking exactly when the pool asks for it."""
        until = self.now + seconds
        while (due := self.pool.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self._perform(self.pool.tick(self.now), free=None)
        self.now = until

    def tell(self, event: Event, free: SessionNo | None = None) -> None:
        self._perform(self.pool.receive(event, self.now), free)

    def _perform(self, actions: list[PoolAction], free: SessionNo | None) -> None:
        """Do what was ordered. `free` is the session that has just become nobody's."""
        self.actions = actions
        for action in actions:
            match action:
                case Open(session):
                    assert session not in self.known() | {free}, "a number is used once"
                    self.opening.add(session)
                    self.opens.append(self.now)
                case Give(waiter, session, _, waited_ms, age_s):
                    assert session == free or session in self.idle
                    assert session not in self.dirty, "a caller got what another had used"
                    assert waited_ms == round((self.now - self.waiting.pop(waiter)) * 1000)
                    assert age_s == self.now - self.opened_at[session]
                    assert waiter not in self.answers
                    self.answers[waiter] = action
                    self.idle.discard(session)
                    self.lent[session] = waiter
                    free = None if session == free else free
                case Refuse(waiter, reason):
                    del self.waiting[waiter]
                    assert waiter not in self.answers
                    assert reason
                    self.answers[waiter] = action
                case Keep(session):
                    assert session == free
                    assert session not in self.dirty
                    self.idle.add(session)
                    free = None
                case Close(session):
                    assert session not in self.closing
                    if session == free:
                        free = None
                    elif session in self.lent:
                        assert self.ended, "only the end takes a session from its caller"
                        del self.lent[session]
                    else:
                        (self.opening if session in self.opening else self.idle).remove(session)
                    self.closing.add(session)
        assert free is None, "a session that is nobody's leaks"
        self.check()

    def known(self) -> set[SessionNo]:
        return self.opening | self.idle | set(self.lent) | self.closing | self.gone

    def check(self) -> None:
        """What holds after every step."""
        counts = self.pool.statistics()
        assert counts.opening == len(self.opening) <= self.limits.opening_max
        assert counts.idle == len(self.idle) <= self.limits.size
        assert counts.lent == len(self.lent)
        assert counts.closing == len(self.closing)
        assert counts.waiting == len(self.waiting) <= self.limits.waiters_max
        living = counts.opening + counts.idle + counts.lent + counts.closing
        assert living <= self.limits.sessions_max
        if self.limits.warm_within is not None and counts.idle:
            callers = counts.lent + counts.closing
            assert counts.idle <= max(self.limits.warm_within - callers, self.room_left)
        self.room_left = counts.idle
        assert not (self.idle and self.waiting), "nobody waits beside an idle session"
        assert not (self.ended and (self.opening or self.idle or self.waiting))
        due = self.pool.deadline()
        assert due is None or due > self.now, "what is due was done"
        if self.waiting:
            assert due is not None, "a caller always has a deadline"
        for session in self.idle:
            assert self.now - self.opened_at[session] < self.limits.age_s_max


def random_limits(rng: random.Random) -> PoolLimits:
    """Small bounds, so that histories meet all of them."""
    size = rng.randrange(6)
    return PoolLimits(
        size=size,
        opening_max=rng.randint(1, 6),
        sessions_max=size + rng.randint(1, 10),
        warm_within=rng.choice([None, rng.randint(1, 10)]),
        waiters_max=rng.randint(1, 6),
        patience_s=rng.choice([0.0, 0.05, 1.0]),
        wait_s_max=rng.choice([1.0, 10.0]),
        age_s_max=rng.choice([30.0, 600.0]),
        settled_s=rng.choice([1.0, 10.0]),
        pause_s_min=rng.choice([0.1, 0.5]),
        pause_s_max=rng.choice([0.5, 15.0]),
    )


def random_step(world: World, rng: random.Random) -> None:
    """One thing that may happen next."""
    moves: list[Callable[[], object]] = [
        lambda: world.wait(rng.choice([0.0, 0.01, 0.05, 0.3, 2.0, 40.0]))
    ]
    moves += [world.want] * 2 if not world.ended else [lambda: world.wait(0.1)]
    if world.waiting:
        moves.append(lambda: world.abandon(rng.choice(sorted(world.waiting))))
    if world.opening:
        moves += [lambda: world.complete(rng.choice(sorted(world.opening)))] * 3
        reason = rng.choice(["timeout", "server_error", "invalid_api_key"])
        moves.append(lambda: world.fail(rng.choice(sorted(world.opening)), reason))
    if world.idle:
        moves.append(lambda: world.lose(rng.choice(sorted(world.idle))))
    if world.lent:
        clean = rng.random() < 0.5
        moves += [lambda: world.give_back(rng.choice(sorted(world.lent)), clean=clean)] * 2
    if world.closing:
        moves += [lambda: world.finish_close(rng.choice(sorted(world.closing)))] * 2
    rng.choice(moves)()


def run_history(seed: int, steps: int) -> World:
    """A whole life of a pool, and its end: nothing is left of it."""
    rng = random.Random(seed)
    world = World(random_limits(rng))
    for _ in range(steps):
        random_step(world, rng)
    world.end()
    late = WaiterNo(world.waiters + 1)
    world.waiting[late] = world.now
    world.tell(Wanted(late))
    assert isinstance(world.answers[late], Refuse)
    for session in sorted(world.closing):
        world.finish_close(session)
    assert world.known() == world.gone
    assert world.pool.deadline() is None
    return world
