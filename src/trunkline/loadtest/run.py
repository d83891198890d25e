"""`trunkline loadtest` from start to end: ends, calls, report; step by step for the knee."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.live import Live

from trunkline.loadtest import knee, table
from trunkline.loadtest.ends import Ends, Wanted, open_ends
from trunkline.loadtest.page import to_html
from trunkline.loadtest.percentiles import Percentiles, counted
from trunkline.loadtest.place import Placing
from trunkline.loadtest.plan import Load
from trunkline.loadtest.podmetrics import Watch
from trunkline.loadtest.report import (
    ANSWER_EDGES,
    FORM,
    Asked,
    Course,
    Report,
    bars,
    machine,
    now,
    to_json,
)
from trunkline.loadtest.struck import struck_of
from trunkline.loadtest.timeline import Fault
from trunkline.loadtest.totals import totals_of
from trunkline.loadtest.verdict import Limits, promises_of, verdict_of

DRAW_S: Final = 0.5
"""How often the table is drawn anew: seldom, for it takes the time of frames."""

RECENT_S: Final = 5
"""Of so many seconds are the figures that are drawn meanwhile."""

PROGRESS_S: Final = 5.0
"""How often a line is written where no table can be drawn."""

REST_S: Final = 2.0
"""Between two loads of the search: sessions close, slots become free."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the command was told."""

    wanted: Wanted
    load: Load
    scripts: tuple[str, ...]
    faults: tuple[Fault, ...]
    limits: Limits
    find_knee: bool
    json: Path | None
    html: Path | None


async def run(plan: Plan, environ: Mapping[str, str], console: Console) -> int:
    """Do it; the exit code is 0 where all promises were kept.

    Raises:
        SettingsError: an option can't be obeyed.
        TrunklineError: our own pod did not start.
    """
    if plan.wanted.url is None:
        _write(console, "starting a pod of our own, with PostgreSQL and Valkey from wheels …")
    async with open_ends(plan.wanted, environ) as ends, _interruptible() as stop:
        loads = _search if plan.find_knee else _once
        report = await loads(plan, ends, console, stop)
    console.print(table.report_table(report), soft_wrap=True)
    if report.capacity is not None:
        _write(console, "\n" + table.capacity_text(report.capacity))
    for path, text in ((plan.json, to_json), (plan.html, to_html)):
        if path is not None:
            path.write_bytes(text(report))
            _write(console, f"written: {path}")
    if report.capacity is not None:
        return 0 if report.capacity.held else 1
    return report.verdict.exit_code


async def _once(plan: Plan, ends: Ends, console: Console, stop: asyncio.Event) -> Report:
    return await _measure(plan, plan.load, ends, console, stop)


async def _search(plan: Plan, ends: Ends, console: Console, stop: asyncio.Event) -> Report:
    """Load after load until a promise breaks; the report is of the last that held."""
    steps: list[knee.Step] = []
    reports: list[Report] = []
    most = plan.wanted.calls
    while (calls := knee.next_load(steps, plan.load.calls, most)) is not None:
        load = replace(plan.load, calls=calls, seconds=step_seconds(plan.load, calls))
        _write(console, f"{calls} calls for {plan.load.seconds:.0f} s …")
        report = await _measure(plan, load, ends, console, stop)
        _write(console, f"{calls} calls: {report.verdict.text}")
        if report.cut_short:  # It never was the load that was asked for.
            reports = reports or [report]
            break
        broken = tuple(promise for promise in report.promises if promise.kept is False)
        steps.append(knee.Step(calls, report.verdict, broken))
        reports.append(report)
        await asyncio.sleep(REST_S)
    found = knee.capacity_of(steps)
    kept = [each for each in reports if each.asked.calls == found.held]
    return msgspec.structs.replace((kept or reports)[-1], capacity=found)


def step_seconds(load: Load, calls: int) -> float:
    """A load of the search lasts as long as was asked for, once all its calls are up."""
    return load.seconds + (calls - 1) / load.rate


