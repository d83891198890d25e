"""Whole conversations over real sockets, each seen from the caller, the log and the model.

All calls are made once, at the same time, in one scene; each test tells one of them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

import pytest
import uvloop

from acceptance.played import Played, Role, counted, play
from acceptance.scene import KEY, assert_clean, scene
from trunkline.adapters.embedded.stores import EmbeddedStores
from trunkline.call import wording
from trunkline.core.facts import (
    AgentSaid,
    BargedIn,
    CallEnded,
    CallerSaid,
    DeadAir,
    DigitsPressed,
    DigitsSent,
    FallbackPlayed,
    HandedOff,
    SessionLost,
    SessionOpened,
    ToolCalled,
    ToolFinished,
    TransferOrdered,
)
from trunkline.sim.caller import HangUp, Interrupt, Listen, Pause, Press, Say, WaitForHangUp
from trunkline.sim.realtime.brain import STORY, Ask, Reply
from trunkline.sim.realtime.brain import Say as Speak
from trunkline.sim.realtime.faults import Fault
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.realtime.script import Rule, ScriptedBrain, ScriptedCall
from trunkline.sim.serve_realtime import RealtimeSimulator
from trunkline.sim.speech import recorded, words_of
from trunkline.wire import g711, wav
from trunkline.wire.realtime.items import InputText, Item, Message, OutputText

CLINIC, SHOP, IDLE, BRIEF = (f"+1555010000{last}" for last in (1, 2, 3, 4))
(
    REFUSED, SILENT, DROPPED, EXPIRED, HUNG, UNWRITTEN, CUT, STUMBLING, FAILING,
) = (f"+1555010001{last}" for last in range(1, 10))  # fmt: skip

POLL_S: Final = 0.02

FILLER: Final = recorded().clips["one moment please"]

SCRIPT: Final = wav.decode(
    (files("trunkline.pod") / "voice" / "en-fallback.wav").read_bytes()
).audio

HEAR: Final = Listen(until_silence_ms=300)
"""Long enough for a pause between words, short enough to keep the file short."""

ROLES: Final = {
    "whole": Role(
        CLINIC,
        (
            HEAR,
            Say("i need an appointment"),
            HEAR,
            Say("tell me everything"),
            Interrupt(1500, "stop please"),
            HEAR,
            Say("i need help with billing"),
            HEAR,
            Say("what are your prices"),
            HEAR,
            Say("thank you goodbye"),
            WaitForHangUp(),
        ),
    ),
    "slow": Role(SHOP, (HEAR, Say("is it in stock"), Listen(until_silence_ms=1000), HangUp())),
    "parallel": Role(SHOP, (HEAR, Say("the order and the account"), HEAR, HangUp())),
    "broken": Role(
        SHOP, (HEAR, Say("cancel my order"), HEAR, Say("this is caller four"), HEAR, HangUp())
    ),
    "goodbye": Role(SHOP, (HEAR, Say("goodbye"), WaitForHangUp())),
    "goodbye taken back": Role(
        SHOP,
        (
            HEAR,
            Say("goodbye"),
            Interrupt(200, "wait please"),
            HEAR,
            Say("goodbye"),
            WaitForHangUp(),
        ),
    ),
    "transfer": Role(CLINIC, (HEAR, Say("transfer me to the doctor"), WaitForHangUp())),
    "tones": Role(SHOP, (HEAR, Say("the number is four two"), HEAR, HangUp())),
    "keys": Role(SHOP, (HEAR, Press("42#"), Pause(3500), HangUp())),
    "keys into a reply": Role(
        SHOP, (HEAR, Say("tell me a story"), Listen(max_ms=2500), Press("7"), Pause(3500), HangUp())
    ),
    "idle": Role(IDLE, (Listen(), WaitForHangUp())),
    "longest": Role(BRIEF, (Listen(), WaitForHangUp())),
    "hung up on": Role(SHOP, (HEAR, Say("tell me a story"), Pause(1500), HangUp())),
    "refused": Role(REFUSED, (WaitForHangUp(),)),
    "silent": Role(SILENT, (WaitForHangUp(),)),
    "dropped": Role(
        DROPPED, (HEAR, Say("tell me a story"), HEAR, Say("this is caller three"), HEAR, HangUp())
    ),
    "expired": Role(
        EXPIRED, (HEAR, Say("tell me a story"), HEAR, Say("this is caller two"), HEAR, HangUp())
    ),
    "hung": Role(HUNG, (Pause(2200), Say("this is caller nine"), HEAR, HangUp())),
    "unwritten": Role(
        UNWRITTEN,
        (HEAR, Say("hello"), HEAR, Say("yes"), HEAR, Say("this is caller six"), HEAR, HangUp()),
    ),
    "cut": Role(
        CUT,
        (
            HEAR,
            Say("what are your prices"),
            Listen(max_ms=1500),
            Say("what are your prices"),
            HEAR,
            HangUp(),
        ),
    ),
    "stumbling": Role(STUMBLING, (HEAR, HangUp())),
    "failing": Role(FAILING, (WaitForHangUp(),)),
}

FAULTS: Final[Mapping[str, tuple[Fault, ...]]] = {
    "refused": (Fault("handshake", "429"),),
    "silent": (Fault("stall", "0"),),
    "dropped": (),
    "expired": (),
    "hung": (Fault("stall_response", times=1),),
    "unwritten": (
        Fault("transcription_missing", times=1),
        Fault("transcription_failed", times=1),
    ),
    "cut": (Fault("cut_arguments", times=1),),
    "stumbling": (Fault("fail_response", "server_error", times=1),),
    "failing": (Fault("fail_response", "server_error"),),
}

QUICK: Final = RealtimeSimOptions(keys=(KEY,), think_ms=100, transcription_delay_ms=150)


class Model:
    """The demo's brain with a few rules more; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        both = [ScriptedCall("meet_one"), ScriptedCall("meet_other")]
        rules = [
            Rule(hears="the order and the account", calls=both),
            Rule(output_of="meet_one", says=["done"]),
            Rule(output_of="meet_other", says=["done"]),
        ]
        self._otherwise = ScriptedBrain(rules, recorded())

    def answer(self, ask: Ask) -> Reply:
        """What the orders of the machine ask for, else by the rules."""
        self.asks.append(ask)
        if wording.ASK_IF_THERE in ask.asked:
            return (Speak("are you still there"),)
        if wording.TIME_IS_UP in ask.asked:
            return (Speak("goodbye"),)
        return self._otherwise.answer(ask)


