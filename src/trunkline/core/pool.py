"""The pool of warm sessions to one realtime model: what is opened, given, kept and closed.

One `Pool` serves one URL, model and key. It knows sessions and waiting callers by numbers; the
shell (`pod/door`) holds the sockets and does what the actions say. Every session runs through
the table in `pool_states`, and nothing else decides where it stands.

Two rules carry the rest. A session that has heard a caller never leaves LENT but to be closed.
And an opening is begun either for the pool or for one caller: for the pool only while its idle
sessions and openings are fewer than `size`, so that whoever takes one starts its replacement.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from trunkline.core.breaker import FATAL
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
    PoolStatistics,
    Refuse,
    Returned,
    SessionNo,
    Source,
    WaiterNo,
    Wanted,
)
from trunkline.core.pool_states import NEXT, Move, State


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Every bound of a pool; each has a policy for the moment when it is reached."""

    size: int = 8
    """Idle sessions kept. A clean one that comes back to a full pool is closed."""
    opening_max: int = 16
    """Openings at once, the pool's and the callers' together; then callers wait their turn."""
    sessions_max: int = 108
    """Sessions in all, closing ones included: twice the hard cap of calls (a rollover holds two)
    and the pool. Then a caller is refused, unless an opening of the pool's can still be his."""
    warm_within: int | None = None
    """Sessions that the key allows at once: the pool opens and keeps none for itself beyond them,
    callers' sessions included. A caller is still served: the provider may be kinder than it says,
    and a live call needs its next session. None: nobody knows of a limit."""
    waiters_max: int = 64
    """Callers who wait at once; then the next one is refused."""
    patience_s: float = 0.05
    """So long a caller waits for a session that the pool is opening; then one is opened for him."""
    wait_s_max: float = 10.0
    """A caller without a session by then is refused."""
    age_s_max: float = 600.0
    """No idle session grows older, counted from `session.created`."""
    settled_s: float = 10.0
    """An idle session lost before this age is a setback, as a failed opening is."""
    pause_s_min: float = 0.5
    """The pool's first pause after a setback; it doubles with each further one."""
    pause_s_max: float = 15.0
    """The pool's longest pause."""

    def __post_init__(self) -> None:
        assert self.size >= 0
        assert self.opening_max >= 1
        assert self.sessions_max >= self.size + 1
        assert self.warm_within is None or self.warm_within >= 1
        assert self.waiters_max >= 1
        assert 0 <= self.patience_s <= self.wait_s_max
        assert 0 < self.settled_s <= self.age_s_max / 2
        assert 0 < self.pause_s_min <= self.pause_s_max


DOUBLINGS_MAX: Final = 16
"""Pauses stop doubling here, whatever their limits."""


@dataclass(slots=True)
class _Session:
    number: SessionNo
    begun_at: float
    waiter: WaiterNo | None
    state: State = State.OPENING
    opened_at: float = 0.0
    retire_at: float = 0.0


@dataclass(slots=True)
class _Waiter:
    number: WaiterNo
    since: float
    own: SessionNo | None = None
    """The opening that was begun for him."""


