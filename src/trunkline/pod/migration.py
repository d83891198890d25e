"""A pod that drains hands its calls to others, each at its next quiet moment.

First the call has its slot on another pod, under a higher epoch, and that pod has read its journal;
then its stream closes here, and the carrier's next verb leads there. Without a slot elsewhere the
call stays until there is one, or until it ends.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from trunkline.core.facts import ResumeCause
from trunkline.core.fleet_states import Claim, Life, Target
from trunkline.core.ids import CallSid
from trunkline.core.neighbour_words import Take, Told
from trunkline.errors import StoreError
from trunkline.pod.calls import Calls, Identity, LiveCall
from trunkline.pod.recorder import Recorder
from trunkline.ports import Journal, Neighbours, PodAt, Resumption, Slots
from trunkline.telemetry.logs import Log, LogName

INGRESS_S: Final = 5.0
"""From the word to drain to the first move: the ingress must know that this pod gets no calls."""

PATIENCE_S: Final = 10.0
"""So long a call may go on without a quiet moment; then it is moved all the same."""

LOOK_S: Final = 0.1
"""How often a call is looked at for one."""

RETRY_S: Final = 2.0
"""Wait before a call that could not be moved is tried again, quiet or not."""

MOVES_AT_ONCE_MAX: Final = 8
"""Calls on their way at the same time: what takes them reads their journals and opens sessions."""

SETTLE_S_MAX: Final = 2.0
"""So long the journal may take to hold all that was recorded here; then it is tried again."""


class Stage(StrEnum):
    """Where a call of a pod that drains is."""

    WAITS = "waits"
    """It goes on here, and waits for a quiet moment."""
    HANDED = "handed"
    """Its next epoch is made: which pod goes on will be known in a moment."""
    MOVED = "moved"
    """Another pod goes on with it; its stream here is closed."""


NEXT: Final[Mapping[Stage, Mapping[Stage, str]]] = MappingProxyType(
    {
        Stage.WAITS: {
            Stage.HANDED: "a quiet moment, or 10 s without one",
        },
        Stage.HANDED: {
            Stage.MOVED: "another pod has a slot for it and has read its journal",
            Stage.WAITS: "no slot, or that pod does not answer and the call is taken back",
        },
        Stage.MOVED: {},
    }
)
"""`docs/explain/drain.md` is drawn from it. A call that ends leaves from anywhere."""


@dataclass(slots=True)
class _Move:
    stage: Stage
    since: float
    """Since when it waits, by the loop's clock."""
    tried: float | None = None
    """When it was last seen that it could not be moved."""

    def to(self, stage: Stage) -> None:
        assert stage in NEXT[self.stage], f"{self.stage} to {stage}"
        self.stage = stage


