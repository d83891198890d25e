"""Function calls: ordered from the pod, done here, or refused; each is answered once."""

import json
from base64 import b64encode

import pytest

from call.script import (
    BUILT_INS,
    FILLER,
    NEXT_SID,
    SID,
    VIEW,
    Script,
    agent,
    answering,
    audio,
    blames,
    calls,
    created,
    delta,
    done,
    echo,
    error,
    item_done,
    key,
    marked,
    media,
    pauses,
    plan,
    sent,
    speaks,
    stop,
    talking,
)
from trunkline.call import wording
from trunkline.call.actions import BlameModel, CancelTool, EndCall, Note, NoteName, RunTool
from trunkline.call.events import StreamLost, StreamStarted, ToolReturned
from trunkline.call.phases import Phase
from trunkline.call.plan import Limits, Tool, ToolKind
from trunkline.call.tools import ARGUMENTS_CHARS_MAX, OUTPUT_CHARS_MAX, RUNNING_MAX
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.wire import g711
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import FunctionCall, FunctionCallOutput, ItemStatus
from trunkline.wire.realtime.session import Session
from trunkline.wire.twilio import SendClear

LOOK_UP = Tool("look_up", ToolKind.HTTP)
BOOK = Tool("book", ToolKind.PYTHON, filler_after_ms=None)


def output(call_id: str, text: str, number: int = 1) -> client.CreateItem:
    return client.CreateItem(FunctionCallOutput(call_id, text, f"ours_{number}"))


def with_tools(*, limits: Limits | None = None, greeting: str = "") -> Script:
    """A call of two agents with every tool; a response of the model's own is under way."""
    desk = agent(
        tools=(LOOK_UP, BOOK, *BUILT_INS),
        handoffs=("clinic",),
        transfer_numbers={"sales": "+15550100001"},
    )
    clinic = agent("clinic", tools=BUILT_INS, greeting=greeting)
    script = talking(plan(desk, clinic, limits=limits))
    return script.see(created("r1"))


def refused(script: Script, call_id: str, name: str, text: str, arguments: str = "{}") -> None:
    """The model is told why nothing was done, and asked to go on."""
    script >> calls("r1", call_id, name, arguments)
    script << facts.ToolCalled(call_id, name, arguments)
    script << facts.ToolFinished(call_id, name, ok=False, output=text, took_ms=0)
    script << output(call_id, text)
    script >> done("r1") << client.CreateResponse(event_id="response_1")


def test_a_tool_runs_and_its_output_is_answered() -> None:
    """Ordered from the pod, told to the model, and a response asked for."""
    script = with_tools()
    script >> calls("r1", "c1", "look_up", '{"a": 1}')
    script << facts.ToolCalled("c1", "look_up", '{"a": 1}') << RunTool("c1", "look_up", '{"a": 1}')
    script >> done("r1")
    script >> media("abcd") << client.AppendAudio("abcd")
    script.wait(1.25)
    script >> ToolReturned("c1", ok=True, output="42")
    script << facts.ToolFinished("c1", "look_up", ok=True, output="42", took_ms=1250)
    script << output("c1", "42") << client.CreateResponse(event_id="response_1")


def test_several_tools_of_one_response_are_answered_together() -> None:
    """All outputs, then one response, when the last is there and the response is over."""
    script = with_tools()
    script.see(calls("r1", "c1", "book"), calls("r1", "c2", "book"))
    (
        script
        >> ToolReturned("c2", ok=False, output="full")
        << facts.ToolFinished
        << output("c2", "full")
    )
    script >> done("r1")
    script >> ToolReturned("c1", ok=True, output="ok") << facts.ToolFinished
    script << output("c1", "ok", 2) << client.CreateResponse(event_id="response_1")


def test_a_fast_tool_waits_for_its_response() -> None:
    """No response is asked for while one is under way."""
    script = with_tools()
    script.see(calls("r1", "c1", "book"))
    script >> ToolReturned("c1", ok=True, output="ok") << facts.ToolFinished << client.CreateItem
    script >> done("r1") << client.CreateResponse


