"""Dead air: whoever is owed a sound hears one within two seconds, and it is counted."""

from call.script import (
    FILLER,
    NEXT_SID,
    SID,
    VIEW,
    Script,
    agent,
    answering,
    audio,
    calls,
    created,
    delta,
    done,
    echo,
    key,
    marked,
    pauses,
    plan,
    sent,
    speaks,
    talking,
)
from trunkline.call.actions import Note, NoteName
from trunkline.call.events import ModelOpened, StreamLost, StreamStarted, ToolReturned
from trunkline.call.machine import Call
from trunkline.call.owed import DEAD_AIR_S, FILLER_AGAIN_S, TURN_END_S
from trunkline.call.plan import Tool, ToolKind
from trunkline.core import facts
from trunkline.wire.realtime import client, server

FILLER_S = 0.3


def test_a_greeting_that_does_not_come() -> None:
    """From the answer on: a filler before two seconds are over, in the record and counted."""
    script = Script(Call(plan(agent(greeting="Hello."))))
    script.see(StreamStarted(SID))
    script.wait(DEAD_AIR_S - 0.01)
    script.wait(0.01) << facts.DeadAir("answer") << Note(NoteName.DEAD_AIR, "answer")
    script << sent(FILLER.payload) << marked("m1") << Note(NoteName.FILLER)


def test_an_agent_who_waits_for_the_caller_owes_nothing() -> None:
    """Silence after the answer is what was wanted."""
    script = talking()
    script.wait(10.0)


def test_an_answer_that_is_slow() -> None:
    """Counted from the real end of the turn, which the model noticed half a second later; again
    after a while, as long as an answer is to come.
    """
    script = talking()
    script.see(speaks(), pauses(), created("r1"))
    script.wait(DEAD_AIR_S - TURN_END_S - 0.01)
    script.wait(0.01) << facts.DeadAir("turn") << sent(FILLER.payload) << marked("m1")
    script.wait(FILLER_S)
    script >> echo("m1")
    script.wait(FILLER_AGAIN_S - 0.01)
    script.wait(0.01) << facts.DeadAir("turn") << sent(FILLER.payload) << marked("m2")
    script >> delta("r1", "i1", audio(100)) << sent(audio(100))
    script.wait(10.0)


def test_an_answer_in_time_pays() -> None:
    """Nothing is played, nothing counted."""
    script = talking()
    script.see(speaks(), pauses())
    script.wait(0.9)
    script.see(created("r1"), delta("r1", "i1", audio(100)))
    script.wait(5.0)


def test_an_answer_without_a_sound_is_one_too() -> None:
    """The model had nothing to say: no filler says that more is to come."""
    script = talking()
    script.see(speaks(), pauses(), created("r1"), done("r1"))
    script.wait(5.0)


def test_a_tool_that_runs_is_no_answer() -> None:
    """The turn is owed its sound while the tool runs; the tool's own filler pays it."""
    script = talking(plan(agent(tools=[Tool("find", ToolKind.HTTP, filler_after_ms=1000)])))
    script.see(speaks(), pauses(), created("r1"), calls("r1", "c1", "find"), done("r1"))
    script.wait(1.0) << sent(FILLER.payload) << marked("m1")
    script >> echo("m1")
    script.wait(3.0)
    script >> ToolReturned("c1", ok=True, output="x") << facts.ToolFinished << client.CreateItem
    script << client.CreateResponse


def test_a_caller_who_goes_on_speaking_is_owed_nothing() -> None:
    """Until the turn is over."""
    script = talking()
    script.see(speaks(), pauses())
    script.wait(0.5)
    script.see(speaks())
    script.wait(5.0)


def test_keys_are_a_turn_too() -> None:
    """Whoever pressed them waits for an answer."""
    script = talking()
    script.see(key("1"))
    script.wait(2.0) << facts.DigitsPressed << client.CreateItem << client.CreateResponse
    script.see(created("r1"))
    script.wait(DEAD_AIR_S) << facts.DeadAir("turn") << sent(FILLER.payload) << marked("m1")


def test_a_line_that_comes_back_is_heard_to_be_back() -> None:
    """Once: nothing else is promised."""
    script = talking()
    script.see(StreamLost("reset"), StreamStarted(NEXT_SID))
    script.wait(DEAD_AIR_S) << facts.DeadAir("resume") << sent(FILLER.payload, sid=NEXT_SID)
    script << marked("m1", sid=NEXT_SID)
    script >> echo("m1", sid=NEXT_SID)
    script.wait(15.0)


def test_a_replay_is_a_sound() -> None:
    """What the caller had not heard plays at once."""
    script = answering(talking(), ms=4000)
    script.see(StreamLost("reset"), StreamStarted(NEXT_SID))
    script.wait(3.9)


def test_nothing_is_owed_on_a_line_that_is_gone() -> None:
    """A filler would be heard by nobody."""
    script = talking()
    script.see(speaks(), pauses(), created("r1"), StreamLost("reset"))
    script.wait(5.0)


def test_what_still_plays_is_a_sound() -> None:
    """Two seconds of silence are counted from its end."""
    script = answering(talking(), ms=3000)
    script.see(done("r1"), key("1"))
    script.see(created("r2"), delta("r2", "i2", audio(1000)))
    script.wait(2.0) << facts.DigitsPressed << client.CreateItem


def test_without_fillers_it_is_counted_all_the_same() -> None:
    """An installation without audio of its own."""
    script = Script(Call(plan(agent(greeting="Hello."), fillers=())))
    script.see(StreamStarted(SID), ModelOpened("pool", "m", 1), server.SessionUpdated(VIEW))
    script.see(created("r1"))
    script.wait(DEAD_AIR_S) << facts.DeadAir("answer")
