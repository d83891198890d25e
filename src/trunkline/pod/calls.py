"""The calls of this pod: reserved, carried, and what became of those that ended.

A call is here from its first webhook to its end: first reserved (it rings, or its stream is on
the way), then carried by a runner. Of an ended call only the document stays that its redirect
will get, and for a while only; the journal knows it longer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from trunkline.call.so_far import Takeover
from trunkline.core.facts import (
    CallEnded,
    Direction,
    Fact,
    Outcome,
    TransferOrdered,
)
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.neighbour_words import Caller
from trunkline.core.slots import Binding, PodSlots
from trunkline.pod import documents
from trunkline.pod.directory import Line, Prepared
from trunkline.pod.recorder import NO_EPOCH
from trunkline.pod.runner import CallRunner
from trunkline.pod.surroundings import SessionDoor, Surroundings, Toolbox
from trunkline.telemetry.logs import LogName

ENDED_CALLS_MAX: Final = 1_000
"""Ends kept in memory for redirects that come while the journal is away; the oldest goes first."""

HOUSEKEEPING_S: Final = 1.0
"""How often reserved slots are looked through; they expire by their own time."""

REDIRECT_S_MAX: Final = 3.0
"""So long after an end of ours its redirect may be on its way: the carrier takes 1-2 s. A pod that
goes waits for it, for a transfer is dialled by nobody else."""

RESUMES_MAX: Final = 3
RESUMES_WINDOW_S: Final = 60.0
"""More resumes than this within the window: the call goes to the overflow action."""


class Identity(NamedTuple):
    """Who this pod is, and what the world calls it."""

    pod: PodName
    incarnation: Incarnation
    public_url: str
    pinned: bool = True
    """Whether the streams of its documents name a pod, or come to any."""


@dataclass(slots=True)
class LiveCall:
    """A call with a slot on this pod."""

    call: CallSid
    epoch: Epoch
    caller: Caller
    line: Line
    prepared: Prepared
    opened_at_ms: int
    """When the present epoch began, by Redis time: a ticket is issued then."""
    since: float
    """When it came, by the loop's clock."""
    model: str = ""
    """Which of its models has the room that it was let in for; empty: nobody asked."""
    document: str = ""
    """What its webhook was answered; a repeated one gets the same."""
    promised: bool = False
    """Its webhook was repeated before a stream came: two may come."""
    runner: CallRunner | None = None
    answered_at: float = 0.0
    """When its first stream came, by the loop's clock."""
    transfer_number: str | None = None
    taken_over: Takeover | None = None
    """What another pod left, where one carried it before."""
    former: Epoch = NO_EPOCH
    """The epoch of its newest document, where a move that failed left that behind; 0 else. The
    carrier's next redirect has a token of it."""
    moving: bool = False
    """This pod is giving it away: it has a later epoch by our own doing."""
    moves: dict[Epoch, Epoch] = field(default_factory=dict)
    """Epochs whose tickets named no pod, and under which epoch the call went on with each."""
    resumes: list[float] = field(default_factory=list)
    """When it was resumed within the last `RESUMES_WINDOW_S`."""

    @property
    def direction(self) -> Direction:
        """Who called whom."""
        return self.caller.direction

    @property
    def was_answered(self) -> bool:
        """Whether a stream had carried it elsewhere before it came here."""
        return self.taken_over is not None and self.taken_over.so_far.streams > 0

    def is_under(self, epoch: Epoch) -> bool:
        """Whether a ticket of this epoch is the call's present one."""
        return self.moves.get(epoch, epoch) == self.epoch