def test_the_caller_speaks_while_a_tool_runs() -> None:
    """The output waits for the caller's turn, and a moment for the model's own answer to it."""
    script = with_tools()
    script.see(calls("r1", "c1", "book"), done("r1"), speaks())
    script >> ToolReturned("c1", ok=True, output="ok") << facts.ToolFinished << client.CreateItem
    script >> pauses()
    script.wait(0.9)
    script.wait(0.1) << client.CreateResponse


def test_an_answer_that_did_not_see_the_output_does_not_answer_it() -> None:
    """The output went out while the model had begun by itself: it is asked again."""
    script = with_tools()
    script.see(calls("r1", "c1", "book"), done("r1"), speaks())
    script.see(ToolReturned("c1", ok=True, output="ok"), pauses(), created("r2"))
    script >> done("r2") << client.CreateResponse


def test_an_answer_that_saw_the_output_answers_it() -> None:
    """The acknowledged item and the model's own response settle the wish."""
    script = with_tools()
    script.see(calls("r1", "c1", "book"), done("r1"), speaks())
    script.see(ToolReturned("c1", ok=True, output="ok"))
    script.see(server.ItemDone(FunctionCallOutput("c1", "ok", "ours_1")), pauses(), created("r2"))
    script >> done("r2")
    script.wait(15.0)


def test_a_tool_of_a_cancelled_response_is_still_answered() -> None:
    """It has run: the model must know what came of it."""
    script = with_tools()
    script.see(
        calls("r1", "c1", "book"), speaks(), done("r1", "cancelled"), pauses(), created("r2")
    )
    script >> ToolReturned("c1", ok=True, output="ok") << facts.ToolFinished << client.CreateItem
    script >> done("r2") << client.CreateResponse


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
def test_a_call_that_is_not_whole_is_not_run(status: ItemStatus) -> None:
    """Its arguments may be cut off: the model is told so, and may call again."""
    script = with_tools()
    script >> calls("r1", "c1", "book", "{", status)
    script << Note(NoteName.UNEXPECTED, "incomplete_call") << facts.ToolCalled("c1", "book", "{")
    script << facts.ToolFinished("c1", "book", ok=False, output=wording.CUT_OFF, took_ms=0)
    script << client.CreateItem(FunctionCallOutput("c1", wording.CUT_OFF, "ours_1"))
    script >> done("r1", "incomplete") << client.CreateResponse


def test_a_call_without_a_name_is_asked_for_again() -> None:
    """Nothing can be answered to it, and the caller is owed something."""
    script = with_tools()
    script >> server.OutputItemDone("r1", 0, FunctionCall("book", "{", status="incomplete"))
    script << Note(NoteName.UNEXPECTED, "incomplete_call")
    script >> done("r1", "incomplete") << client.CreateResponse


def test_a_call_that_the_caller_cut_off_is_not_answered() -> None:
    """They spoke: the model answers them."""
    script = with_tools()
    script.see(delta("r1", "i1", audio(400)), speaks())
    script >> calls("r1", "c1", "book", "{", "incomplete")
    script << Note(NoteName.UNEXPECTED, "incomplete_call")
    script >> done("r1", "cancelled")


def test_a_call_is_taken_once() -> None:
    """A doubled item runs nothing; a late or unknown result does nothing."""
    script = with_tools()
    script.see(calls("r1", "c1", "book"))
    script >> calls("r1", "c1", "book") << Note(NoteName.UNEXPECTED, "call_again")
    script.see(ToolReturned("c1", ok=True, output="ok"))
    script >> ToolReturned("c1", ok=True, output="ok") << Note(NoteName.UNEXPECTED, "tool_returned")
    script >> ToolReturned("c9", ok=True, output="ok") << Note(NoteName.UNEXPECTED, "tool_returned")


def test_an_unknown_tool_is_refused() -> None:
    """The model is told, nothing runs."""
    refused(with_tools(), "c1", "rm", wording.UNKNOWN_TOOL)


@pytest.mark.parametrize("arguments", ["{", "[]", "null", '"x"', "[" * 100_000])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    """Not JSON, not an object, too deep or too long."""
    script = with_tools()
    script >> calls("r1", "c1", "book", arguments)
    script << facts.ToolCalled("c1", "book", arguments[:ARGUMENTS_CHARS_MAX])
    script << facts.ToolFinished("c1", "book", ok=False, output=wording.BAD_ARGUMENTS, took_ms=0)
    script << output("c1", wording.BAD_ARGUMENTS)


