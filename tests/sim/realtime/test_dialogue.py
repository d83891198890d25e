"""The check list of a Realtime simulator (reference, section 16), lines 3 to 8 and 10."""

import base64

import pytest
from msgspec import UNSET, Raw

from sim.model_client import ModelClient, connected, spoken, telephony
from trunkline.sim.realtime.brain import STORY
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.speech import SILENCE, recorded, words_of
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.client import CreateResponse
from trunkline.wire.realtime.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputText,
    Message,
    OutputAudio,
    OutputText,
)
from trunkline.wire.realtime.session import (
    Audio,
    AudioInput,
    AudioOutput,
    EffectiveSession,
    FunctionTool,
    Pcm,
    Pcmu,
    SemanticVad,
    ServerVad,
    Session,
)

SPEECH = recorded()


def tool(name: str) -> FunctionTool:
    return FunctionTool(name, f"{name} does.", Raw(b'{"type": "object", "properties": {}}'))


def input_update(**fields: object) -> client.SessionUpdate:
    return client.SessionUpdate(Session(audio=Audio(AudioInput(**fields))))  # type: ignore[arg-type]


def append(audio: bytes) -> client.AppendAudio:
    return client.AppendAudio(base64.b64encode(audio).decode())


# --- 3: session.update


def test_an_update_is_answered_with_the_whole_session() -> None:
    """What was set, and the defaults of what was not."""
    line = ModelClient()
    line.send(client.SessionUpdate(Session(instructions="be brief"), event_id="u1"))
    session = line.of(server.SessionUpdated)[0].session
    assert isinstance(session, EffectiveSession)
    assert session.instructions == "be brief"
    assert session.audio.input.format == Pcm()
    assert session.audio.input.turn_detection == ServerVad(0.5, 300, 500, True, True, None)
    line.send(telephony())
    session = line.of(server.SessionUpdated)[1].session
    assert isinstance(session, EffectiveSession)
    assert session.instructions == "be brief"
    assert (session.audio.input.format, session.audio.output.format) == (Pcmu(), Pcmu())
    assert line.record.updates == 2


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        (
            '{"type":"realtime","temperature":0.8,"instructions":"x"}',
            "unknown_parameter",
            "session.temperature",
        ),
        (
            '{"type":"realtime","instructions":"x","audio":{"input":{"sound":1}}}',
            "unknown_parameter",
            "session.audio.input.sound",
        ),
        (
            (
                '{"type":"realtime","instructions":"x","audio":{"input":{"format":'
                '{"type":"audio/pcmu","rate":8000}}}}'
            ),
            "unknown_parameter",
            "session.audio.input.format.rate",
        ),
        ('{"instructions":"x"}', "missing_required_parameter", "session.type"),
        (
            '{"type":"realtime","instructions":"x","model":"gpt-realtime"}',
            "invalid_value",
            "session.model",
        ),
        (
            '{"type":"realtime","instructions":"x","audio":{"output":{"voice":"nobody"}}}',
            "invalid_value",
            "session.audio.output.voice",
        ),
        (
            (
                '{"type":"realtime","instructions":"x","audio":{"output":{"format":'
                '{"type":"audio/pcma"}}}}'
            ),
            "invalid_value",
            "session.audio.output.format",
        ),
        (
            '{"type":"realtime","instructions":"x","tracing":"auto"}',
            "unknown_parameter",
            "session.tracing",
        ),
    ],
)
def test_one_wrong_field_refuses_the_whole_update(session: str, code: str, param: str) -> None:
    """An error that names it, counted; the session keeps its old settings."""
    line = connected()
    before = line.server.dialogue.session
    line.send('{"type":"session.update","event_id":"u2","session":' + session + "}")
    error = line.of(server.Error)[0].error
    assert (error.code, error.event_id) == (code, "u2")
    assert str(error.param).startswith(param)
    assert line.server.dialogue.session == before
    assert line.record.errors == {code: 1}
    assert len(line.of(server.SessionUpdated)) == 1


def test_the_voice_is_frozen_once_audio_was_sent() -> None:
    """Before the first audio it can be changed."""
    line = connected()
    ash = client.SessionUpdate(Session(audio=Audio(output=AudioOutput(voice="ash"))))
    line.send(ash)
    line.send(CreateResponse())
    line.answer()
    line.send(client.SessionUpdate(Session(audio=Audio(output=AudioOutput(voice="sage")))))
    assert line.errors() == ["cannot_update_voice"]
    assert line.server.dialogue.session.audio.output.voice == "ash"
    line.send(ash)
    assert line.errors() == ["cannot_update_voice"]


