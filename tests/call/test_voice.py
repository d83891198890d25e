"""The agent's items: their words, and how much of each was heard."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call.script import (
    SID,
    audio,
    created,
    delta,
    done,
    echo,
    item_done,
    marked,
    sent,
    talking,
    words,
)
from trunkline.call.actions import Action, Note, NoteName, Record, ToCaller, ToModel
from trunkline.call.events import StreamLost
from trunkline.call.playout import MARKS_MAX, RETAINED_CHUNKS_MAX, SEGMENTS_MAX
from trunkline.call.voice import (
    CLOSED_ITEMS_MAX,
    ITEMS_MAX,
    TEXT_CHARS_MAX,
    Voice,
    heard_part,
)
from trunkline.core import facts
from trunkline.wire import twilio
from trunkline.wire.realtime import client, server


def voice() -> Voice:
    made = Voice()
    made.playout.stream_sid = SID
    return made


def speak(made: Voice, item: str, ms: int, text: str = "") -> list[Action]:
    made.text(item, "r1", "desk", text)
    return made.audio(item, "r1", "desk", audio(ms), 0.0)


@pytest.mark.parametrize(
    ("heard_ms", "part"),
    [
        (0, ""),
        (-1, ""),
        (1, ""),
        (499, "Good"),
        (600, "Good day,"),
        (999, "Good day,"),
        (1000, "Good day, caller!!"),
        (2000, "Good day, caller!!"),
    ],
)
def test_words_are_cut_where_the_caller_broke_in(heard_ms: int, part: str) -> None:
    """Pro rata, and a word that was cut was not heard."""
    assert heard_part("Good day, caller!!", heard_ms, 1000) == part


@pytest.mark.parametrize("text", ["今日はとても良い天気ですね", "สวัสดีครับคุณสบายดีไหม"])
def test_scripts_without_spaces_are_cut_anywhere(text: str) -> None:
    """Half of such a text is not nothing."""
    assert heard_part(text, 500, 1000) == text[: len(text) // 2]


@given(st.text(), st.integers(-10, 2000), st.integers(0, 2000))
def test_a_heard_part_is_a_beginning(text: str, heard_ms: int, audio_ms: int) -> None:
    """Never longer than its share, and more heard is never less said."""
    part = heard_part(text, heard_ms, audio_ms)
    assert text.startswith(part)
    if 0 < heard_ms < audio_ms:
        assert len(part) <= len(text) * heard_ms / audio_ms
        assert len(heard_part(text, heard_ms + 1, audio_ms)) >= len(part)


def test_an_item_is_recorded_when_it_is_complete_and_played() -> None:
    """Both, in either order, once."""
    made = voice()
    assert speak(made, "i1", 200, "Hi.") == [ToCaller(sent(audio(200)))]
    assert made.audio_done("i1") == [ToCaller(marked("m1"))]
    assert made.playout.echoed("m1", 0.2)
    assert made.record_played(0.2) == []
    said = facts.AgentSaid("i1", "desk", "Hi.", "Hi.", 200, 200)
    assert made.item_done("i1", 0.2) == [Record(said)]
    assert made.item_done("i1", 0.2) == []
    assert made.response_done("r1", 0.2) == []
    assert made.close_all(0.2) == []


def test_what_comes_for_an_item_that_was_recorded_is_dropped() -> None:
    """Audio is noted, words are not."""
    made = voice()
    speak(made, "i1", 200)
    made.close_all(0.0)
    assert speak(made, "i1", 200, "x") == [Note(NoteName.UNEXPECTED, "audio_of_closed_item")]
    made.words("i1", "r1", "desk", "x")
    assert made.audio_done("i1") == []
    assert made.close_all(0.0) == []


def test_words_are_kept_up_to_a_limit() -> None:
    """In deltas and whole."""
    made = voice()
    for _ in range(3):
        made.words("i1", "r1", "desk", "x" * (TEXT_CHARS_MAX // 2 + 1))
        made.words("i1", "r1", "desk", "")
    made.text("i2", "r1", "desk", "y" * (TEXT_CHARS_MAX + 1))
    texts = [
        action.fact.text
        for action in made.close_all(0.0)
        if isinstance(action, Record) and isinstance(action.fact, facts.AgentSaid)
    ]
    assert texts == ["x" * TEXT_CHARS_MAX, "y" * TEXT_CHARS_MAX]


def test_there_is_an_end_to_items() -> None:
    """Open ones and remembered ones."""
    made = voice()
    for number in range(ITEMS_MAX):
        assert speak(made, f"i{number}", 20)
    assert speak(made, "one more", 30) == [Note(NoteName.DROPPED, "caller", 2.0)]
    for number in range(2 * CLOSED_ITEMS_MAX):
        made.close_all(0.0)
        speak(made, f"j{number}", 20)
    kept = RETAINED_CHUNKS_MAX + SEGMENTS_MAX + MARKS_MAX
    assert made.size() <= CLOSED_ITEMS_MAX + ITEMS_MAX + kept


def test_our_own_audio_has_no_item() -> None:
    """It is played and marked; cutting it is none of the model's business."""
    made = voice()
    assert made.clip(audio(300), 0.0) == [ToCaller(sent(audio(300))), ToCaller(marked("m1"))]
    cut = made.interrupt(None, 0.1)
    assert (cut.to_model, cut.records, cut.heard_ms) == ([], [], None)
    assert len(cut.to_caller) == 1
    assert made.interrupt(None, 0.2).to_caller == []