def test_too_many_tools_at_once_are_refused() -> None:
    """A model that calls and calls is told to wait."""
    script = with_tools()
    script.see(*(calls("r1", f"c{n}", "book") for n in range(RUNNING_MAX)))
    (
        script
        >> calls("r1", "x", "book")
        << facts.ToolCalled
        << facts.ToolFinished("x", "book", ok=False, output=wording.TOO_MANY_TOOLS, took_ms=0)
        << output("x", wording.TOO_MANY_TOOLS)
    )


def test_a_long_output_is_cut_and_says_so() -> None:
    """The model knows that it does not have all."""
    script = with_tools()
    script.see(calls("r1", "c1", "book"))
    cut = "x" * OUTPUT_CHARS_MAX + "\n[cut here: 7 more characters]"
    script >> ToolReturned("c1", ok=True, output="x" * (OUTPUT_CHARS_MAX + 7))
    script << facts.ToolFinished("c1", "book", ok=True, output=cut, took_ms=0) << output("c1", cut)


def test_tools_under_way_at_the_end_are_cancelled() -> None:
    """Each has exactly one end in the record."""
    script = with_tools()
    script.see(calls("r1", "c1", "book"), done("r1"))
    script.wait(0.5)
    script >> stop() << CancelTool("c1")
    script << facts.ToolFinished("c1", "book", ok=False, output="cancelled", took_ms=500)
    script << facts.CallEnded << EndCall
    script >> ToolReturned("c1", ok=True, output="ok")


# A slow tool


def test_a_slow_tool_gets_one_filler() -> None:
    """After its time, with nothing playing; once."""
    script = with_tools()
    script.see(calls("r1", "c1", "look_up"), done("r1"))
    script.wait(1.4)
    script.wait(0.1) << sent(FILLER.payload) << marked("m1") << Note(NoteName.FILLER)
    script.wait(0.5)
    script >> echo("m1")
    script.wait(100.0)


def test_two_slow_tools_get_one_filler_together() -> None:
    """Each later one its own."""
    script = with_tools()
    script.see(calls("r1", "c1", "look_up"), calls("r1", "c2", "look_up"))
    script.wait(1.0)
    script.see(calls("r1", "c3", "look_up"), done("r1"))
    script.wait(0.5) << sent(FILLER.payload) << marked("m1")
    script.wait(0.5)
    script >> echo("m1")
    script.wait(0.5) << sent(FILLER.payload) << marked("m2")


def test_a_filler_waits_until_nothing_plays() -> None:
    """The agent's own words are not followed at once by a filler's before they were played."""
    script = with_tools()
    script.see(delta("r1", "i1", audio(2000)), item_done("r1", "i1"))
    script.see(calls("r1", "c1", "look_up"), done("r1"))
    script.wait(2.1)
    script >> echo("m4") << facts.AgentSaid << sent(FILLER.payload) << marked("m5")


def test_no_filler_while_the_caller_speaks_or_the_model_answers() -> None:
    """It comes when both are quiet and the tool still runs."""
    script = with_tools()
    script.see(calls("r1", "c1", "look_up"), done("r1"), speaks())
    script.wait(3.0)
    script.see(created("r2"))
    script >> pauses()
    script.wait(1.3)
    script >> done("r2") << sent(FILLER.payload) << marked("m1")


def test_speech_into_a_filler_clears_it() -> None:
    """It is ours: the model has nothing to cut."""
    script = with_tools()
    script.see(calls("r1", "c1", "look_up"), done("r1"))
    script.wait(1.5) << sent(FILLER.payload) << marked("m1")
    script >> speaks() << SendClear(SID) << Note(NoteName.BARGE_IN, "speech", 0.0)


def test_no_filler_without_a_stream() -> None:
    """It comes on the next one, if the tool still runs; nothing of it is replayed."""
    script = with_tools()
    script.see(calls("r1", "c1", "look_up"), done("r1"), StreamLost("reset"))
    script.wait(3.0)
    script >> StreamStarted(NEXT_SID) << facts.StreamOpened << facts.CallResumed
    script << sent(FILLER.payload, sid=NEXT_SID) << marked("m1", sid=NEXT_SID)
    script << Note(NoteName.FILLER)


