import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.sim.realtime.brain import (
    ANSWERS,
    CONFIRMED,
    GREETING,
    KEYWORDS,
    STORY,
    Ask,
    Call,
    DemoBrain,
    Reply,
    Say,
)
from trunkline.sim.speech import recorded
from trunkline.wire.realtime.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Item,
    Message,
    OutputAudio,
)
from trunkline.wire.realtime.session import FunctionTool

SPEECH = recorded()
BRAIN = DemoBrain(SPEECH)


def tool(name: str, **properties: object) -> FunctionTool:
    schema = {"type": "object", "properties": properties}
    return FunctionTool(name, f"{name} does", msgspec.Raw(json.dumps(schema).encode()))


TOOLS = (
    tool("find_appointments"),
    tool("book_appointment"),
    tool("check_stock"),
    tool("find_prices"),
    tool("transfer_call"),
    tool("end_call"),
    tool("handoff", agent={"type": "string", "enum": ["reception", "billing"]}),
)


def heard(text: str, tools: tuple[FunctionTool, ...] = TOOLS) -> Reply:
    return BRAIN.answer(Ask("turn", heard=text, tools=tools))


def test_a_brain_echoes_what_it_heard() -> None:
    """So a test sees whose words a call's model got."""
    assert heard("this is caller four seven") == (Say("i heard this is caller four seven"),)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("i would like to book an appointment tomorrow", [Call("book_appointment")]),
        ("appointments", [Call("find_appointments")]),
        ("is it in stock", [Call("check_stock")]),
        ("please transfer me to billing", [Call("handoff", '{"agent": "billing"}')]),
        ("please transfer me to sales", [Call("transfer_call")]),
        ("is it in stock and what are your prices", [Call("check_stock"), Call("find_prices")]),
        ("is it in stock and is it in stock", [Call("check_stock")]),
    ],
)
def test_keywords_call_tools(text: str, calls: list[Call]) -> None:
    """In parallel, one for each clause."""
    assert list(heard(text)) == calls


def test_only_tools_that_the_session_has_are_called() -> None:
    """Without them the words are echoed."""
    assert heard("is it in stock", ()) == (Say("i heard is it in stock"),)


def test_goodbye_is_said_before_the_call_ends() -> None:
    """Speech and call in one response: the client must let the first be heard."""
    assert heard("goodbye") == (Say("thank you goodbye"), Call("end_call"))


def test_it_greets_as_it_is_told() -> None:
    """The first quoted text that can be said; else words of its own."""
    told = 'Say "hello xylophone" or "Good morning, this is reception." and then listen.'
    assert BRAIN.answer(Ask("asked", asked=told)) == (Say("Good morning, this is reception."),)
    assert BRAIN.answer(Ask("asked", asked='Say "xylophone".')) == (Say(GREETING),)
    assert BRAIN.answer(Ask("asked", instructions=told)) == BRAIN.answer(Ask("asked", asked=told))


def test_it_confirms_what_a_tool_answered() -> None:
    """By the tool's name; an error is an error."""
    call = FunctionCall("check_stock", "{}", "c1", "f1", "completed")

    def after(output: str, call_id: str = "c1") -> Reply:
        items: tuple[Item, ...] = (call, FunctionCallOutput(call_id, output))
        return BRAIN.answer(Ask("asked", items=items))

    assert after('{"count": 3}') == (Say("it is in stock"),)
    assert after("plenty") == (Say("it is in stock"),)
    assert after('{"error": "timeout"}') == (Say("sorry nothing found"),)
    assert after("Error: timeout") == (Say("sorry nothing found"),)
    assert after("x", "c2") == (Say("done"),)


def test_silence_and_noise_are_answered_too() -> None:
    """Nobody waits in vain."""
    assert BRAIN.answer(Ask("idle")) == (Say("are you still there"),)
    assert heard("[noise 300 ms]") == (Say("sorry i did not understand"),)
    assert heard("") == (Say("sorry i did not understand"),)
    assert heard("seven[lost 3] nine") == (Say("i heard seven nine the line is bad"),)


def test_asked_again_it_goes_on_and_does_not_greet() -> None:
    """After a resume the history says that there was a greeting."""
    said = Message("assistant", [OutputAudio()], "a")
    note = Message("system", [InputText("the line was interrupted")], "n")
    assert BRAIN.answer(Ask("asked", items=(said, note))) == (Say("where were we"),)
    assert BRAIN.answer(Ask("asked", items=(note,))) == (Say(GREETING),)


def test_a_story_is_long_enough_to_interrupt() -> None:
    """Over five seconds."""
    assert heard("tell me a story") == (Say(STORY),)
    assert len(SPEECH.speak(STORY)) > 5 * 8000


def test_every_answer_has_clips() -> None:
    """The tables hold nothing that can't be said."""
    for text in (GREETING, STORY, *CONFIRMED.values(), *(text for _, text in ANSWERS)):
        assert SPEECH.knows(text), text
    for word, _ in KEYWORDS:
        assert SPEECH.knows(word), word


@given(st.text(), st.text(), st.sampled_from(["turn", "asked", "idle"]))
def test_whatever_is_heard_the_answer_can_be_said(heard: str, asked: str, why: str) -> None:
    """And there is one."""
    reply = BRAIN.answer(Ask(why, heard=heard, asked=asked, tools=TOOLS))  # type: ignore[arg-type]
    assert reply
    for part in reply:
        assert not isinstance(part, Say) or SPEECH.knows(part.text)
