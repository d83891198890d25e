"""One simulated call leg, from its first ring to its last callback.

`place` begins it; then events come in, actions go out, and `tick` comes when `deadline` says.
The phase is Twilio's own call status; what the document does meanwhile is `run`'s.
"""

import math
import random
from typing import Final, assert_never

from trunkline.errors import CarrierProtocolError
from trunkline.sim.caller import HungUp, Person
from trunkline.sim.carrier.account import Account
from trunkline.sim.carrier.events import (
    Action,
    Event,
    Finished,
    PersonHungUp,
    StreamBinary,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    StreamStalled,
    StreamText,
    Updated,
    WebhookAnswered,
    WebhookFailed,
)
from trunkline.sim.carrier.faults import AfterLoss, Duplicate
from trunkline.sim.carrier.fetch import Fetched, Fetcher, NotFetched
from trunkline.sim.carrier.forms import CallPlan, voice_form
from trunkline.sim.carrier.leg import Leg
from trunkline.sim.carrier.outbox import Outbox
from trunkline.sim.carrier.phases import Phase, Timer
from trunkline.sim.carrier.program import Program
from trunkline.sim.carrier.report import Diary, Said
from trunkline.sim.carrier.run import (
    Answer,
    Broken,
    Fetch,
    Finish,
    HandOver,
    Order,
    Run,
    Sleep,
    Speak,
    Stream,
)
from trunkline.sim.carrier.streams import Outcome, Streams, aftermath
from trunkline.sim.carrier.timers import Timers
from trunkline.sim.ledger import Ledger
from trunkline.sim.tally import Marks
from trunkline.wire import twiml_reading as twiml

FETCHES_MAX: Final = 2_000
"""Documents asked for in one call: beyond it the call fails, since they run in a circle."""

PERSON_S: Final = 0.1
"""How often the person's script is looked at while no stream's frames do so."""

ERROR_WORDS: Final = "We are sorry. An application error has occurred. Goodbye."
ERROR_S: Final = 3.0
"""How long the carrier's own error message plays."""

HANG_UP_S: Final = 0.02
"""From a lost stream to the caller's hang-up, where a fault wants it."""


