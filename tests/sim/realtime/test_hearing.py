import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.sim.realtime.hearing import (
    BUFFER_MS_MAX,
    ONSET_FRAMES,
    SILENCE_MS_OF,
    TRIM_MS,
    Hearing,
    SpeechBegan,
    SpeechEnded,
)
from trunkline.sim.speech import FRAME_BYTES, FRAME_MS, SILENCE, is_loud, recorded
from trunkline.wire.realtime.session import SemanticVad, ServerVad

SPEECH = recorded()


def vad(silence_ms: int = 500, prefix_ms: int = 300, threshold: float = 0.5) -> ServerVad:
    return ServerVad(threshold, prefix_ms, silence_ms, True, True, None)


def quiet(ms: int) -> bytes:
    return SILENCE * (ms // FRAME_MS)


def test_a_turn_begins_with_its_prefix_and_ends_after_the_silence() -> None:
    """Milliseconds are of all audio written; the turn holds every frame of the words."""
    hearing = Hearing()
    word = SPEECH.speak("hello")
    loud = next(
        n for n in range(len(word)) if is_loud(word[n * FRAME_BYTES : (n + 1) * FRAME_BYTES])
    )
    began, ended = hearing.append(quiet(2000) + word + quiet(1000))
    assert began == SpeechBegan(2000 + loud * FRAME_MS - 300)
    assert isinstance(ended, SpeechEnded)
    assert SPEECH.hear(ended.audio) == "hello"
    assert len(ended.audio) // 8 == ended.at_ms - began.at_ms
    assert ended.at_ms <= 2000 + len(word) // 8 + 500
    assert hearing.written_ms == 3000 + len(word) // 8


def test_audio_time_counts_not_the_time_of_arrival() -> None:
    """A burst is heard like the same audio in pieces: check list, line 4."""
    audio = quiet(400) + SPEECH.speak("hello") + quiet(700) + SPEECH.speak("wait") + quiet(700)
    whole, pieces = Hearing(), Hearing()
    at_once = whole.append(audio)
    in_pieces = [
        event for at in range(0, len(audio), 160) for event in pieces.append(audio[at : at + 160])
    ]
    assert at_once == in_pieces
    assert [type(event) for event in at_once] == [SpeechBegan, SpeechEnded] * 2


@given(st.lists(st.integers(1, 700), min_size=1, max_size=40), st.integers(200, 900))
def test_however_audio_is_cut_the_same_is_heard(sizes: list[int], silence_ms: int) -> None:
    """Pieces of any length, also such as end inside a frame."""
    audio = quiet(100) + SPEECH.speak("this is caller nine") + quiet(1000)
    whole, pieces = Hearing(), Hearing()
    whole.tune(vad(silence_ms))
    pieces.tune(vad(silence_ms))
    found, at, turn = [], 0, 0
    while at < len(audio):
        size = sizes[turn % len(sizes)]
        found += pieces.append(audio[at : at + size])
        at, turn = at + size, turn + 1
    assert found == whole.append(audio)


@pytest.mark.parametrize("silence_ms", [200, 500, 1200])
def test_the_silence_is_the_one_that_was_set(silence_ms: int) -> None:
    """One frame less, and the turn goes on."""
    word = SPEECH.speak("hello")
    frames = [word[at : at + 160] for at in range(0, len(word), 160)]
    tail = next(n for n, frame in enumerate(reversed(frames)) if is_loud(frame)) * FRAME_MS
    hearing = Hearing()
    hearing.tune(vad(silence_ms))
    assert len(hearing.append(word + quiet(silence_ms - tail - FRAME_MS))) == 1
    assert len(hearing.append(quiet(FRAME_MS))) == 1


def test_a_short_pause_does_not_end_a_turn() -> None:
    """The gaps of a sentence lie inside it."""
    hearing = Hearing()
    events = hearing.append(SPEECH.speak("hello") + quiet(300) + SPEECH.speak("wait") + quiet(900))
    assert isinstance(events[1], SpeechEnded)
    assert len(events) == 2
    assert SPEECH.hear(events[1].audio) == "hello wait"


def test_a_click_is_no_speech() -> None:
    """Neither a click nor quiet noise begins a turn."""
    hearing = Hearing()
    click = SPEECH.speak("hello")[5 * 160 : 6 * 160]
    dice = random.Random(1)
    noise = bytes(dice.choice((0x7E, 0xFE, 0x7F, 0xFF, 0x7A, 0xFA)) for _ in range(8000))
    assert hearing.append(quiet(400) + click + quiet(400) + noise) == []


def test_a_higher_threshold_hears_less() -> None:
    """0 hears everything, 1 only what is loud."""
    low, high = Hearing(), Hearing()
    low.tune(vad(threshold=0.0))
    high.tune(vad(threshold=1.0))
    faint = bytes((0xD4, 0x54) * 80) * 5  # 748 of 32768.
    assert len(low.append(quiet(100))) == 1
    assert high.append(faint) == []
    assert len(Hearing().append(faint)) == 1


@pytest.mark.parametrize("eagerness", ["low", "medium", "high", "auto"])
def test_semantic_detection_waits_by_its_eagerness(eagerness: str) -> None:
    """Simulated by a silence: the eager one waits the shortest."""
    hearing = Hearing()
    hearing.tune(SemanticVad(eagerness, True, True))  # type: ignore[arg-type]
    wait_ms = SILENCE_MS_OF[eagerness]
    assert len(hearing.append(SPEECH.speak("hello") + quiet(wait_ms - 200))) == 1
    assert len(hearing.append(quiet(200))) == 1


def test_without_detection_audio_waits_for_the_commit() -> None:
    """turn_detection null: no turns; a commit takes everything, and once."""
    hearing = Hearing()
    hearing.tune(None)
    audio = SPEECH.speak("hello") + quiet(2000)
    assert hearing.append(audio) == []
    assert hearing.buffered_ms == len(audio) // 8
    assert hearing.commit() == audio
    assert hearing.commit() == b""


def test_a_commit_ends_a_turn_that_had_begun() -> None:
    """What follows is a turn of its own."""
    hearing = Hearing()
    assert len(hearing.append(SPEECH.speak("hello"))) == 1
    assert hearing.speaking
    assert SPEECH.hear(hearing.commit()) == "hello"
    assert not hearing.speaking
    assert hearing.append(quiet(2000)) == []
    assert len(hearing.append(SPEECH.speak("wait") + quiet(600))) == 2


def test_clear_forgets_a_turn() -> None:
    """The clock of audio written goes on."""
    hearing = Hearing()
    hearing.append(SPEECH.speak("hello"))
    written = hearing.written_ms
    hearing.clear()
    assert (hearing.buffered_ms, hearing.speaking) == (0, False)
    assert hearing.written_ms == written


def test_silence_is_not_kept() -> None:
    """An hour of silence takes no memory; a turn is bounded too, and its oldest audio goes."""
    hearing = Hearing()
    for _ in range(60):
        hearing.append(quiet(1000))
    assert hearing.buffered_ms <= 300 + ONSET_FRAMES * FRAME_MS + TRIM_MS
    hearing.tune(None)
    for _ in range(BUFFER_MS_MAX // 10_000 + 2):
        hearing.append(quiet(10_000))
    assert hearing.buffered_ms == BUFFER_MS_MAX


def test_a_new_format_begins_frames_anew() -> None:
    """Odd bytes of before do not shift what follows."""
    hearing = Hearing()
    hearing.append(b"\xff" * 1001)
    hearing.realign()
    _, ended = hearing.append(SPEECH.speak("hello") + quiet(600))
    assert isinstance(ended, SpeechEnded)
    assert SPEECH.hear(ended.audio) == "hello"


@given(st.lists(st.sampled_from(["quiet", "loud"]), max_size=120))
def test_frames_that_change_nothing_may_be_added_together(kinds: list[str]) -> None:
    """The turns are the same, frame by frame or not."""
    word = SPEECH.speak("hello")
    frames = [word[at : at + FRAME_BYTES] for at in range(0, len(word), FRAME_BYTES)]
    loud = next(filter(is_loud, frames))
    single, together = Hearing(), Hearing()
    skipped, found = b"", []
    for kind in kinds:
        frame = loud if kind == "loud" else SILENCE
        found += single.append(frame)
        if together.can_skip and together.changes_nothing(frame):
            skipped += frame
            continue
        together.skip(skipped)
        skipped = b""
        for event in together.append(frame):
            assert event in found
            found.remove(event)
    together.skip(skipped)
    assert found == []
    assert (together.written_ms, together.speaking) == (single.written_ms, single.speaking)
    assert together.commit()[-FRAME_BYTES * 15 :] == single.commit()[-FRAME_BYTES * 15 :]
