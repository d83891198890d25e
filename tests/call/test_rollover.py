"""One session follows another while the line stays up."""

import pytest

from call.script import (
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
    speaks,
    talking,
    words,
)
from trunkline.call import wording
from trunkline.call.actions import (
    BlameModel,
    DropModel,
    EndCall,
    OpenModel,
    TakeModel,
)
from trunkline.call.events import ModelLost, ModelOpened, StreamLost, StreamStarted, ToolReturned
from trunkline.call.machine import Call
from trunkline.call.phases import Phase
from trunkline.call.plan import Limits, Tool, ToolKind
from trunkline.call.rollover import ROLLOVER_PATIENCE_S
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.core.redaction import Redactor
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Message,
    OutputText,
)
from trunkline.wire.twilio import SendClear

BOOK = Tool("book", ToolKind.PYTHON, filler_after_ms=None)
GO_ON = client.ResponseOptions(wording.for_one_response("You are desk.", wording.GO_ON_AFTER_LOSS))
SEEDED = Message("system", [InputText(wording.SEEDED)], "ours_3")


def conversed(*, limits: Limits | None = None, models: int = 1) -> Script:
    """A turn is over: the caller asked, the agent answered, both were heard."""
    script = talking(plan(agent(tools=[BOOK]), limits=limits, models=models))
    script.see(speaks(), pauses(), created("r1"))
    script.see(server.TranscriptionCompleted("caller_1", 0, "Are you open?"))
    script.see(delta("r1", "i1", audio(400)), words("r1", "i1", "Yes we are."))
    script.see(item_done("r1", "i1"), done("r1"), echo("m1"))
    return script


def told(script: Script) -> Script:
    """The items of `conversed`, told to a new session that took its settings."""
    script >> server.SessionUpdated(VIEW)
    script << client.CreateItem(Message("user", [InputText("Are you open?")], "ours_1"))
    script << client.CreateItem(Message("assistant", [OutputText("Yes we are.")], "ours_2"))
    return script


def test_a_lost_session_in_a_quiet_moment() -> None:
    """The next one is told what was said, and waits for the caller as the last one did."""
    script = conversed()
    script >> ModelLost("reset") << facts.SessionLost("reset") << DropModel() << blames("reset")
    script << OpenModel()
    script >> ModelOpened("pool", "m", 2) << facts.SessionOpened << TakeModel()
    script << client.SessionUpdate(agent(tools=[BOOK]).session, "session")
    told(script) << client.CreateItem(SEEDED)
    assert script.call.phase is Phase.TALKING
    script >> media("abcd") << client.AppendAudio("abcd")


def test_a_session_lost_before_it_answered() -> None:
    """The next one hears what the caller said meanwhile, and is asked to go on."""
    script = conversed()
    script.see(speaks(), pauses(), created("r2"), ModelLost("reset"))
    script >> media("abcd")
    script.see(ModelOpened("pool", "m", 2))
    told(script) << client.AppendAudio("abcd")
    script.wait(0.49)
    script.wait(0.01) << client.CreateResponse(GO_ON, "response_1")


def test_a_caller_who_is_still_speaking_is_heard_out() -> None:
    """What they say into the new session comes before its own words."""
    script = conversed()
    script.see(speaks(), ModelLost("reset"), ModelOpened("pool", "m", 2))
    told(script)
    script.see(speaks())
    script.wait(1.5)
    script.see(pauses())
    script.wait(1.0) << client.CreateResponse(GO_ON, "response_1")


def test_words_that_still_play_are_told_as_said() -> None:
    """They were sent: the caller hears them to their end, and they are recorded then."""
    script = talking(plan(agent(tools=[BOOK])))
    script.see(created("r1"), delta("r1", "i1", audio(400)), words("r1", "i1", "One two three."))
    script >> ModelLost("reset") << facts.SessionLost << DropModel << BlameModel
    script << marked("m1") << OpenModel()
    script.see(ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW)
    script << client.CreateItem(Message("assistant", [OutputText("One two three.")], "ours_1"))
    script.wait(0.4)
    script >> echo("m1")
    script << facts.AgentSaid("i1", "desk", "One two three.", "One two three.", 400, 400)
    script.wait(0.1) << client.CreateResponse(GO_ON, "response_1")


def test_barge_in_into_words_of_a_session_that_is_gone() -> None:
    """They are cleared and recorded as heard; the new session is not told of items it never had."""
    script = answering(talking(), ms=900)
    script.see(ModelLost("reset"), ModelOpened("pool", "m", 2), server.SessionUpdated(VIEW))
    script.wait(0.4)
    script >> speaks() << SendClear << facts.BargedIn("i1", 400, 500)
    script << facts.AgentSaid("i1", "desk", "One two three four", "One two", 900, 400)


