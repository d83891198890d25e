"""All calls together."""

import msgspec

from loadtest.samples import call, totals, turn, way
from trunkline.loadtest.figures import Hole


def test_what_was_not_measured_is_not_zero() -> None:
    """Without marks nobody knows of lost frames or of false turns."""
    found = totals([call(0), call(1)], lag_ms=None)
    assert (found.lost, found.doubled, found.crossed, found.late, found.false) == (None,) * 5
    assert found.to_model_ms is None
    assert found.loop_lag_ms is None
    assert (found.calls, found.failed, found.holes, found.spoken) == (2, 0, 0, 2)


def test_everything_is_added_up() -> None:
    """Over calls and over both ways."""
    calls = [
        call(0, way=way(lost=1, crossed=2), false_turns=1),
        call(1, way=way(doubled=3), false_turns=0, holes=[Hole(4.0, 120.0)], failed="no sound"),
        call(2, turns=[turn(missed=True), turn(5.0, silence_ms=22.0)]),
    ]
    found = totals(calls)
    assert (found.lost, found.doubled, found.crossed, found.false) == (2, 6, 4, 1)
    assert (found.failed, found.holes, found.missed, found.interruptions) == (1, 1, 1, 1)
    assert found.silence_ms is not None
    assert found.silence_ms.p50 == 22.0
    assert found.answer_ms is not None
    assert found.answer_ms.count == 3


def test_long_waits_are_those_of_answers_and_turns() -> None:
    """A caller who is owed a sound waits 2 s at most."""
    slow = msgspec.structs.replace(turn(), answer_ms=2_300.0)
    assert totals([call(0, turns=[slow, turn()])]).long_waits == 1
