"""How a call ends: last words and their limit, or at once."""

from call.script import (
    BUILT_INS,
    SID,
    Script,
    agent,
    answering,
    calls,
    created,
    done,
    echo,
    media,
    plan,
    speaks,
    talking,
)
from trunkline.call import wording
from trunkline.call.actions import EndCall, Note, NoteName
from trunkline.call.events import (
    CallerHungUp,
    Drained,
    ModelOpened,
    StreamLost,
    StreamStarted,
    ToolReturned,
)
from trunkline.call.machine import Call
from trunkline.call.phases import Phase
from trunkline.call.plan import Limits
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.wire.realtime import client, server

TIME_IS_UP = client.ResponseOptions(wording.for_one_response("You are desk.", wording.TIME_IS_UP))


def test_the_longest_call_ends_with_a_goodbye() -> None:
    """The model is told to say it; what the caller says now no longer counts."""
    script = talking(plan(limits=Limits(call_s_max=10.0)))
    script.wait(10.0) << Note(NoteName.PHASE, "closing")
    script << facts.EndOrdered(Outcome.TIMED_OUT, "call_s_max")
    script << client.CreateResponse(TIME_IS_UP, "response_1")
    script >> media("abcd")
    script >> speaks()
    answering(script, ms=500)
    script.see(done("r1"))
    script.wait(0.5)
    script >> echo("m1") << facts.AgentSaid
    script << facts.CallEnded(Outcome.TIMED_OUT, "call_s_max")
    script << EndCall(Outcome.TIMED_OUT, "call_s_max")


def test_the_longest_call_ends_a_caller_who_speaks_and_speaks() -> None:
    """The goodbye does not wait for an end of speech that the model will not hear."""
    script = talking(plan(limits=Limits(call_s_max=10.0)))
    script.wait(9.0)
    script >> speaks()
    script.wait(1.0) << facts.EndOrdered << client.CreateResponse(TIME_IS_UP, "response_1")


def test_the_goodbye_of_the_longest_call_waits_for_the_answer_under_way() -> None:
    """Nobody is cut off in mid-word by us; the limit of goodbyes bounds both."""
    script = talking(plan(limits=Limits(call_s_max=10.0, goodbye_s_max=8.0)))
    script.wait(9.0)
    answering(script, ms=500)
    script.wait(1.0) << facts.EndOrdered
    script >> done("r1") << client.CreateResponse(TIME_IS_UP, "response_1")
    script.wait(7.9)
    script.wait(0.1) << facts.AgentSaid << facts.CallEnded << EndCall


def test_the_longest_call_makes_a_goodbye_final() -> None:
    """A goodbye that is under way then can't be taken back."""
    script = answering(
        talking(plan(agent(tools=BUILT_INS), limits=Limits(call_s_max=1.0))), ms=3000
    )
    script.see(calls("r1", "c1", "end_call"), done("r1"))
    script.wait(1.0)
    script >> speaks()
    script >> media("abcd")
    script.wait(13.9)
    (
        script.wait(0.1)
        << facts.AgentSaid
        << facts.CallEnded(Outcome.AGENT_ENDED, "end_call")
        << EndCall
    )


def test_the_longest_call_leaves_a_transfer_alone() -> None:
    """It is ending anyway, and for good."""
    desk = agent(tools=BUILT_INS, transfer_numbers={"x": "+15550100001"})
    script = answering(talking(plan(desk, limits=Limits(call_s_max=1.0))), ms=2000)
    script.see(calls("r1", "c1", "transfer_call", '{"target": "x"}'), done("r1"))
    script.wait(1.5)
    assert script.call.phase is Phase.CLOSING


def test_the_longest_call_is_over_before_it_began() -> None:
    """Without a session nobody can say goodbye."""
    script = Script(Call(plan(limits=Limits(call_s_max=2.0))))
    script.see(StreamStarted(SID))
    script.wait(2.0) << facts.CallEnded(Outcome.TIMED_OUT, "call_s_max") << EndCall


def test_a_call_that_is_hung_up_before_its_stream() -> None:
    """It ends in the record like any other."""
    script = Script(Call(plan()))
    script >> CallerHungUp("no-answer") << facts.CallEnded(Outcome.CALLER_ENDED, "no-answer")
    script << EndCall(Outcome.CALLER_ENDED, "no-answer")
    assert script.call.phase is Phase.ENDED


def test_a_pod_that_goes_ends_the_call() -> None:
    """What was heard of the last word is written down."""
    script = answering(talking(), ms=1000)
    script.pass_over(0.5)
    script >> Drained() << facts.AgentSaid("i1", "desk", "One two three four", "One two", 1000, 500)
    script << facts.CallEnded(Outcome.FAILED, "drained") << EndCall(Outcome.FAILED, "drained")


def test_a_call_that_may_not_be_carried_any_longer_says_why() -> None:
    """The pod's reason stands in the record."""
    script = talking()
    script >> Drained("resumes_max") << facts.CallEnded(Outcome.FAILED, "resumes_max")
    script << EndCall(Outcome.FAILED, "resumes_max")


def test_a_transfer_holds_though_the_stream_does_not_come_back() -> None:
    """A redirect that comes late still finds out where the caller shall go."""
    desk = agent(tools=BUILT_INS, transfer_numbers={"x": "+15550100001"})
    script = answering(talking(plan(desk, limits=Limits(stream_wait_s_max=2.0))), ms=900)
    script.see(calls("r1", "c1", "transfer_call", '{"target": "x"}'), done("r1"))
    script.see(StreamLost("reset"))
    script.wait(2.0) << facts.AgentSaid << facts.TransferOrdered("x", "+15550100001")
    script << facts.CallEnded << EndCall(Outcome.TRANSFERRED, "x")


def test_after_the_end_nothing_is_said() -> None:
    """Neither to events nor to time."""
    script = talking()
    script.see(Drained())
    for event in (
        StreamStarted(SID),
        ModelOpened("new", "m", 1),
        media("abcd"),
        created("r1"),
        ToolReturned("c1", ok=True, output=""),
        StreamLost("x"),
        server.Unknown("x"),
        Drained(),
    ):
        script >> event
    assert script.call.deadline() is None
    script.wait(1000.0)
    assert script.call.tick(script.now) == []
