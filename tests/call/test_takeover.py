"""A call whose pod was killed goes on at another one, from what its journal had."""

import pytest

from call.killed import RESUMED, read, taken_over
from call.script import (
    BUILT_INS,
    FILLER,
    NEXT_SID,
    SCRIPT,
    SID,
    VIEW,
    Script,
    agent,
    audio,
    calls,
    created,
    delta,
    done,
    echo,
    item_done,
    marked,
    media,
    pauses,
    plan,
    sent,
    speaks,
    talking,
    words,
)
from trunkline.call import wording
from trunkline.call.actions import EndCall, Note, NoteName, OpenModel, RunTool, TakeModel
from trunkline.call.events import (
    CallerHungUp,
    ModelAway,
    ModelLost,
    ModelOpened,
    StreamStarted,
    ToolReturned,
)
from trunkline.call.machine import Call
from trunkline.call.phases import Phase
from trunkline.call.plan import Limits, Tool, ToolKind
from trunkline.call.so_far import Takeover
from trunkline.call.takeover import WAYS, Way, way
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.core.ids import StreamSid
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Item,
    Message,
    OutputText,
)

BOOK = Tool("book", ToolKind.HTTP, filler_after_ms=None)
LOOK_UP = Tool("look_up", ToolKind.HTTP, filler_after_ms=None, idempotent=True)
COUNT = Tool("count", ToolKind.PYTHON, filler_after_ms=None, idempotent=True)
THIRD_SID = StreamSid("MZ3")
DESK = agent(
    tools=(BOOK, LOOK_UP, COUNT, *BUILT_INS),
    handoffs=("billing",),
    transfer_numbers={"sales": "+15550100001"},
    fallback=SCRIPT,
)
PLAN = plan(DESK, agent("billing", tools=BUILT_INS))


def order(text: str, name: str = "desk") -> client.CreateResponse:
    """The first response that the new session is asked for."""
    told = wording.for_one_response(f"You are {name}.", text)
    return client.CreateResponse(client.ResponseOptions(told), "response_1")


def user(text: str, number: int) -> client.CreateItem:
    return client.CreateItem(Message("user", [InputText(text)], f"ours_{number}"))


def assistant(text: str, number: int) -> client.CreateItem:
    return client.CreateItem(Message("assistant", [OutputText(text)], f"ours_{number}"))


def broke(number: int) -> client.CreateItem:
    return client.CreateItem(Message("system", [InputText(wording.LINE_BROKE)], f"ours_{number}"))


def tool(name: str, call_id: str, output: str, number: int) -> list[client.CreateItem]:
    items: list[Item] = [
        FunctionCall(name, "{}", call_id, f"ours_{number}"),
        FunctionCallOutput(call_id, output, f"ours_{number + 1}"),
    ]
    return [client.CreateItem(item) for item in items]


def asked(script: Script) -> Script:
    """The caller asked, the agent answered, both were heard."""
    script.see(speaks(), pauses(), created("r1"))
    script.see(server.TranscriptionCompleted("caller_1", 0, "Are you open?"))
    script.see(delta("r1", "i1", audio(400)), words("r1", "i1", "Yes we are."))
    script.wait(0.4)
    return script.see(item_done("r1", "i1"), done("r1"), echo("m1"))


def back(script: Script, sid: StreamSid = NEXT_SID) -> Script:
    """The next pod's stream starts, and has its session."""
    script.see(StreamStarted(sid))
    return script.see(ModelOpened("pool", "m", 2))


def spoken(script: Script) -> Script:
    """The new session has its settings, and its first response is over, half a second later."""
    script.see(server.SessionUpdated(VIEW))
    script.pass_over(0.5)
    return script.see(created("first"), done("first"))


# Killed while


