"""Marks that came, judged."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from trunkline.sim.tally import MISSING_MAX, Marks, Tally
from trunkline.sim.timemark import SILENCE, Mark, mark

MS = 1000


def came(
    seqs: Iterable[int], tally: Tally | None = None, *, call: int = 7, origin: int = 0
) -> Tally:
    tally = tally or Tally(7)
    for seq in seqs:
        tally.came(Mark(call, origin, seq, seq * 20 * MS), seq * 20 * MS + 3 * MS)
    return tally


def faults(tally: Tally) -> tuple[int, int, int, int]:
    return tally.lost, tally.doubled, tally.reordered, tally.crossed


def test_frames_in_order_have_no_fault_and_their_latency() -> None:
    """3 ms each."""
    tally = came(range(100))
    assert faults(tally) == (0, 0, 0, 0)
    assert tally.count == 100
    assert tally.latency_us.quantile(0.5) == 3 * MS


def test_lost_doubled_and_reordered_are_told_apart() -> None:
    """A frame that comes after all is not lost."""
    assert faults(came([0, 1, 4, 5])) == (2, 0, 0, 0)
    assert faults(came([0, 1, 1, 2, 0])) == (0, 2, 0, 0)
    assert faults(came([0, 2, 1, 3])) == (0, 0, 1, 0)
    assert faults(came([0, 2, 1, 1, 3])) == (0, 1, 1, 0)
    assert faults(came([2, 3])) == (2, 0, 0, 0)


def test_another_calls_frame_is_crossed_and_spoils_nothing() -> None:
    """A frame of nobody's call is no crossing: its sender had not heard of a call yet."""
    tally = came([0, 1])
    came([50], tally, call=8)
    came([2], tally, call=0)
    came([3], tally)
    assert faults(tally) == (0, 0, 0, 1)
    assert tally.count == 4


def test_what_an_interruption_cut_off_is_dropped_not_lost() -> None:
    """Only the next gap is excused."""
    tally = came([0, 1, 2])
    tally.interrupted()
    came([9, 10, 12], tally)
    assert (tally.dropped, tally.lost) == (6, 1)


def test_another_session_counts_anew() -> None:
    """Its first frame is its 0: what came before that is lost."""
    tally = came([0, 1, 2], origin=5)
    came([0, 1], tally, origin=6)
    came([1, 2], tally, origin=7)
    assert faults(tally) == (1, 0, 0, 0)


def test_a_model_learns_its_call_and_may_come_late_to_it() -> None:
    """A session that takes a call over has lost nothing of what another one heard."""
    tally = came([400, 401], Tally())
    assert tally.call == 7
    came([0], tally, call=8)
    assert faults(tally) == (0, 0, 0, 1)


def test_what_may_still_come_is_bounded() -> None:
    """The oldest of a long gap are lost for good."""
    tally = came([MISSING_MAX + 10, 3, MISSING_MAX + 5])
    assert faults(tally) == (MISSING_MAX + 9, 1, 1, 0)


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)))
def test_whatever_the_order_lost_and_doubled_are_exact(
    order: list[int], lost: set[int], doubled: set[int]
) -> None:
    """All that a later frame has shown to be missing is lost, all that came twice is doubled."""
    seqs = [seq for seq in order if seq not in lost for _ in range(1 + (seq in doubled))]
    tally = came(seqs)
    there = set(seqs)
    assert tally.lost == len(set(range(max(there, default=-1) + 1)) - there)
    assert tally.doubled == len(seqs) - len(there)


def test_two_ends_count_each_others_marks() -> None:
    """The model learns the call's number from the caller and sends it back."""
    caller, model = Marks(7), Marks(origin=3)
    for number in range(3):
        model.take(number + 0.002, caller.put(number))
    assert model.call == 7
    caller.take(4.005, model.put(4.0, SILENCE * 10))
    caller.take(4.205, model.put(4.2, SILENCE * 10) + model.put(4.2))
    assert (model.came.count, caller.came.count) == (3, 3)
    assert caller.came.as_figures() == {
        "marks": 3,
        "lost": 0,
        "dropped": 0,
        "doubled": 0,
        "reordered": 0,
        "crossed": 0,
        "latency_us_p50": 5000,
        "latency_us_p99": 5000,
        "latency_us_max": 5000,
    }


def test_less_than_a_frame_has_no_mark_and_no_number() -> None:
    """The last piece of an answer that was cut short."""
    model = Marks(7)
    assert model.put(1.0, b"\xff" * 80) == b"\xff" * 80
    assert model.sent == 0
    model.take(1.0, SILENCE)
    assert model.came.count == 0


def test_another_senders_marks_are_told_apart_from_the_one_before() -> None:
    """A session that takes over, and a frame of another call in between."""
    caller = Marks(7)
    one, two, other = Marks(7, origin=1), Marks(7, origin=2), Marks(8, origin=2)
    for each in (one, one, other, two, two, one, two):
        caller.take(1.0, each.put(1.0))
    assert (caller.came.count, caller.came.crossed) == (6, 1)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.integers(0, 3))
def test_frames_counted_together_count_as_one_by_one(seqs: list[int], crossed: int) -> None:
    """In order or not, a stranger's and one without a mark among them."""
    frames = [mark(seq * 20 * MS, 7, seq) for seq in seqs]
    frames += [mark(0, 8, 0), SILENCE, mark(0, 7, 0, origin=2)][:crossed]
    times = [number / 50 for number in range(len(frames))]
    single, together = Marks(7), Marks(7)
    for half in (frames[:5], frames[5:]):
        for at, frame in zip(times, half, strict=False):
            single.take(at, frame)
        together.take_all(times[: len(half)], b"".join(half))
    assert together.came.as_figures() == single.came.as_figures()
