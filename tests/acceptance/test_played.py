"""The checks of whole calls, checked themselves: what they must not let pass."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acceptance.played import Piece, counted, lengths, verify
from chains import CALL, WHOLE_CALL, chain
from trunkline.sim.speech import FRAME_BYTES, recorded

CLIPS = recorded().clips
FIRST, SECOND = CLIPS["good morning"], CLIPS["thank you for calling"]
FILLER = CLIPS["one moment please"]


def whole(audio: bytes) -> Piece:
    return Piece(audio, len(audio) // 8, len(audio), len(audio))


def cut(audio: bytes, at_ms: int) -> Piece:
    return Piece(audio, at_ms, max(0, at_ms - 500) * 8, min(len(audio), (at_ms + 500) * 8))


def test_what_was_played_is_what_was_sent() -> None:
    """Item by item in order, our own audio anywhere between."""
    pieces = [whole(FIRST), whole(SECOND)]
    assert lengths(FIRST + SECOND, pieces, []) == [len(FIRST), len(SECOND)]
    for played in (FILLER + FIRST + SECOND, FIRST + FILLER + SECOND, FIRST + SECOND + FILLER):
        assert lengths(played, pieces, [FILLER]) == [len(FIRST), len(SECOND)]


@given(st.integers(0, len(FIRST) // FRAME_BYTES - 1), st.integers(1, FRAME_BYTES))
def test_no_byte_may_be_missing_doubled_or_strange(frame: int, size: int) -> None:
    """Not of a whole item, and not our own audio either."""
    at = frame * FRAME_BYTES
    pieces = [whole(FIRST), whole(SECOND)]
    lost = FIRST[:at] + FIRST[at + size :]
    doubled = FIRST[: at + size] + FIRST[at:]
    strange = FIRST[:at] + bytes(code ^ 1 for code in FIRST[at : at + size]) + FIRST[at + size :]
    for first in (lost, doubled, strange):
        assert lengths(first + SECOND, pieces, []) is None
    assert lengths(SECOND + FIRST, pieces, []) is None
    assert lengths(FIRST, pieces, []) is None
    assert lengths(FIRST + SECOND, pieces, [FILLER]) is None
    assert lengths(FIRST + FILLER + SECOND, pieces, []) is None


@given(st.integers(0, len(FIRST)))
def test_an_item_that_was_cut_is_found(played: int) -> None:
    """Where it was cut, whatever follows; further off than a mark's distance it is no match."""
    found = lengths(FIRST[:played] + SECOND, [cut(FIRST, played // 8), whole(SECOND)], [])
    assert found is not None
    assert abs(found[0] - played) <= 8
    assert lengths(FIRST[:played] + SECOND, [cut(FIRST, played // 8 + 600), whole(SECOND)], []) is (
        None
    )


def test_a_chain_that_was_touched_does_not_verify() -> None:
    """An entry changed, missing, doubled, moved, or of another call."""
    entries = chain(CALL, *WHOLE_CALL)
    verify(CALL, entries)
    changed = msgspec.structs.replace(entries[2], payload=entries[2].payload + " ")
    for wrong in (
        [*entries[:2], changed, *entries[3:]],
        entries[:1] + entries[2:],
        entries[1:],
        [*entries[:1], *entries],
        [entries[1], entries[0], *entries[2:]],
    ):
        with pytest.raises(AssertionError):
            verify(CALL, wrong)
    with pytest.raises(AssertionError):
        verify("CA" + "9" * 32, entries)


def test_metrics_are_summed() -> None:
    """Over all series that have the labels; a metric that is not there is no zero."""
    metrics = (
        "# TYPE calls counter\n"
        'calls_total{outcome="failed",direction="inbound"} 2\n'
        'calls_total{outcome="transferred",direction="inbound"} 3\n'
    )
    assert counted(metrics, "calls_total") == 5
    assert counted(metrics, "calls_total", outcome="failed") == 2
    with pytest.raises(AssertionError):
        counted(metrics, "call_total")
