"""What is written down of a call."""

from sim.carrier_bench import talking
from sim.carrier_bot import media
from trunkline.sim.caller import HangUp, Listen, Say
from trunkline.sim.carrier.report import EVENTS_MAX, Diary, Said


def test_a_diary_is_bounded() -> None:
    """What comes later is counted only."""
    diary = Diary()
    for number in range(EVENTS_MAX + 3):
        diary.note(number, Said.VERB)
    assert len(diary.entries) == EVENTS_MAX
    assert diary.uncounted == 3


def test_figures_are_drawn_from_turns() -> None:
    """Latencies of what was said; barge-ins and holes of all."""
    bench = talking([Listen(100), Say("hello"), Listen(100), HangUp()])
    bench.server(media(bench.stream_sid, b"g" * 1600)).go(0.9)
    bench.server(media(bench.stream_sid, b"r" * 1600)).go(1.0)
    report = bench.report
    assert len(report.latencies_ms) == 1
    assert report.latencies_ms[0] > 0
    assert report.barge_ins_ms == []
    assert report.holes_ms == []
    assert report.answer_ms is not None
    assert report.setup_ms is not None


def test_a_reports_repr_holds_no_word_and_no_number() -> None:
    """It may stand in a log or a test's output."""
    bench = talking([Say("canary"), HangUp()]).go(2.0)
    report = bench.report
    assert ("caller", "canary") in report.transcript
    text = repr(report)
    assert "canary" not in text
    assert "+1555" not in text


def test_a_streams_life_is_known() -> None:
    """None while it lives."""
    bench = talking().go(0.5)
    assert bench.report.streams[0].lasted_ms is None
    bench.close().go(0.1)
    lasted = bench.report.streams[0].lasted_ms
    assert lasted is not None
    assert 499 < lasted < 502