# --- 4: audio in


def test_a_turn_in_the_order_of_the_reference() -> None:
    """Section 7: 1 to 11, with the same item id in 1 to 4, and short ids throughout."""
    line = connected()
    line.say("this is caller four seven")
    line.answer()
    line.wait(1.0)
    kinds = [k for k in line.kinds() if k not in {"AudioDelta", "TranscriptDelta"}]
    for name in ("TranscriptionDelta", "TranscriptionCompleted"):
        kinds.remove(name)
    assert kinds == [
        *("SessionCreated", "SessionUpdated"),
        *("SpeechStarted", "SpeechStopped", "AudioCommitted", "ItemAdded", "ItemDone"),
        *("ResponseCreated", "RateLimitsUpdated", "OutputItemAdded", "ItemAdded"),
        *("ContentPartAdded", "AudioDone", "TranscriptDone", "ContentPartDone"),
        *("OutputItemDone", "ItemDone", "ResponseDone"),
    ]
    started, stopped = line.of(server.SpeechStarted)[0], line.of(server.SpeechStopped)[0]
    committed, added = line.of(server.AudioCommitted)[0], line.of(server.ItemAdded)
    assert started.item_id == stopped.item_id == committed.item_id == added[0].item.id
    assert added[1].previous_item_id == started.item_id
    assert len({event.event_id for event in line.events}) == len(line.events)
    assert spoken(line.of(server.ResponseDone)[0].response.output[0]) == (
        "i heard this is caller four seven"
    )
    assert SPEECH.hear(line.audio()) == "i heard this is caller four seven"


@pytest.mark.parametrize("piece_ms", [20, 100, 200])
def test_however_audio_is_grouped_the_same_is_heard(piece_ms: int) -> None:
    """Appends of 20 to 200 ms."""
    line = connected()
    line.say("what are your prices please", silence_ms=800, piece_ms=piece_ms)
    assert line.record.heard_text() == "what are your prices please"


def test_a_burst_is_heard_on_audio_time() -> None:
    """Two turns in one append: the second interrupts the answer to the first."""
    line = connected()
    gap = SILENCE * 40
    line.send(append(SPEECH.speak("hello") + gap + SPEECH.speak("wait") + gap))
    line.wait(30)
    assert [turn.text for turn in line.record.heard] == ["hello", "wait"]
    assert [e.response.status for e in line.of(server.ResponseDone)] == ["cancelled", "completed"]
    starts = [event.audio_start_ms for event in line.of(server.SpeechStarted)]
    assert starts[1] - starts[0] > 700


def test_lost_doubled_and_crossed_frames_stand_in_the_transcript() -> None:
    """The text is that of the audio, not that of a script."""
    clip = SPEECH.speak("this is caller seven")
    for spoiled in (clip[:1600] + clip[1760:], clip[:1600] + clip[1440:]):
        line = connected()
        line.hear(spoiled + SILENCE * 40)
        line.wait(1.0)
        text = line.of(server.TranscriptionCompleted)[0].transcript
        assert text != "this is caller seven"
        assert words_of(text) == "this is caller seven"


def test_audio_before_the_format_is_set_is_noise_and_counted() -> None:
    """The default is PCM at 24 kHz: whoever appends µ-law before the update is found out."""
    line = ModelClient()
    line.hear(SPEECH.speak("this is caller seven") + SILENCE * 300)
    assert line.record.format_mismatch > 50
    assert all(words_of(turn.text) == "" for turn in line.record.heard)
    line.send(input_update(format=Pcmu()))
    mismatch = line.record.format_mismatch
    line.wait(5.0)
    line.say("hello")
    assert line.record.heard[-1].text == "hello"
    assert line.record.format_mismatch == mismatch


def test_semantic_detection_is_simulated_by_silence() -> None:
    """With the same events."""
    line = connected(detection=SemanticVad("high"))
    line.say("hello", silence_ms=500)
    assert line.record.heard_text() == "hello"
    assert line.answer().response.status == "completed"


def test_without_detection_the_client_commits() -> None:
    """turn_detection null: no VAD event; a commit makes an item and no response."""
    line = connected()
    line.send(input_update(turn_detection=None))
    line.say("hello")
    assert line.of(server.SpeechStarted) == []
    line.send(client.CommitAudio())
    assert line.record.heard_text() == "hello"
    assert line.of(server.ResponseCreated) == []
    line.send(CreateResponse())
    assert spoken(line.answer().response.output[0]) == "i heard hello"


