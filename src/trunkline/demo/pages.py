"""What the demo shows: a live table of calls, a summary, and one transcript."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trunkline.sim.carrier.report import CallReport
from trunkline.sim.serve_carrier_line import CallView

HEARD_CHARS_MAX: Final = 44

_MARKS: Final = re.compile(r"(\s*\[[^\]]*\])+")

NO_PODS: Final[Mapping[str, Sequence[str]]] = {}

WHO: Final = {"agent": "bold cyan", "caller": "bold green", "carrier": "dim"}


def live(
    calls: Sequence[CallView],
    lines: dict[str, str],
    done: int,
    wanted: int,
    pods: Mapping[str, Sequence[str]] = NO_PODS,
) -> Group:
    """The calls of now; `lines` names the numbers that are called, `pods` has each pod's calls."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    carriers = {call: pod for pod, carried in pods.items() for call in carried}
    for name in (*(["pod"] if pods else []), "line", "phase", "seconds", "turns", "last heard"):
        table.add_column(name, justify="right" if name in ("seconds", "turns") else "left")
    for call in calls:
        table.add_row(
            *([carriers.get(call.sid, "")] if pods else []),
            lines.get(call.to_number, ""),
            call.doing or call.phase,
            f"{call.seconds:.1f}",
            str(call.turns),
            Text(_tail(call.heard), style="cyan"),
        )
    told = progress(len(calls), done, wanted) + shares(pods)
    return Group(Text(told, style="dim"), table)


def progress(live: int, done: int, wanted: int) -> str:
    """How far it is."""
    return f"{live} live, {done} of {wanted} done"


def shares(pods: Mapping[str, Sequence[str]]) -> str:
    """How many calls each of several pods carries."""
    return "".join(f"; {pod} {len(pods[pod])}" for pod in sorted(pods))


def summary(
    reports: Sequence[CallReport],
    added_ms: tuple[Sequence[float], Sequence[float]],
    rows: int,
    facts: int,
) -> Table:
    """What the calls were like; times as callers heard them."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    answers = [report.answer_ms for report in reports if report.answer_ms is not None]
    turns = [ms for report in reports for ms in report.latencies_ms]
    cuts = [ms for report in reports for ms in report.barge_ins_ms]
    warnings = sum(sum(report.warnings.values()) for report in reports)
    table.add_row("calls", f"{len(reports)}, {warnings} warnings of the carrier")
    table.add_row("answer: stream to first sound", spread(answers))
    table.add_row("turns: end of speech to first sound", f"{len(turns)} turns, {spread(turns)}")
    table.add_row("barge-in: first word to silence", f"{len(cuts)} times, {spread(cuts)}")
    table.add_row("added by the pod, caller to model", spread(added_ms[0]))
    table.add_row("added by the pod, model to caller", spread(added_ms[1]))
    table.add_row("rows of the call log", f"{rows} calls, {facts} facts")
    return table


def spread(values: Sequence[float]) -> str:
    """Median and 99th percentile, in milliseconds."""
    if not values:
        return "none"
    ordered = sorted(values)
    half, most = (
        ordered[len(ordered) // 2],
        ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
    )
    return f"p50 {half:.1f} ms, p99 {most:.1f} ms"


def transcript(report: CallReport) -> RenderableType:
    """One call, as its caller lived through it."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for who, words in report.transcript:
        table.add_row(Text(who, style=WHO.get(who, "")), Text(_readable(words)))
    return table


def _readable(words: str) -> str:
    """What the recogniser marks where the caller broke in, as a dash."""
    return _MARKS.sub("—", words).strip()


def _tail(words: str) -> str:
    return words if len(words) <= HEARD_CHARS_MAX else "…" + words[-HEARD_CHARS_MAX + 1 :]
