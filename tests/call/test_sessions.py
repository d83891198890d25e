"""How a session is set up, and what its events do before and after."""

from collections.abc import Callable

import pytest

from call.script import (
    BUILT_INS,
    SID,
    VIEW,
    Script,
    agent,
    audio,
    blames,
    calls,
    created,
    delta,
    done,
    echo,
    error,
    marked,
    media,
    plan,
    sent,
    speaks,
    stop,
    talking,
    words,
)
from trunkline.call import sessions, wording
from trunkline.call.actions import (
    BlameModel,
    DropModel,
    EndCall,
    MeterLimit,
    MeterUse,
    Note,
    NoteName,
    OpenModel,
    TakeModel,
    ToCaller,
)
from trunkline.call.events import ModelLost, ModelOpened, StreamStarted
from trunkline.call.machine import Call
from trunkline.call.phases import Phase
from trunkline.call.plan import Limits
from trunkline.call.state import State
from trunkline.core import facts
from trunkline.core.costs import Kind
from trunkline.core.facts import Outcome
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import FunctionCall, InputText, Message
from trunkline.wire.realtime.session import Session


def opening(greeting: str = "") -> Script:
    script = Script(Call(plan(agent(greeting=greeting))))
    script >> StreamStarted(SID) << facts.StreamOpened << OpenModel
    return script


def instructing(greeting: str = "") -> Script:
    script = opening(greeting)
    script.see(ModelOpened("pool", "model-1", 4))
    return script


def test_a_session_is_told_who_it_is() -> None:
    """It gets all of the first agent's settings before anything else."""
    script = opening()
    script >> ModelOpened("new", "model-1", 312) << facts.SessionOpened("new", "model-1", 312)
    script << TakeModel() << client.SessionUpdate(agent().session, "session")
    assert script.call.phase is Phase.INSTRUCTING


def test_no_audio_before_the_settings_hold() -> None:
    """Until `session.updated` the format would be wrong: frames wait."""
    script = opening()
    script >> media("abcd")
    script >> ModelOpened("pool", "m", 1) << facts.SessionOpened << TakeModel
    script << client.SessionUpdate
    script >> media("efgh")
    (
        script
        >> server.SessionUpdated(VIEW)
        << client.AppendAudio("abcd")
        << client.AppendAudio("efgh")
    )


def test_the_agent_greets() -> None:
    """Once the settings hold, the model is told to speak first, its instructions repeated."""
    script = instructing("Good morning.")
    (
        script
        >> server.SessionUpdated(VIEW)
        << client.CreateResponse(
            client.ResponseOptions(
                wording.for_one_response("You are desk.", wording.greeting("Good morning."))
            ),
            "response_1",
        )
    )
    assert script.call.phase is Phase.TALKING


def test_an_agent_without_a_greeting_waits() -> None:
    """Nothing is asked of the model."""
    script = instructing()
    script >> server.SessionUpdated(VIEW)
    assert script.call.phase is Phase.TALKING


def test_settings_that_are_refused_end_the_call() -> None:
    """With the settings refused the session would speak with a stranger's voice and format."""
    script = instructing()
    script >> error("invalid_value", event_id="session")
    script << facts.CallEnded(Outcome.FAILED, "session_refused")
    script << EndCall(Outcome.FAILED, "session_refused")


def test_another_error_meanwhile_is_noted() -> None:
    """An error that does not answer the settings changes nothing."""
    script = instructing()
    script >> error("server_error") << Note(NoteName.MODEL_ERROR, "server_error")
    script >> error("what a caller said") << Note(NoteName.MODEL_ERROR, "other")
    assert script.call.phase is Phase.INSTRUCTING


def test_settings_that_another_model_may_take() -> None:
    """The list's next model is asked; when the last has refused the call has failed."""
    script = Script(Call(plan(models=2)))
    script.see(StreamStarted(SID), ModelOpened("pool", "m", 1))
    script >> error("unknown_parameter", event_id="session")
    script << facts.SessionLost("session_refused") << DropModel() << OpenModel(skip=True)
    script.see(ModelOpened("pool", "m2", 1))
    script >> error("unknown_parameter", event_id="session") << facts.CallEnded << EndCall