BRAIN: Final = Model()


@dataclass(frozen=True)
class Evening:
    """Every call of this file, over and logged, and what the pod counted."""

    calls: Mapping[str, Played]
    metrics: str
    failing: Sequence[SessionRecord]
    """Sessions of the model whose responses fail: they say nothing a call could be known by."""

    def count(self, name: str, **labels: str) -> float:
        """A metric's sum over all series with these labels."""
        return counted(self.metrics, name, **labels)


@pytest.fixture(scope="module")
def evening(stores: EmbeddedStores) -> Evening:
    """All calls at once."""
    return uvloop.run(_play(stores))


async def _play(stores: EmbeddedStores) -> Evening:
    async with scene(
        stores.redis_url,
        stores.database_url,
        config=Path(__file__).with_name("conversations.yaml").read_text(),
        model=QUICK,
        brain=BRAIN,
        more_models={name: replace(QUICK, faults=faults) for name, faults in FAULTS.items()},
        environ={"TRUNKLINE_POOL_SIZE": "2", "TRUNKLINE_POD_NAME": "evening"},
        seed=22,  # Its own: these stores are not emptied, and hold other tests' calls.
    ) as here:
        async with asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(play(here, ROLES))
            tasks.create_task(_break(here.more_models["dropped"], "reset"))
            tasks.create_task(_break(here.more_models["expired"], "expire"))
        await assert_clean(here)
        metrics = await here.get("/metrics")
    return Evening(playing.result(), metrics, here.more_models["failing"].records)


