from trunkline.telemetry.latency import Stopwatch


def test_a_message_is_timed_to_its_write() -> None:
    """And how late the loop was is added."""
    times: list[float] = []
    watch = Stopwatch(64, times.append, lambda: 5.0)
    watch.start()
    assert watch.running
    watch.written()
    assert not watch.running
    assert watch.stop()
    (seconds,) = times
    assert 5.0 < seconds < 6.0


def test_a_message_that_brings_no_audio_is_not_timed() -> None:
    """The stopwatch does not run on into another call's message."""
    times: list[float] = []
    watch = Stopwatch(64, times.append, lambda: 0.0)
    watch.start()
    assert not watch.stop()
    assert not watch.running
    assert times == []


def test_one_in_so_many_is_timed() -> None:
    """The first from then on that brings audio: a pattern in the messages hides nothing."""
    timed: list[int] = []
    watch = Stopwatch(4, lambda _: None, lambda: 0.0)
    audio = {4, 9, 10, 13, 14}

    def read(text: memoryview) -> None:
        if watch.running and text[0] in audio:
            timed.append(text[0])
            watch.written()

    read_timed = watch.timing(read)
    for number in range(1, 15):
        read_timed(memoryview(bytes([number])))
        assert not watch.running
    assert timed == [4, 9, 13]


def test_a_reader_that_fails_leaves_no_stopwatch_running() -> None:
    """The next message of another call would end it."""

    def broken(_: memoryview) -> None:
        raise LookupError

    watch = Stopwatch(1, lambda _: None, lambda: 0.0)
    read = watch.timing(broken)
    try:
        read(memoryview(b"x"))
    except LookupError:
        assert not watch.running
    else:
        raise AssertionError
