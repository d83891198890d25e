"""The report in a terminal."""

from rich.console import Console, RenderableType

from loadtest.samples import call, report
from trunkline.loadtest import table
from trunkline.loadtest.knee import Step, capacity_of
from trunkline.loadtest.percentiles import Percentiles
from trunkline.loadtest.plan import Load
from trunkline.loadtest.verdict import Outcome, Verdict


def shown(what: RenderableType) -> str:
    console = Console(width=120, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_the_report_ends_with_the_verdict() -> None:
    """Promises, figures, and what can't be known is not zero."""
    text = shown(table.report_table(report()))
    assert text.rstrip().endswith("all promises kept (4 measured, 5 not measured)")
    assert "0 of 2 calls failed" in text
    lines = {line.split("  ")[0]: line.split() for line in text.splitlines()}
    assert lines["answer: end of speech to first sound"][-5:] == ["800.0"] * 4 + ["2"]
    assert lines["added, caller to model"][-2:] == ["not", "measured"]
    assert lines["holes in replies"][-1] == "none"


def test_failures_are_counted_by_reason() -> None:
    """The most frequent first."""
    calls = [call(0), call(1, failed="no sound was heard"), call(2, failed="no sound was heard")]
    assert "calls failed: no sound was heard  2" in shown(table.report_table(report(calls)))


def test_progress_in_a_line() -> None:
    """Until its end, and while it ends."""
    load = Load(5, 1.0, 30)
    assert table.progress(load, 12.3, 4, 5, 1, 0) == "   12 of 30 s   4 live, 5 begun, 1 over"
    assert table.progress(load, 31.0, 1, 5, 4, 2).endswith("1 live, 5 begun, 4 over, 2 failed")
    answers = Percentiles(9, 801.0, 900.0, 950.0, 960.0)
    recent = [("answer", answers), ("added, caller to model", None)]
    drawn = shown(table.meanwhile("now", recent, [("pod: processor", "9 % of a core")]))
    assert [" ".join(line.split()) for line in drawn.splitlines()] == [
        "now",
        "answer p50 801.0 ms, p99 950.0 ms",
        "added, caller to model -",
        "pod: processor 9 % of a core",
    ]


def test_capacity_is_told_with_lines_for_the_settings() -> None:
    """And no settings are made up where no load held."""
    held = Step(50, Verdict(Outcome.KEPT, "all promises kept", False), ())
    text = table.capacity_text(capacity_of([held]))
    assert "one pod held 50 calls" in text
    assert text.endswith("TRUNKLINE_CALLS_MAX=40\nTRUNKLINE_CALLS_TARGET=24")
    broken = Step(1, Verdict(Outcome.BROKEN, "broken: x", False), ())
    assert table.capacity_text(capacity_of([broken])).endswith("no load held: broken: x")