async def _break(model: RealtimeSimulator, how: Literal["reset", "expire"]) -> None:
    """Break the session that is in the middle of its second answer, the question written down."""
    while not (names := [one.name for one in model.records if half_said(one)]):  # noqa: ASYNC110 - the far end tells nobody
        await asyncio.sleep(POLL_S)
    if how == "reset":
        model.reset(names[0])
    else:
        model.expire(names[0])


def half_said(session: SessionRecord) -> bool:
    """Whether its second answer is half out."""
    return len(session.said) > 1 and session.said[1].audio_ms > 3000


def test_a_whole_call(evening: Evening) -> None:
    """A barge-in, a handoff, a tool before and after it, a goodbye: the rows say it all."""
    call = evening.calls["whole"]
    call.agrees()
    assert call.ended == ("agent_ended", "end_call")
    assert call.kinds == [
        "call_received",
        "stream_opened",
        "session_opened",
        "agent_said",  # The greeting.
        "caller_said",
        "tool_called",
        "tool_finished",
        "agent_said",
        "caller_said",
        "barged_in",
        "agent_said",
        "caller_said",
        "agent_said",
        "caller_said",
        "tool_called",
        "handed_off",
        "tool_finished",
        "agent_said",  # The new agent's greeting.
        "caller_said",
        "tool_called",
        "tool_finished",
        "agent_said",
        "caller_said",
        "tool_called",
        "tool_finished",
        "end_ordered",
        "agent_said",  # The goodbye.
        "call_ended",
    ]
    assert [fact.name for fact in call.of(ToolCalled)] == [
        "find_appointments", "handoff", "find_prices", "end_call",
    ]  # fmt: skip
    assert [(fact.agent, fact.heard_text) for fact in call.of(AgentSaid)] == [
        ("reception", "good morning how can i help you"),
        ("reception", "i found an appointment tomorrow"),
        ("reception", call.of(AgentSaid)[2].heard_text),  # Of this one see the next test.
        ("reception", "i heard stop please"),
        ("billing", "hello this is billing"),
        ("billing", "the price is ninety dollars"),
        ("billing", "thank you goodbye"),
    ]
    end = call.of(CallEnded)[0]
    assert end.turns == len(call.of(CallerSaid)) == 6
    assert min(end.input_tokens, end.output_tokens) > 0


def test_where_the_caller_broke_in(evening: Evening) -> None:
    """The model, the log and the caller's ear name the same place; what followed was dropped."""
    call = evening.calls["whole"]
    (barged,) = call.of(BargedIn)
    cut = next(fact for fact in call.of(AgentSaid) if fact.item_id == barged.item_id)
    (truncated,) = [item for item in call.model.said if item.heard_ms is not None]
    assert (truncated.item_id, truncated.heard_ms) == (cut.item_id, cut.heard_ms)
    assert barged.heard_ms == cut.heard_ms
    assert barged.unplayed_ms == cut.audio_ms - cut.heard_ms > 0
    assert call.model.events["TruncateItem"] == 1
    assert cut.heard_text
    assert cut.text.startswith(cut.heard_text + " ")
    assert STORY.startswith(cut.text)
    heard = [words for who, words in call.report.transcript if who == "agent"]
    assert words_of(heard[2]).startswith(cut.heard_text)
    (stream,) = call.report.streams
    assert stream.clears == 1
    assert stream.bytes_cleared > 0


def test_a_handoff_goes_on_in_the_same_session(evening: Evening) -> None:
    """The new agent has its instructions and tools; its voice is not sent: it can't change."""
    call = evening.calls["whole"]
    assert call.of(HandedOff) == [HandedOff("reception", "billing")]
    assert call.model.events["SessionUpdate"] == 2
    assert not call.model.errors  # `cannot_update_voice` would be one.
    told = [ask for ask in BRAIN.asks if ask.instructions == "You answer questions about bills."]
    assert {tool.name for tool in told[0].tools} == {"find_prices", "end_call"}