def test_settings_that_are_not_confirmed() -> None:
    """A session that is silent from the start is of no use: another one, of the next model."""
    script = Script(Call(plan(models=2)))
    script.see(StreamStarted(SID), ModelOpened("pool", "m", 1))
    script.wait(1.99)
    script.wait(0.01) << facts.SessionLost("timeout") << DropModel() << blames("timeout")
    script << OpenModel(skip=True)


@pytest.mark.parametrize("start", [instructing, talking])
def test_a_lost_session_is_followed_by_another(start: Callable[[], Script]) -> None:
    """With its reason in the record, and told to whoever counts failures."""
    script = start()
    script >> ModelLost("reset") << facts.SessionLost("reset") << DropModel()
    script << blames("reset") << OpenModel()
    script.see(ModelOpened("new", "m", 300))
    script >> server.SessionUpdated(VIEW)
    if start is talking:
        script << client.CreateItem(Message("system", [InputText(wording.SEEDED)], "ours_1"))
    assert script.call.phase is Phase.TALKING


def test_a_loss_without_a_session_is_noted() -> None:
    """While one is looked for there is none to lose."""
    script = opening()
    script >> ModelLost("reset") << Note(NoteName.UNEXPECTED, "no_session")


def test_a_session_lost_in_a_closing_changes_no_outcome() -> None:
    """What was decided holds: a transfer is made although the model is gone."""
    script = talking(plan(limits=Limits(call_s_max=10.0)))
    script.pass_over(10.0)
    script >> ModelLost("reset") << facts.SessionLost("reset") << DropModel << BlameModel
    script << facts.CallEnded(Outcome.TIMED_OUT, "call_s_max") << EndCall


def test_a_goodbye_is_played_to_its_end_without_its_session() -> None:
    """What the model has sent of it is heard; nothing is asked of anybody."""
    script = talking(plan(limits=Limits(call_s_max=10.0)))
    script.pass_over(10.0)
    script.see(created("r1"), delta("r1", "i1", audio(400)), words("r1", "i1", "Good bye."))
    script >> ModelLost("reset") << facts.SessionLost << DropModel << BlameModel
    script << marked("m1")
    script.wait(0.4)
    script >> echo("m1") << facts.AgentSaid("i1", "desk", "Good bye.", "Good bye.", 400, 400)
    script << facts.CallEnded(Outcome.TIMED_OUT, "call_s_max") << EndCall


@pytest.mark.parametrize("start", [instructing, talking])
def test_an_expired_session_is_followed_by_another(start: Callable[[], Script]) -> None:
    """At its word, before the socket closes; nobody is blamed for it."""
    script = start()
    script >> error("session_expired") << facts.SessionLost("session_expired") << DropModel()
    script << OpenModel()


def test_a_silent_session_is_asked_for_a_sign_of_life() -> None:
    """An update without a change: any answer will do, an error too."""
    script = talking(plan(limits=Limits(probe_s=5.0, idle_s=60.0)))
    script.wait(4.0)
    script >> server.RateLimitsUpdated([])
    script.wait(4.9)
    script.wait(0.1) << client.SessionUpdate(Session(), sessions.PROBE_UPDATE)
    script >> server.SessionUpdated(VIEW)
    script.wait(4.9)
    script.wait(0.1) << client.SessionUpdate
    script >> error("invalid_value", event_id=sessions.PROBE_UPDATE)
    script.wait(4.9)
    script.wait(0.1) << client.SessionUpdate
    script.wait(2.4)
    script.wait(0.1) << facts.SessionLost("stalled") << DropModel << blames("stalled")
    script << OpenModel


def test_no_probe_while_a_handoff_is_unconfirmed() -> None:
    """Its answer would look the same as the handoff's."""
    desk = agent(tools=BUILT_INS, handoffs=["billing"])
    script = talking(plan(desk, agent("billing"), limits=Limits(probe_s=5.0)))
    script.see(created("r1"), calls("r1", "c1", "handoff", '{"agent": "billing"}'))
    script.see(done("r1"), created("r2"), done("r2"))
    script.wait(5.0)
    script >> server.SessionUpdated(VIEW)
    script.wait(4.9)
    script.wait(0.1) << client.SessionUpdate


