import base64

import pytest
from msgspec import UNSET

from trunkline.errors import ModelProtocolError
from trunkline.sim.realtime.conversation import Conversation, Entry, refuse_long, text_tokens
from trunkline.wire.realtime.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputText,
    Item,
    Message,
    OutputAudio,
    OutputText,
)


def text(item_id: str, words: str = "hello") -> Message:
    return Message("user", [InputText(words)], item_id)


def answer(item_id: str = "a", ms: int = 1000) -> Entry:
    item = Message("assistant", [OutputAudio(transcript="i heard you")], item_id, "completed")
    return Entry(item, ms, bytearray(b"\x10" * ms * 8), "i heard you")


def filled(*items: Item) -> Conversation:
    conversation = Conversation()
    for item in items:
        conversation.check_new(item, UNSET)
        conversation.add(Entry(item))
    return conversation


def code_of(error: pytest.ExceptionInfo[ModelProtocolError]) -> str:
    return error.value.code


def ids(conversation: Conversation) -> list[object]:
    return [entry.item.id for entry in conversation.entries]


def test_items_stand_where_they_were_put() -> None:
    """At the end, at the front, or behind the item named; the id before it comes back."""
    conversation = filled(text("one"), text("two"))
    assert conversation.add(Entry(text("three"))) == "two"
    assert conversation.add(Entry(text("zero")), "root") is None
    assert conversation.add(Entry(text("half")), "one") == "one"
    assert ids(conversation) == ["zero", "one", "half", "two", "three"]
    last = conversation.last()
    assert last is not None
    assert last.item.id == "three"
    assert Conversation().last() is None


@pytest.mark.parametrize(
    ("item", "previous", "code"),
    [
        (text("x"), "nobody", "item_create_invalid_previous_item_id"),
        (text("here"), UNSET, "invalid_value"),
        (text("x" * 33), UNSET, "string_above_max_length"),
        (FunctionCall("t", "{}", "c" * 33), UNSET, "string_above_max_length"),
        (FunctionCallOutput("c" * 33, ""), UNSET, "string_above_max_length"),
        (FunctionCallOutput("nobody", ""), UNSET, "invalid_tool_call_id"),
        (FunctionCallOutput("done", ""), UNSET, "invalid_tool_call_id"),
        (Message("assistant", [OutputAudio()]), UNSET, "invalid_value"),
    ],
)
def test_what_can_t_be_added_is_refused(item: Item, previous: str, code: str) -> None:
    """Check list, line 8, and 4.1: nothing has changed after it."""
    conversation = filled(
        text("here"), FunctionCall("t", "{}", "done", "f"), FunctionCallOutput("done", "", "o")
    )
    with pytest.raises(ModelProtocolError) as error:
        conversation.check_new(item, previous)
    assert code_of(error) == code
    assert ids(conversation) == ["here", "f", "o"]


def test_seeds_that_are_allowed() -> None:
    """Texts of all three, the caller's audio, calls with their outputs."""
    filled(
        Message("system", [InputText("the line was interrupted")], "s"),
        text("u"),
        Message("user", [InputAudio("AAAA")], "v"),
        Message("assistant", [OutputText("hello")], "a"),
        FunctionCall("t", "{}", "c", "f"),
        FunctionCallOutput("c", "{}", "o"),
    )


def test_a_cut_deletes_the_transcript_and_the_audio_behind_it() -> None:
    """Check list, line 7: the model sees only what was heard."""
    conversation = Conversation()
    conversation.add(answer(ms=1000))
    entry = conversation.truncate("a", 0, 400)
    assert (entry.audio_ms, len(entry.audio), entry.text) == (400, 3200, "")
    assert entry.item == Message("assistant", [OutputAudio()], "a", "completed")
    assert conversation.truncate("a", 0, 400).audio_ms == 400
    assert conversation.truncate("a", 0, 0).audio_ms == 0


@pytest.mark.parametrize(
    ("item_id", "index", "end_ms", "code"),
    [
        ("a", 0, 1001, "invalid_value"),
        ("a", 0, -1, "invalid_value"),
        ("a", 1, 100, "invalid_value"),
        ("u", 0, 100, "invalid_value"),
        ("t", 0, 100, "invalid_value"),
        ("nobody", 0, 100, "item_truncate_invalid_item_id"),
    ],
)
def test_a_cut_beyond_what_there_is_is_refused(
    item_id: str, index: int, end_ms: int, code: str
) -> None:
    """Check list, line 7: and the item stays whole."""
    conversation = filled(text("u"), Message("assistant", [OutputText("written")], "t"))
    conversation.add(answer())
    with pytest.raises(ModelProtocolError) as error:
        conversation.truncate(item_id, index, end_ms)
    assert code_of(error) == code
    assert conversation.get("a").audio_ms == 1000
    assert conversation.get("a").text


def test_a_cut_after_a_cut_can_t_give_back() -> None:
    """What was cut off is gone."""
    conversation = Conversation()
    conversation.add(answer(ms=1000))
    conversation.truncate("a", 0, 400)
    with pytest.raises(ModelProtocolError, match="already shorter than"):
        conversation.truncate("a", 0, 500)


def test_a_deleted_item_is_unknown() -> None:
    """To every action, each with its own code; its id may be given again."""
    conversation = filled(text("one"), text("two"))
    conversation.delete("one")
    assert ids(conversation) == ["two"]
    for action, act in (
        ("delete", lambda: conversation.delete("one")),
        ("retrieve", lambda: conversation.retrieved("one")),
        ("truncate", lambda: conversation.truncate("one", 0, 0)),
    ):
        with pytest.raises(ModelProtocolError) as error:
            act()
        assert code_of(error) == f"item_{action}_invalid_item_id"
    conversation.check_new(text("one"), UNSET)


def test_an_item_is_retrieved_with_its_audio() -> None:
    """Both sides' audio; a text as it is."""
    conversation = filled(text("one"))
    heard = Message("user", [InputAudio(transcript="hello")], "u")
    conversation.add(Entry(heard, 20, bytearray(b"\x20" * 160)))
    conversation.add(answer(ms=20))
    assert conversation.retrieved("one") == text("one")
    for item_id, byte in (("u", b"\x20"), ("a", b"\x10")):
        item = conversation.retrieved(item_id)
        assert isinstance(item, Message)
        part = item.content[0]
        assert isinstance(part, InputAudio | OutputAudio)
        assert isinstance(part.audio, str)
        assert base64.b64decode(part.audio) == byte * 160


def test_tokens_are_counted_by_the_tenth_of_a_second() -> None:
    """Heard audio 1 per 100 ms, spoken audio 1 per 50 ms, texts by their length."""
    conversation = Conversation()
    conversation.add(Entry(Message("user", [InputAudio()], "u"), 1250))
    conversation.add(answer(ms=1250))
    assert conversation.tokens() == (0, 12 + 25)
    conversation.add(Entry(text("t", "12345678")))
    conversation.add(Entry(FunctionCall("abcd", "{}", "c", "f")))
    conversation.add(Entry(FunctionCallOutput("c", "1234", "o")))
    assert conversation.tokens() == (2 + 2 + 1, 37)
    assert text_tokens("") == 0


def test_ids_of_32_characters_are_the_longest() -> None:
    """One more is refused."""
    refuse_long("x" * 32, "item.id")
    with pytest.raises(ModelProtocolError):
        refuse_long("x" * 33, "item.id")