def test_a_caller_who_spoke_when_the_stream_was_lost_is_not_waited_for() -> None:
    """The end of their speech would be in frames that do not come."""
    script = with_tools()
    script.see(calls("r1", "c1", "book"), done("r1"), speaks(), StreamLost("reset"))
    script >> ToolReturned("c1", ok=True, output="ok") << facts.ToolFinished
    script << client.CreateItem << client.CreateResponse


def test_without_fillers_there_is_silence() -> None:
    """A plan may have none."""
    script = talking(plan(agent(tools=(LOOK_UP,)), fillers=()))
    script.see(created("r1"), calls("r1", "c1", "look_up"), done("r1"))
    script.wait(30.0)


# end_call


def test_the_agent_ends_the_call_after_its_goodbye() -> None:
    """Its last word is played to the end; then the call is over."""
    script = answering(with_tools(), ms=400)
    script.see(item_done("r1", "i1"))
    script >> calls("r1", "c1", "end_call", '{"reason": "done"}') << facts.ToolCalled
    script << facts.ToolFinished("c1", "end_call", ok=True, output=wording.ENDING, took_ms=0)
    script << output("c1", wording.ENDING) << Note(NoteName.PHASE, "closing")
    script << facts.EndOrdered(Outcome.AGENT_ENDED, "end_call")
    script >> media("abcd") << client.AppendAudio("abcd")
    script >> done("r1")
    script.wait(0.4)
    script >> echo("m1") << facts.AgentSaid << facts.CallEnded(Outcome.AGENT_ENDED, "end_call")
    script << EndCall(Outcome.AGENT_ENDED, "end_call")


def test_an_agent_that_said_nothing_is_told_to_say_goodbye() -> None:
    """Nobody is hung up on without a word."""
    script = with_tools()
    script.see(calls("r1", "c1", "end_call"))
    order = wording.for_one_response("You are desk.", wording.SAY_GOODBYE)
    script >> done("r1")
    script << client.CreateResponse(client.ResponseOptions(order), "response_1")
    script.see(created("r2"), delta("r2", "i2", audio(500)), done("r2"))
    script.wait(0.5)
    script >> echo("m1") << facts.AgentSaid << facts.CallEnded << EndCall


def test_a_goodbye_has_a_limit() -> None:
    """A goodbye that is not played by then is cut."""
    script = with_tools(limits=Limits(goodbye_s_max=3.0))
    script.see(delta("r1", "i1", audio(5000)), calls("r1", "c1", "end_call"), done("r1"))
    script.wait(3.0) << facts.AgentSaid("i1", "desk", "", "", 5000, 500)
    script << facts.CallEnded(Outcome.AGENT_ENDED, "end_call") << EndCall


@pytest.mark.parametrize("event", [speaks(), key("1")])
def test_a_caller_who_speaks_into_the_goodbye_is_heard(event: server.SpeechStarted) -> None:
    """The call goes on, as the tool's output has told the model."""
    script = answering(with_tools(limits=Limits(goodbye_s_max=1.0)), ms=400)
    script.see(calls("r1", "c1", "end_call"), done("r1"))
    script >> event << Note(NoteName.PHASE, "talking") << facts.EndTakenBack() << SendClear(SID)
    script << client.DeleteItem("i1") << facts.BargedIn << facts.AgentSaid
    assert script.call.phase is Phase.TALKING
    script.pass_over(1.5)
    assert script.call.phase is Phase.TALKING


def test_a_goodbye_that_was_taken_back_is_not_said() -> None:
    """Neither when it had failed and waited for its next try."""
    script = with_tools()
    script.see(calls("r1", "c1", "end_call"), done("r1"), created("r2"), done("r2", "failed"))
    script.see(speaks(), pauses())
    script.wait(1.0) << client.CreateResponse(event_id="response_2")


def test_a_response_that_ends_the_call_and_fails_is_followed_by_a_goodbye() -> None:
    """What it should have said is not known: it is told to say goodbye."""
    script = answering(with_tools(), ms=100)
    script.see(calls("r1", "c1", "end_call"), done("r1", "failed"))
    order = wording.for_one_response("You are desk.", wording.SAY_GOODBYE)
    script.wait(0.5) << client.CreateResponse(client.ResponseOptions(order), "response_1")


