"""The caller's side: streams that come and go, frames, marks, keys."""

import pytest

from call.script import (
    BUILT_INS,
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
    item_done,
    key,
    marked,
    media,
    plan,
    sent,
    speaks,
    stop,
    talking,
    words,
)
from trunkline.call import wording
from trunkline.call.actions import EndCall, Note, NoteName, OpenModel
from trunkline.call.events import (
    CallerHungUp,
    ModelOpened,
    StreamLost,
    StreamPromised,
    StreamStarted,
)
from trunkline.call.machine import Call
from trunkline.call.phases import Line, Phase
from trunkline.call.plan import Limits
from trunkline.call.streams import BACKLOG_BYTES_MAX, DIGITS_MAX, PROMISE_S, TWICE_S
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.core.ids import StreamSid
from trunkline.wire import twilio
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import InputText, Message

KEPT = BACKLOG_BYTES_MAX // 160
"""Frames of a caller whom no model hears yet."""


def keys_item(text: str, number: int = 1) -> client.CreateItem:
    return client.CreateItem(Message("user", [InputText(text)], f"ours_{number}"))


def test_a_stream_opens_a_session() -> None:
    """The first stream is written down and a session asked for."""
    script = Script(Call(plan()))
    script >> StreamStarted(SID) << facts.StreamOpened(SID) << OpenModel()
    assert (script.call.phase, script.call.line) == (Phase.OPENING, Line.UP)


def test_a_frame_becomes_one_append() -> None:
    """While they talk, a frame of the caller's is passed on untouched, and nothing else happens."""
    script = talking()
    script >> media("abcd", number="7") << client.AppendAudio("abcd")
    script >> media("efgh", number=8) << client.AppendAudio("efgh")
    assert script.call.frames_out_of_order == 0


@pytest.mark.parametrize("number", ["7", 3, "x", "-1"])
def test_a_frame_out_of_order_is_counted_and_passed_on(number: str | int) -> None:
    """An odd sequence number loses no audio."""
    script = talking()
    script.see(media("abcd", number="7"))
    script >> media("efgh", number=number) << client.AppendAudio("efgh")
    assert script.call.frames_out_of_order == 1


def test_each_stream_counts_its_frames_anew() -> None:
    """The first frame of the next stream is in order."""
    script = talking()
    script.see(media("abcd", number="7"), StreamStarted(NEXT_SID))
    script >> media("efgh", sid=NEXT_SID, number="2") << client.AppendAudio("efgh")
    assert script.call.frames_out_of_order == 0


def test_the_model_hears_the_last_seconds_before_it_was_ready() -> None:
    """What the caller said meanwhile is passed on once settings hold; older audio is dropped."""
    script = Script(Call(plan()))
    script.see(StreamStarted(SID), ModelOpened("new", "model-1", 700))
    frames = [audio(20, byte=bytes([i])) for i in range(KEPT + 10)]
    script.see(*(media(frame, number=i + 1) for i, frame in enumerate(frames)), media(""))
    script >> server.SessionUpdated(VIEW)
    for frame in frames[-KEPT:]:
        script << client.AppendAudio(frame)
    script << Note(NoteName.DROPPED, "model", 10.0)


def test_what_no_model_heard_of_a_caller_is_counted() -> None:
    """With a lost stream the last seconds go too, and what is kept when the call ends does not:
    nothing came too late for that.
    """
    script = Script(Call(plan()))
    script.see(StreamStarted(SID), *(media(audio(20), number=i + 1) for i in range(KEPT + 10)))
    script >> StreamLost("dropped") << facts.StreamLost
    script << Note(NoteName.DROPPED, "model", KEPT + 10.0)
    script.see(StreamStarted(NEXT_SID))
    script.pass_over(TWICE_S)
    script.see(*(media(audio(20), sid=NEXT_SID, number=i + 1) for i in range(KEPT + 1)))
    script >> stop(sid=NEXT_SID) << Note(NoteName.DROPPED, "model", 1.0)
    script << facts.CallEnded << EndCall


def test_a_stop_right_after_a_lost_stream_came_back_may_be_an_order_of_ours() -> None:
    """The next verb led to a stream, and the carrier's API to another: the call waits for it."""
    script = talking()
    script >> StreamLost("dropped") << facts.StreamLost
    script.see(StreamStarted(NEXT_SID))
    script.see(stop(sid=NEXT_SID))
    script.see(StreamStarted(StreamSid("MZ9")))
    script.pass_over(TWICE_S)
    script.see(stop(sid="MZ9"))
    assert script.call.phase is Phase.ENDED


