"""The call as a whole: what it costs for a frame, whole calls, and histories of all kinds."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from call.histories import Maker, Watch, history_plan, setup_events
from call.script import (
    BUILT_INS,
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
from trunkline.call.actions import (
    EndCall,
    MeterUse,
    OpenModel,
    RunTool,
    TakeModel,
    ToCaller,
    ToModel,
)
from trunkline.call.events import ModelOpened, StreamStarted, ToolReturned
from trunkline.call.machine import Call
from trunkline.call.phases import Phase
from trunkline.call.plan import Agent, Tool, ToolKind
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.wire.realtime import client, server
from trunkline.wire.twilio import SendClear

HISTORIES = 2500
EVENTS = 100


def test_a_frame_each_way_is_one_action() -> None:
    """The two audio events bring what must be sent and nothing else."""
    script = talking()
    script.see(created("r1"))
    up = script.call.receive(media("abcd"), script.now)
    down = script.call.receive(delta("r1", "i1", audio(20)), script.now)
    assert up == ToModel(client.AppendAudio("abcd"))
    assert down == [ToCaller(sent(audio(20)))]


def test_a_plan_must_know_its_agents() -> None:
    """A plan that could fail in the middle of a call is a bug of ours at its beginning."""
    with pytest.raises(AssertionError):
        Call(plan(agent(handoffs=("nobody",))))


def test_a_whole_call() -> None:
    """Greeting, a turn with a slow look-up, a barge-in, a handoff, and a goodbye."""
    look_up = Tool("look_up", ToolKind.HTTP, filler_after_ms=1000)
    desk = agent(greeting="Trunk Lane, hello.", tools=(look_up, *BUILT_INS), handoffs=("clinic",))
    script = Script(Call(plan(desk, agent("clinic", tools=BUILT_INS))))
    greeting(script, desk)
    slow_look_up(script)
    barge_in(script)
    handoff_and_goodbye(script)


def greeting(script: Script, desk: Agent) -> None:
    script >> StreamStarted(SID) << facts.StreamOpened(SID) << OpenModel()
    script >> ModelOpened("pool", "model-1", 3) << facts.SessionOpened("pool", "model-1", 3)
    script << TakeModel() << client.SessionUpdate(desk.session, "session")
    script >> media("AAAA")
    script >> server.SessionUpdated(VIEW) << client.AppendAudio("AAAA") << client.CreateResponse
    script >> created("r1")
    script >> delta("r1", "i1", audio(600)) << sent(audio(600)) << marked("m1")
    script >> words("r1", "i1", "Trunk Lane, hello.")
    script >> item_done("r1", "i1")
    script >> done("r1", tokens=(50, 20)) << MeterUse(70, None)
    script.wait(0.65)
    (
        script
        >> echo("m1")
        << facts.AgentSaid("i1", "desk", "Trunk Lane, hello.", "Trunk Lane, hello.", 600, 600)
    )


def slow_look_up(script: Script) -> None:
    script.wait(1.0)
    script >> speaks()
    script.wait(2.0)
    script >> pauses()
    script >> created("r2")
    script >> calls("r2", "c1", "look_up", '{"day": "Monday"}')
    script << facts.ToolCalled("c1", "look_up", '{"day": "Monday"}')
    script << RunTool("c1", "look_up", '{"day": "Monday"}')
    script >> done("r2", tokens=(80, 10)) << MeterUse
    script >> server.TranscriptionCompleted("caller_1", 0, "Are you open on Monday?")
    script << facts.CallerSaid("caller_1", "Are you open on Monday?")
    script.wait(1.0) << sent(audio(300)) << marked("m2")
    script.wait(0.4)
    script >> echo("m2")
    script >> ToolReturned("c1", ok=True, output="open 9 to 5")
    script << facts.ToolFinished("c1", "look_up", ok=True, output="open 9 to 5", took_ms=1400)
    script << client.CreateItem << client.CreateResponse(event_id="response_2")


def barge_in(script: Script) -> None:
    script >> created("r3")
    script >> delta("r3", "i3", audio(1000)) << sent(audio(1000)) << marked("m3")
    script >> words("r3", "i3", "Yes, we are open from nine to five.")
    script >> item_done("r3", "i3")
    script >> done("r3", tokens=(120, 60)) << MeterUse
    script.wait(0.5)
    script >> speaks() << SendClear(SID) << client.TruncateItem("i3", 0, 500)
    script << facts.BargedIn("i3", 500, 500)
    script << facts.AgentSaid(
        "i3", "desk", "Yes, we are open from nine to five.", "Yes, we are open", 1000, 500
    )
    script >> echo("m3")
    script >> pauses()


def handoff_and_goodbye(script: Script) -> None:
    script >> created("r4")
    script >> calls("r4", "c2", "handoff", '{"agent": "clinic"}') << facts.ToolCalled
    script << client.SessionUpdate << facts.HandedOff("desk", "clinic")
    script << facts.ToolFinished << client.CreateItem
    script >> done("r4") << client.CreateResponse(event_id="response_3")
    script >> created("r5")
    script >> delta("r5", "i5", audio(500)) << sent(audio(500)) << marked("m4")
    script >> words("r5", "i5", "Goodbye.")
    script >> calls("r5", "c3", "end_call") << facts.ToolCalled << facts.ToolFinished
    script << client.CreateItem << facts.EndOrdered
    script >> done("r5", tokens=(10, 5)) << MeterUse
    script.wait(0.5)
    script >> echo("m4") << facts.AgentSaid("i5", "clinic", "Goodbye.", "Goodbye.", 500, 500)
    script << facts.CallEnded(
        Outcome.AGENT_ENDED, "end_call", turns=2, input_tokens=260, output_tokens=95
    )
    script << EndCall(Outcome.AGENT_ENDED, "end_call")


def live(seed: int) -> Watch:
    """One random history, to its end."""
    rng = Random(seed)
    watch = Watch(Call(history_plan(rng)))
    maker = Maker(rng)
    try:
        for event in setup_events() if rng.random() < 0.9 else []:
            watch.feed(event)
        for _ in range(EVENTS):
            watch.feed(maker.event())
            if rng.random() < 0.3:
                watch.wait(rng.choice([0.01, 0.1, 0.5, 2.0]))
        watch.outlive(maker.afterlife())
    except AssertionError as failure:
        raise AssertionError(f"{watch.story()}\nseed {seed}: {failure}") from failure
    return watch


def test_what_must_hold_holds_in_thousands_of_histories() -> None:
    """Whatever comes in whatever order: the rules of `Watch`. Every outcome is met on the way."""
    reasons = {watch.ended.reason for watch in map(live, range(HISTORIES)) if watch.ended}
    assert reasons >= {
        "call_s_max",
        "completed",
        "drained",
        "end_call",
        "idle",
        "sales",
        "session_refused",
        "stop",
        "stream_lost",
    }


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 60))
def test_what_must_hold_holds_in_the_smallest_history(rng: Random, events: int) -> None:
    """The same, where a failure is made as short as it can be."""
    watch = Watch(Call(history_plan(rng)))
    maker = Maker(rng)
    for event in setup_events():
        watch.feed(event)
    for _ in range(events):
        watch.feed(maker.event())
        watch.wait(rng.choice([0.0, 0.0, 0.3, 3.0]))
    watch.outlive(maker.afterlife())


def test_a_call_without_a_stream_waits_for_nothing() -> None:
    """Whether a stream comes is the pod's to watch."""
    call = Call(plan())
    assert call.deadline() is None
    assert call.tick(1.0) == []
    assert call.phase is Phase.EXPECTED