def test_killed_in_the_greeting() -> None:
    """What was heard of it is not said again: the agent goes on from there."""
    greeter = plan(agent(greeting="Trunk Lane, hello, how can I help?"))
    script = talking(greeter)
    script.see(created("r1"), *(delta("r1", "i1", audio(500)) for _ in range(4)))
    script.see(words("r1", "i1", "Trunk Lane, hello, how can I help?"))
    script.wait(1.0)
    script.see(echo("m2"))
    script.wait(0.3)
    script = taken_over(script, greeter)
    assert script.call.phase is Phase.EXPECTED
    assert script.call.deadline() is None
    script >> StreamStarted(NEXT_SID)
    script << facts.AgentSaid(
        "i1", "desk", "Trunk Lane, hello, how can I help?", "Trunk Lane,", 2000, 1000
    )
    script << facts.StreamOpened(NEXT_SID) << RESUMED << Note(NoteName.TAKEN_OVER, "pod_lost")
    script << OpenModel()
    script >> ModelOpened("pool", "m", 2) << facts.SessionOpened << TakeModel
    script << client.SessionUpdate(greeter.agents["desk"].session, "session")
    script >> server.SessionUpdated(VIEW) << assistant("Trunk Lane,", 1) << broke(2)
    script.wait(0.5) << order(wording.GO_ON_AFTER_BREAK)


def test_killed_before_a_word_of_the_greeting_was_heard() -> None:
    """Who heard nothing is greeted."""
    greeter = plan(agent(greeting="Hello."))
    script = taken_over(talking(greeter), greeter)
    script >> StreamStarted(NEXT_SID) << facts.StreamOpened(NEXT_SID) << RESUMED << OpenModel()
    script.see(ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW) << order(wording.greeting("Hello."))


def test_killed_before_its_first_stream() -> None:
    """The webhook was answered, and the ticket leads to a pod that is gone: it begins anew."""
    script = taken_over(Script(Call(plan())), plan())
    script >> StreamStarted(SID) << facts.StreamOpened(SID) << RESUMED << OpenModel()
    script.see(ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW) << broke(1)
    script.wait(0.5) << order(wording.GO_ON_AFTER_BREAK)


def test_killed_in_the_middle_of_a_reply() -> None:
    """The model reads its own words as far as they were heard, to the second."""
    script = asked(talking(PLAN))
    script.see(speaks(), pauses(), created("r2"))
    script.see(server.TranscriptionCompleted("caller_2", 0, "Until when?"))
    script.see(*(delta("r2", "i2", audio(500)) for _ in range(6)))
    script.see(server.TranscriptDelta("r2", "i2", "We are open from nine until five, and o"))
    script.wait(1.5)
    script.see(echo("m4"))
    script = taken_over(script, PLAN)
    (
        script
        >> StreamStarted(NEXT_SID)
        << facts.AgentSaid(
            "i2",
            "desk",
            "We are open from nine until five, and",
            "We are open from",
            3000,
            1500,
        )
    )
    script << facts.StreamOpened << facts.CallResumed << OpenModel
    script.see(ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW) << user("Are you open?", 1) << assistant("Yes we are.", 2)
    script << user("Until when?", 3) << assistant("We are open from", 4) << broke(5)
    script.wait(0.5) << order(wording.GO_ON_AFTER_BREAK)
    script.see(created("r3"), delta("r3", "i3", audio(400)), done("r3"), speaks(), pauses())
    script.see(ModelLost("reset"), ModelOpened("pool", "m", 2), server.SessionUpdated(VIEW))
    script.wait(0.5) << order(wording.GO_ON_AFTER_LOSS)


def test_killed_while_the_caller_speaks() -> None:
    """Those words are lost; what they say into the new line is heard before the agent speaks."""
    script = asked(talking(PLAN))
    script.see(speaks(), media("abcd"))
    script = taken_over(script, PLAN)
    back(script)
    script >> media("efgh", sid=NEXT_SID)
    script >> server.SessionUpdated(VIEW) << user("Are you open?", 1) << assistant("Yes we are.", 2)
    script << broke(3) << client.AppendAudio("efgh")
    script.wait(0.3)
    script >> speaks()
    script.wait(1.0)
    script >> pauses()
    script.wait(1.0) << order(wording.GO_ON_AFTER_BREAK)


