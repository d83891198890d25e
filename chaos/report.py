"""What came of each fault: in a terminal, as JSON, as the load test's page."""

import io
import os
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from chaos.plan import Name
from chaos.run import SCRIPTS, Found
from chaos.stage import AFTER_LOSS_S, Wish
from trunkline.loadtest import table
from trunkline.loadtest.page import to_html
from trunkline.loadtest.percentiles import Percentiles
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
from trunkline.loadtest.struck import Struck, struck_of
from trunkline.loadtest.totals import totals_of
from trunkline.loadtest.verdict import OWN_LATE_MS_HARD, Outcome, Promise, Verdict

__all__ = ["is_good", "page", "report_of", "text", "to_json"]

WIDTH: Final = 190
"""Of the tables, where they are written into a file."""

SOUND_MS_MAX: Final = 2_000.0
"""After a killed pod the caller hears something, beyond the carrier's own delay."""

AGENT_MS_MAX: Final = 8_000.0
"""And the agent."""

HANDED_MS_MAX: Final = 1_500.0
"""The gap that a caller hears when a pod that drains hands the call over."""

RESCUE_MS: Final = 2_000.0
"""So long the pods wait for the next verb before they ask the carrier: its delay, with `--rest`."""


EXCUSES: Final = {
    Name.INGRESS: "{} while Traefik was away",
    Name.VALKEY: "{} overflowed, for they could not be recorded",
    Name.MODEL: "{} had no model: the script, then their overflow action",
}
"""Calls that are not carried by design; how many is said."""


def lost(struck: Struck, name: Name) -> int:
    """Of a fault with an excuse, the calls that it holds for."""
    return struck.lost + struck.overflowed if name is Name.INGRESS else struck.overflowed


def report_of(found: Found, wish: Wish) -> Report:
    """The load test's report, with what came of each fault and the record's verdict."""
    tally, placing = found.placing.tally, found.placing
    marks = placing.marks
    totals = totals_of(
        found.calls, marks.to_model.total(), marks.to_caller.total(), tally.own_late.total(), None
    )
    struck = struck_of(found.calls, found.faults)
    promises = tuple(_promises(found, struck, wish))
    broken = [f"{each.name}: {each.found}" for each in promises if each.kept is False]
    own = totals.own_late_ms
    late = own is not None and own.p99 > OWN_LATE_MS_HARD
    lateness = (
        "" if own is None else f"; this load generator was itself late by p99 {own.p99:.0f} ms"
    )
    timed = all(each.limit.startswith("p99") for each in promises if each.kept is False)
    outcome = Outcome.BROKEN if broken else Outcome.KEPT
    if broken and late and timed:
        outcome = Outcome.UNPROVEN
    words = {Outcome.KEPT: "all promises kept", Outcome.BROKEN: "broken: "}.get(
        outcome, "not proven: "
    )
    verdict = Verdict(outcome, f"{words}{'; '.join(broken)}{lateness}", late)
    verb = "over REST only" if wish.rest else f"{AFTER_LOSS_S:g} s after a loss"
    far = f"{wish.pods} pods of at most {wish.cap} calls, {os.cpu_count()} cores; next verb {verb}"
    return Report(
        form=FORM,
        made=now(),
        machine=machine(),
        asked=Asked(
            found.load.calls,
            found.load.rate,
            found.load.seconds,
            found.load.call_s,
            SCRIPTS,
            far,
            found.faults,
        ),
        lasted_s=round(placing.lasted_s, 3),
        cut_short=placing.cut_short,
        verdict=verdict,
        promises=promises,
        totals=totals,
        course=Course(
            to_model=tuple(marks.to_model),
            to_caller=tuple(marks.to_caller),
            answers=tuple(tally.answers),
            own_late=tuple(tally.own_late),
            to_model_bars=bars(marks.to_model.total()),
            to_caller_bars=bars(marks.to_caller.total()),
            answer_bars=bars(tally.answers.total(), ANSWER_EDGES),
        ),
        calls=found.calls,
        struck=struck,
    )


def _promises(found: Found, struck: tuple[Struck, ...], wish: Wish) -> Iterator[Promise]:
    """What issue and design promise of each fault that struck."""
    by = {one.fault: one for one in struck}
    excused = {
        f"fleet.{name}": words.format(lost(by[f"fleet.{name}"], name))
        for name, words in EXCUSES.items()
        if f"fleet.{name}" in by and lost(by[f"fleet.{name}"], name)
    }
    failed = sum(bool(call.failed) for call in found.calls)
    failed -= sum(lost(by[f"fleet.{name}"], name) for name in EXCUSES if f"fleet.{name}" in by)
    told = "; ".join([f"{failed} of {len(found.calls)} calls lost", *excused.values()])
    yield Promise("no call lost", "none", told, failed == 0)
    untold = sum(one.untold for one in struck)
    known = untold + sum(one.told for one in struck)
    if known:
        told = f"{known - untold} of {known} new sessions"
        yield Promise("the model knows what was heard", "all", told, untold == 0)
    delay_ms = RESCUE_MS if wish.rest else AFTER_LOSS_S * 1000
    for one in struck:
        if one.fault == f"fleet.{Name.KILL}":
            yield _within("killed pod: a sound", one.sound_ms, SOUND_MS_MAX, delay_ms)
            yield _within("killed pod: the agent", one.agent_ms, AGENT_MS_MAX, delay_ms)
        elif one.fault in {f"fleet.{Name.DRAIN}", f"fleet.{Name.ROLL}"}:
            yield _within(f"{one.fault}: a sound", one.sound_ms, HANDED_MS_MAX, 0.0)
    yield Promise(
        "the record is sound", "trunkline calls verify --carrier", found.record, found.verified
    )


def _within(name: str, gap: Percentiles | None, limit_ms: float, delay_ms: float) -> Promise:
    """The carrier's own delay is no pod's fault."""
    beyond = f" beyond the carrier's {delay_ms / 1000:g} s" if delay_ms else ""
    limit = f"p99 {limit_ms / 1000:g} s{beyond}"
    if gap is None:
        return Promise(name, limit, "no stream was lost", None)
    spent_ms = gap.p99 - delay_ms
    return Promise(name, limit, f"p99 {spent_ms / 1000:.2f} s{beyond}", spent_ms <= limit_ms)


def text(report: Report) -> str:
    """For a terminal."""
    out = io.StringIO()
    console = Console(file=out, width=WIDTH)
    console.print(Text())
    console.print(table.struck_table(report.struck))
    console.print(Text())
    console.print(table.promises_table(report.promises))
    reasons = table.failures(report)
    if reasons is not None:
        console.print(Text())
        console.print(reasons)
    console.print(Text())
    console.print(Text(report.verdict.text))
    return out.getvalue()


def page(report: Report) -> bytes:
    """The load test's page."""
    return to_html(report)


def is_good(report: Report) -> bool:
    """Whether every promise was kept."""
    return report.verdict.outcome is Outcome.KEPT