def test_a_slow_tool_is_bridged(evening: Evening) -> None:
    """The caller hears a filler, which the model knows nothing of; then the answer."""
    call = evening.calls["slow"]
    call.agrees(ours=[FILLER])
    assert call.report.transcript[-1] == ("agent", "one moment please it is in stock")
    assert [fact.text for fact in call.of(AgentSaid)] == [
        "thank you for calling sales",
        "it is in stock",
    ]
    assert not call.model.events.keys() & {"TruncateItem", "DeleteItem"}
    silences = sum(len(other.of(DeadAir)) for other in evening.calls.values())
    assert evening.count("fillers_total") == 1 + silences


def test_tools_run_side_by_side(evening: Evening) -> None:
    """Two tools of one response that wait for each other both return; one answer follows."""
    call = evening.calls["parallel"]
    call.agrees()
    assert call.kinds[5:-1] == [
        "tool_called", "tool_called", "tool_finished", "tool_finished", "agent_said",
    ]  # fmt: skip
    assert [(fact.ok, fact.output) for fact in call.of(ToolFinished)] == [(True, "met")] * 2
    assert call.report.transcript[-1] == ("agent", "done")


def test_a_tool_fails(evening: Evening) -> None:
    """The model is told so in words of ours, and the call goes on."""
    call = evening.calls["broken"]
    call.agrees()
    (finished,) = call.of(ToolFinished)
    assert (finished.ok, finished.output) == (False, "error: the tool failed (RuntimeError)")
    assert [words for _, words in call.report.transcript][2:] == [
        "sorry nothing found",
        "this is caller four",
        "i heard this is caller four",
    ]
    assert call.ended == ("caller_ended", "stop")


def test_a_goodbye_is_heard_to_its_end(evening: Evening) -> None:
    """The agent hangs up when the last byte of its goodbye was played, not when it was sent."""
    call = evening.calls["goodbye"]
    call.agrees()
    assert call.ended == ("agent_ended", "end_call")
    assert call.report.ended_by == "agent"
    assert call.report.transcript[-1] == ("agent", "thank you goodbye")
    last_at = call.report.turns[-1].last_at
    assert last_at is not None
    assert call.report.ended_at >= last_at
    assert call.report.streams[0].bytes_dropped == 0


def test_a_goodbye_is_taken_back(evening: Evening) -> None:
    """The caller speaks into it: the call goes on, and ends with the next one."""
    call = evening.calls["goodbye taken back"]
    call.agrees()
    assert call.ended == ("agent_ended", "end_call")
    goodbyes = [fact for fact in call.of(AgentSaid) if fact.text == "thank you goodbye"]
    assert [fact.heard_ms == fact.audio_ms for fact in goodbyes] == [False, True]
    assert call.report.transcript[4] == ("agent", "i heard wait please")


def test_a_call_is_put_through(evening: Evening) -> None:
    """When the announcement was heard, the carrier dials the number of the one who was named."""
    call = evening.calls["transfer"]
    call.agrees()
    assert call.ended == ("transferred", "doctor")
    assert call.of(TransferOrdered) == [TransferOrdered("doctor", "+15550100020")]
    assert call.report.dialled == ("+15550100020",)
    assert call.report.transcript[-1] == ("agent", "i am connecting you")
    assert call.report.streams[0].bytes_dropped == 0


def test_tones_are_played(evening: Evening) -> None:
    """`send_digits` presses keys on the line: the other end hears exactly these tones."""
    call = evening.calls["tones"]
    call.agrees(ours=[g711.dtmf("42")])
    assert call.of(DigitsSent) == [DigitsSent("42")]
    assert call.report.transcript[-1][1].endswith("done")