def test_an_empty_buffer_can_t_be_committed() -> None:
    """Check list, line 8; less than 100 ms is empty."""
    line = connected()
    line.send(client.CommitAudio())
    line.send(input_update(turn_detection=None))
    line.send(append(SILENCE * 4))
    line.send(client.CommitAudio())
    assert line.errors() == ["input_audio_buffer_commit_empty"] * 2
    line.send(append(SILENCE))
    line.send(client.CommitAudio())
    assert line.errors() == ["input_audio_buffer_commit_empty"] * 2


def test_a_commit_in_the_middle_of_a_turn_keeps_its_item() -> None:
    """The id of speech_started is the id of the item."""
    line = connected()
    line.hear(SPEECH.speak("hello"))
    line.send(client.CommitAudio())
    assert line.of(server.AudioCommitted)[0].item_id == line.of(server.SpeechStarted)[0].item_id
    line.hear(SILENCE * 50)
    assert line.of(server.SpeechStopped) == []


def test_a_cleared_buffer_is_forgotten() -> None:
    """What was said before it is no part of any turn."""
    line = connected()
    line.hear(SPEECH.speak("hello"))
    line.send(client.ClearAudio())
    assert len(line.of(server.AudioCleared)) == 1
    line.hear(SILENCE * 50)
    line.say("wait")
    assert [turn.text for turn in line.record.heard] == ["wait"]


def test_detection_alone_when_responses_are_off() -> None:
    """create_response false: turns are told, nothing is answered."""
    line = connected(detection=ServerVad(create_response=False, interrupt_response=False))
    line.say("hello")
    line.wait(2.0)
    assert len(line.of(server.ItemDone)) == 1
    assert line.of(server.ResponseCreated) == []


# --- transcription


def test_a_turn_is_transcribed_later_if_it_was_asked_for() -> None:
    """After the option's delay, with the seconds that were heard."""
    line = connected(options=RealtimeSimOptions(transcription_delay_ms=400))
    line.say("hello", silence_ms=500)
    assert line.of(server.TranscriptionCompleted) == []
    done = line.wait_for(server.TranscriptionCompleted)
    assert done.transcript == "hello"
    assert done.item_id == line.of(server.AudioCommitted)[0].item_id
    heard = line.record.heard[0]
    assert done.usage is not UNSET
    assert getattr(done.usage, "seconds", 0) == heard.audio_ms / 1000
    line.send(client.RetrieveItem(done.item_id))
    item = line.of(server.ItemRetrieved)[0].item
    assert isinstance(item, Message)
    part = item.content[0]
    assert isinstance(part, InputAudio)
    assert part.transcript == "hello"
    assert isinstance(part.audio, str)
    assert SPEECH.hear(base64.b64decode(part.audio)) == "hello"


def test_nothing_is_transcribed_unasked() -> None:
    """The model hears all the same."""
    line = ModelClient()
    line.send(input_update(format=Pcmu()))
    line.say("hello")
    line.wait(5.0)
    assert line.of(server.TranscriptionCompleted) == []
    assert line.record.heard_text() == "hello"


def test_transcription_fails_or_stays_away_by_a_switch() -> None:
    """Check list, line 9: neither is a session's error."""
    line = connected("transcription_missing*1", "transcription_failed*1")
    for _ in range(3):
        line.say("hello")
        line.wait(5.0)
    failed = line.of(server.TranscriptionFailed)
    assert [event.item_id for event in failed] == [line.record.heard[1].item_id]
    assert len(line.of(server.TranscriptionCompleted)) == 1
    assert line.errors() == []


# --- 6: interruption


@pytest.mark.parametrize("late", [True, False])
def test_speech_cancels_the_answer(late: bool) -> None:  # noqa: FBT001 - a case
    """Speech, perhaps one late delta, then response.done with turn_detected."""
    line = connected(options=RealtimeSimOptions(late_delta=late))
    line.say("tell me a story", silence_ms=500)
    line.wait(1.0)
    seen = len(line.events)
    line.say("wait")
    kinds = [type(event).__name__ for event in line.events[seen:]]
    kinds = kinds[kinds.index("SpeechStarted") :]
    assert (kinds[1] == "AudioDelta") is late
    assert kinds[: 8 if late else 7][-1] == "ResponseDone"
    response = line.of(server.ResponseDone)[0].response
    assert response.status_details is not None
    assert (response.status, response.status_details.reason) == ("cancelled", "turn_detected")
    assert SPEECH.speak(STORY).startswith(line.audio(str(response.output[0].id)))
    assert line.answer().response.status == "completed"


