"""Calls are made, faults struck, callers hung up; what comes of it is counted."""

import asyncio
import contextlib
import gc
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from trunkline.loadtest import timeline
from trunkline.loadtest.callers import name_of, script_of
from trunkline.loadtest.ends import Ends
from trunkline.loadtest.figures import Call, call_of
from trunkline.loadtest.marked import PARTS, Collector, false_turns, sessions_of
from trunkline.loadtest.percentiles import Slices
from trunkline.loadtest.plan import Arrivals, Load
from trunkline.loadtest.podmetrics import Watch
from trunkline.loadtest.retold import told_as_heard
from trunkline.loadtest.timeline import Fault
from trunkline.sim.carrier.account import new_sid
from trunkline.sim.carrier.events import PersonHungUp
from trunkline.sim.carrier.forms import CallPlan
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.serve_carrier_line import Line
from trunkline.sim.turns import Kind

BEAT_S: Final = 0.02
"""How often this process looks whether it is late itself: as often as a frame is due."""

COLLECT_S: Final = 1.0 / PARTS
"""How often a part of the marks' counts is taken: each once a second."""

LAST_S_MAX: Final = 10.0
"""So long the last calls may take to end after their callers hung up."""

FIRST_NUMBER: Final = 15_550_101_000
"""The first caller's number; others count on."""


@dataclass(slots=True)
class Tally:
    """What has been so far, for the table that is drawn meanwhile."""

    begun: int = 0
    live: int = 0
    calls: list[Call] = field(default_factory=list)
    failed: int = 0
    answers: Slices = field(default_factory=Slices)
    own_late: Slices = field(default_factory=Slices)
    """How late this process was whenever it looked."""