def test_a_foreign_streams_messages_are_ignored() -> None:
    """Frames, marks, keys and `stop` of another stream do nothing; noted once, each counted."""
    script = talking()
    script >> media("abcd", sid="MZ9") << Note(NoteName.UNEXPECTED, "foreign_stream")
    script >> echo("m1", sid="MZ9")
    script >> key("1", sid="MZ9")
    script >> stop(sid="MZ9")
    assert script.call.frames_ignored == 4


def test_a_protocol_message_out_of_place_is_noted() -> None:
    """`connected`, `start` and unknown messages change nothing."""
    script = talking()
    fields = twilio.StartFields("AC1", SID, "CA1", [], twilio.MediaFormat("audio/x-mulaw", 8000, 1))
    script >> twilio.Connected() << Note(NoteName.UNEXPECTED, "start_again")
    script >> twilio.Start(fields, SID, "1") << Note(NoteName.UNEXPECTED, "start_again")
    script >> twilio.Unknown("x") << Note(NoteName.UNEXPECTED, "unknown_message")
    script >> echo("x1") << Note(NoteName.UNEXPECTED, "foreign_mark")
    script >> key("E") << Note(NoteName.UNEXPECTED, "unknown_key")


def test_the_caller_hangs_up() -> None:
    """`stop` of the present stream ends the call; what was playing is written down first."""
    script = answering(talking(), ms=1000)
    script.pass_over(0.6)
    script >> stop() << facts.AgentSaid("i1", "desk", "One two three four", "One two", 1000, 600)
    script << facts.CallEnded(Outcome.CALLER_ENDED, "stop")
    script << EndCall(Outcome.CALLER_ENDED, "stop")
    script >> media("abcd")
    script >> stop()