def test_an_interruption_cuts_the_item_heard_and_deletes_the_next() -> None:
    """And says of which responses nothing more is wanted."""
    made = voice()
    speak(made, "i1", 400, "Hello you there")
    made.audio("i2", "r2", "desk", audio(400), 0.0)
    cut = made.interrupt("r2", 0.2)
    assert cut.to_model == [
        ToModel(client.TruncateItem("i1", 0, 200)),
        ToModel(client.DeleteItem("i2")),
    ]
    assert cut.records == [
        Record(facts.BargedIn("i1", 200, 600)),
        Record(facts.AgentSaid("i1", "desk", "Hello you there", "Hello", 400, 200)),
        Record(facts.AgentSaid("i2", "desk", "", "", 400, 0)),
    ]
    assert cut.response_ids == {"r1", "r2"}
    assert cut.heard_ms == 200


def test_an_item_of_which_nothing_was_played_can_be_dropped_once() -> None:
    """One that is known, open or recorded, is not touched."""
    made = voice()
    speak(made, "i1", 400)
    assert made.drop("i1") == []
    made.close_all(0.0)
    assert made.drop("i1") == []
    assert made.drop("i2") == [ToModel(client.DeleteItem("i2"))]
    assert made.drop("i2") == []


def test_a_long_stretch_is_sent_in_pieces_that_a_carrier_takes() -> None:
    """Thirty seconds in one delta: no message over 64 KiB, not a byte more or less."""
    made = voice()
    whole = base64.b64encode(bytes(number % 251 for number in range(30 * 8000))).decode()
    sent_messages = [
        action.message
        for action in made.audio("i1", "r1", "desk", whole, 0.0)
        if isinstance(action, ToCaller)
    ]
    media = [each for each in sent_messages if isinstance(each, twilio.SendMedia)]
    assert len(media) > 1
    assert all(len(twilio.encode(each)) <= twilio.MESSAGE_BYTES_MAX for each in media)
    pieces = b"".join(base64.b64decode(each.media.payload, validate=True) for each in media)
    assert pieces == base64.b64decode(whole)


def test_how_far_an_item_was_heard_is_written_down_every_second() -> None:
    """Its words come with the first fact, and again only when there are more of them.

    A lost stream has the last word: up to the mark that did not come.
    """
    script = talking()
    script.see(created("r1"), *(delta("r1", "i1", audio(500)) for _ in range(6)))
    script.see(server.TranscriptDelta("r1", "i1", "Well the"))
    script.wait(0.5)
    script >> echo("m1")
    script.wait(0.5)
    script >> echo("m2") << facts.AgentHeard("i1", "desk", "Well", 3000, 1000)
    script.see(words("r1", "i1", "One two three."), item_done("r1", "i1"), done("r1"))
    script.wait(1.0)
    script >> echo("m3")
    script >> echo("m4") << facts.AgentHeard("i1", "desk", "One two three.", 3000, 2000)
    script.wait(0.9)
    script >> StreamLost("reset") << facts.StreamLost
    script << facts.AgentHeard("i1", "desk", "", 3000, 2500)
