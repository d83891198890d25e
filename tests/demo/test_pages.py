"""What the demo shows, as text."""

from dataclasses import replace

import pytest
from rich.console import Console

from trunkline.demo import pages
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.ledger import Ledger
from trunkline.sim.serve_carrier_line import CallView
from trunkline.sim.turns import Kind, Turn

REPORT = CallReport(
    sid="CA" + "1" * 32,
    direction="inbound",
    status="completed",
    ended_by="caller",
    began_at=0.0,
    answered_at=0.1,
    ended_at=9.0,
    setup_ms=5.0,
    answer_ms=300.0,
    turns=(Turn(Kind.SAID, "hello", 1.0, ended_at=2.0, silence_ms=22.0, reply_at=2.8),),
    transcript=(
        ("agent", "good morning"),
        ("caller", "hello"),
        ("agent", "one two[lost 10] [noise 20 ms]"),
    ),
    streams=(),
    frames_sent=450,
    frame_late_ms_max=1.0,
    bytes_played=8000,
    warnings={},
    dialled=(),
    events=(),
    events_uncounted=0,
    callbacks_sent=1,
    copies_differed=0,
    ledger=Ledger(),
)


def shown(page: object) -> str:
    console = Console(width=120, record=True, file=None, force_terminal=False, quiet=False)
    with console.capture() as written:
        console.print(page)
    return written.get()


def test_the_table_shows_who_is_on_which_line() -> None:
    """Line, what the call is doing, how long, how many turns, and the last words only."""
    call = CallView(
        sid="CA1",
        direction="inbound",
        to_number="+15550100001",
        phase="streaming",
        doing="connect",
        seconds=12.34,
        turns=3,
        heard="x" * 100 + " the end",
    )
    text = shown(pages.live([call], {"+15550100001": "clinic"}, 4, 12))
    assert "1 live, 4 of 12 done" in text
    assert "clinic" in text
    assert "12.3" in text
    assert "the end" in text
    assert "x" * 60 not in text


def test_the_summary_counts_what_was_measured() -> None:
    """Answer time, turns, barge-in, latency both ways, rows and facts."""
    warned = replace(REPORT, warnings={31951: 2})
    text = shown(pages.summary([REPORT, warned], ([0.2, 0.4], [0.5]), 2, 30))
    for told in (
        "2, 2 warnings of the carrier",
        "p50 300.0 ms",
        "2 turns, p50 800.0 ms",
        "2 times, p50 22.0 ms",
        "p50 0.4 ms, p99 0.4 ms",
        "2 calls, 30 facts",
    ):
        assert told in text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], "none"),
        ([1.0], "p50 1.0 ms, p99 1.0 ms"),
        (list(range(100)), "p50 50.0 ms, p99 99.0 ms"),
    ],
)
def test_a_spread_is_a_median_and_a_worst_case(values: list[float], told: str) -> None:
    """Nothing measured is said so."""
    assert pages.spread(values) == told


def test_a_transcript_reads_as_the_call_was_heard() -> None:
    """Where the caller broke in stands a dash, and nothing of the recogniser's marks."""
    lines = [line.strip() for line in shown(pages.transcript(REPORT)).splitlines()]
    assert lines == ["agent  good morning", "caller  hello", "agent  one two—"]


def test_with_several_pods_the_table_shows_which_carries_whom() -> None:
    """And how many each has; a call that no pod has named yet has an empty place."""
    call = CallView("CA1", "inbound", "+15550100001", "streaming", "connect", 1.0, 1, "hello")
    lines = {"+15550100001": "clinic"}
    pods = {"demo-1": ["CA1", "CA3"], "demo-0": []}
    text = shown(pages.live([call, replace(call, sid="CA2")], lines, 0, 2, pods))
    first, heading, known, unknown = (line.split() for line in text.splitlines())
    assert " ".join(first) == "2 live, 0 of 2 done; demo-0 0; demo-1 2"
    assert heading[:2] == ["pod", "line"]
    assert known[:2] == ["demo-1", "clinic"]
    assert unknown[0] == "clinic"
