"""The report as one HTML page: no network, no script, light and dark, tables beside plots."""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element, tostring

from trunkline.loadtest.figures import Call
from trunkline.loadtest.knee import Capacity
from trunkline.loadtest.lifelines import lifelines
from trunkline.loadtest.percentiles import Percentiles
from trunkline.loadtest.plots import (
    Line,
    calls_up,
    distribution,
    over_time,
    percentiles,
    pod_points,
    table_of,
)
from trunkline.loadtest.report import Report
from trunkline.loadtest.struck import HEADS, cells
from trunkline.loadtest.style import STYLE
from trunkline.loadtest.svg import add, el
from trunkline.loadtest.table import cells_of, empty, rows_of
from trunkline.loadtest.totals import Totals
from trunkline.loadtest.verdict import ADDED_MS_MAX, LAG_MS_MAX, NOT_MEASURED, OWN_LATE_MS_MAX

CALLS_SHOWN_MAX: Final = 1_000
"""Rows of the table of calls, those with something wrong first; the JSON file has all."""

WORDS: Final = {True: "kept", False: "broken", None: "not measured"}


def to_html(report: Report) -> bytes:
    """The file of `--html`."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title_of(report)),
        el("style", STYLE),
    )
    html = el("html", head, el("body", el("main", *_sections(report))), lang="en")
    text: str = tostring(html, encoding="unicode", method="html")
    return f"<!doctype html>\n{text}\n".encode()


def title_of(report: Report) -> str:
    """What was asked for."""
    asked = report.asked
    churn = "" if asked.call_s is None else f" of {asked.call_s:g} s each"
    return (
        f"Load test: {asked.calls} calls{churn}, {asked.rate:g} new a second, {asked.seconds:g} s"
    )


def _sections(report: Report) -> Iterator[Element]:
    yield el("h1", title_of(report))
    yield _subtitle(report)
    yield _verdict(report)
    yield _tiles(report.totals)
    if report.capacity is not None:
        yield _capacity(report.capacity)
    yield el("h2", "Promises")
    yield _promises(report)
    if report.struck:
        yield el("h2", "Faults, as callers heard them")
        yield _struck(report)
    life = lifelines(report)
    if life is not None:
        yield el("h2", "Calls")
        yield life
    yield el("h2", "While it ran")
    yield el("div", *(plot for plot in _plots(report) if plot is not None), class_="plots")
    yield el("h2", "Figures")
    yield _figures(report.totals)
    if report.asked.faults:
        yield _faults(report)
    yield el("h2", "Each call")
    yield _calls(report.calls)
    yield el("footer", f"Made {report.made} by trunkline loadtest on {report.machine}.")


def _subtitle(report: Report) -> Element:
    asked = report.asked
    words = f"{asked.far_end}; callers: {', '.join(dict.fromkeys(asked.scripts))}"
    lasted = f"; lasted {report.lasted_s:.0f} s"
    cut = ", cut short by Ctrl-C: this is what has been" if report.cut_short else ""
    return el("p", f"Against {words}{lasted}{cut}.", class_="sub")


def _verdict(report: Report) -> Element:
    verdict = report.verdict
    mark = {"kept": "✓", "broken": "✗", "unproven": "?"}[verdict.outcome]
    text = verdict.text[0].upper() + verdict.text[1:]
    sign = el("span", mark, class_="mark", aria_hidden="true")
    return el("p", sign, el("span", f"{text}."), class_=f"verdict {verdict.outcome}", role="status")


def _tiles(totals: Totals) -> Element:
    tiles = (
        ("calls carried", f"{totals.calls - totals.failed} of {totals.calls}", ""),
        ("answer after speech", *_pair(totals.answer_ms)),
        ("added to the model", *_pair(totals.to_model_ms)),
        ("added to the caller", *_pair(totals.to_caller_ms)),
        ("interruption to silence", *_pair(totals.silence_ms)),
        ("holes in replies", f"{totals.holes}", ""),
        (
            "frames lost, doubled, crossed",
            NOT_MEASURED
            if totals.lost is None
            else f"{totals.lost}, {totals.doubled}, {totals.crossed}",
            "",
        ),
        (
            "turns missed, false",
            f"{totals.missed}, {'?' if totals.false is None else totals.false}",
            f"of {totals.spoken}",
        ),
    )
    return el("dl", *(_tile(*tile) for tile in tiles), class_="tiles")


def _tile(name: str, value: str, more: str) -> Element:
    unknown = "unknown" if value in {NOT_MEASURED, "none"} else None
    told = [el("dd", value, class_=unknown)]
    if more:
        told.append(el("dd", more, class_="more"))
    return el("div", el("dt", name), *told)


def _pair(found: Percentiles | None) -> tuple[str, str]:
    if found is None:
        return NOT_MEASURED, ""
    return f"{_short(found.p50)} ms", f"median; p99 {_short(found.p99)} ms"


def _short(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"  # noqa: PLR2004 - three digits


def _promises(report: Report) -> Element:
    rows = [
        el(
            "tr",
            el("th", promise.name, scope="row"),
            el("td", promise.limit),
            el("td", promise.found),
            el("td", WORDS[promise.kept], class_=WORDS[promise.kept].replace(" ", "-")),
        )
        for promise in report.promises
    ]
    heads = ("promise", "limit", "found", "")
    head = el("thead", el("tr", *(el("th", name, scope="col") for name in heads)))
    return el("div", el("table", head, el("tbody", *rows)), class_="scroll")


def _capacity(found: Capacity) -> Element:
    steps = [[str(step.calls), step.verdict.text] for step in found.steps]
    words = f"{found.text[0].upper()}{found.text[1:]}."
    section = el("section", el("h2", "Capacity"), el("p", words))
    if found.settings:
        add(section, el("pre", "\n".join(found.settings)))
    add(section, table_of("Loads that were tried", ("calls", "outcome"), steps))
    return section


def _plots(report: Report) -> Iterator[Element | None]:
    course = report.course
    added: list[Line] = [
        *percentiles(course.to_model, "blue", "to model"),
        *percentiles(course.to_caller, "orange", "to caller"),
    ]
    yield over_time(
        "Added latency over time",
        "Between the two sockets, for each second's frames.",
        "ms",
        added,
        report,
        log=True,
        limit=ADDED_MS_MAX,
    )
    yield distribution(
        "Added latency, distribution",
        "How many frames were held up for how long.",
        [
            ("blue", "to model", course.to_model_bars),
            ("orange", "to caller", course.to_caller_bars),
        ],
    )
    answers = percentiles(course.answers, "blue", "answer")
    yield over_time(
        "Answer time",
        "From the end of the caller's speech to the first sound of the reply.",
        "ms",
        answers,
        report,
    )
    yield distribution(
        "Answer time, distribution",
        "How many answers took how long.",
        [("blue", "answers", course.answer_bars)],
    )
    yield calls_up(report)
    yield from _pod_plots(report)
    yield over_time(
        "The load generator's own lateness",
        "Beyond the limit, what looks broken may be its own fault, and not the pod's.",
        "ms",
        percentiles(course.own_late, "grey", "late"),
        report,
        log=True,
        limit=OWN_LATE_MS_MAX,
    )


def _pod_plots(report: Report) -> Iterator[Element | None]:
    yield over_time(
        "The pod's processor",
        "Per cent of one core.",
        "%",
        [("blue", "processor", pod_points(report, "cpu", 100.0))],
        report,
    )
    yield over_time(
        "The pod's memory",
        "Resident.",
        "MB",
        [("blue", "memory", pod_points(report, "memory"))],
        report,
    )
    yield over_time(
        "The pod's event loop",
        "99 of 100 ticks of each second were no later than this.",
        "ms",
        [("blue", "lag, p99", pod_points(report, "lag"))],
        report,
        log=True,
        limit=LAG_MS_MAX,
    )


def _figures(totals: Totals) -> Element:
    rows = []
    for name, found in rows_of(totals):
        cells = cells_of(found) or ("-", "-", "-", "-", empty(name))
        rows.append([name, *cells])
    for name, value in (
        ("late frames", totals.late),
        ("interruptions", totals.interruptions),
        *((f"carrier's warning {code}", count) for code, count in totals.warnings.items()),
    ):
        rows.append([name, "", "", "", "", NOT_MEASURED if value is None else f"{value:,}"])
    return table_of("Times in ms", ("", "p50", "p90", "p99", "most", "count"), rows)


def _struck(report: Report) -> Element:
    caption = "In ms from the end of a stream to the next sound, and to the agent's own voice"
    return table_of(caption, HEADS, [cells(each) for each in report.struck])


def _faults(report: Report) -> Element:
    rows = [
        [fault.title, f"{fault.at_s:g}", f"{fault.for_s:g}" if fault.for_s else "at once"]
        for fault in report.asked.faults
    ]
    return table_of("Faults on the timeline", ("fault", "from second", "for seconds"), rows)


def _calls(calls: Sequence[Call]) -> Element:
    odd = sorted(calls, key=lambda call: not (call.failed or call.holes or call.missed_turns))
    shown = sorted(odd[:CALLS_SHOWN_MAX], key=lambda call: call.number)
    heads = (
        "call", "script", "from s", "to s", "set-up ms", "first sound ms", "answers, worst ms",
        "turns", "missed", "holes", "to model p99", "to caller p99", "lost", "failed",
    )  # fmt: skip
    body = [el("tr", *(el("td", cell) for cell in _cells(call))) for call in shown]
    head = el("tr", *(el("th", name, scope="col") for name in heads))
    part = "" if len(shown) == len(calls) else f" ({len(shown)} of {len(calls)})"
    table = el("table", el("caption", f"Calls{part}"), el("thead", head), el("tbody", *body))
    return el("details", el("summary", f"{len(shown)} calls"), el("div", table, class_="scroll"))


def _cells(call: Call) -> tuple[str, ...]:
    answers = [turn.answer_ms for turn in call.turns if turn.answer_ms is not None]
    ways = [way for way in (call.to_model, call.to_caller) if way is not None]
    return (
        str(call.number + 1),
        call.script,
        f"{call.began_s:.1f}",
        f"{call.ended_s:.1f}",
        _ms(call.webhook_ms),
        _ms(call.first_sound_ms),
        _ms(max(answers, default=None)),
        str(call.spoken_turns),
        str(call.missed_turns),
        str(len(call.holes)),
        _ms(None if call.to_model is None else call.to_model.p99_ms),
        _ms(None if call.to_caller is None else call.to_caller.p99_ms),
        str(sum(way.lost for way in ways)) if ways else "-",
        call.failed,
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else _short(value)