def test_a_session_that_nobody_asked_for_is_noted() -> None:
    """A second one, or one before a stream."""
    script = talking()
    script >> ModelOpened("new", "m", 1) << Note(NoteName.UNEXPECTED, "model_opened")
    early = Script(Call(plan()))
    early >> ModelOpened("new", "m", 1) << Note(NoteName.UNEXPECTED, "model_opened")


def test_a_models_event_without_a_session_is_noted() -> None:
    """Before a session is ours, and before its settings hold, none counts."""
    script = opening()
    script >> speaks() << Note(NoteName.UNEXPECTED, "no_session")
    script >> delta("r1", "i1", audio(20)) << Note(NoteName.UNEXPECTED, "no_session")
    script.see(ModelOpened("pool", "m", 1))
    script >> delta("r1", "i1", audio(20)) << Note(NoteName.UNEXPECTED, "early_event")
    script >> calls("r1", "c1", "x") << Note(NoteName.UNEXPECTED, "early_event")


def test_what_changes_nothing_brings_nothing() -> None:
    """Events that only tell are silent; unknown ones are noted."""
    script = talking()
    script >> server.RateLimitsUpdated([])
    script >> server.ItemTruncated("i", 0, 1)
    script >> server.TranscriptionDelta("i", 0, "Good")
    script >> server.ItemAdded(Message("user", [InputText("x")]))
    script >> server.ArgumentsDelta("r1", "i1", 0, "c1", "{")
    script >> server.SessionUpdated(VIEW)
    script >> server.SessionCreated(VIEW) << Note(NoteName.UNEXPECTED, "session_created")
    script >> server.Unknown("x") << Note(NoteName.UNEXPECTED, "unknown_event")


def test_audio_is_passed_on_by_the_long_way_too() -> None:
    """The machine takes it out of the way for speed; the meaning is the same."""
    call_plan = plan()
    state = State(call_plan, call_plan.agents["desk"], phase=Phase.TALKING)
    state.voice.playout.stream_sid, state.has_model = SID, True
    sessions.received(state, delta("r1", "i1", audio(20)))
    assert state.out == [ToCaller(sent(audio(20)))]


def test_only_named_messages_can_be_deleted() -> None:
    """What a response that was broken into made besides is left alone."""
    script = talking()
    script.see(created("r1"), speaks())
    nameless = Message("assistant", [InputText("x")])
    call = FunctionCall("book", "{}", "c1", status="incomplete")
    response = server.Response("r1", "cancelled", None, [nameless, call])
    script >> server.ResponseDone(response)


def test_tokens_are_summed() -> None:
    """Each response's usage is noted, and their sum stands in the last fact."""
    script = talking()
    script.see(created("r1"))
    script >> done("r1", tokens=(30, 12)) << MeterUse(42, None)
    (
        script
        << Note(NoteName.TOKENS, Kind.AUDIO_IN, 30.0)
        << Note(NoteName.TOKENS, Kind.AUDIO_OUT, 12.0)
    )
    script.see(created("r2"), done("r2", tokens=(40, 1)))
    script >> stop() << facts.CallEnded(Outcome.CALLER_ENDED, "stop", 0, 70, 13) << EndCall


def test_the_model_s_word_on_its_tokens_is_passed_on() -> None:
    """That on its requests is not: nobody asks."""
    script = talking()
    tokens = server.RateLimit("tokens", 50_000, 49_000, 1.2)
    script >> server.RateLimitsUpdated([server.RateLimit("requests", 10, 0, 6.0), tokens])
    script << MeterLimit(50_000, 49_000, 1.2)


def test_what_a_response_took_is_told_with_its_distance_from_the_last() -> None:
    """Of one session: the next one begins anew, perhaps with another model."""
    script = talking()
    script.see(created("r1"))
    script >> done("r1", tokens=(30, 12)) << MeterUse(42, None) << Note << Note
    script.wait(1.5)
    script.see(created("r2"))
    script >> done("r2", tokens=(40, 10)) << MeterUse(50, 1.5) << Note << Note
    script.see(ModelLost("closed"), ModelOpened("new", "model-2", 300), server.SessionUpdated(VIEW))
    script.see(created("r3"))
    script >> done("r3", tokens=(50, 10)) << MeterUse(60, None) << Note << Note