def test_killed_while_a_tool_runs_that_may_not_be_repeated() -> None:
    """Nobody knows whether it was done: the record says so, and the model is told to check."""
    script = asked(talking(PLAN))
    script.see(created("r2"), calls("r2", "c1", "book"), done("r2"))
    script = taken_over(script, PLAN)
    script >> StreamStarted(NEXT_SID)
    script << facts.ToolFinished(
        "c1", "book", ok=False, output=wording.OUTCOME_UNKNOWN, took_ms=1250
    )
    script << facts.StreamOpened << facts.CallResumed << OpenModel
    script.see(ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW) << user("Are you open?", 1) << assistant("Yes we are.", 2)
    for item in tool("book", "c1", wording.OUTCOME_UNKNOWN, 3):
        script << item
    script << broke(5)
    script.wait(0.5) << order(wording.GO_ON_AFTER_BREAK)


@pytest.mark.parametrize("name", ["look_up", "count"])
def test_killed_while_a_tool_runs_that_knows_a_repetition(name: str) -> None:
    """It is asked again under the same key, at once; the model gets what it says."""
    script = asked(talking(PLAN))
    script.see(created("r2"), calls("r2", "c1", name), done("r2"))
    script = taken_over(script, PLAN)
    script >> StreamStarted(NEXT_SID) << RunTool("c1", name, "{}")
    script << facts.StreamOpened << facts.CallResumed << OpenModel
    script.see(ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW) << user("Are you open?", 1) << assistant("Yes we are.", 2)
    for item in tool(name, "c1", wording.STILL_RUNNING, 3):
        script << item
    script << broke(5)
    script.wait(0.2)
    script >> ToolReturned("c1", ok=True, output="nine")
    script << facts.ToolFinished("c1", name, ok=True, output="nine", took_ms=200)
    late = Message("system", [InputText(wording.late_result(name, "nine"))], "ours_6")
    script << client.CreateItem(late)
    script.wait(0.3) << order(wording.GO_ON_AFTER_BREAK)


def test_a_repeated_tool_that_returns_before_the_session_is_there() -> None:
    """Its output is in the history that the session is told."""
    script = talking(PLAN)
    script.see(created("r2"), calls("r2", "c1", "look_up"), done("r2"))
    script = taken_over(script, PLAN)
    script.see(StreamStarted(NEXT_SID), ToolReturned("c1", ok=True, output="nine"))
    script.see(ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW)
    for item in tool("look_up", "c1", "nine", 1):
        script << item
    script << broke(3)


@pytest.mark.parametrize("arguments", ['{"card": "[card]"}', "{"])
def test_a_tool_whose_arguments_are_not_whole_is_not_repeated(arguments: str) -> None:
    """What was taken out of them, or cut off, is not known any more."""
    left = read(facts.StreamOpened(SID), facts.ToolCalled("c1", "look_up", arguments))
    script = Script(Call(PLAN, Takeover(left, RESUMED, 105_000)))
    script >> StreamStarted(NEXT_SID) << facts.ToolFinished << facts.StreamOpened
    script << facts.CallResumed << OpenModel


def test_a_tool_that_nobody_knows_any_more_is_not_repeated() -> None:
    """Another config, or a built-in one whose order was not written down to its end."""
    left = read(facts.ToolCalled("c1", "gone", "{}"), facts.ToolCalled("c2", "end_call", "{}"))
    script = Script(Call(PLAN, Takeover(left, RESUMED, 105_000)))
    script >> StreamStarted(NEXT_SID) << facts.ToolFinished << facts.ToolFinished
    script << facts.StreamOpened << facts.CallResumed << OpenModel


def test_killed_after_a_handoff() -> None:
    """The second agent goes on, with its own settings."""
    script = asked(talking(PLAN))
    script.see(created("r2"), calls("r2", "c1", "handoff", '{"agent": "billing"}'), done("r2"))
    script = taken_over(script, PLAN)
    script.see(StreamStarted(NEXT_SID))
    script >> ModelOpened("pool", "m", 2) << facts.SessionOpened << TakeModel
    script << client.SessionUpdate(PLAN.agents["billing"].session, "session")
    script.see(server.SessionUpdated(VIEW))
    script.wait(0.5) << order(wording.GO_ON_AFTER_BREAK, "billing")


