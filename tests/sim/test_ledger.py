"""Stamps at two sockets, and the latency between them."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.sim.ledger import (
    ENTRIES_MAX,
    MATCH_S_MAX,
    Ledger,
    added_latency,
    clear_latency,
    fingerprint,
    nearest,
)


def test_text_and_its_bytes_are_the_same_frame() -> None:
    """One end may hold a payload as text and the other as bytes."""
    assert fingerprint("//8=") == fingerprint(b"//8=")


def test_latency_is_from_socket_to_socket() -> None:
    """Each frame's own way counts."""
    sent, received = Ledger(), Ledger()
    for number in range(5):
        sent.left(f"frame {number}", number)
        received.came(f"frame {number}", number + 0.01 * number)
    assert added_latency(sent, received) == [number + 0.01 * number - number for number in range(5)]


def test_a_lost_frame_counts_for_nothing() -> None:
    """What was dropped on the way has no latency, and does not spoil the others'."""
    sent, received = Ledger(), Ledger()
    for number, name in enumerate("abcd"):
        sent.left(name, number)
    for at, name in ((2.5, "c"), (3.5, "d")):
        received.came(name, at)
    assert added_latency(sent, received) == [0.5, 0.5]


def test_the_same_sound_twice_is_two_frames() -> None:
    """A clip spoken again is matched in order, not with its first time."""
    sent, received = Ledger(), Ledger()
    for at in (1.0, 5.0):
        sent.left("hello", at)
        received.came("hello", at + 0.02)
    assert [round(latency, 6) for latency in added_latency(sent, received)] == [0.02, 0.02]


def test_nothing_arrives_before_it_left_or_long_after() -> None:
    """A frame that seems to is another one with the same sound."""
    sent, received = Ledger(), Ledger()
    sent.left("a", 10.0)
    received.came("a", 9.0)
    received.came("a", 10.0 + MATCH_S_MAX + 1)
    assert added_latency(sent, received) == []


def test_a_ledger_is_bounded() -> None:
    """The oldest stamp is forgotten."""
    ledger = Ledger()
    for number in range(ENTRIES_MAX + 1):
        ledger.left(b"x", number)
        ledger.came(b"x", number)
    assert len(ledger.departures) == len(ledger.arrivals) == ENTRIES_MAX
    assert ledger.departures[0][1] == 1


def test_the_nearest_ledger_is_the_same_calls() -> None:
    """Of two sessions, the call's own received its frames."""
    sent, own, other = Ledger(), Ledger(), Ledger()
    for number in range(10):
        sent.left(f"{number}", number)
        own.came(f"{number}", number + 0.1)
        other.came(f"other {number}", number + 0.1)
    assert nearest(sent, [other, own]) is own
    assert nearest(Ledger(), [own]) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 0.2), st.booleans()), max_size=40))
def test_order_kept_every_frame_that_arrives_is_matched(
    frames: list[tuple[int, float, bool]],
) -> None:
    """With equal sounds among them and some lost: as many matches as arrivals, none negative."""
    sent, received = Ledger(), Ledger()
    arrival = 0.0
    arrived = 0
    for number, (sound, way_s, lost) in enumerate(frames):
        at = number * 0.02
        sent.left(f"{sound}", at)
        if not lost:
            arrival = max(arrival, at + way_s)
            received.came(f"{sound}", arrival)
            arrived += 1
    latencies = added_latency(sent, received)
    assert len(latencies) == arrived
    assert all(latency >= 0 for latency in latencies)


def test_a_clear_is_measured_from_the_word_that_speech_began() -> None:
    """From the last one before it; speech into silence has no clear."""
    model, carrier = Ledger(), Ledger()
    carrier.interrupted(0.5)
    for at in (1.0, 2.0, 3.0):
        model.interrupted(at)
    carrier.interrupted(2.25)
    carrier.interrupted(3.125)
    assert clear_latency(model, carrier) == [0.25, 0.125]
