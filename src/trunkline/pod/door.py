"""The pool in act: it opens, watches, lends and closes what `core.pool` says.

All tasks hang on the TaskGroup in `run`. A borrower gets a session in an envelope of his own: it
notes whether anything was sent, and when he gives it back it is his no more, whatever he does.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, assert_never

from trunkline.core.breaker import BREAKER_OPEN, Breaker, BreakerState
from trunkline.core.capacity import Capacity
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
    Source,
    WaiterNo,
    Wanted,
)
from trunkline.core.pool_states import State
from trunkline.errors import ModelError, ModelProtocolError
from trunkline.pod.alarm import Alarm
from trunkline.ports import FrameListener, LossListener, ModelDoor, ModelSession
from trunkline.wire.realtime import server

OPEN_S_MAX: Final = 15.0
"""An opening that a `ModelDoor` has not ended by then, its own deadlines aside, has failed."""

SHUTDOWN_S_MAX: Final = 3.0
"""From the end of `run` to the last session's end; then what is left is cut."""


@dataclass(frozen=True, slots=True)
class Acquired:
    """A session that no caller has used, and how it came.

    `waited_ms` from wish to session; `age_s` since `session.created`.
    """

    session: ModelSession
    source: Source
    model: str
    waited_ms: int
    age_s: float


class Lent:
    """A session in the hands of one borrower."""

    __slots__ = ("_door", "_inner", "id", "number", "used")

    def __init__(self, inner: ModelSession, number: SessionNo, door: "Door") -> None:
        self.id = inner.id
        self.number = number
        self.used = False
        self._inner: ModelSession | None = inner
        self._door = door

    def listen(self, on_frame: FrameListener, on_lost: LossListener) -> None:
        """As the port says; after the return nothing is delivered."""
        if self._inner is not None:
            self._inner.listen(on_frame, on_lost)

    def send(self, text: bytes) -> None:
        """As the port says; after the return it is swallowed."""
        if self._inner is not None:
            self.used = True
            self._inner.send(text)

    def send_audio(self, text: bytes) -> bool:
        """As the port says; after the return it is swallowed."""
        if self._inner is None:
            return True
        self.used = True
        return self._inner.send_audio(text)

    async def close(self) -> None:
        """Give it back as used: the pool closes it."""
        self._door.release(self, clean=False)

    def revoke(self) -> bool:
        """Take it from the borrower; whether it still was his."""
        was_his, self._inner = self._inner is not None, None
        return was_his