def test_an_agent_that_is_no_more_leaves_the_call_to_the_first() -> None:
    """The config was changed while the call changed pods."""
    script = asked(talking(PLAN))
    script.see(created("r2"), calls("r2", "c1", "handoff", '{"agent": "billing"}'), done("r2"))
    desk = agent()
    script = taken_over(script, plan(desk))
    script.see(StreamStarted(NEXT_SID))
    script >> ModelOpened("pool", "m", 2) << facts.SessionOpened << TakeModel
    script << client.SessionUpdate(desk.session, "session")


def ended(script: Script, name: str = "end_call", arguments: str = "{}") -> Script:
    """The agent orders the end; half of its last words is heard."""
    script.see(speaks(), pauses(), created("r2"))
    script.see(*(delta("r2", "i2", audio(500)) for _ in range(4)))
    script.see(words("r2", "i2", "Thank you, goodbye."), calls("r2", "c1", name, arguments))
    script.see(done("r2"))
    script.wait(1.0)
    return script.see(echo("m2"), echo("m3"))


def test_killed_in_its_goodbye() -> None:
    """It is said again, and nothing else; then the call ends as it was ordered."""
    script = back(taken_over(ended(asked(talking(PLAN))), PLAN))
    script.see(server.SessionUpdated(VIEW))
    assert script.call.phase is Phase.CLOSING
    script.wait(0.5) << order(wording.SAY_GOODBYE)
    script.see(created("r1"), delta("r1", "i1", audio(500)), words("r1", "i1", "Goodbye."))
    script.see(done("r1"))
    script.wait(0.5)
    script >> echo("m1", sid=NEXT_SID) << facts.AgentSaid
    script << facts.CallEnded(Outcome.AGENT_ENDED, "end_call", turns=1)
    script << EndCall(Outcome.AGENT_ENDED, "end_call")


def test_a_caller_who_speaks_into_the_goodbye_of_another_pod() -> None:
    """The call goes on, and the next pod would know."""
    script = back(taken_over(ended(asked(talking(PLAN))), PLAN))
    script.see(server.SessionUpdated(VIEW))
    script >> speaks() << facts.EndTakenBack()
    assert script.call.phase is Phase.TALKING
    script = taken_over(script, PLAN)
    back(script, THIRD_SID).see(server.SessionUpdated(VIEW))
    assert script.call.phase is Phase.TALKING


def test_a_goodbye_that_no_model_can_say() -> None:
    """The caller is not told of a technical problem in a call that was over."""
    script = taken_over(ended(asked(talking(PLAN))), PLAN)
    script.see(StreamStarted(NEXT_SID))
    script.wait(0.9) << facts.DeadAir("resume") << sent(FILLER.payload, sid=NEXT_SID)
    script << marked("m1", sid=NEXT_SID)
    script.see(echo("m1", sid=NEXT_SID))
    script >> ModelAway("refused") << facts.CallEnded(Outcome.AGENT_ENDED, "end_call", turns=1)
    script << EndCall


def test_a_goodbye_for_which_no_session_comes() -> None:
    """It has as long as any other; then the call ends without it."""
    script = taken_over(ended(asked(talking(PLAN))), PLAN)
    script.see(StreamStarted(NEXT_SID))
    script.pass_over(14.9)
    script.wait(0.1) << facts.CallEnded << EndCall(Outcome.AGENT_ENDED, "end_call")


def test_killed_in_the_announcement_of_a_transfer() -> None:
    """It is announced again; from then on the caller is not heard, and they are put through."""
    script = ended(asked(talking(PLAN)), "transfer_call", '{"target": "sales"}')
    script = back(taken_over(script, PLAN))
    script.see(server.SessionUpdated(VIEW))
    script.wait(0.5) << order(wording.ANNOUNCE_TRANSFER)
    script >> media("abcd", sid=NEXT_SID)
    script.see(created("r1"), delta("r1", "i1", audio(500)), done("r1"))
    script.wait(0.5)
    script >> echo("m1", sid=NEXT_SID) << facts.AgentSaid
    script << facts.TransferOrdered("sales", "+15550100001")
    script << facts.CallEnded(Outcome.TRANSFERRED, "sales", turns=1)
    script << EndCall(Outcome.TRANSFERRED, "sales")