@pytest.mark.parametrize(("name", "keys"), [("keys", "42#"), ("keys into a reply", "7")])
def test_keys_reach_the_model(evening: Evening, name: str, keys: str) -> None:
    """Keys pressed in a row are one message to the model and one fact; the model answers."""
    call = evening.calls[name]
    call.agrees()
    assert call.of(DigitsPressed) == [DigitsPressed(keys)]
    assert [ask.why for ask in BRAIN.asks if ask.heard == wording.keys_pressed(keys)] == ["asked"]
    assert call.said("sorry i did not understand").heard_ms > 0


def test_a_key_breaks_in(evening: Evening) -> None:
    """As speech does: silence at once, and the model learns what was heard."""
    call = evening.calls["keys into a reply"]
    (barged,) = call.of(BargedIn)
    (truncated,) = [item for item in call.model.said if item.heard_ms is not None]
    assert (truncated.item_id, truncated.heard_ms) == (barged.item_id, barged.heard_ms)
    assert call.report.streams[0].clears == 1


def test_a_caller_says_nothing(evening: Evening) -> None:
    """They are asked once whether they are there; the next silence ends the call."""
    call = evening.calls["idle"]
    call.agrees()
    assert call.ended == ("timed_out", "idle")
    assert [fact.heard_text for fact in call.of(AgentSaid)] == ["hello", "are you still there"]
    assert call.report.ended_by == "agent"


def test_a_call_is_too_long(evening: Evening) -> None:
    """At its limit the agent says goodbye, which is heard, and the call ends."""
    call = evening.calls["longest"]
    call.agrees()
    assert call.ended == ("timed_out", "call_s_max")
    assert call.said("goodbye").heard_text == "goodbye"
    assert call.report.ended_at - call.report.began_at >= 10
    assert call.report.ended_by == "agent"


def test_a_caller_hangs_up_on_a_reply(evening: Evening) -> None:
    """The log has what they heard of it; there is nobody to tell the model for."""
    call = evening.calls["hung up on"]
    call.agrees()
    assert call.ended == ("caller_ended", "stop")
    cut = call.of(AgentSaid)[-1]
    assert 0 < cut.heard_ms < cut.audio_ms
    assert "truncate" not in " ".join(call.model.events).lower()


def test_the_model_refuses(evening: Evening) -> None:
    """No session could be had (429): the fallback script, then the number's overflow action."""
    call = evening.calls["refused"]
    call.agrees(ours=[SCRIPT])
    assert not call.sessions
    (played,) = call.of(FallbackPlayed)
    assert played.cause in {"rate_limited", "breaker_open"}
    assert call.ended == ("failed", "model_away")
    assert call.report.transcript[-1] == ("carrier", "All our lines are busy.")
    assert evening.count("realtime_failures_total", reason="rate_limited") > 0


def test_the_model_takes_no_settings(evening: Evening) -> None:
    """Sessions that open and answer nothing: a filler, the script, the overflow action."""
    call = evening.calls["silent"]
    call.agrees(ours=[FILLER, SCRIPT])
    assert not call.sessions
    assert {fact.reason for fact in call.of(SessionLost)} == {"timeout"}
    assert len(call.of(SessionOpened)) > 1
    assert [fact.cause for fact in call.of(DeadAir)] == ["answer"]
    assert call.ended == ("failed", "model_away")
    assert call.report.transcript[-1] == ("carrier", "Please leave a message.")


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("dropped", "closed", "this is caller three"),
        ("expired", "session_expired", "this is caller two"),
    ],
)
def test_the_model_is_lost(evening: Evening, name: str, reason: str, words: str) -> None:
    """A session breaks in mid-word: the next one knows what was said, goes on, and listens."""
    call = evening.calls[name]
    call.agrees()
    assert call.of(SessionLost) == [SessionLost(reason)]
    assert not call.of(FallbackPlayed)
    first, second = call.sessions
    assert [turn.text for turn in first.heard] == ["tell me a story"]
    assert [turn.text for turn in second.heard] == [words]
    assert call.report.transcript[-1] == ("agent", f"i heard {words}")
    assert call.ended == ("caller_ended", "stop")
    told = [ask for ask in BRAIN.asks if wording.GO_ON_AFTER_LOSS in ask.asked]
    assert any(
        texts(ask.items)[:2] == ["thank you for calling sales", "tell me a story"] for ask in told
    )


