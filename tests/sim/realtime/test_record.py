from trunkline.sim.realtime.record import Heard, Said, SessionRecord


def test_a_record_tells_what_was_said_on_both_sides() -> None:
    """Silent turns do not count; audio does not flood a test's output."""
    record = SessionRecord("a", "gpt-realtime", 0.0)
    record.heard.append(Heard("i1", "hello", 500, b"\x01" * 4000))
    record.heard.append(Heard("i2", "", 500))
    record.heard.append(Heard("i3", "wait", 500))
    record.said.append(Said("r1", "i4", "yes"))
    assert record.heard_text() == "hello wait"
    assert record.said_text() == "yes"
    assert "x01" not in repr(record)
