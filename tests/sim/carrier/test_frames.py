"""The caller's frames, written straight on: what the codec reads is what was meant."""

import math
from base64 import b64decode

import pytest

from trunkline.sim.carrier.frames import FRAMES_LATE_MAX, Frames
from trunkline.sim.speech import FRAME_BYTES, recorded
from trunkline.sim.tally import Marks
from trunkline.sim.timemark import Mark, read
from trunkline.wire import twilio

SID = "MZ" + "0" * 32


def begun(marks: Marks | None = None, frame_ms: int = 20) -> Frames:
    frames = Frames(SID, frame_ms, marks)
    frames.begin(10.0)
    frames.calm_until = math.inf
    return frames


def fields_of(text: bytes | None) -> twilio.MediaFields:
    assert text is not None
    message = twilio.decode(text)
    assert isinstance(message, twilio.Media)
    assert message.stream_sid == SID
    return message.media


@pytest.mark.parametrize("marks", [None, Marks(7)], ids=["bare", "marked"])
def test_a_calm_frame_is_the_message_that_the_codec_reads(marks: Marks | None) -> None:
    """Numbers, clock and mark go on from frame to frame; sequence 1 was `start`."""
    frames = begun(marks)
    for number in range(1, 101):
        now = frames.due + 0.003
        text = frames.calm(now)
        assert text is not None
        message = twilio.decode(text)
        assert isinstance(message, twilio.Media)
        assert message.sequence_number == str(number + 1)
        assert (message.media.chunk, message.media.timestamp) == (str(number), str(20 * number))
        audio = b64decode(message.media.payload)
        assert len(audio) == FRAME_BYTES
        at_us = int(now * 1e6)
        assert read(audio) == (None if marks is None else Mark(7, 0, number - 1, at_us))
    assert frames.due == pytest.approx(10.0 + 101 * 0.02)
    assert frames.late_s_max == pytest.approx(0.003)


def test_a_calm_frame_and_any_other_are_written_alike() -> None:
    """The same silence by both ways."""
    calm, other = begun(Marks(7)), begun(Marks(7))
    other.chunk += 1
    assert calm.calm(10.021) == other.text(None, 10.021)
    assert calm.sequence == other.sequence


def test_what_is_spoken_goes_out_with_its_mark() -> None:
    """Until the person says nothing more."""
    frames = begun(Marks(7))
    word = recorded().speak("hello")[:FRAME_BYTES]
    said = [word, None]
    frames.speaks = lambda _at, _size: said.pop(0)
    spoken = b64decode(fields_of(frames.calm(frames.due)).payload)
    silent = b64decode(fields_of(frames.calm(frames.due)).payload)
    assert recorded().hear(spoken).startswith("hello")
    assert recorded().hear(silent) == ""


@pytest.mark.parametrize("late_s", [-0.001, 0.021, 5.1])
def test_a_frame_that_is_not_alone_is_not_calm(late_s: float) -> None:
    """Early, or with the next one, or behind the time that is known to be calm."""
    frames = begun()
    assert frames.calm(frames.due + late_s) is None
    frames.calm_until = frames.due + 0.01
    assert frames.calm(frames.due + 0.01) is None
    assert frames.chunk == 0
    assert frames.notes_lateness(frames.due + late_s, meant=True) == (late_s > 5)
    assert frames.late_s_max == 0
    assert FRAMES_LATE_MAX * 0.02 == 5
