"""The report as one HTML page."""

import re
from html.parser import HTMLParser

from loadtest.samples import call, report, turn
from trunkline.loadtest.figures import Hole
from trunkline.loadtest.knee import Step, capacity_of
from trunkline.loadtest.page import to_html
from trunkline.loadtest.timeline import Fault
from trunkline.loadtest.verdict import Outcome, Verdict

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Checks that what is opened is closed, and keeps what a person would read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert name not in {"src", "href", "onclick", "style"}, name
            if name == "id":
                self.ids.append(value or "")
            if name == "aria-labelledby":
                self.references += (value or "").split()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def full_page() -> Reader:
    faults = [Fault(3.0, "model", "refuse", "", 2.0)]
    calls = [call(0), call(1, turns=[turn(missed=True)], holes=[Hole(5.0, 70.0)], failed="<b>")]
    held = Step(50, Verdict(Outcome.KEPT, "all promises kept", False), ())
    made = report(calls, faults, marked=True, pod=True, capacity=capacity_of([held]))
    return Reader(to_html(made).decode())


def test_the_page_needs_nothing_but_itself() -> None:
    """No script, no link, no picture, no address; well under a megabyte."""
    page = to_html(report(marked=True, pod=True)).decode()
    assert page.startswith("<!doctype html>")
    assert not re.search(r"https?:|url\(|@import|<script|<link|<img", page)
    assert "prefers-color-scheme: dark" in page
    assert len(page) < 200_000


def test_everything_is_there() -> None:
    """Every plot, with a title that screen readers find and a table beside it."""
    page = full_page()
    for words in (
        "Load test: 2 calls, 2 new a second, 11 s",
        "Time lines of the calls",
        "Added latency over time",
        "Added latency, distribution",
        "Answer time",
        "Calls at once",
        "The pod's processor",
        "The pod's memory",
        "The pod's event loop",
        "The load generator's own lateness",
        "model.refuse, 3 to 5 s",
        "TRUNKLINE_CALLS_MAX=40",
        "Broken: calls carried from answer to end: 1 of 2 calls failed",
    ):
        assert words in page.words, words
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    assert page.tags.count("svg") == page.tags.count("figure") == 10
    assert page.tags.count("details") == 10  # One a plot; the time lines' is that of all calls.
    assert "<b>" in page.words


def test_what_is_not_measured_is_said() -> None:
    """Another's bot and model: no marks, no metrics, and no plot that would show zero."""
    page = Reader(to_html(report()).decode())
    assert "added to the model not measured" in page.words
    assert "frames lost, doubled, crossed not measured" in page.words
    assert "Added latency" not in page.words
    assert "The pod's" not in page.words
