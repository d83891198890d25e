"""A call without a model: filler, script, and the search that goes on behind them."""

import pytest

from call.script import (
    FILLER,
    NEXT_SID,
    SCRIPT,
    SID,
    VIEW,
    Script,
    agent,
    audio,
    created,
    delta,
    done,
    echo,
    item_done,
    marked,
    plan,
    sent,
    speaks,
    talking,
    words,
)
from trunkline.call import wording
from trunkline.call.actions import EndCall, Note, NoteName
from trunkline.call.events import ModelAway, ModelLost, ModelOpened, StreamLost, StreamStarted
from trunkline.call.machine import Call
from trunkline.call.phases import Phase
from trunkline.call.plan import Limits
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.wire.realtime import client, server
from trunkline.wire.twilio import SendClear

DESK = agent(greeting="Hello.", fallback=SCRIPT)


def calling() -> Script:
    """The stream is up, and no model yet."""
    script = Script(Call(plan(DESK)))
    script.see(StreamStarted(SID))
    return script


def conversing(limits: Limits | None = None) -> Script:
    """The agent has greeted, and the caller heard it."""
    script = talking(plan(DESK, limits=limits))
    script.see(created("r1"), delta("r1", "i1", audio(200)), words("r1", "i1", "Hello."))
    script.see(item_done("r1", "i1"), done("r1"), echo("m1"))
    return script


def test_a_new_caller_whom_no_model_answers() -> None:
    """A filler, the script within three seconds; when it was played the overflow action follows."""
    script = calling()
    script.wait(1.9) << facts.DeadAir("answer") << sent(FILLER.payload) << marked("m1")
    script >> echo("m1")
    script.wait(0.99)
    script.wait(0.01) << facts.FallbackPlayed("no_session") << Note(NoteName.FALLBACK, "no_session")
    script << sent(SCRIPT.payload) << marked("m2")
    script.wait(0.8)
    script >> echo("m2") << facts.CallEnded(Outcome.FAILED, "model_away")
    script << EndCall(Outcome.FAILED, "model_away")


def test_a_search_that_is_hopeless_is_told_at_once() -> None:
    """An open breaker, a wrong key: nobody waits three seconds for what is known."""
    script = calling()
    script >> ModelAway("breaker_open")
    script.wait(0.0) << facts.FallbackPlayed("breaker_open") << sent(SCRIPT.payload) << marked("m1")
    script >> ModelAway("breaker_open")
    script.wait(0.7)


def test_without_a_script_the_overflow_action_follows_at_once() -> None:
    """There is nothing to be heard."""
    script = Script(Call(plan()))
    script.see(StreamStarted(SID), ModelAway("timeout"))
    script.wait(0.0) << facts.CallEnded(Outcome.FAILED, "model_away") << EndCall


def test_a_model_that_comes_while_the_script_plays_wins() -> None:
    """The rest of the script is dropped with the agent's first word."""
    script = calling()
    script.see(ModelAway("timeout"))
    script.pass_over(0.5)
    script.see(ModelOpened("new", "m", 300))
    script >> server.SessionUpdated(VIEW) << client.CreateResponse
    script >> created("r1")
    script >> words("r1", "i1", "Hello.")
    script >> delta("r1", "i1", audio(100)) << SendClear(SID) << sent(audio(100))
    script >> item_done("r1", "i1") << marked("m2")
    script >> echo("m2") << facts.AgentSaid("i1", "desk", "Hello.", "Hello.", 100, 100)
    script.see(done("r1"))
    script.pass_over(20.0)
    assert script.call.phase is Phase.TALKING


def test_an_agent_who_waits_for_the_caller_drops_the_script_when_it_listens() -> None:
    """Nobody would ever speak over it."""
    script = Script(Call(plan(agent(fallback=SCRIPT))))
    script.see(StreamStarted(SID), ModelAway("timeout"))
    script.pass_over(0.2)
    script.see(ModelOpened("new", "m", 300))
    script >> server.SessionUpdated(VIEW) << SendClear(SID)


def test_a_conversation_is_kept_for_long() -> None:
    """The script is played once; then fillers keep the line alive until the model is back."""
    script = conversing()
    script.see(ModelLost("reset"))
    script.wait(2.89)
    script.wait(0.01) << facts.FallbackPlayed("reset") << sent(SCRIPT.payload) << marked("m2")
    script.wait(0.8)
    script >> echo("m2")
    script.wait(1.89)
    script.wait(0.01) << facts.DeadAir("session") << sent(FILLER.payload) << marked("m3")
    script.pass_over(20.0)
    script.see(ModelOpened("new", "m", 22_000))
    script >> server.SessionUpdated(VIEW) << client.CreateItem << client.CreateItem
    script << SendClear(SID)


def test_a_conversation_without_a_model_ends_some_time() -> None:
    """Then the overflow action follows."""
    script = conversing(Limits(model_away_s_max=10.0))
    script.see(ModelLost("reset"))
    script.pass_over(9.99)
    script.wait(0.01) << facts.CallEnded(Outcome.FAILED, "model_away") << EndCall


def test_a_short_loss_is_not_heard() -> None:
    """A session that was replaced in time brings no script, and nothing is cleared."""
    script = conversing()
    script.see(ModelLost("reset"))
    script.wait(0.4)
    script.see(ModelOpened("new", "m", 300))
    script >> server.SessionUpdated(VIEW) << client.CreateItem << client.CreateItem
    script.wait(15.0)


def test_the_model_apologises_for_a_script_that_was_heard() -> None:
    """It is told of it, where it has something to say."""
    script = conversing()
    script.see(speaks(), ModelLost("reset"))
    script.pass_over(5.0)
    script.see(ModelOpened("new", "m", 5_000), server.SessionUpdated(VIEW))
    order = f"{wording.GO_ON_AFTER_LOSS} {wording.APOLOGISE}"
    told = wording.for_one_response("You are desk.", order)
    script.wait(0.5) << client.CreateResponse(client.ResponseOptions(told), "response_1")


def test_a_script_that_was_due_on_a_broken_line() -> None:
    """It is played when the line is back."""
    script = conversing()
    script.see(ModelLost("reset"), StreamLost("reset"))
    script.wait(5.0)
    script.see(StreamStarted(NEXT_SID))
    script.wait(0.0) << facts.FallbackPlayed("reset") << sent(SCRIPT.payload, sid=NEXT_SID)
    script << marked("m2", sid=NEXT_SID)


def test_no_script_into_a_goodbye() -> None:
    """A call that is closing ends as it was decided."""
    script = conversing(Limits(call_s_max=1.0))
    script.pass_over(1.0)
    script.see(created("r9"))
    assert script.call.phase is Phase.CLOSING
    script.wait(4.0)


def test_a_hopeless_search_of_a_model_that_is_there() -> None:
    """Nobody is told of a search for a session that is to follow one."""
    script = conversing()
    script >> ModelAway("timeout")
    script.wait(5.0)


@pytest.mark.parametrize("code", ["server_error", "insufficient_quota"])
def test_a_failing_model_that_recovers(code: str) -> None:
    """A response that is completed is a model that is back, though it made no sound."""
    script = conversing(Limits(model_away_s_max=10.0))
    script.see(created("r2"), done("r2", "failed", code=code))
    script.pass_over(0.5)
    script.see(created("r3"))
    script >> done("r3")
    if code == "insufficient_quota":  # Known to be hopeless: the script had begun.
        script << SendClear(SID)
    script.wait(15.0)
