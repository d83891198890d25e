"""The calls' time lines: set-up, turns, holes, and faults as bands; one row a call."""

from collections.abc import Callable, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from trunkline.loadtest.figures import Call, Turn
from trunkline.loadtest.plots import figure, told
from trunkline.loadtest.report import Report
from trunkline.loadtest.svg import CHAR_PX, Frame, Scale, el
from trunkline.loadtest.timeline import Fault

ROWS_MAX: Final = 100
"""Calls drawn: those with something wrong first, then evenly from all."""

ROW_PX: Final = (7.0, 14.0)
"""A row is at least and at most so high."""

WIDTH: Final = 1_060.0
LEFT: Final = 50.0
LABEL_PX: Final = 16.0
"""Height of one line of faults' names above the rows."""

Box = Callable[[str, float, float], Element]
"""A class, from when, until when; as high as a row."""

LEGEND: Final = (
    ("setup", "set-up"),
    ("said", "caller speaks"),
    ("reply", "reply, first to last sound"),
    ("hole", "hole in a reply"),
    ("missed", "missed turn"),
    ("failed", "call failed"),
)


def lifelines(report: Report) -> Element | None:
    """None where no call was made."""
    shown = chosen(report.calls)
    if not shown:
        return None
    labels = placed(report.asked.faults, report.lasted_s)
    top = 10.0 + LABEL_PX * (1 + max((line for _, line in labels), default=0))
    row = min(ROW_PX[1], max(ROW_PX[0], 420 / len(shown)))
    bottom = top + row * len(shown)
    x = Scale(0.0, max(report.lasted_s, 1.0), LEFT, WIDTH - 14)
    area = Frame(WIDTH, bottom + 40, x, Scale(0, 1, bottom, top))
    drawn: list[Element] = []
    at = [8.0 + LABEL_PX * (line + 0.7) for _, line in labels]
    drawn += [_band(fault, area, y + 5) for (fault, _), y in zip(labels, at, strict=True)]
    drawn += [_label(fault, area, y) for (fault, _), y in zip(labels, at, strict=True)]
    drawn += _seconds(area)
    every = -(-len(shown) // 25) or 1
    for index, call in enumerate(shown):
        y = top + index * row
        if index % every == 0:
            number = f"{call.number + 1}"
            drawn.append(
                el("text", number, class_="tick", x=LEFT - 6, y=y + row / 2 + 4, text_anchor="end")
            )
        drawn.append(_row(call, area.x, y, row))
    legend = [*LEGEND, *((("band", "fault"),) if report.asked.faults else ())]
    count = len(report.calls)
    part = "" if len(shown) == count else f" {len(shown)} of {count} calls, the faulty ones first."
    says = f"One row a call, from its first ring to its end.{part} The last table has all calls."
    return figure("Time lines of the calls", says, area, drawn, legend, None, wide=True)


def chosen(calls: Sequence[Call]) -> list[Call]:
    """Those that are drawn, in the order in which they began."""
    if len(calls) <= ROWS_MAX:
        return list(calls)
    odd = [call for call in calls if call.failed or call.holes or call.missed_turns][:ROWS_MAX]
    picked = {call.number for call in odd}
    rest = [call for call in calls if call.number not in picked]
    room = ROWS_MAX - len(odd)
    if room:
        even = [rest[index * len(rest) // room] for index in range(min(room, len(rest)))]
        odd += even
    return sorted(odd, key=lambda call: call.number)


def placed(faults: Sequence[Fault], lasts_s: float) -> list[tuple[Fault, int]]:
    """Each fault with the line its name stands on, so that no two names overlap."""
    ends: list[float] = []
    found = []
    for fault in faults:
        width_s = len(told(fault)) * CHAR_PX / (WIDTH - LEFT - 14) * max(lasts_s, 1.0)
        begin = min(fault.at_s, max(0.0, lasts_s - width_s))
        line = next((i for i, end in enumerate(ends) if end <= begin), len(ends))
        ends[line : line + 1] = [begin + width_s]
        found.append((fault, line))
    return found


def _band(fault: Fault, area: Frame, top: float) -> Element:
    left, right = area.x.px(fault.at_s), area.x.px(fault.until_s)
    return el(
        "rect",
        el("title", told(fault)),
        class_="band" if fault.for_s else "moment",
        x=left,
        y=top,
        width=max(2.0, right - left),
        height=area.y.from_px - top,
    )


def _label(fault: Fault, area: Frame, y: float) -> Element:
    text = told(fault)
    begin = min(area.x.px(fault.at_s), area.x.to_px - len(text) * CHAR_PX)
    return el("text", text, class_="fault", x=begin, y=y)


def _seconds(area: Frame) -> list[Element]:
    drawn = []
    bottom = area.y.from_px
    for value in area.x.ticks(12):
        at = area.x.px(value)
        drawn += [
            el("line", class_="grid", x1=at, x2=at, y1=area.y.to_px, y2=bottom + 4),
            el("text", f"{value:g}", class_="tick", x=at, y=bottom + 18, text_anchor="middle"),
        ]
    right = area.x.to_px
    drawn.append(el("text", "seconds", class_="name", x=right, y=bottom + 34, text_anchor="end"))
    above = max(10.0, area.y.to_px - 6)
    drawn.append(el("text", "call", class_="name", x=LEFT - 6, y=above, text_anchor="end"))
    return drawn


def _row(call: Call, x: Scale, y: float, row: float) -> Element:
    """One call; its tooltip tells the figures."""
    high = row * 0.72
    middle = y + row / 2

    def box(class_: str, begin: float, end: float, share: float = 1.0) -> Element:
        left, tall = x.px(begin), high * share
        width = max(1.2, x.px(end) - left)
        return el("rect", class_=class_, x=left, y=middle - tall / 2, width=width, height=tall)

    pieces = [el("title", about(call)), box("life", call.began_s, call.ended_s, 0.22)]
    ready = next((turn.reply_s for turn in call.turns if turn.reply_s is not None), None)
    if ready is not None:
        pieces.append(box("setup", call.began_s, ready, 0.5))
    for turn in call.turns:
        pieces += _turn(turn, box)
    pieces += [box("hole", hole.at_s, hole.at_s + hole.ms / 1000, 1.3) for hole in call.holes]
    if call.failed:
        at = x.px(call.ended_s)
        r = min(4.0, row / 2)
        d = 2 * r
        cross = f"M{at - r:.1f} {middle - r:.1f}l{d:.1f} {d:.1f}m0 {-d:.1f}l{-d:.1f} {d:.1f}"
        pieces.append(el("path", class_="failed", d=cross))
    return el("g", *pieces)


def _turn(turn: Turn, box: Box) -> list[Element]:
    pieces = []
    if turn.kind == "said":
        end = turn.began_s if turn.ended_s is None else turn.ended_s
        pieces.append(box("missed" if turn.missed else "said", turn.began_s, end))
    if turn.reply_s is not None and turn.reply_ended_s is not None:
        pieces.append(box("reply", turn.reply_s, turn.reply_ended_s))
    return pieces


def about(call: Call) -> str:
    """A call in a line."""
    answers = [turn.answer_ms for turn in call.turns if turn.answer_ms is not None]
    worst = f", slowest answer {max(answers):.0f} ms" if answers else ""
    wrong = f", {len(call.holes)} holes" if call.holes else ""
    failed = f", {call.failed}" if call.failed else ""
    return (
        f"call {call.number + 1} ({call.script}): {call.began_s:.1f} to {call.ended_s:.1f} s, "
        f"{call.spoken_turns} turns{worst}{wrong}{failed}"
    )
