"""The report's plots, each a figure with its title, its legend, and the same as a table."""

from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from trunkline.loadtest.percentiles import Slice
from trunkline.loadtest.podmetrics import Sample
from trunkline.loadtest.report import Bar, Report, active
from trunkline.loadtest.svg import Frame, add, axes, el, frame, path, powers_around, stairs, up_to
from trunkline.loadtest.timeline import Fault

LEAST_MS: Final = 0.1
"""Where logarithmic axes begin at the lowest."""

TABLE_ROWS_MAX: Final = 120
"""Rows of a plot's table; of more, every so many-th is shown."""

BAR_SHARE: Final = 0.8
"""Of a bar's place, so much is drawn."""

Points = Sequence[tuple[float, float]]
Line = tuple[str, str, Points]
"""A line's class, its name, its points."""


def figure(
    title: str,
    says: str,
    area: Frame,
    drawn: Iterable[Element],
    legend: Sequence[tuple[str, str]],
    table: Element | None,
    *,
    wide: bool = False,
) -> Element:
    """A plot for eyes, for screen readers, and as a table."""
    name = "".join(letter for letter in title.lower() if letter.isalnum())
    svg = el(
        "svg",
        el("title", title, id=f"{name}-title"),
        el("desc", says, id=f"{name}-desc"),
        *drawn,
        role="img",
        viewBox=f"0 0 {area.width:g} {area.height:g}",
        aria_labelledby=f"{name}-title {name}-desc",
    )
    keys = [
        el("span", el("i", class_=f"key {class_}"), text, class_="entry") for class_, text in legend
    ]
    made = el("figure", el("figcaption", title), class_="wide" if wide else None)
    if keys:
        add(made, el("p", *keys, class_="legend"))
    add(made, svg, el("p", says, class_="says"))
    if table is not None:
        add(made, el("details", el("summary", "as a table"), table))
    return made


