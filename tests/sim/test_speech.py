from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trunkline.sim.speech import (
    FRAME_BYTES,
    SILENCE,
    Speech,
    UnknownWordError,
    is_loud,
    recorded,
    words_of,
)
from trunkline.sim.timemark import BARE, mark

SPEECH = recorded()
TEXTS = sorted(SPEECH.clips)
SENTENCES = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=6).map(" ".join)
CLIPS_BYTES_MAX = 400_000


def frames(ulaw: bytes) -> list[bytes]:
    return [ulaw[at : at + FRAME_BYTES] for at in range(0, len(ulaw), FRAME_BYTES)]


def test_every_frame_of_the_vocabulary_is_unlike_every_other() -> None:
    """A frame names its word and its place in it; plain silence names none."""
    every = [frame for clip in SPEECH.clips.values() for frame in frames(clip)]
    assert len(set(every)) == len(every)
    assert not set(every) & {SILENCE, b"\x7f" * FRAME_BYTES}
    bare = {frame.translate(BARE) for frame in every}
    assert len(bare) == len(every)
    assert SILENCE not in bare


def test_clips_are_whole_frames_without_silent_edges_and_small_in_all() -> None:
    """Frames of 20 ms, beginning and ending with sound that is not long in coming."""
    assert sum(map(len, SPEECH.clips.values())) < CLIPS_BYTES_MAX
    for text, clip in SPEECH.clips.items():
        assert len(clip) % FRAME_BYTES == 0, text
        pieces = frames(clip)
        assert any(map(is_loud, pieces[:8])), text
        assert any(map(is_loud, pieces[-8:])), text


def test_the_vocabulary_speaks_for_two_lines_of_business() -> None:
    """What the demo's callers and agents say can be said."""
    for text in (
        "Good morning, this is caller four seven.",
        "I would like to book an appointment tomorrow",
        "What are your prices? Is it in stock?",
        "please transfer me to billing",
        "Wait! Stop! One moment, please. Are you still there?",
        "thank you, goodbye",
    ):
        assert SPEECH.knows(text), text


def test_a_text_of_words_without_clips_is_refused_by_the_first_of_them() -> None:
    """The error names the word, so that a script's author finds it."""
    with pytest.raises(UnknownWordError, match="'xylophone'") as error:
        SPEECH.speak("hello xylophone zebra")
    assert error.value.word == "xylophone"
    assert not SPEECH.knows("hello xylophone")
    assert not SPEECH.knows("...")


def test_the_longest_clip_is_taken() -> None:
    """A phrase is one clip, not its words."""
    assert SPEECH.parts("Good morning, this is caller one") == [
        "good morning",
        "this is caller",
        "one",
    ]


def test_a_vocabulary_with_a_frame_twice_is_refused() -> None:
    """Such a frame could not say where it is from."""
    with pytest.raises(AssertionError):
        Speech({"a": b"\x01" * FRAME_BYTES, "b": b"\x01" * FRAME_BYTES})


@given(SENTENCES, st.integers(0, 60), st.integers(0, 60))
def test_what_is_spoken_is_heard(text: str, before: int, after: int) -> None:
    """Silence around it changes nothing."""
    assert SPEECH.hear(SILENCE * before + SPEECH.speak(text) + SILENCE * after) == text


@given(SENTENCES, st.sampled_from(["drop", "double", "swap", "cross"]), st.data())
def test_lost_doubled_or_swapped_frames_are_heard(
    text: str, fault: str, data: st.DataObject
) -> None:
    """Whatever happens to sound on the way stands in the transcript, or makes it another."""
    before = frames(SPEECH.speak(text))
    after = list(before)
    one = data.draw(st.integers(0, len(before) - 1))
    if fault == "drop":
        del after[one]
    elif fault == "double":
        after.insert(one, after[one])
    elif fault == "swap":
        other = data.draw(st.integers(0, len(before) - 1))
        after[one], after[other] = after[other], after[one]
    else:
        clip = frames(SPEECH.clips[data.draw(st.sampled_from(TEXTS))])
        after[one] = data.draw(st.sampled_from(clip))

    def sound(pieces: list[bytes]) -> list[bytes]:
        return [piece for piece in pieces if piece != SILENCE]

    assume(sound(before) != sound(after))
    assert SPEECH.hear(b"".join(after)) != text


