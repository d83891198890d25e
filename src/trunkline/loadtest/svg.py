"""Plots in SVG and pages in HTML, built as trees: what is text stays text."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

TICKS: Final = 5
"""About so many ticks on an axis."""

CHAR_PX: Final = 6.4
"""Width of a character of a plot's labels."""


def el(tag: str, /, *inside: Element | str, **attributes: str | float | None) -> Element:
    """An element; `class_` is class, `stroke_width` stroke-width; None is left out."""
    made = Element(tag)
    for key, value in attributes.items():
        if value is not None:
            made.set(key.rstrip("_").replace("_", "-"), _written(value))
    add(made, *inside)
    return made


def add(parent: Element, *inside: Element | str) -> None:
    """Append elements and text, in order."""
    for each in inside:
        if isinstance(each, Element):
            parent.append(each)
        elif len(parent):
            parent[-1].tail = (parent[-1].tail or "") + each
        else:
            parent.text = (parent.text or "") + each


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def nice_step(span: float, count: int = TICKS) -> float:
    """1, 2 or 5 times a power of ten, so that about `count` of them fill the span."""
    raw = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels."""

    low: float
    high: float
    from_px: float
    to_px: float
    log: bool = False

    def px(self, value: float) -> float:
        """Where a value lies; what lies outside is drawn at the edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.from_px + share * (self.to_px - self.from_px)

    def ticks(self, count: int = TICKS) -> list[float]:
        """Round values along it; powers of ten where it is logarithmic."""
        if self.log:
            first = math.ceil(math.log10(self.low) - 1e-9)
            last = math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        step = nice_step(self.high - self.low, count)
        first_tick = math.ceil(self.low / step - 1e-9)
        return [
            index * step for index in range(first_tick, math.floor(self.high / step + 1e-9) + 1)
        ]


def up_to(most: float, count: int = TICKS) -> float:
    """The end of an axis from zero that holds the value."""
    if most <= 0:
        return 1.0
    step = nice_step(most, count)
    return step * math.ceil(most / step - 1e-9)


def powers_around(values: Sequence[float], least: float) -> tuple[float, float]:
    """Ends of a logarithmic axis: powers of ten around the values."""
    low = max(least, min(values))
    high = max(low, *values)
    below, above = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
    return below, above if above > below else below * 10


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot's area with its two scales."""

    width: float
    height: float
    x: Scale
    y: Scale


def frame(
    x: tuple[float, float],
    y: tuple[float, float],
    *,
    width: float = 520,
    height: float = 250,
    top: float = 26,
    left: float = 50,
    log_y: bool = False,
) -> Frame:
    """A plot's area; time runs to the right, values upwards."""
    right, bottom = width - 14, height - 38
    return Frame(
        width, height, Scale(x[0], x[1], left, right), Scale(y[0], y[1], bottom, top, log_y)
    )


def axes(area: Frame, x_name: str, y_name: str, *, x_ticks: bool = True) -> Iterable[Element]:
    """Grid lines, ticks and the names of both axes."""
    left, right = area.x.from_px, area.x.to_px
    bottom, top = area.y.from_px, area.y.to_px
    for value in area.y.ticks():
        at = area.y.px(value)
        yield el("line", class_="grid", x1=left, x2=right, y1=at, y2=at)
        yield el("text", f"{value:g}", class_="tick", x=left - 6, y=at + 4, text_anchor="end")
    for value in area.x.ticks(8) if x_ticks else ():
        at = area.x.px(value)
        yield el("line", class_="axis", x1=at, x2=at, y1=bottom, y2=bottom + 4)
        yield el("text", f"{value:g}", class_="tick", x=at, y=bottom + 17, text_anchor="middle")
    yield el("line", class_="axis", x1=left, x2=right, y1=bottom, y2=bottom)
    yield el("text", x_name, class_="name", x=right, y=bottom + 33, text_anchor="end")
    yield el("text", y_name, class_="name", x=left - 6, y=top - 12, text_anchor="end")


def path(area: Frame, points: Iterable[tuple[float, float]], class_: str) -> Element:
    """A line through points."""
    places = [f"{area.x.px(x):.1f} {area.y.px(y):.1f}" for x, y in points]
    return el("path", class_=f"line {class_}", d="M" + "L".join(places) if places else "M0 0")


def stairs(area: Frame, points: Sequence[tuple[float, float]], class_: str) -> Element:
    """A line that keeps each value until the next."""
    steps: list[tuple[float, float]] = []
    for x, y in points:
        if steps:
            steps.append((x, steps[-1][1]))
        steps.append((x, y))
    return path(area, steps, class_)