async def _measure(
    plan: Plan, load: Load, ends: Ends, console: Console, stop: asyncio.Event
) -> Report:
    """One load, and its report."""
    watch = None
    if ends.metrics_url is not None:
        watch = Watch(ends.metrics_url, ends.http, lambda: placing.zero)
    placing = Placing(ends, load, plan.scripts, plan.faults, watch, plan.wanted.seed)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        async with asyncio.TaskGroup() as tasks:
            helpers = [
                tasks.create_task(_draw(load, placing, live)),
                tasks.create_task(_stop_when(stop, placing)),
            ]
            await placing.run()
            for helper in helpers:
                helper.cancel()
    return _report(plan, load, ends, placing)


async def _stop_when(stop: asyncio.Event, placing: Placing) -> None:
    await stop.wait()
    placing.stop()


async def _draw(load: Load, placing: Placing, live: Live) -> None:
    """A live table; where there is no terminal to draw it on, a line now and then."""
    console = live.console
    draws = console.is_terminal and not console.is_dumb_terminal
    while True:
        tally = placing.tally
        over = len(tally.calls)
        line = table.progress(load, placing.now, tally.live, tally.begun, over, tally.failed)
        if draws:
            live.update(table.meanwhile(line, _recent(placing), _pod(placing.watch)), refresh=True)
        else:
            _write(console, line)
        await asyncio.sleep(DRAW_S if draws else PROGRESS_S)


def _recent(placing: Placing) -> list[tuple[str, Percentiles | None]]:
    """What the last seconds were like, for the table."""
    marks, tally = placing.marks, placing.tally
    told = (
        ("answer: end of speech to first sound", tally.answers),
        ("added, caller to model", marks.to_model),
        ("added, model to caller", marks.to_caller),
        ("load generator's own lateness", tally.own_late),
    )
    return [(name, counted(slices.recent(placing.now, RECENT_S))) for name, slices in told]


def _pod(watch: Watch | None) -> list[tuple[str, str]]:
    """The pod's newest figures, for the table."""
    if watch is None or not watch.samples:
        return []
    last = watch.samples[-1]
    told = (
        ("pod: processor", None if last.cpu is None else f"{last.cpu * 100:.0f} % of a core"),
        ("pod: memory", None if last.memory_mb is None else f"{last.memory_mb:.0f} MB"),
        ("pod: active calls", None if last.calls is None else f"{last.calls:.0f}"),
    )
    return [(name, value) for name, value in told if value is not None]


def _report(plan: Plan, load: Load, ends: Ends, placing: Placing) -> Report:
    tally = placing.tally
    to_model, to_caller = placing.marks.to_model, placing.marks.to_caller
    lag_ms = None if placing.watch is None else placing.watch.lag_ms
    calls = sorted(tally.calls, key=lambda call: call.number)
    own_late = tally.own_late.total().merge((ends.frames_late,))
    totals = totals_of(calls, to_model.total(), to_caller.total(), own_late, lag_ms)
    promises = promises_of(totals, plan.limits)
    return Report(
        form=FORM,
        made=now(),
        machine=machine(),
        asked=Asked(
            load.calls, load.rate, load.seconds, load.call_s, plan.scripts, _far(plan), plan.faults
        ),
        lasted_s=round(placing.lasted_s, 3),
        cut_short=placing.cut_short,
        verdict=verdict_of(totals, promises, plan.limits),
        promises=promises,
        totals=totals,
        course=Course(
            to_model=tuple(to_model),
            to_caller=tuple(to_caller),
            answers=tuple(tally.answers),
            own_late=tuple(tally.own_late),
            pod=() if placing.watch is None else tuple(placing.watch.samples),
            to_model_bars=bars(to_model.total()),
            to_caller_bars=bars(to_caller.total()),
            answer_bars=bars(tally.answers.total(), ANSWER_EDGES),
        ),
        calls=tuple(calls),
        struck=struck_of(calls, plan.faults),
    )


def _far(plan: Plan) -> str:
    if plan.wanted.url is None:
        return "a pod of our own, our simulated model"
    if plan.wanted.model_port is not None:
        return "a webhook, our simulated model"
    return "a webhook, a model that we do not know"


@asynccontextmanager
async def _interruptible() -> AsyncIterator[asyncio.Event]:
    """Ctrl-C sets the event; a second one is no longer ours and ends the process."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def interrupted() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _write(console: Console, text: str) -> None:
    """A line as it is: paths and addresses are neither broken nor taken for markup."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)
