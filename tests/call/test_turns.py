"""Turns: the caller's speech, barge-in, responses and their items."""

import pytest

from call.script import (
    FILLER,
    SCRIPT,
    SID,
    VIEW,
    agent,
    answering,
    audio,
    blames,
    created,
    delta,
    done,
    echo,
    error,
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
from trunkline.call.actions import (
    BlameModel,
    DropModel,
    EndCall,
    Note,
    NoteName,
    OpenModel,
    ToCaller,
)
from trunkline.call.events import CallerHungUp, ModelOpened, StreamLost
from trunkline.call.phases import Phase
from trunkline.call.plan import Limits
from trunkline.call.turns import SPEECH_S_MAX
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import Content, Message, OutputAudio, OutputText
from trunkline.wire.realtime.session import SemanticVad, ServerVad
from trunkline.wire.twilio import SendClear

SAID = "One two three four"


def test_a_turn() -> None:
    """The caller speaks, the model answers, both are written down, the latency is noted."""
    script = talking()
    script >> speaks()
    script.wait(1.0)
    script >> pauses()
    script >> server.AudioCommitted("caller_1")
    script >> created("r1")
    script.wait(0.5)
    script >> delta("r1", "i1", audio(200)) << sent(audio(200))
    script << Note(NoteName.TURN_LATENCY, "", 0.5)
    script >> server.TranscriptionCompleted("caller_1", 0, "Good evening.")
    script << facts.CallerSaid("caller_1", "Good evening.")
    script >> delta("r1", "i1", audio(200)) << sent(audio(200))
    script >> server.AudioDone("r1", "i1") << marked("m1")
    script >> words("r1", "i1", "Hello there.")
    script >> item_done("r1", "i1")
    script >> done("r1")
    script.wait(0.4)
    script >> echo("m1") << facts.AgentSaid("i1", "desk", "Hello there.", "Hello there.", 400, 400)
    script >> CallerHungUp("completed")
    script << facts.CallEnded(Outcome.CALLER_ENDED, "completed", turns=1) << EndCall


def test_a_turn_that_goes_on_was_not_answered() -> None:
    """Audio that comes while the caller speaks again is no answer to what they said before."""
    script = talking()
    script.see(speaks(), pauses(), speaks())
    brought = script.call.receive(delta("r1", "i1", audio(20)), script.now)
    assert brought == [ToCaller(sent(audio(20)))]


def test_what_the_caller_said_is_written_down_once() -> None:
    """A transcription that failed leaves an empty text; a doubled one nothing."""
    script = talking()
    failed = server.TranscriptionFailed("caller_1", 0, server.TranscriptionError())
    script >> failed << facts.CallerSaid("caller_1", "")
    script >> server.TranscriptionCompleted("caller_1", 0, "late")


def test_marks_stand_at_every_half_second_and_at_the_end() -> None:
    """A response of two items: each item's end is marked, and each is written down when played."""
    script = talking()
    script.see(created("r1"))
    script >> delta("r1", "i1", audio(300)) << sent(audio(300))
    script >> delta("r1", "i1", audio(300)) << sent(audio(300)) << marked("m1")
    script >> delta("r1", "i1", audio(100)) << sent(audio(100))
    script >> item_done("r1", "i1", "First.") << marked("m2")
    script >> delta("r1", "i2", audio(100)) << sent(audio(100))
    script >> done("r1") << marked("m3")
    script.wait(0.7)
    script >> echo("m1")
    script >> echo("m2") << facts.AgentSaid("i1", "desk", "First.", "First.", 700, 700)
    script >> echo("m3") << facts.AgentSaid("i2", "desk", "", "", 100, 100)


def test_a_long_stretch_is_sent_in_pieces() -> None:
    """So that marks stand no further apart than a second; no byte is lost."""
    script = talking()
    script.see(created("r1"))
    payload = audio(1200)
    script >> delta("r1", "i1", payload)
    script << sent(payload[:5336]) << marked("m1")
    script << sent(payload[5336:10672]) << marked("m2") << sent(payload[10672:])


def test_an_item_that_was_played_before_it_is_complete() -> None:
    """Its words come last: it is written down with them."""
    script = talking()
    script.see(created("r1"), delta("r1", "i1", audio(500)))
    script.wait(0.5)
    script >> echo("m1")
    (
        script
        >> item_done("r1", "i1", "Yes.")
        << facts.AgentSaid("i1", "desk", "Yes.", "Yes.", 500, 500)
    )


def test_words_come_in_pieces() -> None:
    """Deltas stand for the words until all of them are known."""
    script = talking()
    script.see(
        created("r1"), server.TranscriptDelta("r1", "i1", "Go"), delta("r1", "i1", audio(500))
    )
    script.see(server.TranscriptDelta("r1", "i1", "od."), server.AudioDone("r1", "i1"), done("r1"))
    script.wait(0.5)
    script >> echo("m1") << facts.AgentSaid("i1", "desk", "Good.", "Good.", 500, 500)


def test_an_item_of_text_alone_is_written_down_as_not_heard() -> None:
    """A model that answers in text is not heard, and the record says so."""
    script = talking()
    parts: list[Content] = [OutputText("Hello "), OutputAudio(), OutputAudio(transcript="there")]
    text = Message("assistant", parts, "i1")
    script >> server.OutputItemDone("r1", 0, text)
    script << facts.AgentSaid("i1", "desk", "Hello there", "", 0, 0)
    script >> item_done("r1", "i2")
    user = Message("user", [], "i3")
    script >> server.OutputItemDone("r1", 0, user) << Note(NoteName.UNEXPECTED, "output_item")


def test_barge_in() -> None:
    """Silence at once; the model learns how much was heard; the record keeps that part."""
    script = answering(talking(), ms=400)
    script.see(delta("r1", "i1", audio(600)))
    script.wait(0.6)
    script >> speaks() << SendClear(SID) << client.TruncateItem("i1", 0, 600)
    script << facts.BargedIn("i1", 600, 400)
    script << facts.AgentSaid("i1", "desk", SAID, "One two", 1000, 600)
    script << Note(NoteName.BARGE_IN, "speech", 600.0)
    script >> delta("r1", "i1", audio(200))
    script >> server.TranscriptDelta("r1", "i1", " five")
    script >> item_done("r1", "i1")
    script >> done("r1", "cancelled", items=["i1"])
    script >> echo("m1")
    script >> pauses()
    script >> created("r2")
    script >> delta("r2", "i2", audio(100)) << sent(audio(100))
    script << Note(NoteName.TURN_LATENCY, "", 0.0)


def test_marks_say_better_than_the_clock_what_was_heard() -> None:
    """Heard is at least what a mark proves, and at most up to the next mark."""
    script = talking()
    script.see(created("r1"), *(delta("r1", "i1", audio(500)) for _ in range(3)))
    script.wait(0.2)
    script >> echo("m1")
    script.wait(1.2)
    script >> speaks() << SendClear(SID) << client.TruncateItem("i1", 0, 1000)
    script << facts.BargedIn("i1", 1000, 500) << facts.AgentSaid


def test_items_that_were_not_heard_at_all_are_deleted() -> None:
    """The one being heard is cut; those behind it go."""
    script = answering(talking(), ms=500)
    script.see(item_done("r1", "i1"), delta("r1", "i2", audio(300)), words("r1", "i2", "Five."))
    script.see(item_done("r1", "i2"), done("r1"))
    script.wait(0.25)
    script >> speaks() << SendClear(SID) << client.TruncateItem("i1", 0, 250)
    script << client.DeleteItem("i2") << facts.BargedIn("i1", 250, 550)
    script << facts.AgentSaid("i1", "desk", SAID, "One two", 500, 250)
    script << facts.AgentSaid("i2", "desk", "Five.", "", 300, 0)


def test_an_item_that_was_heard_to_its_end_is_not_cut() -> None:
    """Though its mark has not come back yet."""
    script = answering(talking(), ms=500)
    script.see(item_done("r1", "i1"))
    script.wait(0.5)
    script >> echo("m1") << facts.AgentSaid
    script.see(delta("r1", "i2", audio(200)), item_done("r1", "i2"), delta("r1", "i3", audio(500)))
    script.wait(0.2)
    script >> speaks() << SendClear(SID) << client.DeleteItem("i3")
    script << facts.BargedIn("i3", 0, 500)
    script << facts.AgentSaid("i2", "desk", "", "", 200, 200)
    script << facts.AgentSaid("i3", "desk", "", "", 500, 0)


def test_speech_after_all_was_played_cuts_nothing() -> None:
    """No clear, no truncation, no fact."""
    script = answering(talking(), ms=500)
    script.see(item_done("r1", "i1"), done("r1"))
    script.wait(0.6)
    script >> speaks()
    script >> echo("m1") << facts.AgentSaid("i1", "desk", SAID, SAID, 500, 500)


def test_speech_into_a_response_whose_audio_so_far_was_played() -> None:
    """The rest of it is dropped, and the model told where it ended."""
    script = answering(talking(), ms=500)
    script.wait(0.5)
    script >> speaks() << client.TruncateItem("i1", 0, 500) << facts.BargedIn("i1", 500, 0)
    script << facts.AgentSaid("i1", "desk", SAID, SAID, 500, 500)
    script >> delta("r1", "i1", audio(500))


def test_what_came_too_late_to_be_played_is_deleted() -> None:
    """Items that the model made after the interruption: it must not take them for said."""
    script = talking()
    script >> created("r1")
    script >> speaks()
    script >> delta("r1", "i1", audio(500))
    script >> done("r1", "cancelled", items=["i1"]) << client.DeleteItem("i1")
    script >> delta("r1", "i1", audio(500))


@pytest.mark.parametrize(
    "detection",
    [ServerVad(interrupt_response=False), SemanticVad(interrupt_response=False), None],
)
def test_a_server_that_does_not_interrupt_is_told_to(
    detection: ServerVad | SemanticVad | None,
) -> None:
    """Then the active response is cancelled by us, once."""
    script = answering(talking(plan(agent(detection=detection))), ms=500)
    script >> speaks() << SendClear(SID) << client.CancelResponse("r1")
    script << client.DeleteItem("i1") << facts.BargedIn << facts.AgentSaid
    script >> speaks()
    script >> done("r1", "cancelled")
    script >> speaks()


def test_a_server_that_does_not_answer_is_asked_to() -> None:
    """`create_response` false: each turn of the caller's is answered because we ask."""
    script = talking(plan(agent(detection=ServerVad(create_response=False))))
    script.see(speaks(), pauses())
    script >> server.AudioCommitted("caller_1") << client.CreateResponse(event_id="response_1")


def test_a_response_that_crossed_the_callers_speech_is_cancelled() -> None:
    """We asked, the caller began to speak: the answer to that will do."""
    script = talking(plan(agent(greeting="Hello.")))
    script >> speaks()
    script >> created("r1") << client.CancelResponse("r1")
    script >> delta("r1", "i1", audio(100))
    script >> done("r1", "cancelled", items=["i1"]) << client.DeleteItem("i1")
    script >> pauses()


def test_speech_without_an_end_is_given_up() -> None:
    """What waits for its end waits no longer."""
    script = talking(plan(limits=Limits(idle_s=5.0)))
    script >> speaks()
    script.wait(SPEECH_S_MAX + 4.9)
    script.wait(0.1) << client.CreateResponse


def test_speech_when_the_stream_is_lost() -> None:
    """Nothing is sent to a stream that is gone; the model is told all the same."""
    script = answering(talking(), ms=500)
    script.wait(0.2)
    script.see(StreamLost("reset"))
    script >> speaks() << client.TruncateItem("i1", 0, 200) << facts.BargedIn << facts.AgentSaid


def test_a_failed_response_is_asked_for_again() -> None:
    """After half a second, then after one; the third failure sends the call to the next model."""
    script = talking(plan(models=2))
    script >> created("r1")
    for number in (1, 2):
        script >> done(f"r{number}", "failed", code="rate_limit_exceeded")
        script << Note(NoteName.RESPONSE_FAILED, "rate_limit_exceeded")
        script << blames("rate_limit_exceeded")
        script.wait(0.5 * number - 0.1)
        script.wait(0.1) << client.CreateResponse(event_id=f"response_{number}")
        script >> created(f"r{number + 1}")
    script >> done("r3", "failed", code="server_error") << blames("server_error")
    script << facts.SessionLost("server_error") << DropModel() << BlameModel << OpenModel(skip=True)
    script.see(ModelOpened("pool", "m2", 1))
    script >> server.SessionUpdated(VIEW)
    order = wording.for_one_response("You are desk.", wording.GO_ON_AFTER_LOSS)
    script.wait(0.5) << client.CreateResponse(client.ResponseOptions(order), "response_1")


def test_with_one_model_a_failed_response_is_asked_for_until_it_succeeds() -> None:
    """Its session is as good as another: the caller hears a filler and the script meanwhile."""
    desk = agent(fallback=SCRIPT)
    script = talking(plan(desk))
    script.see(speaks(), pauses())
    for number in range(3):
        script.see(created(f"r{number}"), done(f"r{number}", "failed", code="server_error"))
        script.pass_over(0.5 * 2**number - 0.01)
        if number == 2:
            break
        script.wait(0.01) << client.CreateResponse
    assert script.call.phase is Phase.TALKING
    script.wait(0.01) << client.CreateResponse
    script.see(created("r9"), words("r9", "i9", "Sorry."))
    script >> delta("r9", "i9", audio(100)) << SendClear(SID) << sent(audio(100))


def test_the_script_is_played_while_responses_fail() -> None:
    """Within three seconds of the turn's end; then fillers, until the call is given up."""
    script = talking(plan(agent(fallback=SCRIPT), limits=Limits(model_away_s_max=12.0)))
    script.see(speaks(), pauses(), created("r1"))
    script >> done("r1", "failed", code="insufficient_quota") << blames("insufficient_quota")
    script.wait(0.0) << facts.FallbackPlayed("insufficient_quota")
    script << sent(SCRIPT.payload) << marked("m1")
    script.wait(0.5) << client.CreateResponse
    for number, wait_s in enumerate((1.0, 2.0, 2.0, 2.0, 2.0, 2.0), start=2):
        script.see(created(f"r{number}"), done(f"r{number}", "failed", code="insufficient_quota"))
        script.pass_over(wait_s)
    assert script.call.phase is Phase.TALKING
    script.wait(0.5) << facts.CallEnded(Outcome.FAILED, "model_away", 1) << EndCall


def test_a_success_forgives_failures() -> None:
    """Only failures in a row count."""
    script = talking()
    for number in range(0, 12, 2):
        script.see(created(f"r{number}"), done(f"r{number}", "failed"))
        script.wait(0.5) << client.CreateResponse
        script.see(created(f"r{number + 1}"), done(f"r{number + 1}", "completed"))
    script.wait(10.0)


def test_a_failed_greeting_is_greeted_again() -> None:
    """The order that failed is given again."""
    script = talking(plan(agent(greeting="Hello.")))
    script >> created("r1")
    script >> done("r1", "failed") << blames("other")
    order = wording.for_one_response("You are desk.", wording.greeting("Hello."))
    script.wait(0.5) << client.CreateResponse(client.ResponseOptions(order), "response_2")


def test_a_response_that_was_cut_short_is_noted() -> None:
    """`incomplete` is no failure of the session; what came of it is played."""
    script = talking()
    script.see(created("r1"))
    details = server.StatusDetails(reason="max_output_tokens")
    script >> server.ResponseDone(server.Response("r1", "incomplete", details))
    script << Note(NoteName.RESPONSE_FAILED, "max_output_tokens")
    script.wait(10.0)


def test_a_failed_response_that_was_interrupted_is_let_go() -> None:
    """The caller's speech will be answered instead."""
    script = talking()
    script.see(created("r1"), speaks())
    script >> done("r1", "failed")
    script >> pauses()
    script >> created("r2")
    script >> done("r2")
    script.wait(10.0)


def test_a_turn_that_the_model_does_not_answer() -> None:
    """It is asked to after a second; if it says nothing to that either, its session is dead."""
    script = talking()
    script.see(speaks(), pauses())
    script.wait(0.99)
    script.wait(0.01) << client.CreateResponse(event_id="response_1")
    script.wait(0.39)
    script.wait(0.01) << facts.DeadAir("turn") << sent(FILLER.payload) << marked("m1")
    script.wait(1.1) << facts.SessionLost("stalled") << DropModel << BlameModel << OpenModel


def test_a_wish_waits_for_the_response_under_way() -> None:
    """An error that tells so keeps the wish: it is granted when that response is over."""
    script = talking(plan(agent(greeting="Hello.")))
    script >> created("r_of_the_models_own")
    script >> error("conversation_already_has_active_response", event_id="response_1")
    script >> done("r_of_the_models_own")
    script.wait(0.5) << client.CreateResponse


def test_a_refused_wish_with_nothing_under_way_waits_a_little() -> None:
    """Not a loop at the speed of the network."""
    script = talking(plan(agent(greeting="Hello.")))
    script >> error("conversation_already_has_active_response", event_id="response_1")
    script.wait(0.5) << client.CreateResponse
    script >> error("conversation_already_has_active_response", event_id="response_1")


def test_a_response_that_is_refused_for_itself() -> None:
    """Counts as failed: twice asked again, then the next model is."""
    script = talking(plan(agent(greeting="Hello."), models=2, fillers=()))
    for number in (1, 2):
        script >> error("invalid_value", event_id=f"response_{number}")
        script << Note(NoteName.MODEL_ERROR, "invalid_value")
        script.wait(0.5 * number) << client.CreateResponse
    script >> error("invalid_value", event_id="response_3")
    script << facts.SessionLost("response_failed") << DropModel << blames("response_failed")
    script << OpenModel(skip=True)


def test_a_race_that_the_server_won_is_harmless() -> None:
    """Nothing is done or noted."""
    script = talking()
    script >> error("response_cancel_not_active")
    script >> error("input_audio_buffer_commit_empty")


def test_a_response_nobody_knows_is_noted() -> None:
    """Its end changes nothing; a doubled beginning neither."""
    script = talking()
    script >> done("r9") << Note(NoteName.UNEXPECTED, "response_done")
    script.see(created("r1"), done("r1"))
    script >> created("r1")
    script >> done("r1") << Note(NoteName.UNEXPECTED, "response_done")


def test_a_response_that_is_over_before_it_has_a_name() -> None:
    """Its end answers what we asked."""
    script = talking(plan(agent(greeting="Hello.")))
    script >> done("r1")
    script >> media("abcd") << client.AppendAudio("abcd")
    script.wait(19.9)
    script.wait(0.1) << client.CreateResponse
