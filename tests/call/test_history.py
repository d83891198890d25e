"""What a session is told that follows another one."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.call import wording
from trunkline.call.history import CHARS_MAX, ENTRIES_MAX, History
from trunkline.core import facts
from trunkline.core.facts import Fact, Outcome
from trunkline.wire.realtime.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Item,
    Message,
    OutputText,
)


def seeded(*told: Fact, running: tuple[str, ...] = ()) -> list[Item]:
    """The items of a history of these facts, named 1, 2, 3."""
    count = iter(range(1, 1000))
    return History(told).seed(lambda: str(next(count)), running=running)


def agent_said(heard: str) -> facts.AgentSaid:
    return facts.AgentSaid("i1", "desk", f"{heard} and more", heard, 900, 500)


def ran(call_id: str, output: str = "done") -> facts.ToolFinished:
    return facts.ToolFinished(call_id, "book", ok=True, output=output, took_ms=5)


def test_what_was_said_and_heard_in_order() -> None:
    """The caller's words as transcribed, the agent's as far as they were heard, keys."""
    assert seeded(
        agent_said("Good morning"),
        facts.CallerSaid("c1", "I would like to book"),
        facts.DigitsPressed("12"),
    ) == [
        Message("assistant", [OutputText("Good morning")], "1"),
        Message("user", [InputText("I would like to book")], "2"),
        Message("user", [InputText("[keys pressed: 1 2]")], "3"),
    ]


def test_what_nobody_heard_is_not_told() -> None:
    """Nor a turn whose transcription failed, nor what is no part of the conversation."""
    assert not seeded(
        agent_said(""),
        facts.CallerSaid("c1", ""),
        facts.StreamOpened("MZ1"),
        facts.CallEnded(Outcome.FAILED, "x"),
    )


def test_tools_stand_where_they_were_called() -> None:
    """Call and output together, though the output came later."""
    items = seeded(
        facts.ToolCalled("c1", "book", '{"day": 1}'), facts.CallerSaid("u1", "hurry"), ran("c1")
    )
    assert items == [
        FunctionCall("book", '{"day": 1}', "c1", "1"),
        FunctionCallOutput("c1", "done", "2"),
        Message("user", [InputText("hurry")], "3"),
    ]


def test_tools_without_an_output() -> None:
    """One that still runs will be answered; of one that was lost nothing is known."""
    called = (facts.ToolCalled("c1", "book", "{}"), facts.ToolCalled("c2", "book", "{}"))
    outputs = [
        item.output
        for item in seeded(*called, running=("c2",))
        if isinstance(item, FunctionCallOutput)
    ]
    assert outputs == [wording.OUTCOME_UNKNOWN, wording.STILL_RUNNING]


def test_a_handoff_is_told() -> None:
    """The instructions are the present agent's: who said what before was another."""
    (item,) = seeded(facts.HandedOff("desk", "billing"))
    assert item == Message("system", [InputText(wording.handed_over("desk", "billing"))], "1")


def test_a_line_that_broke_with_its_pod_is_told() -> None:
    """One that came back to its pod, with its session, has left nothing to tell."""
    (item,) = seeded(
        facts.CallResumed("reset", 900),
        facts.CallResumed("pod_lost", None, "pod-0", "pod-1", 8),
    )
    assert item == Message("system", [InputText(wording.LINE_BROKE)], "1")


def test_what_is_still_being_played_and_a_note_come_last() -> None:
    """Words without a sound are left out."""
    items = History([facts.CallerSaid("c1", "hello")]).seed(
        lambda: "x", saying=["", "Good morning"], note="[Go on.]"
    )
    assert items == [
        Message("user", [InputText("hello")], "x"),
        Message("assistant", [OutputText("Good morning")], "x"),
        Message("system", [InputText("[Go on.]")], "x"),
    ]


def test_the_oldest_is_left_out_and_said_to_be() -> None:
    """Of a long call the newest turns are told."""
    turns = [facts.CallerSaid(f"c{n}", f"turn {n}") for n in range(ENTRIES_MAX + 3)]
    first, second, *rest = seeded(*turns)
    assert first == Message("system", [InputText(wording.LEFT_OUT)], "1")
    assert second == Message("user", [InputText("turn 3")], "2")
    assert len(rest) == ENTRIES_MAX - 1


def test_an_output_of_a_call_that_was_left_out() -> None:
    """It comes too late to matter."""
    called = facts.ToolCalled("c1", "book", "{}")
    turns = [facts.CallerSaid(f"c{n}", "x") for n in range(ENTRIES_MAX)]
    assert not any(
        isinstance(item, FunctionCallOutput) for item in seeded(called, *turns, ran("c1"))
    )


FACTS = st.one_of(
    st.builds(facts.CallerSaid, st.just("c"), st.text(max_size=3000)),
    st.builds(agent_said, st.text(max_size=3000)),
    st.builds(facts.ToolCalled, st.sampled_from("abc"), st.just("book"), st.text(max_size=16_384)),
    st.builds(ran, st.sampled_from("abc"), st.text(max_size=16_384)),
    st.builds(facts.DigitsPressed, st.text("0123456789", max_size=64)),
)


@given(st.lists(FACTS, max_size=100))
def test_it_is_bounded_whatever_is_said(told: list[Fact]) -> None:
    """In entries and in characters; every call has its output."""
    items = seeded(*told)
    calls = [item.call_id for item in items if isinstance(item, FunctionCall)]
    outputs = [item.call_id for item in items if isinstance(item, FunctionCallOutput)]
    assert calls == outputs
    assert len(items) <= 2 * ENTRIES_MAX + 1
    notes = len(wording.LEFT_OUT) + len(calls) * len(wording.OUTCOME_UNKNOWN)
    assert sum(map(size_of, items)) <= CHARS_MAX + notes


def size_of(item: Item) -> int:
    match item:
        case FunctionCall():
            return len(item.arguments)
        case FunctionCallOutput():
            return len(item.output)
        case Message(content=[InputText(text=text) | OutputText(text=text)]):
            return len(text)
        case _:
            return 0
