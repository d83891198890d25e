"""What happens to a call, and what is done about it."""

from trunkline.sim.carrier.events import SendFrame, SendMessage, StreamText


def test_what_was_spoken_is_not_shown() -> None:
    """Neither in a log nor in a failed test."""
    assert repr(SendFrame(1, b"secret", b"secret")) == "SendFrame(stream=1)"
    assert repr(StreamText(2, b"secret")) == "StreamText(stream=2)"
    assert repr(SendMessage(3, b"secret")) == "SendMessage(stream=3, binary=False)"