@given(SENTENCES, st.sampled_from([160, 1600, 480]))
def test_audio_in_pieces_is_heard_as_the_whole(text: str, piece: int) -> None:
    """How audio is grouped on the wire does not matter, once it is together again."""
    ulaw = SPEECH.speak(text)
    pieces = [ulaw[at : at + piece] for at in range(0, len(ulaw), piece)]
    assert SPEECH.hear(b"".join(pieces)) == text


def test_faults_are_named_and_counted() -> None:
    """The marks say what happened, and how often."""
    seven = frames(SPEECH.clips["seven"])
    cases = {
        "seven[lost 3]": seven[:4] + seven[7:],
        "seven[lost 2]": seven[2:],
        "seven[lost 1]": seven[:-1],
        "seven[again 2]": seven[:6] + seven[4:],
        "seven[again 1]": [*seven, seven[-1]],
        "seven[lost 1][again 2]": [*seven[:4], seven[5], seven[4], *seven[5:]],
        "seven[gap 4]": seven[:4] + [SILENCE] * 4 + seven[4:],
        f"seven[lost {len(seven) - 5}] seven": seven[:5] + [SILENCE] * 40 + seven,
        "seven seven": seven + seven,
    }
    for heard, pieces in cases.items():
        assert SPEECH.hear(b"".join(pieces)) == heard


def test_a_frame_of_another_clip_is_heard_as_that_word() -> None:
    """Crossed audio names its source."""
    seven, nine = frames(SPEECH.clips["seven"]), frames(SPEECH.clips["nine"])
    heard = SPEECH.hear(b"".join([*seven[:5], nine[3], *seven[6:]]))
    assert heard == (f"seven[lost {len(seven) - 5}] nine[lost {len(nine) - 1}] seven[lost 6]")
    assert words_of(heard) == "seven nine seven"


def test_audio_off_its_frames_is_noise() -> None:
    """Half a frame lost shifts all that follows: no word is recognised then."""
    clip = SPEECH.speak("hello")
    heard = SPEECH.hear(clip[70:])
    assert heard.startswith("[noise ")
    assert words_of(heard) == ""


def test_silence_and_clicks_are_nothing() -> None:
    """Silence of either sign, comfort noise and single clicks hold no word."""
    assert SPEECH.hear(b"") == ""
    assert SPEECH.hear(SILENCE * 50) == ""
    assert SPEECH.hear(b"\x7e\xfe" * 800) == ""
    assert SPEECH.hear(b"\x00" * 7 + b"\xff" * 153) == ""


def test_the_handbook_counts_the_words() -> None:
    """docs/howto/simulators.md says how many there are."""
    handbook = Path(__file__).parents[2] / "docs" / "howto" / "simulators.md"
    assert f"{len(SPEECH.clips)} of them" in handbook.read_text()


@given(SENTENCES)
def test_a_mark_of_time_in_each_frame_changes_no_word(sentence: str) -> None:
    """Every clip's frame is known by what the mark leaves of it."""
    marked = [
        mark(seq * 20_000, 7, seq, audio=f) for seq, f in enumerate(frames(SPEECH.speak(sentence)))
    ]
    assert SPEECH.hear(b"".join(marked)) == SPEECH.hear(SPEECH.speak(sentence))


def test_bits_that_changed_without_a_mark_are_noise() -> None:
    """Hearing stays exact."""
    loud = next(frame for frame in frames(SPEECH.speak("hello")) if is_loud(frame))
    assert SPEECH.hear(bytes(code ^ 1 for code in loud)) == "[noise 20 ms]"