def test_killed_between_the_two_facts_of_a_transfer() -> None:
    """The announcement was heard: the caller is put through at once."""
    left = read(
        facts.StreamOpened(SID),
        facts.EndOrdered(Outcome.TRANSFERRED, "sales", "+15550100001"),
        facts.TransferOrdered("sales", "+15550100001"),
    )
    script = Script(Call(PLAN, Takeover(left, RESUMED, 105_000)))
    script >> StreamStarted(NEXT_SID) << facts.StreamOpened << RESUMED
    script << facts.TransferOrdered("sales", "+15550100001")
    script << facts.CallEnded(Outcome.TRANSFERRED, "sales")
    script << EndCall(Outcome.TRANSFERRED, "sales")


def test_killed_in_the_goodbye_of_the_longest_call() -> None:
    """The call ends for the reason for which it was about to."""
    short = plan(DESK, agent("billing"), limits=Limits(call_s_max=5.0))
    script = asked(talking(short))
    script.pass_over(4.8)
    script = back(taken_over(script, short))
    script.see(server.SessionUpdated(VIEW))
    script.wait(0.5) << order(wording.TIME_IS_UP)
    script >> speaks()
    script.pass_over(15.0)
    assert script.call.phase is Phase.ENDED
    assert script.journal[-1][1] == facts.CallEnded(Outcome.TIMED_OUT, "call_s_max", turns=1)


def test_the_longest_call_is_counted_from_its_first_stream() -> None:
    """Not anew at each pod; and nobody is cut off for the time in which nobody carried the call."""
    limits = Limits(call_s_max=60.0, idle_s=600.0)
    long = plan(agent(), limits=limits)
    script = asked(talking(long))
    script.wait(29.6)
    script = spoken(back(taken_over(script, long, away_s=10.0)))
    script.pass_over(19.4)
    assert script.call.phase is Phase.TALKING
    script.wait(0.1) << facts.EndOrdered(Outcome.TIMED_OUT, "call_s_max") << client.CreateResponse
    late = spoken(back(taken_over(asked(talking(long)), long, away_s=100.0)))
    late.pass_over(14.4)
    assert late.call.phase is Phase.TALKING


def test_killed_twice_in_a_row() -> None:
    """The third pod knows what was said at the first and at the second, each thing once."""
    script = asked(talking(PLAN))
    script.see(created("r2"), calls("r2", "c1", "book"), done("r2"))
    script = back(taken_over(script, PLAN))
    script.see(server.SessionUpdated(VIEW))
    script.pass_over(0.5)
    script.see(created("r1"), *(delta("r1", "i9", audio(500)) for _ in range(4)))
    script.see(words("r1", "i9", "I am back now."))
    script.wait(1.0)
    script.see(echo("m2", sid=NEXT_SID))
    again = facts.CallResumed("pod_lost", 1300, "pod-1", "pod-2", 9)
    script = taken_over(script, PLAN, resumed=again)
    (
        script
        >> StreamStarted(THIRD_SID)
        << facts.AgentSaid("i9", "desk", "I am back now.", "I am", 2000, 1000)
    )
    script << facts.StreamOpened << again << Note(NoteName.GAP, "pod_lost", 1.3) << OpenModel
    script.see(ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW) << user("Are you open?", 1) << assistant("Yes we are.", 2)
    for item in tool("book", "c1", wording.OUTCOME_UNKNOWN, 3):
        script << item
    script << broke(5) << assistant("I am", 6) << broke(7)


def test_killed_again_before_its_stream_came() -> None:
    """Nothing was written down meanwhile: the third pod reads what the second did."""
    first = asked(talking(PLAN))
    second = taken_over(first, PLAN)
    third = back(taken_over(second, PLAN))
    third >> server.SessionUpdated(VIEW) << user("Are you open?", 1) << assistant("Yes we are.", 2)
    third << broke(3)


def test_what_is_late_for_an_item_of_the_other_pod_is_dropped() -> None:
    """It was recorded here; it is recorded once."""
    script = talking(PLAN)
    script.see(created("r1"), *(delta("r1", "i1", audio(500)) for _ in range(4)))
    script.wait(1.0)
    script.see(echo("m2"))
    script = back(taken_over(script, PLAN)).see(server.SessionUpdated(VIEW), created("r1"))
    script >> delta("r1", "i1", audio(20)) << Note(NoteName.UNEXPECTED, "audio_of_closed_item")