def test_a_call_that_is_ending_wants_no_other_answer() -> None:
    """What was wished for before is not said after the goodbye."""
    script = answering(with_tools(greeting="Clinic here."), ms=100)
    script.see(calls("r1", "c1", "handoff", '{"agent": "clinic"}'), calls("r1", "c2", "end_call"))
    script >> done("r1") << marked("m1")


def test_a_response_that_the_caller_broke_into_ends_no_call() -> None:
    """Neither while they speak nor afterwards: they have not been answered."""
    script = with_tools()
    script.see(speaks())
    (
        script
        >> calls("r1", "c1", "end_call")
        << facts.ToolCalled
        << facts.ToolFinished("c1", "end_call", ok=False, output=wording.NOT_ENDING, took_ms=0)
        << output("c1", wording.NOT_ENDING)
    )
    script.see(pauses())
    script >> calls("r1", "c2", "transfer_call", '{"target": "sales"}')
    script << facts.ToolCalled << facts.ToolFinished << output("c2", wording.NOT_ENDING, 2)


def test_an_order_to_end_that_comes_late_while_the_caller_speaks_is_refused() -> None:
    """Though nobody broke into its response."""
    script = with_tools()
    script.see(done("r1"), speaks())
    script >> calls("r1", "c1", "end_call") << facts.ToolCalled << facts.ToolFinished
    script << output("c1", wording.NOT_ENDING)


def test_a_call_that_is_ending_takes_no_other_order() -> None:
    """The first counts."""
    script = with_tools()
    script.see(calls("r1", "c1", "end_call"))
    script >> calls("r1", "c2", "handoff", '{"agent": "clinic"}') << facts.ToolCalled
    script << facts.ToolFinished << output("c2", wording.ALREADY_ENDING, 2)


def test_a_tool_beside_the_goodbye_is_waited_for() -> None:
    """What the model was promised is done before the call ends."""
    script = answering(with_tools(), ms=500)
    script.see(calls("r1", "c1", "book"), calls("r1", "c2", "end_call"), done("r1"))
    script.wait(0.5)
    script >> echo("m1") << facts.AgentSaid
    script >> ToolReturned("c1", ok=True, output="ok") << facts.ToolFinished << client.CreateItem
    script << facts.CallEnded << EndCall


def test_a_goodbye_that_fails_is_said_again() -> None:
    """The order is repeated; if it fails for good, the call ends as it was decided."""
    script = with_tools()
    script.see(calls("r1", "c1", "end_call"), done("r1"), created("r2"))
    for number in (2, 3):
        script >> done(f"r{number}", "failed") << blames("other")
        script.wait(0.5 * (number - 1)) << client.CreateResponse
        script >> created(f"r{number + 1}")
    script >> done("r4", "failed") << BlameModel
    script << facts.CallEnded(Outcome.AGENT_ENDED, "end_call") << EndCall


def test_an_order_to_end_that_comes_after_its_response() -> None:
    """Nobody knows any more whether it spoke: a goodbye is asked for."""
    script = with_tools()
    script.see(done("r1"))
    script >> calls("r1", "c1", "end_call") << facts.ToolCalled << facts.ToolFinished
    script << client.CreateItem << facts.EndOrdered << client.CreateResponse


# transfer_call


def test_a_transfer_is_made_after_its_announcement() -> None:
    """The number stands in the record, the target's name in the outcome."""
    script = answering(with_tools(), ms=500)
    script >> calls("r1", "c1", "transfer_call", '{"target": "sales"}') << facts.ToolCalled
    script << facts.ToolFinished(
        "c1", "transfer_call", ok=True, output=wording.TRANSFERRING, took_ms=0
    )
    script << output("c1", wording.TRANSFERRING)
    script << facts.EndOrdered(Outcome.TRANSFERRED, "sales", "+15550100001")
    script >> done("r1")
    script >> media("abcd")
    script >> speaks()
    script >> pauses()
    script >> created("r2") << client.CancelResponse("r2")
    script >> delta("r2", "i2", audio(100))
    script >> done("r2", "cancelled")
    script.wait(0.5)
    script >> echo("m1") << facts.AgentSaid << facts.TransferOrdered("sales", "+15550100001")
    script << facts.CallEnded(Outcome.TRANSFERRED, "sales")
    script << EndCall(Outcome.TRANSFERRED, "sales")