class Migration:
    """Moves every call of this pod that can be moved; `run` ends when it is cancelled."""

    def __init__(
        self,
        me: Identity,
        calls: Calls,
        *,
        slots: Slots,
        journal: Journal,
        neighbours: Neighbours,
        recorder: Recorder,
        log: Log,
        now: Callable[[], float],
        ingress_s: float = INGRESS_S,
        patience_s: float = PATIENCE_S,
        retry_s: float = RETRY_S,
    ) -> None:
        """`now` is the loop's clock."""
        self._me = me
        self._calls = calls
        self._slots = slots
        self._journal = journal
        self._neighbours = neighbours
        self._recorder = recorder
        self._log = log
        self._now = now
        self._ingress_s = ingress_s
        self._patience_s = patience_s
        self._retry_s = retry_s
        self._moves: dict[CallSid, _Move] = {}
        """Of the calls that are here."""
        self.moved = 0
        """Calls that other pods have taken."""

    async def run(self) -> None:
        """Move calls until cancelled."""
        await asyncio.sleep(self._ingress_s)
        async with asyncio.TaskGroup() as tasks:
            while True:
                here = {live.call: live for live in self._calls.all()}
                fresh = _Move(Stage.WAITS, self._now())
                self._moves = {call: self._moves.get(call, replace(fresh)) for call in here}
                for live in here.values():
                    move = self._moves[live.call]
                    if self._has_room and self._may_go(live, move):
                        move.to(Stage.HANDED)
                        live.moving = True
                        tasks.create_task(self._move(live, move), name=f"move {live.call}")
                await asyncio.sleep(LOOK_S)

    @property
    def _has_room(self) -> bool:
        handed = sum(move.stage is Stage.HANDED for move in self._moves.values())
        return handed < MOVES_AT_ONCE_MAX

    def _may_go(self, live: LiveCall, move: _Move) -> bool:
        """A call whose stream has yet to start is not torn from it."""
        runner = live.runner
        if runner is None or move.stage is not Stage.WAITS:
            return False
        now = self._now()
        if move.tried is not None and now - move.tried < self._retry_s:
            return False
        return runner.is_quiet or now - move.since >= self._patience_s

    async def _move(self, live: LiveCall, move: _Move) -> None:
        """One call. One that stays is looked at again after a while."""
        try:
            if await self._hand_over(live):
                self.moved += 1
                move.to(Stage.MOVED)
                return
        except StoreError as error:
            self._log.warning(LogName.FLEET_AWAY, call=live.call, reason=str(error))
        finally:
            live.moving = False
        move.to(Stage.WAITS)
        move.tried = self._now()

    async def _hand_over(self, live: LiveCall) -> bool:
        """Whether another pod has the call now."""
        call = live.call
        if not await self._recorder.settle(call, SETTLE_S_MAX):
            return False
        line = live.line
        claim = Claim(live.direction, line.tenant, line.vertical, live.model)
        target = Target(exclude=(self._me.pod,), newest=True)
        resumed = await self._slots.resume(call, live.epoch, target, claim)
        if not isinstance(resumed, Resumption):
            return False
        order = Take(
            live.caller,
            resumed.epoch,
            resumed.head.seq,
            resumed.head.hash,
            resumed.opened_at_ms,
            resumed.now_ms,
            live.model,
            ResumeCause.MIGRATED,
            self._me.pod,
        )
        at = PodAt(resumed.life, resumed.address)
        answer = await self._neighbours.take(at, call, order)
        taken = answer is not None and bool(answer.document)
        if self._calls.ended(call) is not None:
            await self._pass_on_end(call, at, resumed, taken=taken)
            return True
        if not taken:
            await self._take_back(live, resumed)
            return False
        self._log.info(LogName.CALL_MOVED, call=call, detail=resumed.life.pod)
        if self._calls.get(call) is live:
            self._calls.let_go(call)
        return True

    async def _pass_on_end(
        self, call: CallSid, at: PodAt, resumed: Resumption, *, taken: bool
    ) -> None:
        """It ended here on its way: whoever may write its record must know."""
        if taken:
            await self._neighbours.tell(at, call, Told("completed"))
        else:
            me = self._me
            await self._journal.resume_call(call, resumed.epoch, me.pod, me.incarnation)

    async def _take_back(self, live: LiveCall, resumed: Resumption) -> None:
        """The other pod did not take it: it is ours again, under a still higher epoch.

        Unless a redirect has led there already: then it is whoever's that answers the next.
        """
        me = self._me
        if self._calls.get(live.call) is not live:
            return
        asked_from = live.former or live.epoch
        here = Target(Life(me.pod, me.incarnation), asked_from=asked_from)
        line = live.line
        claim = Claim(live.direction, line.tenant, line.vertical, live.model)
        back = await self._slots.resume(live.call, resumed.epoch, here, claim)
        if self._calls.get(live.call) is not live:
            return
        if isinstance(back, Resumption) and back.life == here.life:
            self._recorder.begin(live.call, back.epoch, back.head)
            self._calls.advance(live, back.epoch, back.opened_at_ms)
            live.former = asked_from
        else:
            self._calls.let_go(live.call)
