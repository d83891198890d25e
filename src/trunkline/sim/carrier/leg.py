"""The status of one call leg: its phase, its times, and the callbacks that tell of them."""

import math

from trunkline.sim.carrier.account import Account
from trunkline.sim.carrier.forms import CallPlan, status_form, verdict_form
from trunkline.sim.carrier.outbox import Outbox
from trunkline.sim.carrier.phases import NEXT, OVER, Phase
from trunkline.sim.carrier.report import Diary, Said


class Leg:
    """Moves along `phases.NEXT` only; callbacks are numbered from 0 in the order of events."""

    def __init__(self, plan: CallPlan, account: Account, outbox: Outbox, diary: Diary) -> None:
        self.phase = Phase.QUEUED
        self.is_over = False
        """Whether the call has ended."""
        self.began_at = 0.0
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.ended_by = ""
        self.answered_by: str | None = None
        """The machine detection's verdict, once it is known."""
        self._plan = plan
        self._account = account
        self._outbox = outbox
        self._diary = diary
        self._sequence = 0

    @property
    def talked_s(self) -> int:
        """Whole seconds from answer to end, as they are billed; 0 for a call never answered."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return math.ceil(self.ended_at - self.answered_at)

    def rings(self, now: float) -> None:
        """The call begins."""
        self.began_at = now
        if not self._plan.is_inbound:
            self._tell("initiated", "initiated", now)
        self._enter(Phase.RINGING, now)
        self._tell("ringing", Phase.RINGING, now)

    def is_answered(self, now: float) -> None:
        """Somebody answers."""
        self._enter(Phase.IN_PROGRESS, now)
        self.answered_at = now
        self._tell("answered", Phase.IN_PROGRESS, now)

    def ends(self, phase: Phase, by: str, now: float) -> None:
        """The call is over: `by` is the caller, the callee, the agent, the api or the carrier."""
        self._enter(phase, now)
        self.ended_by, self.ended_at = by, now
        self._tell("completed", phase, now)

    def _enter(self, phase: Phase, now: float) -> None:
        assert phase in NEXT[self.phase], f"{self.phase} to {phase}"
        self.phase, self.is_over = phase, phase in OVER
        self._diary.note(now, Said.PHASE, phase)

    def _tell(self, event: str, status: str, now: float) -> None:
        """A status callback, if anybody wants this one."""
        plan = self._plan
        if plan.status_url is None or event not in plan.status_events:
            return
        duration_s = self.talked_s if self.is_over else None
        form = status_form(
            plan, self._account, status, self._sequence, now, duration_s, self.answered_by
        )
        self._sequence += 1
        self._outbox.callback(plan.status_url, plan.status_method, form, now)

    def hears_verdict(self, now: float) -> None:
        """The machine detection has decided who answered."""
        plan = self._plan
        self.answered_by = plan.callee.answered_by
        if plan.detect_async and plan.verdict_url is not None:
            form = verdict_form(plan, self._account)
            self._outbox.callback(plan.verdict_url, plan.verdict_method, form, now)