def test_a_replay_of_words_of_a_session_that_is_gone() -> None:
    """What was not kept is lost to the caller, and nobody is told."""
    script = talking()
    script.see(created("r1"), *(delta("r1", "i1", audio(1000)) for _ in range(13)))
    script.see(ModelLost("x"), ModelOpened("pool", "m", 2), server.SessionUpdated(VIEW))
    script.see(StreamLost("reset"), StreamStarted(NEXT_SID))
    script.wait(0.5) << client.CreateResponse


def test_a_tool_that_runs_while_its_session_is_lost() -> None:
    """The next one is told that a result will follow, and gets it as a message."""
    script = conversed()
    script.see(created("r2"), calls("r2", "c1", "book"), done("r2"), ModelLost("reset"))
    script.see(ModelOpened("pool", "m", 2))
    told(script) << client.CreateItem(FunctionCall("book", "{}", "c1", "ours_3"))
    script << client.CreateItem(FunctionCallOutput("c1", wording.STILL_RUNNING, "ours_4"))
    script << client.CreateItem(Message("system", [InputText(wording.SEEDED)], "ours_5"))
    script >> ToolReturned("c1", ok=True, output="booked")
    script << facts.ToolFinished("c1", "book", ok=True, output="booked", took_ms=0)
    result = wording.late_result("book", "booked")
    script << client.CreateItem(Message("system", [InputText(result)], "ours_6"))
    script << client.CreateResponse(event_id="response_1")


def test_a_tool_that_returns_between_two_sessions() -> None:
    """Its output is in the history, and the next session must speak of it."""
    script = conversed()
    script.see(created("r2"), calls("r2", "c1", "book"), done("r2"), ModelLost("reset"))
    script >> ToolReturned("c1", ok=True, output="booked") << facts.ToolFinished
    script.see(ModelOpened("pool", "m", 2))
    told(script) << client.CreateItem(FunctionCall("book", "{}", "c1", "ours_3"))
    script << client.CreateItem(FunctionCallOutput("c1", "booked", "ours_4"))
    script.wait(0.5) << client.CreateResponse(GO_ON, "response_1")


def test_a_tool_that_returns_into_a_goodbye() -> None:
    """It is written down; nobody needs to be told."""
    script = conversed(limits=Limits(call_s_max=5.0, goodbye_s_max=30.0))
    script.see(created("r2"), calls("r2", "c1", "book"), done("r2"))
    script.pass_over(5.0)
    script.see(created("r3"), ModelLost("reset"))
    script >> ToolReturned("c1", ok=True, output="booked") << facts.ToolFinished
    script << facts.CallEnded(Outcome.TIMED_OUT, "call_s_max", 1) << EndCall


def test_outputs_that_were_given_and_not_answered() -> None:
    """The session that owed the answer is gone: the next one owes it."""
    script = conversed()
    script.see(created("r2"), calls("r2", "c1", "book"))
    script.see(ToolReturned("c1", ok=True, output="booked"), ModelLost("reset"))
    script.see(ModelOpened("pool", "m", 2), server.SessionUpdated(VIEW))
    script.wait(0.5) << client.CreateResponse(GO_ON, "response_1")


