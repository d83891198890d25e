"""What follows from the state: silence, and a response that gives no sign."""

from call.script import (
    FILLER,
    NEXT_SID,
    Script,
    agent,
    answering,
    audio,
    blames,
    created,
    delta,
    done,
    echo,
    item_done,
    key,
    marked,
    pauses,
    plan,
    sent,
    speaks,
    talking,
)
from trunkline.call import wording
from trunkline.call.actions import BlameModel, DropModel, EndCall, OpenModel
from trunkline.call.events import StreamLost, StreamStarted
from trunkline.call.plan import Limits
from trunkline.call.playout import MARK_LATE_S
from trunkline.call.responses import ASKED_S_MAX, STALL_S_MAX
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.wire.realtime import client, server

ARE_YOU_THERE = client.ResponseOptions(
    wording.for_one_response("You are desk.", wording.ASK_IF_THERE)
)


def answered(script: Script, number: int) -> None:
    """The model asks, and is heard at once."""
    script.see(created(f"r{number}"), done(f"r{number}"))


def test_a_silent_caller_is_asked_twice_and_then_left() -> None:
    """Each time after twenty seconds without a sound of anybody's."""
    script = talking()
    for number in (1, 2):
        script.wait(19.9)
        script.wait(0.1) << client.CreateResponse(ARE_YOU_THERE, f"response_{number}")
        answered(script, number)
    script.wait(20.0) << facts.CallEnded(Outcome.TIMED_OUT, "idle")
    script << EndCall(Outcome.TIMED_OUT, "idle")


def test_a_caller_who_answers_is_asked_anew() -> None:
    """Speech and keys forget the prompts so far."""
    script = talking()
    for number in (1, 2):
        script.wait(20.0) << client.CreateResponse
        answered(script, number)
    script.see(speaks(), pauses(), created("r"), done("r"))
    script.wait(20.0) << client.CreateResponse
    answered(script, 3)
    script.wait(20.0) << client.CreateResponse
    answered(script, 4)
    script >> key("1")
    script.wait(2.0) << facts.DigitsPressed << client.CreateItem << client.CreateResponse
    answered(script, 5)
    script.wait(20.0) << client.CreateResponse


def test_silence_begins_when_the_last_word_was_played() -> None:
    """Not when it was sent."""
    script = answering(talking(), ms=1000)
    script.see(item_done("r1", "i1"), done("r1"))
    script.wait(1.0)
    script >> echo("m1") << facts.AgentSaid
    script.wait(19.9)
    script.wait(0.1) << client.CreateResponse


def test_a_mark_that_never_comes_back_does_not_stop_the_clock() -> None:
    """After a while it is taken for played."""
    script = answering(talking(), ms=500)
    script.see(item_done("r1", "i1"), done("r1"))
    script.wait(0.5 + MARK_LATE_S + 19.9)
    script.wait(0.1) << client.CreateResponse


def test_audio_out_of_order_is_no_silence() -> None:
    """Audio of a response that nobody announced plays all the same."""
    script = talking()
    script.wait(19.0)
    script.see(delta("r1", "i1", audio(4000)))
    script.wait(4.0 + MARK_LATE_S + 19.9)
    script.wait(0.1) << client.CreateResponse


def test_a_lost_stream_is_no_silence() -> None:
    """Nobody can answer over it; the count begins anew afterwards."""
    script = talking(plan(limits=Limits(stream_wait_s_max=60.0)))
    script.wait(19.0)
    script.see(StreamLost("reset"))
    script.wait(30.0)
    script.see(StreamStarted(NEXT_SID))
    script.wait(2.0) << facts.DeadAir("resume") << sent(FILLER.payload, sid=NEXT_SID)
    script << marked("m1", sid=NEXT_SID)
    script >> echo("m1", sid=NEXT_SID)
    script.wait(19.9)
    script.wait(0.1) << client.CreateResponse


def test_keys_being_pressed_are_no_silence() -> None:
    """However short the caller may be silent."""
    script = talking(plan(limits=Limits(idle_s=1.0)))
    script >> key("1")
    script.wait(2.0) << facts.DigitsPressed << client.CreateItem << client.CreateResponse


def test_a_response_without_a_sign_of_life_ends_its_session() -> None:
    """Any event of it is a sign; a quarter of a minute without one is its session's death."""
    script = talking()
    script >> created("r1")
    script.wait(STALL_S_MAX - 1)
    script >> server.ArgumentsDelta("r1", "i1", 0, "c1", "{")
    script.wait(STALL_S_MAX - 1)
    script >> delta("r1", "i1", "")
    script.wait(STALL_S_MAX - 1)
    script.wait(1.0) << facts.SessionLost("stalled") << DropModel() << blames("stalled")
    script << OpenModel()


def test_a_response_that_never_begins_ends_its_session() -> None:
    """From `response.create` on the model has a second and a half to say anything at all."""
    script = talking(plan(agent(greeting="Hello."), models=2))
    script.wait(ASKED_S_MAX - 0.01)
    script.wait(0.01) << facts.SessionLost("stalled") << DropModel << BlameModel
    script << OpenModel(skip=True)


def test_a_stall_in_a_closing_changes_no_outcome() -> None:
    """What was decided holds."""
    script = talking(plan(limits=Limits(call_s_max=5.0, goodbye_s_max=60.0)))
    script.pass_over(5.0)
    script.wait(ASKED_S_MAX) << facts.SessionLost("stalled") << DropModel << BlameModel
    script << facts.CallEnded(Outcome.TIMED_OUT, "call_s_max") << EndCall


def test_instructions_that_are_not_set_are_not_repeated() -> None:
    """An agent may leave them to the server."""
    assert wording.for_one_response("", "Now.") == "Now."