def test_a_lost_stream_comes_back() -> None:
    """The session stays; the new stream gets what was not heard, from where the caller was."""
    script = answering(talking(), ms=400)
    script >> delta("r1", "i1", audio(400)) << sent(audio(400)) << marked("m1")
    script.pass_over(0.5)
    script >> StreamLost("reset") << facts.StreamLost(SID, "reset")
    script << facts.AgentHeard("i1", "desk", "One two three four", 800, 500)
    assert script.call.line is Line.LOST
    script >> delta("r1", "i1", audio(80))
    script >> item_done("r1", "i1")
    script >> done("r1")
    script >> media("abcd")
    script.wait(1.25)
    script >> StreamStarted(NEXT_SID) << facts.StreamOpened(NEXT_SID)
    script << facts.CallResumed("reset", 1250) << Note(NoteName.GAP, "", 1.25)
    script << sent(audio(400)[800 // 3 * 4 :], sid=NEXT_SID) << sent(audio(80), sid=NEXT_SID)
    script << marked("m2", sid=NEXT_SID)
    script >> echo("m1")
    script.wait(0.4)
    script >> echo("m2", sid=NEXT_SID)
    script << facts.AgentSaid("i1", "desk", "One two three four", "One two three four", 880, 880)
    script >> media("abcd", sid=NEXT_SID) << client.AppendAudio("abcd")


def test_a_replay_is_marked_every_half_second() -> None:
    """Long audio that is replayed is accounted for as audio sent at first."""
    script = talking()
    script.see(created("r1"), *(delta("r1", "i1", audio(300)) for _ in range(4)), StreamLost("x"))
    (
        script
        >> StreamStarted(NEXT_SID)
        << facts.StreamOpened
        << facts.CallResumed
        << sent(audio(300), sid=NEXT_SID)
        << sent(audio(300), sid=NEXT_SID)
        << marked("m3", sid=NEXT_SID)
        << sent(audio(300), sid=NEXT_SID)
        << sent(audio(300), sid=NEXT_SID)
        << marked("m4", sid=NEXT_SID)
    )


def test_all_was_heard_when_the_stream_broke() -> None:
    """Nothing is replayed, and the item is written down as heard."""
    script = answering(talking(), ms=200)
    script.see(item_done("r1", "i1"), done("r1"))
    script.pass_over(1.0)
    script.see(StreamLost("reset"))
    (
        script
        >> StreamStarted(NEXT_SID)
        << facts.StreamOpened
        << facts.CallResumed
        << facts.AgentSaid("i1", "desk", "One two three four", "One two three four", 200, 200)
    )


def test_what_was_not_kept_is_told_to_the_model() -> None:
    """Of a long answer twelve seconds are kept: the model learns where each item ends now."""
    script = talking()
    script.see(created("r1"))
    script.see(*(delta("r1", "i1", audio(1000)) for _ in range(14)))
    script.see(words("r1", "i1", "a b"), item_done("r1", "i1"))
    script.see(delta("r1", "i2", audio(500)), words("r1", "i2", "c"), StreamLost("reset"))
    script >> StreamStarted(NEXT_SID) << facts.StreamOpened << facts.CallResumed
    for number in range(12):
        script << sent(audio(1000), sid=NEXT_SID) << marked(f"m{16 + number}", sid=NEXT_SID)
    script << client.CancelResponse("r1")
    script << client.TruncateItem("i1", 0, 12_000) << client.DeleteItem("i2")
    script << facts.AgentSaid("i2", "desk", "c", "", 500, 0)
    script >> delta("r1", "i2", audio(500))
    script >> done("r1", "cancelled", items=["i1", "i2"])
    script << client.CreateResponse(
        client.ResponseOptions(wording.for_one_response("You are desk.", wording.GO_ON)),
        "response_1",
    )
    script.wait(12.0)
    (
        script
        >> echo("m27", sid=NEXT_SID)
        << facts.AgentSaid("i1", "desk", "a b", "a", 14_000, 12_000)
    )


def test_what_a_closing_lost_is_not_said_again() -> None:
    """In a closing nothing more is asked of the model when a stream came back."""
    desk = agent(tools=BUILT_INS, transfer_numbers={"x": "+15550100001"})
    script = talking(plan(desk))
    script.see(created("r1"), *(delta("r1", "i1", audio(1000)) for _ in range(14)))
    script.see(calls("r1", "c1", "transfer_call", '{"target": "x"}'), item_done("r1", "i1"))
    script.see(done("r1"), StreamLost("reset"), StreamStarted(NEXT_SID))
    assert script.call.phase is Phase.CLOSING
    script.wait(12.0)
    script >> echo("m26", sid=NEXT_SID) << facts.AgentSaid << facts.TransferOrdered
    script << facts.CallEnded << EndCall(Outcome.TRANSFERRED, "x")


def test_no_stream_comes_back() -> None:
    """After its wait the call has failed."""
    script = talking()
    script.see(StreamLost("reset"))
    script.wait(9.99)
    script.wait(0.01) << facts.CallEnded(Outcome.FAILED, "stream_lost")
    script << EndCall(Outcome.FAILED, "stream_lost")


def test_a_stream_takes_the_place_of_one_that_looks_open() -> None:
    """The newest `start` wins: the old stream counts as lost at that moment."""
    script = talking()
    script >> StreamStarted(NEXT_SID) << facts.StreamLost(SID, "replaced")
    script << facts.StreamOpened(NEXT_SID) << facts.CallResumed("replaced", 0)
    script >> media("abcd", sid=SID)
    script >> media("abcd", sid=NEXT_SID) << client.AppendAudio("abcd")


def test_the_same_stream_again_is_noted() -> None:
    """A doubled start does not break the stream that it names."""
    script = talking()
    script >> StreamStarted(SID) << Note(NoteName.UNEXPECTED, "same_stream")


def test_a_stream_is_lost_only_once() -> None:
    """A loss without a stream is noted."""
    script = talking()
    script.see(StreamLost("reset"))
    script >> StreamLost("reset") << Note(NoteName.UNEXPECTED, "stream_lost")


def test_a_webhook_obeyed_twice_stops_a_stream_and_starts_another() -> None:
    """Its `stop` is not the caller's end: the session waits, and the second stream goes on."""
    script = answering(talking(), ms=400)
    script >> StreamPromised()
    script.pass_over(0.1)
    script >> stop() << facts.AgentHeard("i1", "desk", "One two three four", 400, 100)
    script >> StreamLost("closed")
    script.wait(1.9)
    script >> StreamStarted(NEXT_SID) << facts.StreamLost(SID, "stop")
    script << facts.StreamOpened(NEXT_SID)
    script << facts.CallResumed("stop", 1900) << sent(audio(400)[800 // 3 * 4 :], sid=NEXT_SID)
    script << marked("m1", sid=NEXT_SID)
    script >> stop(sid=NEXT_SID) << facts.AgentSaid
    script << facts.CallEnded(Outcome.CALLER_ENDED, "stop") << EndCall


def test_a_stop_that_no_second_stream_follows() -> None:
    """The caller hung up after all; it is known two seconds later."""
    script = talking()
    script.see(StreamPromised(), stop())
    script.wait(1.99)
    script.wait(0.01) << facts.CallEnded(Outcome.CALLER_ENDED, "stop") << EndCall


def test_a_stop_that_the_carrier_confirms() -> None:
    """Its status callback says that the call is over: nobody waits any longer."""
    script = talking()
    script.see(StreamPromised(), stop())
    script >> CallerHungUp("completed") << facts.CallEnded(Outcome.CALLER_ENDED, "stop") << EndCall


def test_a_promise_is_no_better_than_its_ticket() -> None:
    """Once no second stream can start any more, `stop` is the end."""
    script = talking()
    script.see(StreamPromised())
    script.pass_over(PROMISE_S)
    script >> stop() << facts.CallEnded(Outcome.CALLER_ENDED, "stop") << EndCall


def test_the_stream_is_lost_while_the_session_opens() -> None:
    """The session goes on opening, and the greeting waits for the next stream."""
    script = Script(Call(plan(agent(greeting="Hello."))))
    script.see(StreamStarted(SID), media("abcd"), StreamLost("reset"), ModelOpened("new", "m", 5))
    script >> server.SessionUpdated(VIEW) << client.CreateResponse
    script >> created("r1")
    script >> delta("r1", "i1", audio(100))
    script >> StreamStarted(NEXT_SID) << facts.StreamOpened << facts.CallResumed
    script << sent(audio(100), sid=NEXT_SID) << marked("m1", sid=NEXT_SID)


def test_keys_become_one_message() -> None:
    """Keys pressed within two seconds of each other are told together, and answered."""
    script = talking()
    script >> key("1")
    script.wait(1.9)
    script >> key("#")
    script.wait(1.9)
    script.wait(0.1) << facts.DigitsPressed("1#") << keys_item("[keys pressed: 1 #]")
    script << client.CreateResponse(event_id="response_1")


def test_a_key_breaks_in_like_speech() -> None:
    """Audio stops, the response is cancelled by us, for no voice detection does it for a key."""
    script = answering(talking(), ms=1000)
    script.pass_over(0.5)
    script >> key("5") << twilio.SendClear(SID) << client.CancelResponse("r1")
    script << client.TruncateItem("i1", 0, 500) << facts.BargedIn("i1", 500, 500)
    script << facts.AgentSaid << Note(NoteName.BARGE_IN, "keys", 500.0)
    script >> key("6")
    script >> done("r1", "cancelled")
    script.wait(2.0) << facts.DigitsPressed("56") << client.CreateItem << client.CreateResponse


def test_many_keys_are_told_at_once() -> None:
    """More keys than one message holds begin another."""
    script = talking()
    script.see(*(key("1") for _ in range(DIGITS_MAX - 1)))
    script >> key("2") << facts.DigitsPressed << client.CreateItem << client.CreateResponse


def test_keys_before_the_model_is_ready_wait_for_it() -> None:
    """No more are kept than one message holds."""
    script = Script(Call(plan()))
    script.see(StreamStarted(SID), *(key("1") for _ in range(DIGITS_MAX + 5)))
    script.wait(2.5)
    script.see(ModelOpened("new", "m", 5))
    script >> server.SessionUpdated(VIEW) << facts.DigitsPressed("1" * DIGITS_MAX)
    script << client.CreateItem << client.CreateResponse


def test_keys_that_are_still_being_pressed_when_the_model_gets_ready() -> None:
    """They are told when the caller has pressed the last."""
    script = Script(Call(plan()))
    script.see(
        StreamStarted(SID), key("1"), ModelOpened("new", "m", 5), server.SessionUpdated(VIEW)
    )
    script.wait(2.0) << facts.DigitsPressed("1") << client.CreateItem << client.CreateResponse


def test_keys_pressed_at_the_very_end_are_written_down() -> None:
    """Nothing that the caller pressed is missing from the record."""
    script = talking()
    script.see(key("1"))
    script >> stop() << facts.DigitsPressed("1") << facts.CallEnded << EndCall


def test_keys_while_the_call_closes_for_good() -> None:
    """They are written down and told to nobody."""
    script = talking(plan(limits=Limits(call_s_max=5.0)))
    script.pass_over(5.0)
    script.see(created("r1"))
    script >> key("1")
    script.wait(2.0) << facts.DigitsPressed("1")
    script >> speaks()
    script >> media("abcd")