def texts(items: Sequence[Item]) -> list[str]:
    """The words of text that a session was told or has said."""
    return [
        content.text
        for item in items
        if isinstance(item, Message)
        for content in item.content
        if isinstance(content, InputText | OutputText)
    ]


def test_a_response_hangs(evening: Evening) -> None:
    """It stops half-way and says nothing more: the caller's next words cut it, and are answered."""
    call = evening.calls["hung"]
    call.agrees()
    greeting = call.of(AgentSaid)[0]
    (barged,) = call.of(BargedIn)
    assert (barged.item_id, barged.unplayed_ms) == (greeting.item_id, 0)
    assert call.model.said[0].heard_ms == greeting.heard_ms == greeting.audio_ms
    assert call.report.transcript[-1] == ("agent", "i heard this is caller nine")


def test_words_that_could_not_be_written_down(evening: Evening) -> None:
    """A transcription that never comes, one that fails, one that comes: all are answered."""
    call = evening.calls["unwritten"]
    call.agrees()
    assert [fact.text for fact in call.of(CallerSaid)] == ["", "this is caller six"]
    assert [fact.text for fact in call.of(AgentSaid)][1:] == [
        "i heard hello",
        "i heard yes",
        "i heard this is caller six",
    ]
    assert call.of(CallEnded)[0].turns == 3


def test_arguments_that_were_cut_off(evening: Evening) -> None:
    """Half a function call is never run, and the model is told; the whole one that follows is."""
    call = evening.calls["cut"]
    call.agrees()
    cut, whole = call.of(ToolFinished)
    assert (cut.ok, cut.output) == (False, wording.CUT_OFF)
    assert whole.ok
    assert call.model.calls[0] == ("find_prices", "{")
    assert len(call.model.outputs) == 2
    assert call.report.transcript[-1] == ("agent", "the price is ninety dollars")


def test_a_response_fails_once(evening: Evening) -> None:
    """It is asked for again, and the caller hears it."""
    call = evening.calls["stumbling"]
    call.agrees()
    assert call.model.responses == {"failed": 1, "completed": 1}
    assert call.report.transcript == (("agent", "thank you for calling sales"),)


def test_responses_fail_for_ever(evening: Evening) -> None:
    """It is asked for again and again while the caller hears the script and fillers; then the
    overflow action follows.
    """
    call = evening.calls["failing"]
    call.is_whole()
    assert len(call.of(FallbackPlayed)) == 1
    assert call.ended == ("failed", "model_away")
    assert call.report.ended_by == "agent"
    (session,) = [one for one in evening.failing if one.responses]
    assert session.responses["failed"] >= 5
    assert set(session.responses) == {"failed"}


def test_nothing_was_dropped_on_the_way(evening: Evening) -> None:
    """Over the whole evening the pod refused no message and dropped no frame, but for callers whom
    no model was there to hear for more than three seconds.
    """
    assert evening.count("audio_dropped_frames_total", side="caller") == 0
    assert evening.count("audio_dropped_frames_total", side="model") > 0
    assert evening.count("carrier_messages_refused_total") == 0
    assert evening.count("model_messages_refused_total") == 0
    assert evening.count("streams_refused_total") == 0
    assert evening.count("webhooks_refused_total") == 0
    assert evening.count("streams_total") == len(ROLES)
    assert evening.count("calls_total") == len(ROLES)
    for call in evening.calls.values():
        assert all(session.closed_at is not None for session in call.sessions)