class Door:
    """Where the pod's calls get their sessions: warm ones if there are any."""

    def __init__(
        self,
        model_door: ModelDoor,
        limits: PoolLimits,
        model: str,
        *,
        on_failure: Callable[[str], None] | None = None,
        open_s_max: float = OPEN_S_MAX,
        shutdown_s_max: float = SHUTDOWN_S_MAX,
    ) -> None:
        """Each failed opening and each idle session lost is told to `on_failure`, with a reason."""
        self.model = model
        self._model_door = model_door
        self._pool = Pool(limits)
        self._breaker = Breaker()
        self._capacity = Capacity()
        self._on_failure = on_failure
        self._open_s_max = open_s_max
        self._shutdown_s_max = shutdown_s_max
        self._tasks: asyncio.TaskGroup | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._openings: dict[SessionNo, asyncio.Task[None] | None] = {}
        """None until the task runs: one that is cancelled before would never say so."""
        self._sessions: dict[SessionNo, ModelSession] = {}
        self._waiters: dict[WaiterNo, asyncio.Future[Acquired]] = {}
        self._callers = 0
        self._timer = Alarm(self._tick)
        self._closed = asyncio.Event()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Keep the pool until `close` or cancelled; then leave no session, task or timer behind.

        Sessions still lent are closed too: end the calls first.
        """
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._perform(self._pool.tick(_now()))
            try:
                await self._closed.wait()
            finally:
                self._receive(Closing())
                self._tasks = None
                self._timer.stop()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._shutdown_s_max):
                        await self._until_empty()
                for task in self._work:
                    task.cancel()

    def close(self) -> None:
        """End `run` soon: nobody is served any more."""
        self._closed.set()

    async def acquire(self) -> Acquired:
        """A session for one caller: a warm one at once, else as the pool decides.

        While the breaker is open only a session that is there already can be had.

        Raises:
            ModelError: none could be had; its text is a short reason without secrets.
        """
        if self._tasks is None:
            raise ModelError("pool_closing")
        if not self._pool.statistics().idle and not self._breaker.admit(_now()):
            raise ModelError(BREAKER_OPEN)
        self._callers += 1
        waiter = WaiterNo(self._callers)
        answer: asyncio.Future[Acquired] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = answer
        try:
            self._receive(Wanted(waiter))
            return await answer
        except asyncio.CancelledError:
            if answer.cancelled():
                self._receive(Abandoned(waiter))
            elif answer.exception() is None:  # It came, and nobody woke up to take it.
                self.release(answer.result().session, clean=True)
            raise
        finally:
            del self._waiters[waiter]

    def release(self, session: ModelSession, *, clean: bool) -> None:
        """Give a session back, once; a second time does nothing.

        `clean` says that nothing was sent on it. Where something was, it is closed all the same.
        """
        assert isinstance(session, Lent), "only what was acquired can be released"
        clean = clean and not session.used
        if not session.revoke():
            return
        if clean and session.number in self._sessions:
            self._watch(session.number)
        self._receive(Returned(session.number, clean))

    def blame(self, reason: str, begun_at: float) -> None:
        """The model failed a call in what began then, by the loop's clock."""
        self._breaker.failed(reason, begun_at, _now())

    def tokens_told(self, limit: int, remaining: int, reset_s: float) -> None:
        """The model's word on the tokens of its minute."""
        self._capacity.told(limit, remaining, reset_s, _now())

    def tokens_used(self, tokens: int, apart_s: float | None) -> None:
        """A response took so many, so long after its session's last one."""
        self._capacity.used(tokens, apart_s)

    def has_room(self, calls: int) -> bool:
        """Whether the minute's tokens do for one more call beside so many."""
        return self._capacity.has_room(calls, _now())

    @property
    def limits(self) -> PoolLimits:
        """The pool's bounds."""
        return self._pool.limits

    def relimit(self, limits: PoolLimits) -> None:
        """The config says otherwise from now on; what is open stays."""
        self._pool.limits = limits
        if self._tasks is not None:
            self._tick()

    @property
    def size(self) -> int:
        """How many sessions are kept warm."""
        return self._pool.limits.size

    @property
    def is_shut(self) -> bool:
        """Whether the breaker keeps callers out."""
        return self._breaker.state is not BreakerState.CLOSED

    def statistics(self) -> dict[str, int]:
        """How many sessions stand where: `realtime_pool_sessions{state}`."""
        counts = self._pool.statistics()
        return {
            State.OPENING: counts.opening,
            State.IDLE: counts.idle,
            State.LENT: counts.lent,
            State.CLOSING: counts.closing,
        }

    # Deciding.

    def _receive(self, event: Event) -> None:
        self._perform(self._pool.receive(event, _now()))
        self._changed.set()

    def _tick(self) -> None:
        self._perform(self._pool.tick(_now()))

    def _perform(self, actions: list[PoolAction]) -> None:
        for action in actions:
            match action:
                case Open():
                    self._openings[action.session] = None
                    self._start(self._open(action.session), f"open {action.session}")
                case Give():
                    self._give(action)
                case Refuse():
                    answer = self._waiters[action.waiter]
                    if not answer.done():  # Else cancelled, and not yet awake to say so.
                        answer.set_exception(ModelError(action.reason))
                case Keep():
                    self._watch(action.session)
                case Close():
                    self._close(action.session)
                case _:
                    assert_never(action)
        self._arm()

    def _arm(self) -> None:
        """One timer, set anew only when it would fire too late."""
        deadline = self._pool.deadline()
        if deadline is not None:
            self._timer.set(deadline)

    # Acting.

    def _give(self, give: Give) -> None:
        lent = Lent(self._sessions[give.session], give.session, self)
        acquired = Acquired(lent, give.source, self.model, give.waited_ms, give.age_s)
        answer = self._waiters[give.waiter]
        if answer.done():  # Cancelled, and not yet awake to say so.
            asyncio.get_running_loop().call_soon(partial(self.release, lent, clean=True))
        else:
            answer.set_result(acquired)

    def _watch(self, number: SessionNo) -> None:
        """Nobody's session: its loss is news, and so is an error on it."""
        on_message = partial(self._heard_idle, number)
        self._sessions[number].listen(on_message, partial(self._lost_idle, number))

    def _heard_idle(self, number: SessionNo, text: memoryview) -> None:
        try:
            well = not isinstance(server.decode(text), server.Error)
        except ModelProtocolError:
            well = False
        if not well:
            self._lost_idle(number, "refused")

    def _lost_idle(self, number: SessionNo, reason: str) -> None:
        self._failed(reason)
        self._receive(Lost(number))

    def _failed(self, reason: str) -> None:
        if self._on_failure is not None:
            self._on_failure(reason)

    def _close(self, number: SessionNo) -> None:
        if number not in self._openings:
            self._start(self._end(number), f"close {number}")
        elif (opening := self._openings.pop(number)) is not None:
            opening.cancel()

    def _start(self, work: Coroutine[None, None, None], name: str) -> None:
        assert self._tasks is not None
        task = self._tasks.create_task(work, name=name)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _open(self, number: SessionNo) -> None:
        if number not in self._openings:  # Given up before it began.
            self._receive(Closed(number))
            return
        self._openings[number] = asyncio.current_task()
        begun_at = _now()
        try:
            failure = await _outcome(self._fetch(number))
        except asyncio.CancelledError:
            await self._end(number)
            raise
        self._openings.pop(number, None)
        if failure is None:
            self._breaker.succeeded()
            self._receive(Opened(number))
        else:
            self._breaker.failed(failure, begun_at, _now())
            self._failed(failure)
            self._receive(OpenFailed(number, failure))

    async def _fetch(self, number: SessionNo) -> None:
        async with asyncio.timeout(self._open_s_max):
            self._sessions[number] = await self._model_door.open()

    async def _end(self, number: SessionNo) -> None:
        """Close what there is of a session, and say so."""
        session = self._sessions.get(number)
        try:
            if session is not None:
                await _outcome(session.close())
        finally:
            self._sessions.pop(number, None)
            self._receive(Closed(number))

    async def _until_empty(self) -> None:
        while any(self.statistics().values()):
            self._changed.clear()
            await self._changed.wait()


async def _outcome(work: Coroutine[None, None, None]) -> str | None:
    """Why the work failed, if it did. A bug in it costs a session, not the pod."""
    (failure,) = await asyncio.gather(work, return_exceptions=True)
    if failure is None:
        return None
    if isinstance(failure, ModelError):
        return str(failure)
    if isinstance(failure, TimeoutError):
        return "timeout"
    asyncio.get_running_loop().call_exception_handler(
        {"message": "a session's door failed", "exception": failure}
    )
    return "internal_error"


def _now() -> float:
    return asyncio.get_running_loop().time()
