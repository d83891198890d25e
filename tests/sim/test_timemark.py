"""Marks of time in µ-law audio."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.sim.speech import FRAME_BYTES, SILENCE, is_loud, recorded
from trunkline.sim.timemark import (
    AT_US_MAX,
    BARE,
    CALL_MAX,
    ORIGIN_MAX,
    SEQ_MAX,
    Mark,
    Sender,
    mark,
    read,
    read_all,
)
from trunkline.wire import g711

CLIPS = [
    clip[at : at + FRAME_BYTES]
    for clip in recorded().clips.values()
    for at in range(0, len(clip), FRAME_BYTES)
]
MARKS = st.builds(
    Mark,
    st.integers(0, CALL_MAX),
    st.integers(0, ORIGIN_MAX),
    st.integers(0, SEQ_MAX),
    st.integers(0, AT_US_MAX),
)
AUDIO = st.one_of(st.just(SILENCE), st.sampled_from(CLIPS), st.binary(min_size=160, max_size=160))


def put(wanted: Mark, audio: bytes = SILENCE) -> bytes:
    return mark(wanted.at_us, wanted.call, wanted.seq, wanted.origin, audio)


@given(MARKS, AUDIO)
def test_what_was_written_is_read(wanted: Mark, audio: bytes) -> None:
    """In silence, in speech, in any bytes at all; every other bit stays."""
    marked = put(wanted, audio)
    assert read(marked) == wanted
    assert marked.translate(BARE) == audio.translate(BARE)


@given(MARKS, st.binary(max_size=400), st.binary(max_size=400))
def test_it_is_found_wherever_frames_were_cut(wanted: Mark, before: bytes, after: bytes) -> None:
    """Joined into longer payloads, or with another server's own frames around it."""
    assert read_all(before + put(wanted) + after) == [wanted]


def test_joined_frames_keep_all_their_marks() -> None:
    """In their order."""
    wanted = [Mark(7, 0, seq, 1_000_000 + seq) for seq in range(5)]
    assert read_all(b"".join(put(each) for each in wanted)) == wanted


def test_no_recorded_speech_and_no_noise_holds_one() -> None:
    """Nothing but a mark is taken for one, nor a mark that lost a byte's last bit."""
    assert not any(map(read_all, recorded().clips.values()))
    assert not read_all(g711.dtmf("0123456789*#"))
    assert not read_all(SILENCE * 50)
    marked = bytearray(put(Mark(7, 0, 3, 4)))
    for place in range(156):
        marked[place] ^= 1
        assert read(bytes(marked)) is None
        marked[place] ^= 1


def test_no_verdict_of_voice_detection_changes() -> None:
    """Of any frame, at any threshold."""
    wanted = Mark(CALL_MAX, ORIGIN_MAX, 12345, 2**40 + 77)
    for audio in (SILENCE, *CLIPS):
        for level in (60, 600, 1200):
            assert is_loud(put(wanted, audio), level) == is_loud(audio, level)


def test_it_survives_samples() -> None:
    """A bot that decodes µ-law and encodes it again keeps the mark."""
    wanted = Mark(7, 1, 2, 3)
    for audio in (SILENCE, b"\x7f" * FRAME_BYTES, CLIPS[200]):
        assert read(g711.encode(g711.decode(put(wanted, audio)))) == wanted


def test_only_the_first_frame_changes_and_less_than_a_frame_does_not() -> None:
    """A long stretch has one mark, in front."""
    marked = mark(1, 2, 3, audio=SILENCE * 10)
    assert marked[FRAME_BYTES:] == SILENCE * 9
    assert mark(1, 2, 3, audio=b"\xff" * 159) == b"\xff" * 159
    assert read(b"\xff" * 159) is None
    with pytest.raises(AssertionError):
        mark(1, CALL_MAX + 1, 3)


@given(MARKS)
def test_a_senders_marks_are_read_together(wanted: Mark) -> None:
    """One after another, or none of them."""
    sender = Sender(wanted.call, wanted.origin)
    assert sender.all_of(put(wanted) * 2) == [(wanted.seq, wanted.at_us)] * 2
    assert sender.all_of(put(wanted) + SILENCE) is None