def table_of(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Element:
    """A table; of very many rows every so many-th."""
    every = -(-len(rows) // TABLE_ROWS_MAX) or 1
    shown = rows[::every]
    head = el("tr", *(el("th", name, scope="col") for name in heads))
    body = [el("tr", *(el("td", cell) for cell in row)) for row in shown]
    told = caption if every == 1 else f"{caption} (every {every}th row)"
    return el(
        "div",
        el("table", el("caption", told), el("thead", head), el("tbody", *body)),
        class_="scroll",
    )


def over_time(
    title: str,
    says: str,
    unit: str,
    lines: Sequence[Line],
    report: Report,
    *,
    log: bool = False,
    limit: float | None = None,
    stepped: bool = False,
) -> Element | None:
    """Lines over the time of the test, with faults as bands; None without a point."""
    lines = [line for line in lines if line[2]]
    values = [y for _, _, points in lines for _, y in points]
    if not values:
        return None
    if limit is not None:
        values.append(limit)
    ends = powers_around(values, LEAST_MS) if log else (0.0, up_to(max(values)))
    area = frame((0.0, max(report.lasted_s, 1.0)), ends, log_y=log)
    drawn = [*bands(area, report.asked.faults), *axes(area, "seconds", unit)]
    if limit is not None:
        at = area.y.px(limit)
        drawn.append(el("line", class_="limit", x1=area.x.from_px, x2=area.x.to_px, y1=at, y2=at))
    draw = stairs if stepped else path
    drawn += [draw(area, points, class_) for class_, _, points in lines]
    legend = [(class_, name) for class_, name, _ in lines]
    if limit is not None:
        legend.append(("limit", f"limit {limit:g} {unit}"))
    if report.asked.faults:
        legend.append(("band", "fault"))
    by_time: dict[float, dict[str, str]] = {}
    for _, name, points in lines:
        for x, y in points:
            by_time.setdefault(x, {})[name] = f"{y:.2f}"
    names = [name for _, name, _ in lines]
    rows = [
        [f"{at:g}", *(cells.get(name, "") for name in names)]
        for at, cells in sorted(by_time.items())
    ]
    table = table_of(f"{title}, {unit}", ("second", *names), rows)
    return figure(title, says, area, drawn, legend, table)


def bands(area: Frame, faults: Sequence[Fault]) -> list[Element]:
    """Faults behind everything; their names lie in the time lines' plot and in tooltips."""
    drawn = []
    for fault in faults:
        left, right = area.x.px(fault.at_s), area.x.px(fault.until_s)
        drawn.append(
            el(
                "rect",
                el("title", told(fault)),
                class_="band" if fault.for_s else "moment",
                x=left,
                y=area.y.to_px,
                width=max(2.0, right - left),
                height=area.y.from_px - area.y.to_px,
            )
        )
    return drawn


def told(fault: Fault) -> str:
    """A fault with its times."""
    until = f" to {fault.until_s:g} s" if fault.for_s else " s"
    return f"{fault.title}, {fault.at_s:g}{until}"


def percentiles(slices: Sequence[Slice], class_: str, name: str) -> list[Line]:
    """Median and 99th percentile of each second."""
    return [
        (class_, f"{name}, p50", [(each.at_s, each.p50) for each in slices]),
        (f"{class_} dashed", f"{name}, p99", [(each.at_s, each.p99) for each in slices]),
    ]


def distribution(
    title: str, says: str, groups: Sequence[tuple[str, str, Sequence[Bar]]]
) -> Element | None:
    """How often a latency was how long: bars side by side, in per cent."""
    groups = [group for group in groups if any(bar.count for bar in group[2])]
    if not groups:
        return None
    used = [
        index
        for index in range(len(groups[0][2]))
        if any(bars[index].count for _, _, bars in groups)
    ]
    used = list(range(min(used), max(used) + 1))
    shares = [
        [100 * bars[index].count / max(1, sum(bar.count for bar in bars)) for index in used]
        for _, _, bars in groups
    ]
    area = frame((0.0, float(len(used))), (0.0, up_to(max(map(max, shares)))))
    drawn = list(axes(area, "up to so many ms", "%", x_ticks=False))
    width = (area.x.px(1) - area.x.px(0)) * BAR_SHARE / len(groups)
    names = [_edge(groups[0][2], index) for index in used]
    for place, name in enumerate(names):
        middle, below = area.x.px(place + 0.5), area.y.from_px + 17
        drawn.append(el("text", name, class_="tick", x=middle, y=below, text_anchor="middle"))
        for number, (class_, group, _) in enumerate(groups):
            share = shares[number][place]
            top = area.y.px(share)
            left = area.x.px(place + (1 - BAR_SHARE) / 2) + number * width
            drawn.append(
                el(
                    "rect",
                    el("title", f"{group}, up to {name} ms: {share:.2f} %"),
                    class_=f"bar {class_}",
                    x=left,
                    y=top,
                    width=max(1.0, width - 1),
                    height=area.y.from_px - top,
                )
            )
    rows = [
        [name, *(f"{shares[number][place]:.2f}" for number in range(len(groups)))]
        for place, name in enumerate(names)
    ]
    heads = ("up to ms", *(group for _, group, _ in groups))
    legend = [(class_, group) for class_, group, _ in groups]
    return figure(title, says, area, drawn, legend, table_of(f"{title}, %", heads, rows))


def _edge(bars: Sequence[Bar], index: int) -> str:
    edge = bars[index].up_to_ms
    return f">{bars[index - 1].up_to_ms:g}" if edge is None else f"{edge:g}"


def calls_up(report: Report) -> Element | None:
    """Calls at once, as we made them and as the pod counts them."""
    lines: list[Line] = [
        ("blue", "calls of this test", [(at, float(n)) for at, n in active(report.calls)])
    ]
    lines.append(("orange", "calls as the pod counts them", pod_points(report, "calls")))
    return over_time(
        "Calls at once",
        "How many calls were up.",
        "calls",
        lines,
        report,
        stepped=True,
    )


def pod_points(report: Report, name: str, times: float = 1.0) -> Points:
    """One figure of the pod over time, where it told."""
    found: list[tuple[float, float | None]] = [
        (sample.at_s, _of(sample, name)) for sample in report.course.pod
    ]
    return [(at, value * times) for at, value in found if value is not None]


def _of(sample: Sample, name: str) -> float | None:
    values = {
        "cpu": sample.cpu,
        "memory": sample.memory_mb,
        "calls": sample.calls,
        "lag": sample.lag_ms,
    }
    return values[name]