def test_an_answer_that_is_out_already_is_not_cancelled() -> None:
    """Audio is faster than real time: what the caller still hears is the client's business."""
    line = connected()
    line.say("hello")
    line.answer()
    line.say("wait")
    assert [e.response.status for e in line.of(server.ResponseDone)] == ["completed"]


def test_without_interruption_the_answer_goes_on_and_the_next_can_t_start() -> None:
    """interrupt_response false and create_response true: an error that is not the client's."""
    line = connected(detection=ServerVad(interrupt_response=False))
    line.say("tell me a story", silence_ms=500)
    line.say("wait", silence_ms=500)
    assert line.errors() == ["conversation_already_has_active_response"]
    assert line.record.errors == {}
    assert line.answer().response.status == "completed"


# --- 7: truncation


def test_a_finished_item_is_cut_where_the_caller_stopped_hearing() -> None:
    """Confirmed; the transcript is gone; the record knows."""
    line = connected()
    line.say("hello")
    item_id = str(line.answer().response.output[0].id)
    line.send(client.TruncateItem(item_id, 0, 300))
    assert line.of(server.ItemTruncated)[0].audio_end_ms == 300
    line.send(client.RetrieveItem(item_id))
    item = line.of(server.ItemRetrieved)[0].item
    assert isinstance(item, Message)
    part = item.content[0]
    assert isinstance(part, OutputAudio)
    assert part.transcript is UNSET
    assert isinstance(part.audio, str)
    assert base64.b64decode(part.audio) == line.audio(item_id)[:2400]
    assert line.record.said[0].heard_ms == 300


def test_a_cut_beyond_the_audio_or_of_nothing_is_an_error() -> None:
    """To the millisecond of what was sent."""
    line = connected()
    line.say("hello")
    item_id = str(line.answer().response.output[0].id)
    length_ms = len(line.audio(item_id)) // 8
    line.send(client.TruncateItem(item_id, 0, length_ms + 1, event_id="t1"))
    line.send(client.TruncateItem("item_nobody", 0, 0))
    assert line.errors() == ["invalid_value", "item_truncate_invalid_item_id"]
    assert line.of(server.Error)[0].error.event_id == "t1"
    assert line.record.said[0].heard_ms is None
    line.send(client.TruncateItem(item_id, 0, length_ms))
    assert len(line.of(server.ItemTruncated)) == 1


# --- 8: items


def test_history_is_seeded_in_order() -> None:
    """Section 10: texts of both sides, a call and its output; then the talk goes on."""
    line = connected()
    for item in (
        Message("system", [InputText("the line was interrupted")]),
        Message("user", [InputText("is it in stock")]),
        FunctionCall("check_stock", "{}", "call_1"),
        FunctionCallOutput("call_1", "3"),
        Message("assistant", [OutputText("it is in stock")]),
    ):
        line.send(client.CreateItem(item))
    assert line.errors() == []
    assert list(line.record.given) == [
        ("system", "the line was interrupted"),
        ("user", "is it in stock"),
        ("assistant", "it is in stock"),
    ]
    added, done = line.of(server.ItemAdded), line.of(server.ItemDone)
    assert [e.item.id for e in added] == [e.item.id for e in done]
    assert added[0].previous_item_id is None
    assert [e.previous_item_id for e in added[1:]] == [e.item.id for e in added[:-1]]
    line.send(CreateResponse())
    assert spoken(line.answer().response.output[0]) == "where were we"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            (
                '{"type":"conversation.item.create","previous_item_id":"nobody","item":{"type":"message",'
                '"role":"user","content":[{"type":"input_text","text":"x"}]}}'
            ),
            "item_create_invalid_previous_item_id",
        ),
        (
            (
                '{"type":"conversation.item.create","item":{"type":"message","role":"assistant",'
                '"content":[{"type":"output_audio","audio":"AAAA"}]}}'
            ),
            "invalid_value",
        ),
        (
            (
                '{"type":"conversation.item.create","item":{"id":"'
                + "x" * 33
                + '","type":"message",'
                '"role":"user","content":[{"type":"input_text","text":"x"}]}}'
            ),
            "string_above_max_length",
        ),
        (
            (
                '{"type":"conversation.item.create","item":{"type":"function_call_output",'
                '"call_id":"' + "x" * 33 + '","output":""}}'
            ),
            "string_above_max_length",
        ),
        (
            (
                '{"type":"conversation.item.create","item":{"type":"function_call_output",'
                '"call_id":"nobody","output":""}}'
            ),
            "invalid_tool_call_id",
        ),
        ('{"type":"conversation.item.delete","item_id":"nobody"}', "item_delete_invalid_item_id"),
        (
            '{"type":"conversation.item.retrieve","item_id":"nobody"}',
            "item_retrieve_invalid_item_id",
        ),
        (
            (
                '{"type":"conversation.item.create","item":{"type":"message","role":"user",'
                '"content":[{"type":"text","text":"x"}]}}'
            ),
            "invalid_value",
        ),
    ],
)
def test_items_that_no_server_takes_are_refused(text: str, code: str) -> None:
    """Check list, line 8: nothing is added, the error is counted."""
    line = connected()
    line.send(text)
    assert line.errors() == [code]
    assert line.record.errors == {code: 1}
    assert len(line.server.dialogue.conversation) == 0


