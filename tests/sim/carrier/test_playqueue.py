"""The play queue: 8000 bytes a second, marks at their places."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from trunkline.sim.carrier.playqueue import (
    BYTES_PER_S,
    MARKS_PENDING_MAX,
    NOTHING,
    QUEUED_BYTES_MAX,
    PlayQueue,
)


def test_audio_is_played_at_8000_bytes_a_second() -> None:
    """Half a second plays 4000 bytes, and exactly these."""
    queue = PlayQueue()
    audio = bytes(range(256)) * 32
    queue.add(audio, 10.0)
    first = queue.advance(10.5)
    assert first.audio == audio[:4000]
    assert (first.began, first.ended, first.emptied) == (10.0, 10.5, False)
    rest = queue.advance(99.0)
    assert rest.audio == audio[4000:]
    assert rest.ended == pytest.approx(10.0 + len(audio) / BYTES_PER_S)
    assert rest.emptied


def test_a_queue_that_ran_dry_begins_anew() -> None:
    """Audio that comes late plays from when it came: the silence before is not made up for."""
    queue = PlayQueue()
    queue.add(b"a" * 160, 0.0)
    assert queue.advance(5.0).emptied
    queue.add(b"b" * 160, 5.0)
    assert queue.advance(5.01).audio == b"b" * 80
    assert queue.advance(5.02).audio == b"b" * 80


def test_a_mark_comes_back_when_the_audio_before_it_was_played() -> None:
    """Not earlier, and not with the audio after it."""
    queue = PlayQueue()
    queue.add(b"a" * 800, 0.0)
    assert not queue.mark("first")
    queue.add(b"b" * 800, 0.0)
    assert not queue.mark("second")
    assert queue.deadline() == pytest.approx(0.1)
    assert queue.advance(0.09).echoes == ()
    assert queue.advance(0.1).echoes == ("first",)
    assert queue.advance(0.3).echoes == ("second",)


def test_a_mark_in_an_empty_queue_comes_back_at_once() -> None:
    """Nothing has to be waited for."""
    queue = PlayQueue()
    assert queue.mark("now")
    queue.add(b"a", 0.0)
    queue.advance(1.0)
    assert queue.mark("now again")


def test_clear_drops_audio_and_echoes_every_mark() -> None:
    """All pending marks come back, in order, and nothing of the audio."""
    queue = PlayQueue()
    queue.add(b"a" * 800, 0.0)
    queue.mark("one")
    queue.add(b"b" * 800, 0.0)
    queue.mark("two")
    queue.advance(0.05)
    assert queue.clear() == (1200, ("one", "two"))
    assert queue.advance(9.0) is NOTHING
    assert queue.deadline() is None


def test_clear_may_keep_what_was_already_on_its_way() -> None:
    """The tail still plays, with no mark in it."""
    queue = PlayQueue()
    queue.add(b"a" * 800, 0.0)
    queue.mark("one")
    queue.advance(0.01)
    assert queue.clear(keep_bytes=160) == (560, ("one",))
    last = queue.advance(1.0)
    assert last.audio == b"a" * 160
    assert last.emptied


def test_the_queue_is_bounded() -> None:
    """Beyond the limits audio is dropped; the owner is told before a mark would be."""
    queue = PlayQueue()
    assert queue.add(bytes(QUEUED_BYTES_MAX), 0.0)
    assert not queue.add(b"x", 0.0)
    assert queue.queued_bytes == QUEUED_BYTES_MAX
    for number in range(MARKS_PENDING_MAX):
        queue.mark(str(number))
    assert queue.is_full_of_marks


class Plays(RuleBasedStateMachine):
    """Any history: bytes in = bytes played + dropped by clear + queued; marks come back once."""

    @initialize()
    def begin(self) -> None:
        self.queue = PlayQueue()
        self.now = 1000.0
        self.added = bytearray()
        self.played = bytearray()
        self.cleared = 0
        self.audible = bytearray()  # What must be heard: all but what a clear drops.
        self.places: list[tuple[str, int]] = []
        self.echoed: list[str] = []
        self.names = 0

    def look(self) -> None:
        before = self.queue.queued_bytes
        played = self.queue.advance(self.now)
        self.played += played.audio
        self.echoed += played.echoes
        assert played.emptied == (bool(played.audio) and not self.queue.queued_bytes)
        assert len(played.audio) + self.queue.queued_bytes == before
        if played.audio:
            assert played.ended <= self.now + 1 / BYTES_PER_S
            length_s = len(played.audio) / BYTES_PER_S
            assert played.ended - played.began == pytest.approx(length_s, abs=1e-6)
        heard = len(self.played) + self.cleared
        for name in played.echoes:
            place = dict(self.places)[name]
            assert place <= heard

    @rule(ms=st.integers(0, 400))
    def pass_time(self, ms: int) -> None:
        self.now += ms / 1000
        self.look()

    @rule(audio=st.binary(max_size=2000))
    def add(self, audio: bytes) -> None:
        self.look()
        assert self.queue.add(audio, self.now)
        self.added += audio
        self.audible += audio

    @rule()
    def mark(self) -> None:
        self.look()
        name = f"m{self.names}"
        self.names += 1
        self.places.append((name, len(self.added)))
        was_empty = not self.queue.queued_bytes
        assert self.queue.mark(name) == was_empty
        if was_empty:
            self.echoed.append(name)

    @rule(keep=st.sampled_from([0, 80, 160]))
    def clear(self, keep: int) -> None:
        self.look()
        queued = self.queue.queued_bytes
        dropped, echoes = self.queue.clear(keep)
        assert dropped == max(0, queued - keep)
        assert self.queue.marks_pending == 0
        self.cleared += dropped
        if dropped:
            del self.audible[-dropped:]
        self.echoed += echoes

    @invariant()
    def nothing_is_lost(self) -> None:
        assert len(self.added) == len(self.played) + self.cleared + self.queue.queued_bytes
        assert self.audible.startswith(self.played)
        assert len(self.audible) == len(self.played) + self.queue.queued_bytes
        assert self.echoed == [name for name, _ in self.places][: len(self.echoed)]
        assert len(self.places) == len(self.echoed) + self.queue.marks_pending
        if not self.queue.queued_bytes:
            assert self.queue.deadline() is None
            assert not self.queue.marks_pending


TestPlays = Plays.TestCase
TestPlays.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=10), st.integers(1, 50))
def test_how_often_one_looks_changes_nothing(sizes: list[int], step_ms: int) -> None:
    """The same bytes in the same order, however time is cut."""
    whole, cut = PlayQueue(), PlayQueue()
    audio = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
    whole.add(audio, 0.0)
    for number, size in enumerate(sizes):
        cut.add(bytes([number]) * size, 0.0)
    pieces, at = b"", 0.0
    while cut.queued_bytes:
        at += step_ms / 1000
        pieces += cut.advance(at).audio
        assert abs(len(pieces) - min(len(audio), at * BYTES_PER_S)) <= 1
    assert pieces == whole.advance(at).audio == audio
