"""The report's plots."""

from xml.etree.ElementTree import Element

from loadtest.samples import call, report
from trunkline.loadtest.plots import TABLE_ROWS_MAX, calls_up, distribution, over_time, table_of
from trunkline.loadtest.report import Bar
from trunkline.loadtest.timeline import Fault


def classes(figure: Element) -> list[str]:
    return [each.get("class", "") for each in figure.iter()]


def test_a_plot_has_its_title_its_legend_and_its_table() -> None:
    """For eyes, for screen readers, and for those who want the figures."""
    lines = [("blue", "to model, p50", [(1.0, 2.0), (2.0, 3.0)])]
    made = over_time("Added", "What it says.", "ms", lines, report(), limit=20.0)
    assert made is not None
    svg = next(made.iter("svg"))
    assert svg.get("role") == "img"
    named = svg.get("aria-labelledby", "").split()
    by_id = {each.get("id"): each.text for each in svg}
    assert [by_id[name] for name in named] == ["Added", "What it says."]
    assert [cell.text for cell in made.iter("td")] == ["1", "2.00", "2", "3.00"]
    assert {"line blue", "limit", "key limit"} <= set(classes(made))


def test_a_plot_without_a_point_is_none() -> None:
    """An empty frame would look like zero."""
    assert over_time("Added", "", "ms", [("blue", "x", [])], report()) is None
    assert distribution("Added", "", [("blue", "x", [Bar(1.0, 0)])]) is None
    assert calls_up(report(calls=())) is None


def test_faults_lie_behind_the_lines() -> None:
    """As bands, or as a moment."""
    faults = [Fault(3.0, "model", "refuse", "", 2.0), Fault(5.0, "model", "reset")]
    made = calls_up(report(faults=faults))
    assert made is not None
    found = classes(made)
    assert found.index("band") < found.index("line blue")
    assert "moment" in found
    assert [each.text for each in made.iter("title")][1:] == [
        "model.refuse, 3 to 5 s",
        "model.reset, 5 s",
    ]


def test_bars_are_shares_of_their_own_group() -> None:
    """From the first edge that holds anything to the last."""
    groups = [
        ("blue", "to model", [Bar(1.0, 0), Bar(2.0, 3), Bar(5.0, 0), Bar(None, 1)]),
        ("orange", "to caller", [Bar(1.0, 0), Bar(2.0, 8), Bar(5.0, 0), Bar(None, 0)]),
    ]
    made = distribution("Added", "", groups)
    assert made is not None
    rows = [[cell.text for cell in row.iter("td")] for row in made.iter("tr")][1:]
    assert rows == [["2", "75.00", "100.00"], ["5", "0.00", "0.00"], [">5", "25.00", "0.00"]]


def test_a_long_table_shows_every_so_many_th_row() -> None:
    """And says so."""
    made = table_of("T", ("second",), [[str(row)] for row in range(TABLE_ROWS_MAX * 3)])
    assert len(list(made.iter("td"))) == TABLE_ROWS_MAX
    assert next(made.iter("caption")).text == "T (every 3th row)"
    assert calls_up(report([call(0)])) is not None