# The caller waits


def test_no_model_when_the_call_is_taken_over() -> None:
    """A filler within a second, then the script; who had a conversation is kept for long."""
    script = taken_over(asked(talking(PLAN)), PLAN)
    script.see(StreamStarted(NEXT_SID))
    script.wait(0.8)
    script.wait(0.2) << facts.DeadAir("resume") << sent(FILLER.payload, sid=NEXT_SID)
    script << marked("m1", sid=NEXT_SID)
    script.wait(1.8)
    script.wait(0.2) << facts.FallbackPlayed("pod_lost") << sent(SCRIPT.payload, sid=NEXT_SID)
    script << marked("m2", sid=NEXT_SID)
    script.pass_over(30.0)
    script.see(ModelOpened("new", "m", 30_000), server.SessionUpdated(VIEW))
    sorry = f"{wording.GO_ON_AFTER_BREAK} {wording.APOLOGISE}"
    script.wait(0.5) << order(sorry)


def test_a_model_that_stays_away() -> None:
    """The call fails when any other would, and the caller gets the overflow action."""
    script = taken_over(asked(talking(PLAN)), PLAN)
    script.see(StreamStarted(NEXT_SID), ModelAway("refused"))
    script.pass_over(45.0)
    assert script.journal[-1][1] == facts.CallEnded(Outcome.FAILED, "model_away", turns=1)


def test_an_agent_that_speaks_in_time_owes_no_filler() -> None:
    """The usual case."""
    script = back(taken_over(asked(talking(PLAN)), PLAN))
    script.see(server.SessionUpdated(VIEW))
    script.wait(0.5) << order(wording.GO_ON_AFTER_BREAK)
    script.see(created("r1"), delta("r1", "i1", audio(400)))
    script.wait(5.0)


def test_a_new_session_that_is_lost_before_it_spoke() -> None:
    """The next one is told the same."""
    script = back(taken_over(asked(talking(PLAN)), PLAN))
    script.see(server.SessionUpdated(VIEW), ModelLost("reset"), ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW) << user("Are you open?", 4) << assistant("Yes we are.", 5)
    script << broke(6)
    script.wait(0.5) << order(wording.GO_ON_AFTER_BREAK)


# Its end


def test_a_caller_who_hung_up_meanwhile() -> None:
    """The record gets all that was known, and its end."""
    script = asked(talking(PLAN))
    script.see(created("r2"), calls("r2", "c1", "look_up"), done("r2"))
    script = taken_over(script, PLAN)
    script >> CallerHungUp("completed") << facts.ToolFinished
    script << facts.CallEnded(Outcome.CALLER_ENDED, "completed", turns=1)
    script << EndCall(Outcome.CALLER_ENDED, "completed")


def test_an_ended_call_is_not_taken_over() -> None:
    """Who asks for it has not read the journal."""
    left = read(facts.StreamOpened(SID), facts.CallEnded(Outcome.CALLER_ENDED, "stop"))
    with pytest.raises(AssertionError):
        Call(PLAN, Takeover(left, RESUMED, 105_000))


@pytest.mark.parametrize("greets", [False, True])
def test_every_way_is_in_the_table(greets: bool) -> None:  # noqa: FBT001
    """The page of resumes is drawn from it."""
    ordered = facts.EndOrdered(Outcome.AGENT_ENDED, "end_call")
    pasts = [
        read(),
        read(facts.CallerSaid("i1", "hi")),
        read(ordered),
        read(ordered, facts.EndTakenBack()),
        read(facts.TransferOrdered("sales", "+15550100001")),
    ]
    ways = [way(past, greets=greets) for past in pasts]
    assert ways[1:] == [Way.GO_ON, Way.LAST_WORDS, ways[0], Way.OVER]
    assert ways[0] is (Way.GREET if greets else Way.GO_ON)
    assert set(ways) <= WAYS[Way.TAKEN_OVER].keys()