class Placing:
    """One load from its first call to its last. Times are seconds after its start."""

    def __init__(
        self,
        ends: Ends,
        load: Load,
        scripts: Sequence[str],
        faults: Sequence[Fault],
        watch: Watch | None,
        seed: int | None = None,
    ) -> None:
        self.tally = Tally()
        self.zero = time.monotonic()
        self.marks = Collector()
        self.watch = watch
        self.lasted_s = 0.0
        self.cut_short = False
        self._ends = ends
        self._load = load
        self._scripts = scripts
        self._faults = faults
        self._rng = random.Random(seed)  # noqa: S311 - a simulator's dice
        self._arrivals = Arrivals(load)
        self._lines: dict[int, Line] = {}
        self._told: dict[int, int] = {}
        """How many of a live call's turns are counted."""
        self._changed = asyncio.Event()

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.zero

    def stop(self) -> None:
        """No new calls; whoever is on the line hangs up."""
        self.cut_short = True
        self._changed.set()

    async def run(self) -> None:
        """Make the calls; returns when all are over, or had their time to be."""
        gc.collect()
        gc.freeze()  # What is there now is not looked through while calls are paced.
        self.zero = time.monotonic()
        self._ends.strike(self._faults, self.zero)
        async with asyncio.TaskGroup() as beside:
            work = (self._beat(), self._moments(), self._collect())
            helpers = [beside.create_task(each) for each in work]
            if self.watch is not None:
                helpers.append(beside.create_task(self.watch.run()))
            try:
                async with asyncio.TaskGroup() as calls:
                    await self._arrive(calls)
                    await self._hang_up_rest()
            finally:
                self.lasted_s = self.now
                for helper in helpers:
                    helper.cancel()
                self._ends.calm()

    async def _arrive(self, calls: asyncio.TaskGroup) -> None:
        """Begin each call when it is due."""
        arrivals = self._arrivals
        while not self.cut_short and not arrivals.is_over(self.now):
            due = arrivals.due_at()
            wait_s = self._load.seconds - self.now if due is None else due - self.now
            if due is not None and wait_s <= 0:
                number = arrivals.begin()
                calls.create_task(self._call(number), name=f"call {number}")
                self.tally.begun, self.tally.live = arrivals.begun, arrivals.live
                continue
            await self._until_changed(wait_s)
        while not self.cut_short and self._lines:
            await self._until_changed(None)

    async def _until_changed(self, within_s: float | None) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if within_s is None else max(0.0, within_s)):
                await self._changed.wait()

    async def _hang_up_rest(self) -> None:
        """After Ctrl-C: everybody puts the phone down; whoever can't is left."""
        for line in list(self._lines.values()):
            _hang_up(line)
        late = self.now + LAST_S_MAX
        while self._lines and self.now < late:
            await self._until_changed(late - self.now)
        for line in list(self._lines.values()):
            line.ended.cancel()

    async def _call(self, number: int) -> None:
        began = self.now
        name = name_of(number, self._scripts)
        hang_up_s = self._arrivals.hang_up_at(number, began)
        script = script_of(name, hang_up_s - began)
        plan = CallPlan(
            sid=new_sid("CA", self._rng),
            direction="inbound",
            from_number=f"+{FIRST_NUMBER + number}",
            to_number=self._ends.to,
            voice_url=self._ends.url,
            status_url=self._ends.status_url,
        )
        usual = self._ends.usual
        struck = timeline.carrier_faults(self._faults, began, usual)
        carrier = self._ends.carrier
        line = self._lines[number] = carrier.start(plan, script, struck or usual)
        loop = asyncio.get_running_loop()
        timers = [
            loop.call_later(hang_up_s - began, _hang_up, line),
            loop.call_later(hang_up_s - began + LAST_S_MAX, line.ended.cancel),
        ]
        try:
            report = await line.ended
            carrier.reports.clear()  # They hold what was heard.
            meant_s = hang_up_s if not self.cut_short else min(hang_up_s, self.now)
            call = call_of(report, number, name, self.zero, meant_s)
            self._count(self._marked(call, report))
        except asyncio.CancelledError:
            if not line.ended.cancelled():
                raise
            self._count(_lost(number, name, began, self.now))
        finally:
            for timer in timers:
                timer.cancel()
            del self._lines[number]
            self._arrivals.ended(self.now)
            self.tally.live = self._arrivals.live
            self._changed.set()

    def _marked(self, call: Call, report: CallReport) -> Call:
        """The call with what the marks in its audio tell."""
        own = report.marks
        if own is None:
            return call
        sessions = sessions_of(own.call, self._ends.sessions)
        marks, now = self.marks, self.now
        model_ends = [each.marks.came for each in sessions if each.marks is not None]
        return msgspec.structs.replace(
            call,
            to_model=marks.way_of(now, marks.to_model, model_ends),
            to_caller=marks.way_of(now, marks.to_caller, [own.came]),
            false_turns=false_turns(call.spoken_turns, sessions) if sessions else None,
            told_as_heard=told_as_heard(report, sessions),
        )

    async def _collect(self) -> None:
        """Take the marks' counts and the answers, of a part of the calls at a time."""
        part = 0
        while True:
            await asyncio.sleep(COLLECT_S)
            lines = self._lines.values()
            callers = [each.call.marks for each in lines if each.call.marks is not None]
            self.marks.collect(self.now, callers, self._ends.sessions)
            part = (part + 1) % PARTS
            for number, line in self._lines.items():
                if number % PARTS == part:
                    self._tell_answers(number, line)

    def _count(self, call: Call) -> None:
        tally = self.tally
        tally.calls.append(call)
        tally.failed += bool(call.failed)
        for turn in call.turns[self._told.pop(call.number, 0) :]:
            if turn.answer_ms is not None and turn.reply_s is not None and turn.kind == Kind.SAID:
                tally.answers.add(turn.reply_s, turn.answer_ms)

    def _tell_answers(self, number: int, line: Line) -> None:
        """Count the answers so far; the newest turn's may still come."""
        turns = line.call.person.book.turns
        for turn in turns[self._told.get(number, 0) : -1]:
            if turn.latency_ms is not None and turn.reply_at is not None and turn.kind is Kind.SAID:
                self.tally.answers.add(turn.reply_at - self.zero, turn.latency_ms)
        self._told[number] = max(0, len(turns) - 1)

    async def _beat(self) -> None:
        """How late this process is, on the absolute clock."""
        due = time.monotonic()
        while True:
            due += BEAT_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            late_s = max(0.0, time.monotonic() - due)
            self.tally.own_late.add(self.now, late_s * 1000)
            if late_s > 1:  # What was slept through is told once, not fifty times.
                due = time.monotonic()

    async def _moments(self) -> None:
        """What strikes all open sessions of the model at once."""
        for moment in timeline.moments(self._faults):
            await asyncio.sleep(max(0.0, moment.at_s - self.now))
            self._ends.hit(moment.name)


def _hang_up(line: Line) -> None:
    if not line.ended.done():
        line.happened(PersonHungUp())


def _lost(number: int, script: str, began: float, now: float) -> Call:
    """A call that never came to its end: nothing else is known of it."""
    return Call(
        number=number,
        script=script,
        began_s=round(began, 3),
        ended_s=round(now, 3),
        webhook_ms=None,
        stream_ms=None,
        streams=0,
        first_sound_ms=None,
        failed="its end never came",
        turns=(),
        holes=(),
        warnings={},
        frames_sent=0,
        own_late_ms=0.0,
    )
