"""What the marks of time in the audio tell."""

from trunkline.loadtest.marked import PARTS, Collector, false_turns, sessions_of
from trunkline.sim.realtime.record import Heard, SessionRecord
from trunkline.sim.tally import Marks
from trunkline.sim.timemark import Mark


def session(call: int, *, heard: int = 0) -> SessionRecord:
    """A session that heard this call; 0 for one of the pool."""
    record = SessionRecord("s", "gpt-realtime", 0.0, marks=Marks(call))
    record.heard.extend(Heard("i", "hello", 400) for _ in range(heard))
    return record


def came(marks: Marks, *latencies_ms: float, first: int = 0) -> None:
    """Frames one after another, each so late."""
    for number, late_ms in enumerate(latencies_ms, start=first):
        marks.came.came(Mark(marks.call, 0, number, 0), round(late_ms * 1000))


def test_what_is_collected_meanwhile_is_not_lost_at_the_end() -> None:
    """Second by second for all calls, and whole for the one call."""
    collector = Collector()
    caller, model = Marks(7), session(7)
    assert model.marks is not None
    came(model.marks, 0.5, 0.5)
    for _ in range(PARTS):
        collector.collect(1.2, [caller], [model, session(0)])
    came(model.marks, 30.0, first=3)
    way = collector.way_of(2.5, collector.to_model, [model.marks.came])
    assert way is not None
    assert (way.frames, way.lost, way.late, way.most_ms) == (3, 1, 1, 30.0)
    assert [(each.at_s, each.count) for each in collector.to_model] == [(1.0, 2), (2.0, 1)]
    assert list(collector.to_caller) == []


def test_a_call_of_two_sessions_is_one() -> None:
    """A session was lost, another took over: the frames of both are the call's."""
    collector = Collector()
    sessions = [session(3), session(4), session(3)]
    for each in sessions:
        assert each.marks is not None
        came(each.marks, 1.0)
    ours = sessions_of(3, sessions)
    assert ours == [sessions[0], sessions[2]]
    tallies = [each.marks.came for each in ours if each.marks is not None]
    way = collector.way_of(1.0, collector.to_model, tallies)
    assert way is not None
    assert (way.frames, way.lost) == (2, 0)


def test_without_a_mark_nothing_is_measured() -> None:
    """Another's model, or one that heard nothing."""
    collector = Collector()
    assert collector.way_of(1.0, collector.to_caller, [Marks(1).came]) is None


def test_false_turns_are_those_that_nobody_made() -> None:
    """What was said and not heard is no less than none."""
    assert false_turns(2, [session(1, heard=2), session(1, heard=1)]) == 1
    assert false_turns(4, [session(1, heard=2)]) == 0
