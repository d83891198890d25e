"""Trees of SVG and HTML."""

from xml.etree.ElementTree import tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.loadtest.svg import Scale, add, axes, el, frame, powers_around, stairs, up_to


def written(*args: object, **attributes: str | float | None) -> str:
    return str(tostring(el(*args, **attributes), encoding="unicode"))  # type: ignore[arg-type]


def test_text_stays_text() -> None:
    """Whatever stands in it."""
    assert written("p", "a <b> & ", el("b", "c"), " d") == "<p>a &lt;b&gt; &amp; <b>c</b> d</p>"
    made = el("p", el("b"))
    add(made, "x", "y")
    assert tostring(made, encoding="unicode") == "<p><b />xy</p>"


def test_attributes_are_named_as_in_svg() -> None:
    """Without needless digits; None is left out."""
    told = written("rect", class_="bar", x=1.50001, y=2.0, stroke_width=3, id=None)
    assert told == '<rect class="bar" x="1.5" y="2" stroke-width="3" />'


@given(st.floats(0.001, 1e6))
def test_an_axis_holds_its_value_and_has_few_ticks(most: float) -> None:
    """Round ones, not fewer than two."""
    scale = Scale(0.0, up_to(most), 0.0, 100.0)
    assert scale.high >= most * (1 - 1e-9)
    assert 2 <= len(scale.ticks()) <= 7
    assert 0 <= scale.px(most) <= 100


def test_a_logarithmic_axis_has_powers_of_ten() -> None:
    """Around its values, and never without length."""
    assert powers_around([0.3, 40.0], least=0.1) == (0.1, 100.0)
    assert powers_around([1.0], least=0.1) == (1.0, 10.0)
    assert powers_around([0.0], least=0.1) == (0.1, 1.0)
    scale = Scale(0.1, 100.0, 0.0, 300.0, log=True)
    assert scale.ticks() == pytest.approx([0.1, 1.0, 10.0, 100.0])
    assert [scale.px(value) for value in (0.0, 0.1, 1.0, 1000.0)] == pytest.approx([0, 0, 100, 300])


def test_stairs_keep_a_value_until_the_next() -> None:
    """A step, not a slope."""
    area = frame((0.0, 10.0), (0.0, 10.0), width=114, height=164, left=0)
    line = stairs(area, [(0.0, 0.0), (5.0, 10.0)], "blue").get("d")
    assert line == "M0.0 126.0L50.0 126.0L50.0 26.0"
    names = [each.text for each in axes(area, "seconds", "ms")]
    assert "seconds" in names
    assert "10" in names