def test_a_deleted_item_is_gone() -> None:
    """Confirmed by its id."""
    line = connected()
    line.send(client.CreateItem(Message("user", [InputText("hello")], "mine")))
    line.send(client.DeleteItem("mine"))
    assert line.of(server.ItemDeleted)[0].item_id == "mine"
    assert len(line.server.dialogue.conversation) == 0


def test_audio_of_before_can_be_seeded() -> None:
    """A user's input_audio item is heard like a turn."""
    line = connected()
    audio = base64.b64encode(SPEECH.speak("hello")).decode()
    line.send(client.CreateItem(Message("user", [InputAudio(audio)])))
    line.send(CreateResponse())
    assert spoken(line.answer().response.output[0]) == "i heard hello"


def test_tools_are_called_and_their_outputs_spoken() -> None:
    """Section 9: two in parallel, then both outputs, then one response."""
    line = connected(tools=(tool("check_stock"), tool("find_prices")))
    line.say("is it in stock and what are your prices")
    calls = [i for i in line.answer().response.output if isinstance(i, FunctionCall)]
    assert [call.name for call in calls] == ["check_stock", "find_prices"]
    assert all(call.status == "completed" for call in calls)
    for call in calls:
        assert isinstance(call.call_id, str)
        line.send(client.CreateItem(FunctionCallOutput(call.call_id, '{"ok": true}')))
    line.send(CreateResponse())
    assert spoken(line.answer().response.output[0]) == "the price is ninety dollars"
    assert [output for _, output in line.record.outputs] == ['{"ok": true}'] * 2


# --- 10: the idle timeout


def test_silence_after_an_answer_runs_into_the_idle_timeout() -> None:
    """After response.done, the playing time, and the timeout: an event, an item, a response."""
    line = connected(detection=ServerVad(idle_timeout_ms=5000))
    line.say("hello")
    line.answer()
    done_at, played_s = line.now, len(line.audio()) / 8000
    line.hear(SILENCE * 50)
    timeout = line.wait_for(server.IdleTimeout)
    assert line.now == pytest.approx(done_at + played_s + 5.0)
    assert timeout.audio_end_ms > timeout.audio_start_ms
    assert line.of(server.AudioCommitted)[-1].item_id == timeout.item_id
    assert spoken(line.answer().response.output[0]) == "are you still there"
    assert len(line.of(server.IdleTimeout)) == 1
    line.wait_for(server.IdleTimeout)


def test_speech_holds_the_idle_timeout_off() -> None:
    """Also speech that is still going on when it would come."""
    line = connected(detection=ServerVad(idle_timeout_ms=5000, create_response=False))
    line.send(CreateResponse())
    line.answer()
    line.say("hello")
    line.wait(60.0)
    assert line.of(server.IdleTimeout) == []


def test_an_idle_timeout_that_is_switched_off_does_not_come() -> None:
    """Nor without one, nor before the first response."""
    line = connected(detection=ServerVad(idle_timeout_ms=5000))
    line.wait(60.0)
    line.say("hello")
    line.answer()
    line.send(input_update(turn_detection=ServerVad()))
    line.wait(60.0)
    assert line.of(server.IdleTimeout) == []