def test_sessions_lost_in_a_row_are_asked_for_more_slowly() -> None:
    """A server that drops whoever comes is not asked at the speed of the network."""
    script = conversed()
    pauses_s = []
    for _ in range(7):
        script >> ModelLost("reset") << facts.SessionLost << DropModel << BlameModel << OpenModel
        order = script.got[-1]
        assert isinstance(order, OpenModel)
        pauses_s.append(order.pause_s)
        script.see(ModelOpened("new", "m", 2), server.SessionUpdated(VIEW))
    assert pauses_s == [0.0, 0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    script.see(created("r2"), done("r2"))
    script >> ModelLost("reset") << facts.SessionLost << DropModel << BlameModel << OpenModel()


def test_a_handed_over_call_goes_on_with_the_second_agent() -> None:
    """A new session gets all of the present agent's settings."""
    desk = agent(tools=[Tool("handoff", ToolKind.HANDOFF)], handoffs=["billing"])
    billing = agent("billing")
    script = talking(plan(desk, billing))
    script.see(created("r1"), calls("r1", "c1", "handoff", '{"agent": "billing"}'), done("r1"))
    script.see(server.SessionUpdated(VIEW), created("r2"), done("r2"), ModelLost("reset"))
    script >> ModelOpened("pool", "m", 2) << facts.SessionOpened << TakeModel
    script << client.SessionUpdate(billing.session, "session")


def test_a_session_is_told_no_more_than_may_be_kept() -> None:
    """What is taken out of the record is taken out of what the next session hears of it."""
    redactor = Redactor(frozenset({"card"}))
    script = talking(plan(redact=redactor.redact))
    script.see(speaks(), pauses(), created("r1"), done("r1"))
    said = "my card is 4111 1111 1111 1111 thank you"
    script >> server.TranscriptionCompleted("caller_1", 0, said)
    script << facts.CallerSaid("caller_1", "my card is [card] thank you")
    script.see(ModelLost("reset"), ModelOpened("pool", "m", 2))
    script >> server.SessionUpdated(VIEW)
    kept = Message("user", [InputText("my card is [card] thank you")], "ours_1")
    script << client.CreateItem(kept) << client.CreateItem


# A session that grows old.

OLD = Limits(rollover_s=600.0, idle_s=3600.0)


def test_an_old_session_is_followed_at_a_quiet_moment() -> None:
    """The next one is opened first; the caller's frames wait for a moment, and none is lost."""
    script = conversed(limits=OLD)
    script.wait(599.9)
    script.wait(0.1) << OpenModel()
    script >> media("aaaa") << client.AppendAudio("aaaa")
    script >> ModelOpened("pool", "m", 3, age_s=10.0) << facts.SessionOpened
    script << facts.SessionLost("rollover") << TakeModel() << client.SessionUpdate
    script >> media("bbbb")
    told(script) << client.CreateItem(SEEDED) << client.AppendAudio("bbbb")
    script.wait(589.9)
    script.wait(0.1) << OpenModel()


@pytest.mark.parametrize("busy", ["speaking", "answering", "playing", "tool", "keys"])
def test_no_moment_is_quiet_while(busy: str) -> None:
    """Somebody speaks, something plays, something is awaited."""
    script = conversed(limits=OLD)
    script.pass_over(600.0)
    match busy:
        case "speaking":
            script.see(speaks())
        case "answering":
            script.see(created("r2"))
        case "playing":
            script.see(created("r2"), delta("r2", "i2", audio(5000)), done("r2"))
        case "tool":
            script.see(created("r2"), calls("r2", "c1", "book"), done("r2"))
        case _:
            script.see(key("1"))
    script >> ModelOpened("pool", "m", 3) << facts.SessionOpened
    script >> media("aaaa") << client.AppendAudio("aaaa")


def test_a_moment_that_becomes_quiet() -> None:
    """The change is made with the last mark."""
    script = conversed(limits=OLD)
    script.pass_over(600.0)
    script.see(created("r2"), delta("r2", "i2", audio(400)), words("r2", "i2", "Well."))
    script.see(ModelOpened("pool", "m", 3), item_done("r2", "i2"), done("r2"))
    script.wait(0.4)
    script >> echo("m2") << facts.AgentSaid << facts.SessionLost("rollover") << TakeModel
    script << client.SessionUpdate


def test_without_a_quiet_moment_the_last_one_will_do() -> None:
    """The provider would end the session before long."""
    script = conversed(limits=OLD)
    script.pass_over(600.0)
    script.see(speaks(), ModelOpened("pool", "m", 3))
    for _ in range(3):
        script.wait(59.0)
        script.see(speaks())
    (
        script.wait(ROLLOVER_PATIENCE_S - 3 * 59.0)
        << facts.SessionLost("rollover")
        << TakeModel
        << client.SessionUpdate
    )


def test_an_old_session_that_is_lost_while_the_next_is_opened() -> None:
    """It is on its way: no second one is asked for."""
    script = conversed(limits=OLD)
    script.pass_over(600.0)
    script >> ModelLost("reset") << facts.SessionLost("reset") << DropModel << BlameModel
    script >> ModelOpened("pool", "m", 3) << facts.SessionOpened << TakeModel
    script << client.SessionUpdate


def test_an_old_session_that_is_lost_when_the_next_is_ready() -> None:
    """It takes over at once, however busy the moment was."""
    script = conversed(limits=OLD)
    script.pass_over(600.0)
    script.see(speaks(), ModelOpened("pool", "m", 3))
    script >> ModelLost("reset") << facts.SessionLost("reset") << DropModel << BlameModel
    script << TakeModel << client.SessionUpdate


def test_an_old_session_whose_follower_is_not_to_be_had() -> None:
    """It is used to its end; then the search is nearly done."""
    script = conversed(limits=OLD)
    script.pass_over(600.0)
    script.wait(ROLLOVER_PATIENCE_S)
    script >> error("session_expired") << facts.SessionLost("session_expired") << DropModel
    assert script.call.phase is Phase.OPENING


def test_a_session_from_the_pool_has_an_age() -> None:
    """Its hour began before its call did."""
    script = Script(Call(plan(limits=OLD)))
    script.see(StreamStarted(SID), ModelOpened("pool", "m", 1, age_s=300.0))
    script.see(server.SessionUpdated(VIEW))
    script.wait(299.9)
    script.wait(0.1) << OpenModel()
