"""Turns: whose audio is whose, and how long everything took."""

import hashlib

import pytest

from trunkline.sim.turns import (
    GAPS_MAX,
    HOLE_MS_MAX,
    PLAYED_BYTES_MAX,
    TURNS_MAX,
    Kind,
    TurnBook,
)


def greeted() -> TurnBook:
    """A person who has heard half a second of greeting."""
    book = TurnBook()
    book.open(Kind.GREETING, "", 10.0)
    book.finish(10.0)
    book.hears(b"g" * 4000, 10.1, 10.6)
    return book


def test_the_greeting_is_the_first_turns_reply() -> None:
    """From the open line to the first byte."""
    (turn,) = greeted().turns
    assert turn.latency_ms == pytest.approx(100)
    assert turn.bytes_played == 4000
    assert turn.digest == hashlib.sha256(b"g" * 4000).hexdigest()


def test_an_interruption_ends_when_the_line_falls_silent() -> None:
    """Audio until then is still the old reply; barge-in time is from first frame to silence."""
    book = greeted()
    book.open(Kind.SAID, "stop", 10.6)
    book.hears(b"g" * 1600, 10.6, 10.8)
    book.falls_silent(10.8)
    book.finish(11.0)
    book.hears(b"r" * 160, 11.5, 11.52)
    greeting, said = book.turns
    assert bytes(greeting.played) == b"g" * 5600
    assert said.interrupted
    assert said.silence_ms == pytest.approx(200)
    assert said.latency_ms == pytest.approx(500)
    assert bytes(said.played) == b"r" * 160


def test_a_late_reply_belongs_to_the_turn_before() -> None:
    """The agent starts while the person speaks again: that is not the answer to this."""
    book = greeted()
    book.falls_silent(10.6)
    book.open(Kind.SAID, "hello", 11.0)
    book.hears(b"l" * 160, 11.1, 11.12)
    book.falls_silent(11.12)
    book.finish(11.5)
    book.hears(b"r" * 160, 12.0, 12.02)
    greeting, said = book.turns
    assert bytes(greeting.played) == b"g" * 4000 + b"l" * 160
    assert not said.interrupted
    assert said.silence_ms is None
    assert bytes(said.played) == b"r" * 160


def test_a_late_reply_that_outlasts_the_utterance_is_no_interruption() -> None:
    """The person did not cut in: no barge-in time; what comes after the silence is the answer."""
    book = greeted()
    book.falls_silent(10.6)
    book.open(Kind.SAID, "hello", 11.0)
    book.hears(b"l" * 160, 11.1, 11.12)
    book.finish(11.11)
    book.falls_silent(11.12)
    book.hears(b"r" * 160, 12.0, 12.02)
    said = book.turns[-1]
    assert said.silence_ms is None
    assert bytes(said.played) == b"r" * 160


def test_a_reply_that_runs_dry_has_a_hole() -> None:
    """Silence within a turn is a gap; a short one is a hole, a long one a pause."""
    book = greeted()
    book.falls_silent(10.6)
    book.hears(b"g" * 160, 10.7, 10.72)
    book.falls_silent(10.72)
    book.hears(b"g" * 160, 13.0, 13.02)
    (turn,) = book.turns
    assert [round(gap.ms) for gap in turn.gaps] == [100, 2280]
    assert [round(gap.ms) for gap in turn.holes] == [100]
    assert turn.gaps[0].at == 10.6
    assert HOLE_MS_MAX < 2280


def test_audio_that_follows_without_a_break_is_no_gap() -> None:
    """The queue was empty and filled at the same moment."""
    book = greeted()
    book.falls_silent(10.6)
    book.hears(b"g" * 160, 10.6, 10.62)
    assert book.turns[0].gaps == []


def test_silence_after_the_carriers_own_voice_is_no_gap() -> None:
    """A hold message and then the agent: nothing broke."""
    book = TurnBook()
    book.open(Kind.GREETING, "", 10.0)
    book.finish(10.0)
    book.hears(b"", 10.0, 12.0)
    book.falls_silent(12.0, meant=True)
    book.hears(b"g", 12.2, 12.3)
    assert book.turns[0].gaps == []
    assert book.turns[0].latency_ms == 0


def test_silence_is_counted_only_after_a_reply() -> None:
    """Neither while audio plays nor while the answer is still awaited."""
    book = greeted()
    assert book.silent_ms(20.0) is None
    assert book.playing_ms(10.6) == pytest.approx(500)
    book.falls_silent(10.6)
    assert book.silent_ms(11.6) == pytest.approx(1000)
    assert book.playing_ms(11.6) == 0
    book.open(Kind.SAID, "hello", 12.0)
    book.finish(12.5)
    assert book.silent_ms(20.0) is None


def test_what_is_kept_is_bounded() -> None:
    """Beyond the limits counts and digests go on, memory does not grow."""
    book = greeted()
    piece = bytes(800_000)
    for number in range(4):
        book.hears(piece, 11.0 + 100 * number, 111.0 + 100 * number)
    (turn,) = book.turns
    assert len(turn.played) == PLAYED_BYTES_MAX
    assert turn.bytes_played == book.bytes_played == 4000 + 4 * 800_000
    assert turn.digest == hashlib.sha256(b"g" * 4000 + piece * 4).hexdigest()
    for number in range(GAPS_MAX + 5):
        book.falls_silent(1000.0 + number)
        book.hears(b"x", 1000.5 + number, 1000.6 + number)
    assert len(turn.gaps) == GAPS_MAX
    assert book.gaps_uncounted == 5
    for number in range(TURNS_MAX + 5):
        book.open(Kind.SAID, "again", 5000.0 + number)
        book.finish(5000.5 + number)
    assert len(book.turns) == TURNS_MAX


def test_a_person_who_waits_in_vain_says_so() -> None:
    """The turn is marked, once no reply came."""
    book = TurnBook()
    book.open(Kind.GREETING, "", 1.0)
    book.finish(1.0)
    book.note_unanswered()
    assert book.turns[0].unanswered
    assert book.turns[0].latency_ms is None


def test_nothing_spoken_shows_in_a_turns_repr() -> None:
    """Words are a person's."""
    book = greeted()
    book.open(Kind.SAID, "canary", 11.0)
    assert "canary" not in repr(book.turns)
