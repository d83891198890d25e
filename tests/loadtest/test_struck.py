"""What came of each fault, as callers heard it."""

from collections.abc import Sequence

import msgspec

from loadtest.samples import call, turn
from trunkline.loadtest.figures import ENDED_BY_US, Break, Call
from trunkline.loadtest.struck import HEADS, cells, struck_of
from trunkline.loadtest.timeline import Fault

KILL = Fault(4.0, "fleet", "kill")
MODEL = Fault(8.0, "fleet", "model", "", 2.0)


def broken(one: Call, *breaks: Break) -> Call:
    return msgspec.structs.replace(one, breaks=breaks)


def lost_at(at_s: float, sound_ms: float | None = 1500.0, *, meant: bool = False) -> Break:
    back_s = None if sound_ms is None else at_s + 1.0
    return Break(at_s, meant, back_s, sound_ms, sound_ms)


def test_a_fault_owns_what_happens_until_the_next() -> None:
    """Two calls were resumed after the first, one after the second; one was never touched."""
    calls = [
        broken(call(0), lost_at(4.1, 1200.0), lost_at(8.5)),
        broken(call(1), lost_at(4.2, 1800.0, meant=True)),
        call(2),
    ]
    kill, model = struck_of(calls, [MODEL, KILL])
    assert (kill.fault, kill.affected, kill.resumed, kill.lost) == ("fleet.kill", 2, 2, 0)
    assert (kill.breaks, kill.handed_over, kill.live) == (2, 1, 3)
    assert kill.sound_ms is not None
    assert (kill.sound_ms.p50, kill.sound_ms.most) == (1500.0, 1800.0)
    assert (model.affected, model.resumed, model.breaks) == (1, 1, 1)


def test_lost_overflowed_and_hung_up_are_told_apart() -> None:
    """A call that fails is lost; one that we ended got its overflow action; a caller may go."""
    calls = [
        broken(call(0, failed="left in silence for 9 s"), lost_at(4.1, None)),
        broken(call(1, failed=ENDED_BY_US), lost_at(4.1, None)),
        broken(call(2), lost_at(4.1, None)),
    ]
    (kill,) = struck_of(calls, [KILL])
    assert (kill.affected, kill.resumed, kill.lost) == (3, 0, 1)
    assert (kill.overflowed, kill.hung_up, kill.sound_ms) == (1, 1, None)


def test_late_answers_count_where_no_stream_was_lost() -> None:
    """A store or a model that is away is heard as a wait, or as no answer at all."""
    slow = msgspec.structs.replace(turn(), began_s=8.1, ended_s=8.5, answer_ms=3000.0)
    never = msgspec.structs.replace(turn(missed=True), began_s=8.1, ended_s=8.5, answer_ms=None)
    kill, model = struck_of([call(0, turns=[slow]), call(1, turns=[never])], [KILL, MODEL])
    assert kill.affected == 0
    assert (model.affected, model.missed) == (2, 1)
    assert model.answer_ms is not None
    assert (model.answer_ms.count, model.answer_ms.most) == (1, 3000.0)


def test_a_row_has_a_cell_for_each_head() -> None:
    calls: Sequence[Call] = [broken(call(0), lost_at(4.1))]
    for one in struck_of(calls, [KILL, MODEL]):
        assert len(cells(one)) == len(HEADS)