def test_a_transfer_without_a_word_is_announced() -> None:
    """The caller is told before the line changes."""
    script = with_tools()
    script.see(calls("r1", "c1", "transfer_call", '{"target": "sales"}'))
    order = wording.for_one_response("You are desk.", wording.ANNOUNCE_TRANSFER)
    script >> done("r1")
    script << client.CreateResponse(client.ResponseOptions(order), "response_1")


@pytest.mark.parametrize(
    "arguments", ['{"target": "boss"}', "{}", '{"target": true}', '{"target": []}']
)
def test_a_transfer_to_nobody_is_refused(arguments: str) -> None:
    """The model learns whom it may name."""
    refused(
        with_tools(), "c1", "transfer_call", "Not done: unknown target. Known: sales.", arguments
    )


# handoff


@pytest.mark.parametrize("greeting", ["", "Clinic here."])
def test_another_agent_takes_over(greeting: str) -> None:
    """Only what it is told changes, never the voice; it speaks next, with its greeting."""
    script = with_tools(greeting=greeting)
    script >> calls("r1", "c1", "handoff", '{"agent": "clinic"}') << facts.ToolCalled
    update = Session(instructions="You are clinic.", tools=[])
    script << client.SessionUpdate(update, "handoff_ours_1") << facts.HandedOff("desk", "clinic")
    script << facts.ToolFinished << output("c1", wording.HANDED_OFF, 2)
    script >> server.SessionUpdated(VIEW)
    options = client.ResponseOptions(
        wording.for_one_response("You are clinic.", wording.greeting(greeting))
    )
    (
        script
        >> done("r1")
        << (
            client.CreateResponse(options, "response_1")
            if greeting
            else client.CreateResponse(event_id="response_1")
        )
    )
    script.see(created("r2"), delta("r2", "i2", audio(500)), done("r2"))
    script.wait(0.5)
    script >> echo("m1") << facts.AgentSaid("i2", "clinic", "", "", 500, 500)


def test_a_handoff_that_the_session_refuses_is_taken_back() -> None:
    """The former agent goes on, and the record says so."""
    script = with_tools()
    script.see(calls("r1", "c1", "handoff", '{"agent": "clinic"}'))
    script >> error("invalid_value", event_id="handoff_ours_1")
    script << facts.HandedOff("clinic", "desk")
    script >> calls("r1", "c2", "book") << facts.ToolCalled << RunTool("c2", "book", "{}")


def test_a_handoff_that_was_confirmed_stays() -> None:
    """A later error takes nothing back."""
    script = with_tools()
    script.see(calls("r1", "c1", "handoff", '{"agent": "clinic"}'), server.SessionUpdated(VIEW))
    script >> error("invalid_value", event_id="handoff_ours_1")


def test_a_handoff_to_a_stranger_is_refused() -> None:
    """Only the agents of its list."""
    text = "Not done: unknown agent. Known: clinic."
    refused(with_tools(), "c1", "handoff", text, '{"agent": "desk"}')


# send_digits


def test_digits_are_sent_as_tones() -> None:
    """Own audio into the stream, marked; then the model goes on."""
    script = with_tools()
    script >> calls("r1", "c1", "send_digits", json.dumps({"digits": "1-2 #"})) << facts.ToolCalled
    tones = b64encode(g711.dtmf("12#")).decode()
    script << facts.DigitsSent("12#") << sent(tones) << marked("m1")
    script << facts.ToolFinished << output("c1", wording.DIGITS_PLAYED)
    script >> done("r1") << client.CreateResponse


@pytest.mark.parametrize("digits", ["", "12x", "1" * 65, None, 1.5])
def test_digits_that_are_no_keys_are_refused(digits: str | float | None) -> None:
    """The model learns which there are."""
    arguments = json.dumps({"digits": digits})
    refused(with_tools(), "c1", "send_digits", wording.bad_digits(64), arguments)