class Pool:
    """Warm sessions to one model. The first `tick` fills it."""

    def __init__(self, limits: PoolLimits) -> None:
        self.limits = limits
        self._in: dict[State, dict[SessionNo, _Session]] = {
            state: {} for state in State if state is not State.GONE
        }
        self._waiters: dict[WaiterNo, _Waiter] = {}
        self._number = 0
        self._setbacks = 0
        self._setback_at = float("-inf")
        self._paused_until = float("-inf")
        self._proving = False
        self._closing = False

    def receive(self, event: Event, now: float) -> list[PoolAction]:
        """What follows from an event. One that no longer fits its session changes nothing."""
        actions: list[PoolAction] = []
        match event:
            case Wanted():
                self._wanted(event.waiter, now, actions)
            case Abandoned():
                self._forget(event.waiter)
            case Opened():
                self._opened(event.session, now, actions)
            case OpenFailed():
                self._open_failed(event, now, actions)
            case Lost():
                self._lost(event.session, now, actions)
            case Returned():
                self._returned(event, now, actions)
            case Closed():
                if session := self._in[State.CLOSING].get(event.session):
                    self._move(session, Move.CLOSED)
            case Closing():
                self._close(actions)
            case _:
                assert_never(event)
        self._advance(now, actions)
        return actions

    def tick(self, now: float) -> list[PoolAction]:
        """What is due at `now`."""
        actions: list[PoolAction] = []
        self._advance(now, actions)
        return actions

    def deadline(self) -> float | None:
        """When `tick` must come next, if nothing is received before."""
        if self._closing:
            return None
        due = [session.retire_at for session in self._in[State.IDLE].values()]
        if self._waiters:
            due.append(next(iter(self._waiters.values())).since + self.limits.wait_s_max)
            if self._may_open():  # Else his turn comes with an event, not with time.
                due += [
                    waiter.since + self.limits.patience_s
                    for waiter in self._waiters.values()
                    if waiter.own is None
                ][:1]
        if self._refills() > 0:
            due.append(self._paused_until)
        return min(due, default=None)

    def statistics(self) -> PoolStatistics:
        """Counts for `realtime_pool_sessions{state}` and the console."""
        return PoolStatistics(
            opening=len(self._in[State.OPENING]),
            idle=len(self._in[State.IDLE]),
            lent=len(self._in[State.LENT]),
            closing=len(self._in[State.CLOSING]),
            waiting=len(self._waiters),
            setbacks=self._setbacks,
        )

    def _wanted(self, number: WaiterNo, now: float, actions: list[PoolAction]) -> None:
        assert number not in self._waiters
        waiter = _Waiter(number, since=now)
        idle = self._in[State.IDLE]
        if self._closing:
            actions.append(Refuse(number, "pool_closing"))
        elif idle:
            self._give(waiter, min(idle.values(), key=_retire_at), now, actions)
        elif len(self._waiters) >= self.limits.waiters_max:
            actions.append(Refuse(number, "pool_busy"))
        else:
            self._waiters[number] = waiter

    def _forget(self, number: WaiterNo) -> None:
        """The waiter leaves the queue; an opening begun for him is the pool's from now on."""
        waiter = self._waiters.pop(number, None)
        if waiter is not None and waiter.own is not None:
            self._in[State.OPENING][waiter.own].waiter = None

    def _opened(self, number: SessionNo, now: float, actions: list[PoolAction]) -> None:
        session = self._in[State.OPENING].get(number)
        if session is None:
            if number in self._in[State.CLOSING]:  # It was opened while we gave it up.
                actions.append(Close(number))
            return
        self._proving = False
        session.opened_at = now
        session.retire_at = now + self._age_max(number)
        self._place(session, now, actions)

    def _open_failed(self, event: OpenFailed, now: float, actions: list[PoolAction]) -> None:
        if given_up := self._in[State.CLOSING].get(event.session):
            self._move(given_up, Move.CLOSED)
        session = self._in[State.OPENING].get(event.session)
        if session is None:
            return
        if session.waiter is not None:
            waiter = self._waiters.pop(session.waiter)
            actions.append(Refuse(waiter.number, event.reason))
        self._move(session, Move.FAILED)
        self._setback(session.begun_at, now, fatal=event.reason in FATAL)

    def _lost(self, number: SessionNo, now: float, actions: list[PoolAction]) -> None:
        session = self._in[State.IDLE].get(number)
        if session is None:
            return
        self._move(session, Move.LOST)
        actions.append(Close(number))
        if not self._settled(session, now):
            self._setback(session.opened_at, now, fatal=False)

    def _returned(self, event: Returned, now: float, actions: list[PoolAction]) -> None:
        session = self._in[State.LENT].get(event.session)
        if session is None:
            return
        self._settled(session, now)
        if event.clean:
            self._place(session, now, actions)
        else:
            self._move(session, Move.DIRTY)
            actions.append(Close(session.number))

    def _close(self, actions: list[PoolAction]) -> None:
        self._closing = True
        actions += [Refuse(number, "pool_closing") for number in self._waiters]
        self._waiters.clear()
        for state in (State.OPENING, State.IDLE, State.LENT):
            for session in tuple(self._in[state].values()):
                self._move(session, Move.SHUT)
                actions.append(Close(session.number))

    def _place(self, session: _Session, now: float, actions: list[PoolAction]) -> None:
        """A clean session is nobody's: it goes to its caller, to the next one, or to the pool."""
        mine = session.waiter
        waiter = (
            self._waiters[mine] if mine is not None else next(iter(self._waiters.values()), None)
        )
        if session.retire_at <= now:
            self._move(session, Move.SURPLUS)
            actions.append(Close(session.number))
        elif waiter is not None:
            self._give(waiter, session, now, actions)
        elif len(self._in[State.IDLE]) < self.limits.size and self._spare() >= 0:
            self._move(session, Move.KEPT)
            actions.append(Keep(session.number))
        else:
            self._move(session, Move.SURPLUS)
            actions.append(Close(session.number))

    def _give(
        self, waiter: _Waiter, session: _Session, now: float, actions: list[PoolAction]
    ) -> None:
        source: Source = "pool" if session.waiter is None else "new"
        if waiter.own == session.number:
            waiter.own = session.waiter = None
        self._forget(waiter.number)
        self._settled(session, now)
        self._move(session, Move.GIVEN)
        waited_ms = round((now - waiter.since) * 1000)
        age_s = now - session.opened_at
        actions.append(Give(waiter.number, session.number, source, waited_ms, age_s))

    def _advance(self, now: float, actions: list[PoolAction]) -> None:
        """What time alone, or room that came free, allows; after it nothing is due at `now`."""
        if self._closing:
            return
        for waiter in tuple(self._waiters.values()):
            if now < waiter.since + self.limits.wait_s_max:
                break
            self._forget(waiter.number)
            actions.append(Refuse(waiter.number, "pool_timeout"))
        for session in tuple(self._in[State.IDLE].values()):
            if session.retire_at <= now:
                self._settled(session, now)
                self._move(session, Move.AGED)
                actions.append(Close(session.number))
        self._open_for_callers(now, actions)
        if now >= self._paused_until:
            for _ in range(self._refills()):
                self._open(None, now, actions)

    def _open_for_callers(self, now: float, actions: list[PoolAction]) -> None:
        """Each caller without an opening waits for one of the pool's, or gets his own."""
        spare = self._openings_of_the_pool()
        for waiter in tuple(self._waiters.values()):
            if waiter.own is not None:
                continue
            patient = now < waiter.since + self.limits.patience_s
            if self._may_open() and not (patient and spare > 0):
                waiter.own = self._open(waiter.number, now, actions)
            elif spare > 0:
                spare -= 1
            elif self._sessions() >= self.limits.sessions_max:
                self._forget(waiter.number)
                actions.append(Refuse(waiter.number, "pool_full"))

    def _open(self, waiter: WaiterNo | None, now: float, actions: list[PoolAction]) -> SessionNo:
        self._number += 1
        number = SessionNo(self._number)
        self._in[State.OPENING][number] = _Session(number, now, waiter)
        actions.append(Open(number))
        return number

    def _move(self, session: _Session, move: Move) -> None:
        """The only change of a session's state."""
        state = NEXT[session.state][move]
        del self._in[session.state][session.number]
        session.state = state
        if state is not State.GONE:
            self._in[state][session.number] = session

    def _setback(self, begun_at: float, now: float, *, fatal: bool) -> None:
        """Pause the pool's own openings. What began before the last setback is the same trouble."""
        if begun_at > self._setback_at:
            for session in self._in[State.IDLE].values():
                self._settled(session, now)
            self._setbacks += 1
            self._setback_at = now
            doublings = min(self._setbacks - 1, DOUBLINGS_MAX)
            pause_s = min(self.limits.pause_s_min * 2**doublings, self.limits.pause_s_max)
            self._paused_until = max(self._paused_until, now + pause_s)
        if fatal:
            self._paused_until = now + self.limits.pause_s_max
        self._proving = True

    def _settled(self, session: _Session, now: float) -> bool:
        """Whether a session has lived long enough to prove that its server is well."""
        settled = now - session.opened_at >= self.limits.settled_s
        if settled and session.opened_at > self._setback_at:
            self._setbacks = 0
        return settled

    def _age_max(self, number: SessionNo) -> float:
        """Sessions opened together retire one after another, over half the greatest age."""
        size = max(self.limits.size, 1)
        return self.limits.age_s_max * (1 - 0.5 * (number % size) / size)

    def _refills(self) -> int:
        """How many openings the pool lacks and may begin, pauses aside; one while it is proving."""
        openings = self._openings_of_the_pool()
        missing = self.limits.size - len(self._in[State.IDLE]) - openings
        if self._proving:
            missing = min(missing, 1 - openings)
        return max(0, min(missing, self._room(), self._spare()))

    def _spare(self) -> int:
        """How many sessions more the key allows; below 0 where callers have more than that."""
        within = self.limits.warm_within
        return self.limits.sessions_max if within is None else within - self._sessions()

    def _openings_of_the_pool(self) -> int:
        return sum(session.waiter is None for session in self._in[State.OPENING].values())

    def _sessions(self) -> int:
        return sum(map(len, self._in.values()))

    def _room(self) -> int:
        return min(
            self.limits.opening_max - len(self._in[State.OPENING]),
            self.limits.sessions_max - self._sessions(),
        )

    def _may_open(self) -> bool:
        return self._room() > 0


def _retire_at(session: _Session) -> float:
    return session.retire_at
