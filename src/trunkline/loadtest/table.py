"""The report in a terminal: the verdict, the promises, the figures; and how far it is."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trunkline.loadtest.knee import Capacity
from trunkline.loadtest.percentiles import Percentiles
from trunkline.loadtest.plan import Load
from trunkline.loadtest.report import Report
from trunkline.loadtest.struck import HEADS, Struck, cells
from trunkline.loadtest.totals import Totals
from trunkline.loadtest.verdict import NOT_MEASURED, Outcome, Promise

COLOURS: Final = {Outcome.KEPT: "green", Outcome.BROKEN: "red", Outcome.UNPROVEN: "yellow"}
MARKS: Final = {True: ("kept", "green"), False: ("broken", "bold red"), None: ("-", "dim")}

FAILURES_SHOWN: Final = 8
"""Reasons of failed calls that are listed; the JSON file has all."""


def rows_of(totals: Totals) -> Iterator[tuple[str, Percentiles | None]]:
    """The figures in the order of a call's life."""
    yield "set-up: webhook to answer", totals.webhook_ms
    yield "set-up: answer to open stream", totals.stream_ms
    yield "stream to first sound", totals.first_sound_ms
    yield "answer: end of speech to first sound", totals.answer_ms
    yield "interruption to silence", totals.silence_ms
    yield "added, caller to model", totals.to_model_ms
    yield "added, model to caller", totals.to_caller_ms
    yield "holes in replies", totals.hole_ms
    yield "load generator's own lateness", totals.own_late_ms


def report_table(report: Report) -> Group:
    """The whole report."""
    verdict = report.verdict
    head = Text(verdict.text, style=f"bold {COLOURS[verdict.outcome]}")
    parts: list[RenderableType] = [
        Text(),
        promises_table(report.promises),
        Text(),
        figures_table(report.totals),
        Text(),
    ]
    if report.struck:
        parts += [struck_table(report.struck), Text()]
    reasons = failures(report)
    if reasons:
        parts += [reasons, Text()]
    cut = Text("cut short: the report of what has been", style="yellow")
    return Group(*parts, *((cut,) if report.cut_short else ()), head)


def promises_table(promises: Sequence[Promise]) -> Table:
    """What is promised, what was found."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("promise", "limit", "found", ""):
        table.add_column(name, no_wrap=name in {"limit", ""})
    for promise in promises:
        word, style = MARKS[promise.kept]
        table.add_row(promise.name, promise.limit, promise.found, Text(word, style=style))
    return table


def figures_table(totals: Totals) -> Table:
    """Times in ms."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ms", no_wrap=True)
    for name in ("p50", "p90", "p99", "most", "count"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, found in rows_of(totals):
        cells = cells_of(found)
        table.add_row(name, *(cells or ("-", "-", "-", "-", empty(name))))
    return table


def struck_table(struck: Sequence[Struck]) -> Table:
    """What came of each fault; gaps in ms, from the end of a stream to what was heard next."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in HEADS:
        table.add_column(name, justify="left" if name == HEADS[0] else "right", no_wrap=True)
    for each in struck:
        table.add_row(*cells(each))
    return table


def empty(name: str) -> str:
    """What stands where no value is: some things can't be measured, others did not happen."""
    return NOT_MEASURED if name.startswith("added") else "none"


def cells_of(found: Percentiles | None) -> tuple[str, ...]:
    """A row's cells; none where there is no value."""
    if found is None:
        return ()
    values = (found.p50, found.p90, found.p99, found.most)
    return (*(f"{value:,.1f}" for value in values), f"{found.count:,}")


def failures(report: Report) -> Table | None:
    """Why calls failed, and what the carrier warned of."""
    counts: dict[str, int] = {}
    for call in report.calls:
        if call.failed:
            counts[call.failed] = counts.get(call.failed, 0) + 1
    lines = [(f"calls failed: {reason}", count) for reason, count in counts.items()]
    lines += [(f"warning {code} of the carrier", n) for code, n in report.totals.warnings.items()]
    if not lines:
        return None
    table = Table(box=None, pad_edge=False, show_header=False)
    for reason, count in sorted(lines, key=lambda line: -line[1])[:FAILURES_SHOWN]:
        table.add_row(Text(reason, style="red"), str(count))
    return table


def capacity_text(capacity: Capacity) -> str:
    """The knee, and lines for the settings."""
    lines = [f"{'calls':>7}  outcome"]
    lines += [f"{step.calls:>7}  {step.verdict.text}" for step in capacity.steps]
    lines += ["", capacity.text]
    if capacity.settings:
        least = ", at the least" if capacity.generator_limited else ""
        lines += ["", f"with a margin, for this pod on this machine{least}:", *capacity.settings]
    return "\n".join(lines)


def progress(load: Load, now_s: float, live: int, begun: int, over: int, failed: int) -> str:
    """How far it is, in a line."""
    ends = f" of {load.seconds:.0f}" if now_s < load.seconds else ", ending"
    bad = f", {failed} failed" if failed else ""
    return f"{now_s:5.0f}{ends} s   {live} live, {begun} begun, {over} over{bad}"


def meanwhile(
    line: str, recent: Sequence[tuple[str, Percentiles | None]], pod: Sequence[tuple[str, str]]
) -> Group:
    """What is drawn while it runs: the last seconds' figures."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, found in recent:
        table.add_row(name, _short(found))
    for name, value in pod:
        table.add_row(name, value)
    return Group(Text(line, style="bold"), table)


def _short(found: Percentiles | None) -> str:
    return "-" if found is None else f"p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms"