class Calls:
    """Every call with a slot on this pod."""

    def __init__(
        self,
        slots: PodSlots,
        around: Surroundings,
        *,
        doors: Mapping[str, SessionDoor],
        toolbox: Callable[[LiveCall], Toolbox],
        tasks: asyncio.TaskGroup,
        on_released: Callable[[CallSid, Epoch], None] = lambda _call, _epoch: None,
        was_silent: Callable[[], bool] = lambda: False,
    ) -> None:
        """`on_released` is told of each slot that is free again. `was_silent`: whether other pods
        may have taken this one for dead.
        """
        self._slots = slots
        self._around = around
        self._doors = doors
        self._toolbox = toolbox
        self._tasks = tasks
        self._on_released = on_released
        self._was_silent = was_silent
        self._loop = asyncio.get_running_loop()
        self._live: dict[CallSid, LiveCall] = {}
        self._ended: OrderedDict[CallSid, tuple[str, Epoch]] = OrderedDict()
        """What its redirect gets, and under which epoch it ended here."""
        self._owed: OrderedDict[CallSid, float] = OrderedDict()
        """Ends of ours whose redirect has not come yet, and when they were, by the loop's clock."""
        self._changed = asyncio.Event()
        self._cut = asyncio.Event()

    def get(self, call: CallSid) -> LiveCall | None:
        """A call that has not ended."""
        return self._live.get(call)

    def all(self) -> list[LiveCall]:
        """Reserved and carried calls."""
        return list(self._live.values())

    def ended(self, call: CallSid) -> str | None:
        """What the redirect of a call gets that ended here not long ago."""
        found = self._ended.get(call)
        return None if found is None else found[0]

    @property
    def is_cut(self) -> bool:
        """Whether the pod ends the calls that are left: it begins none any more."""
        return self._cut.is_set()

    def add(self, live: LiveCall) -> None:
        """A call has a slot, and waits for its stream."""
        assert live.call not in self._live
        self._live[live.call] = live

    def decline(self, call: CallSid, epoch: Epoch) -> None:
        """The fleet gave this pod a call that does not go on: its slot there is free."""
        self._on_released(call, epoch)

    def free(self, call: CallSid) -> None:
        """Give back the slot of a call that was not added after all."""
        assert call not in self._live
        self._slots.release(call)
        self._on_released(call, NO_EPOCH)
        self._changed.set()

    def carry(self, live: LiveCall) -> CallRunner | None:
        """The call's runner, started if there is none; None if its slot expired, or it is over."""
        if live.runner is not None and live.runner.ended is not None:
            return None
        if self._slots.bind(live.call, live.epoch, self._loop.time()) is not Binding.BOUND:
            return None
        if live.runner is None:
            live.answered_at = self._loop.time()
            models = live.prepared.models
            live.runner = runner = CallRunner(
                live.call,
                live.prepared.plan,
                [self._doors[model] for model in models],
                self._toolbox(live),
                self._around,
                on_fact=lambda fact: self.heard(live, fact),
                first_model=models.index(live.model) if live.model in models else 0,
                on_seated=lambda place: self._slots.move(live.call, models[place]),
                taken_over=live.taken_over,
                was_silent=self._was_silent,
            )
            task = self._tasks.create_task(runner.run(), name=f"call {live.call}")
            # Not in the task itself: one that is cancelled before it began runs nothing of its own.
            task.add_done_callback(lambda _: self._left(live, runner))
            if live.promised:
                runner.stream_promised()
        return live.runner

    def answer_again(self, live: LiveCall) -> str:
        """What a repeated webhook of the call gets: the carrier may obey it twice."""
        live.promised = True
        if live.runner is not None:
            live.runner.stream_promised()
        return live.document

    def advance(self, live: LiveCall, epoch: Epoch, opened_at_ms: int) -> None:
        """The call goes on here under a later epoch; its next stream will come with it."""
        live.epoch, live.former, live.opened_at_ms = epoch, NO_EPOCH, opened_at_ms
        self._slots.reserve(
            live.call, epoch, self._loop.time(), direction=live.direction, bounds=live.line.bounds
        )
        self._around.recorder.begin(live.call, epoch)

    def let_go(self, call: CallSid) -> None:
        """A later epoch of the call is another pod's: nothing more is said or written for it."""
        live = self._live.get(call)
        if live is None:
            return
        self._around.recorder.let_go(call)
        if live.runner is not None:
            live.runner.let_go()
        self._leave(live)  # At once: the call may come back while its runner leaves.

    def lost(self, call: CallSid) -> None:
        """The fleet says that another pod has the call; of our own moves that is no news."""
        live = self._live.get(call)
        if live is not None and not live.moving:
            self.let_go(call)

    def let_go_of_past(self, call: CallSid, epoch: Epoch) -> None:
        """Another pod had the call under this epoch: what is here of an earlier one is over."""
        if (ended := self._ended.get(call)) is not None and ended[1] < epoch:
            del self._ended[call]
        if (live := self._live.get(call)) is not None and live.epoch < epoch:
            self.let_go(call)

    def may_resume(self, live: LiveCall) -> bool:
        """Count a resume; False if there were too many of late."""
        now = self._loop.time()
        live.resumes = [at for at in live.resumes if now - at < RESUMES_WINDOW_S]
        live.resumes.append(now)
        return len(live.resumes) <= RESUMES_MAX

    def give_up(self, live: LiveCall, reason: str) -> None:
        """End a call that this pod can't carry any longer."""
        if live.runner is not None:
            live.runner.give_up(reason)
        else:
            self.drop_reserved(live, Outcome.FAILED, reason)

    def drop_reserved(self, live: LiveCall, outcome: Outcome, reason: str) -> None:
        """End a call whose stream never came."""
        assert live.runner is None
        ended = CallEnded(outcome, reason)
        self._around.recorder.record(live.call, ended)
        self.heard(live, ended)
        self._leave(live)

    def redirected(self, call: CallSid) -> None:
        """The redirect behind a call's end has come."""
        if self._owed.pop(call, None) is not None:
            self._changed.set()

    def remember(self, call: CallSid, document: str, epoch: Epoch) -> None:
        """What the redirect of a call gets from now on, which ended here under this epoch."""
        self._ended[call] = document, epoch
        if len(self._ended) > ENDED_CALLS_MAX:
            self._ended.popitem(last=False)

    def heard(self, live: LiveCall, fact: Fact) -> None:
        """What the pod must know of a call: where it goes, and that it is over."""
        match fact:
            case TransferOrdered():
                live.transfer_number = fact.number
            case CallEnded():
                document = documents.after_end(
                    fact.outcome, live.transfer_number, live.line.overflow
                )
                self.remember(live.call, document, live.epoch)
                if live.runner is not None:
                    self._around.costs.call(live.direction, self._loop.time() - live.answered_at)
                    if fact.outcome is not Outcome.CALLER_ENDED:
                        self._owe(live.call)
                self.tell_end(live.call, live.direction, fact)
            case _:
                pass

    def tell_end(self, call: CallSid, direction: Direction, end: CallEnded) -> None:
        """A call is over: count it and write a line."""
        self._around.metrics.call_ended(direction, end.outcome)
        self._around.log.info(LogName.CALL_ENDED, call=call, outcome=end.outcome, reason=end.reason)

    async def keep_house(self) -> None:
        """Let reserved slots expire whose stream never came. Runs until cancelled."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            self.expire(self._loop.time())

    def expire(self, now: float) -> None:
        """End the calls whose slot was reserved and whose stream has not come by now."""
        for call in self._slots.expire(now):
            if (live := self._live.get(call)) is not None:
                if live.was_answered:
                    self.drop_reserved(live, Outcome.FAILED, "stream_lost")
                else:
                    self.drop_reserved(live, Outcome.ABANDONED, "no_stream")
        self._changed.set()

    # The pod goes.

    async def drain(self, grace_s_max: float) -> None:
        """Refuse new calls, let those here end within the grace period, then end them.

        Returns when none is left and the redirects behind the last ends have come.
        """
        self._slots.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s_max):
                await self._until_empty_or_cut()
        if self._live or self._slots.held:
            self._around.log.warning(LogName.DRAIN_CUT, count=len(self._live))
            self.cut()
        await self._until_empty()  # Bounded by the runners' own ends.
        with suppress(TimeoutError):
            async with asyncio.timeout(REDIRECT_S_MAX):
                await self._until_redirected()

    def cut(self) -> None:
        """End the calls that are left, now; those that are being answered will not begin."""
        self._slots.close()
        self._cut.set()
        self._changed.set()
        for live in self.all():
            self.give_up(live, "drained")

    async def _until_empty_or_cut(self) -> None:
        while (self._live or self._slots.held) and not self.is_cut:
            await self._change()

    async def _until_empty(self) -> None:
        while self._live or self._slots.held:
            await self._change()

    async def _until_redirected(self) -> None:
        while self._prune_owed():
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _owe(self, call: CallSid) -> None:
        self._prune_owed()
        self._owed[call] = self._loop.time()

    def _prune_owed(self) -> bool:
        """Forget redirects that will not come any more; whether one is awaited."""
        late = self._loop.time() - REDIRECT_S_MAX
        while self._owed and next(iter(self._owed.values())) <= late:
            self._owed.popitem(last=False)
        return bool(self._owed)

    def _left(self, live: LiveCall, runner: CallRunner) -> None:
        """Its task is over, however it ended."""
        runner.abandon()
        self._leave(live)

    def _leave(self, live: LiveCall) -> None:
        if self._live.get(live.call) is not live:
            return  # It was let go of.
        del self._live[live.call]
        self._slots.release(live.call)
        self._on_released(live.call, live.epoch)
        self._changed.set()