class CarrierCall:
    """One call leg at the carrier, and the person on it."""

    def __init__(
        self, plan: CallPlan, account: Account, person: Person, rng: random.Random,
        marks: Marks | None = None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.person = person
        self.ledger, self.marks = Ledger(), marks
        self.is_finished = False
        self.run = Run(account)
        self.diary = Diary()
        self.outbox = Outbox(account, rng)
        self.leg = Leg(plan, account, self.outbox, self.diary)
        self.fetcher = Fetcher(self.outbox)
        ends = self.diary, self.ledger, self.outbox, marks
        self.streams = Streams(plan.sid, account, person, rng, *ends)
        self.setup_s: float | None = None
        self.told: list[tuple[float, str]] = []
        self.dialled: list[str] = []
        self._account = account
        self._timers: Timers[Timer] = Timers()
        self._out: list[Action] = []
        self._stream: Stream | None = None
        self._told_since: float | None = None
        self._fetches = 0

    def place(self, now: float) -> list[Action]:
        """The call begins: an inbound one asks for its document, an outbound one rings."""
        plan = self.plan
        self.leg.rings(now)
        if plan.is_inbound:
            if plan.give_up_s is not None:
                self._timers.set(Timer.GIVE_UP, now + plan.give_up_s)
            self._ask_first(now)
        else:
            never = plan.callee.result == "no-answer"
            ring_s = plan.ring_s_max if never else min(plan.callee.ring_s, plan.ring_s_max)
            self._timers.set(Timer.RING, now + ring_s)
        return self._take(now)

    def receive(self, event: Event, now: float) -> list[Action]:
        """Something happened."""
        self.streams.calm_until(0.0)
        match event:
            case StreamText():  # The hot case first.
                return self.streams.receive(event, now)[0]
            case (
                StreamOpened() | StreamRefused() | StreamBinary() | StreamClosed() | StreamStalled()
            ):
                actions, outcome = self.streams.receive(event, now)
                self._out += actions
                self._stream_over(outcome, now)
                if isinstance(event, StreamOpened) and event.stream == 0:
                    self._set(Timer.REPLAY, self._account.faults.replay_after_s, now)
            case WebhookAnswered() | WebhookFailed():
                self._fetched(self.fetcher.receive(event, now), now)
            case PersonHungUp():
                self._hang_up(now)
            case Updated():
                self._update(event, now)
            case _:
                assert_never(event)
        return self._take(now)

    def tick(self, now: float) -> list[Action]:
        """Do what is due."""
        if (frame := self.streams.calm(now)) is not None:  # The usual case.
            return [frame]
        actions = self.streams.tick(now)
        if self.person.orders:
            self._obey(now)
        if now >= self._timers.next:
            while (timer := self._timers.take(now)) is not None:
                self._fire(timer, now)
        if self._out or self.outbox.later or self.leg.is_over:
            actions += self._take(now)
        self.streams.calm_until(0.0 if self.outbox.later else self._timers.next)
        return actions

    def deadline(self) -> float | None:
        """When `tick` must come."""
        if (at := self.streams.calm_at()) is not None:  # The usual case.
            return at
        soonest, at = self._timers.next, self.streams.deadline()
        if at is not None and at < soonest:
            soonest = at
        if self.outbox.later and (at := self.outbox.deadline()) is not None and at < soonest:
            soonest = at
        return None if soonest == math.inf else soonest

    def _take(self, now: float) -> list[Action]:
        """The actions so far, with the callbacks that are due."""
        actions, self._out = self._out, []
        actions += self.outbox.due(now)
        may_finish = self.leg.is_over and self.streams.are_gone and self.outbox.is_empty
        if may_finish and not self.is_finished:
            self.is_finished = True
            actions.append(Finished())
        return actions

    def _set(self, timer: Timer, after_s: float, now: float) -> None:
        """Set a timer; 0 s is off."""
        if after_s:
            self._timers.set(timer, now + after_s)

    def _fire(self, timer: Timer, now: float) -> None:
        match timer:
            case Timer.VERB:
                self._obey_orders(self.run.woke(), now)
            case Timer.RING:
                self._picked_up(now)
            case Timer.GIVE_UP | Timer.HANG_UP:
                self._hang_up(now)
            case Timer.LENGTH:
                self.streams.count(32015, now, "longest call")
                self._end(Phase.COMPLETED, "carrier", now)
            case Timer.PERSON:
                if not self.streams.is_up:  # Where one is, its frames look at the script.
                    self._timers.set(Timer.PERSON, now + PERSON_S)
                    self.person.advance(now)
                    self._obey(now)
            case Timer.OPEN:
                self._open_stream(now)
            case Timer.REPLAY:
                self._out += self.streams.probe(now)
            case Timer.DUPLICATE:
                self._out += self.fetcher.ask_again(now)
            case Timer.VERDICT:
                self.leg.hears_verdict(now)
                if not self.plan.detect_async:
                    self._ask_first(now)

    def _answer(self, now: float) -> None:
        if self.leg.phase is not Phase.RINGING:
            return
        self.leg.is_answered(now)
        self.run.is_answered = True
        self._timers.forget(Timer.GIVE_UP)
        self._timers.set(Timer.LENGTH, now + self.plan.length_s_max)
        self._timers.set(Timer.PERSON, now + PERSON_S)
        self.person.answered(now)

    def _picked_up(self, now: float) -> None:
        """An outbound call's ringing is over."""
        plan, callee = self.plan, self.plan.callee
        if callee.result != "answered":
            self._end(Phase(callee.result), "callee", now)
        elif callee.ring_s > plan.ring_s_max:
            self._end(Phase.NO_ANSWER, "carrier", now)
        else:
            self._answer(now)
            if plan.detect_machine:
                self._timers.set(Timer.VERDICT, now + callee.verdict_s)
            if not plan.detect_machine or plan.detect_async:
                self._ask_first(now)

    def _hang_up(self, now: float) -> None:
        if self.leg.is_over:
            return
        self.diary.note(now, Said.HUNG_UP)
        answered = self.leg.phase is Phase.IN_PROGRESS
        self._end(Phase.COMPLETED if answered else Phase.NO_ANSWER, "caller", now)

    def _end(self, phase: Phase, by: str, now: float) -> None:
        if self.leg.is_over:
            return
        self._end_of_words(now)
        self._out += self.streams.stop_all(now)
        self.person.line_down(now)
        self.fetcher.forget()
        self._timers.clear()
        self.leg.ends(phase, by, now)

    def _obey(self, now: float) -> None:
        """What the person on the line did besides speaking."""
        orders, self.person.orders = self.person.orders, []
        for order in orders:
            if isinstance(order, HungUp):
                self._hang_up(now)
            elif (wanted := self.run.pressed(order.digit)) is not None:
                self._obey_orders(wanted, now)

    def _update(self, event: Updated, now: float) -> None:
        """The Calls API gives a live call another document, or its end."""
        if self.leg.is_over:
            return
        self.diary.note(now, Said.UPDATED, event.status or ("twiml" if event.twiml else "url"))
        if event.status == Phase.FAILED:
            self.streams.count(22005, now, "waited too long in the queue")
            self._end(Phase.FAILED, "carrier", now)
            return
        if event.status is not None:
            answered = self.leg.phase is Phase.IN_PROGRESS
            self._end(Phase.COMPLETED if answered else Phase.CANCELED, "api", now)
            return
        self._leave_document(now)
        if event.url is not None:
            self._ask(event.url, event.method, (), now)
        elif event.twiml is not None:
            self._begin_inline(event.twiml, now)

    def _leave_document(self, now: float) -> None:
        """The present document stops where it stands: its stream is torn down."""
        self._end_of_words(now)
        self._timers.forget(Timer.VERB, Timer.OPEN)
        self.fetcher.forget()
        self._out += self.streams.stop(now)
        self._timers.set(Timer.PERSON, now + PERSON_S)

    def _ask_first(self, now: float) -> None:
        plan = self.plan
        if plan.voice_url is None:
            self._begin_inline(plan.twiml or "", now)
            return
        self._ask(plan.voice_url, plan.voice_method, (), now)
        faults = self._account.faults
        if faults.duplicate_webhook is not Duplicate.OFF:
            self._timers.set(Timer.DUPLICATE, now + faults.duplicate_after_ms / 1000)

    def _ask(
        self,
        url: str,
        method: str,
        extra: tuple[tuple[str, str], ...],
        now: float,
        *,
        is_fallback: bool = False,
    ) -> None:
        self._fetches += 1
        if self._fetches > FETCHES_MAX:
            self._end(Phase.FAILED, "carrier", now)
            return
        form = voice_form(self.plan, self._account, self.leg.phase, extra, self.leg.answered_by)
        self._out.append(self.fetcher.ask(url, method, form, now, is_fallback=is_fallback))
        self.diary.note(now, Said.REQUESTED, "fallback" if is_fallback else method)

    def _fetched(self, result: Fetched | NotFetched | None, now: float) -> None:
        if result is None or self.leg.is_over:
            return
        if isinstance(result, NotFetched):
            self._failed(result.code, result.reason, result.url, now, was=result.was_fallback)
            return
        if result.is_copy:
            self.diary.note(now, Said.FAULT, "second answer")
            if self._account.faults.duplicate_webhook is not Duplicate.OBEYED:
                return
            self._leave_document(now)
        if self.setup_s is None:
            self.setup_s = result.took_s
        self.diary.note(now, Said.ANSWERED_WEBHOOK, f"{result.took_s * 1000:.0f} ms")
        self._begin(result.program, now)

    def _begin_inline(self, xml: str, now: float) -> None:
        try:
            document = twiml.read(xml)
        except CarrierProtocolError as error:
            self._failed(error.code, str(error), "", now, was=False)
            return
        self._begin(Program(document.verbs, None, document.warnings), now)

    def _begin(self, program: Program, now: float) -> None:
        for warning in program.warnings:
            self.streams.count(twiml.NOT_IN_SCHEMA, now, warning)
        self._obey_orders(self.run.begin(program), now)

    def _failed(self, code: int, reason: str, url: str, now: float, *, was: bool) -> None:
        """A document could not be had or run: the fallback URL, else an error and the end."""
        self.streams.count(code, now, reason)
        fallback = self.plan.fallback_url
        if fallback is not None and not was:
            extra = (("ErrorCode", str(code)), ("ErrorUrl", url))
            self._ask(fallback, self.plan.fallback_method, extra, now, is_fallback=True)
            return
        self._answer(now)
        self._obey_orders(self.run.apologize(ERROR_WORDS, ERROR_S), now)

    def _obey_orders(self, orders: list[Order], now: float) -> None:
        """What the document wants, in its order."""
        self._timers.forget(Timer.VERB)
        self._end_of_words(now)
        for order in orders:
            if self.leg.is_over:
                return
            match order:
                case Answer():
                    self._answer(now)
                case Speak():
                    self.told.append((now, order.words))
                    self._told_since = now
                case HandOver():
                    self.dialled += order.to
                case Sleep():
                    self.diary.note(now, Said.VERB, self.run.verb)
                    self._timers.set(Timer.VERB, now + order.for_s)
                case Fetch():
                    self._ask(order.url, order.method, order.extra, now)
                case Stream():
                    self._stream = order
                    self._timers.set(Timer.OPEN, now + self._account.faults.stream_delay_s)
                case Finish():
                    self._end(Phase(order.status), order.by, now)
                case Broken():
                    self._failed(order.code, order.reason, "", now, was=True)

    def _end_of_words(self, now: float) -> None:
        if self._told_since is not None:
            self.person.is_told(self._told_since, now)
            self._told_since = None

    def _open_stream(self, now: float) -> None:
        assert self._stream is not None
        actions = self.streams.open(self._stream.noun, self._stream.url, now)
        self._out += actions
        if not actions:
            self._stream_over(Outcome.REFUSED, now)

    def _stream_over(self, outcome: Outcome, now: float) -> None:
        """What follows the document's stream."""
        if outcome is Outcome.GOES_ON:
            return
        self._timers.set(Timer.PERSON, now + PERSON_S)
        faults = self._account.faults
        after, delay_s = aftermath(outcome, faults, has_more=self.run.has_more)
        if faults.hang_up_during_resume:
            self._timers.set(Timer.HANG_UP, now + delay_s + HANG_UP_S)
        if after is AfterLoss.HANG_UP:
            self.run.give_up()
        else:
            self.run.stream_is_over()
        self._timers.set(Timer.VERB, now + delay_s)
