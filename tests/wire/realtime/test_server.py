import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.errors import ModelProtocolError
from trunkline.wire.realtime import items, server, session
from wire import hostile, records

AT: records.Tree = {
    "response_id": "resp_1",
    "item_id": "item_1",
    "output_index": 0,
    "content_index": 0,
    "event_id": "event_1",
}
"""Where in a response a stretch of it belongs."""

ANSWER_TREE: records.Tree = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_audio", "transcript": "Hello"}],
    "id": "item_1",
    "status": "completed",
    "object": "realtime.item",
}
ANSWER = items.Message(
    "assistant",
    [items.OutputAudio(transcript="Hello")],
    "item_1",
    "completed",
    "realtime.item",
)

CASES: dict[str, tuple[records.Tree, server.ToClient]] = {
    "created": (
        {
            "type": "session.created",
            "session": {"id": "sess_1", "model": "gpt-realtime-2.1", "expires_at": 1_800_000_000},
            "event_id": "event_1",
        },
        server.SessionCreated(
            server.SessionView("sess_1", "gpt-realtime-2.1", 1_800_000_000), "event_1"
        ),
    ),
    "updated": (
        {"type": "session.updated", "session": {}, "event_id": "event_1"},
        server.SessionUpdated(server.SessionView(), "event_1"),
    ),
    "error": (
        {
            "type": "error",
            "error": {
                "message": "Invalid voice",
                "type": "invalid_request_error",
                "code": "invalid_value",
                "param": "session.audio.output.voice",
                "event_id": "client_7",
            },
            "event_id": "event_1",
        },
        server.Error(
            server.ErrorDetail(
                "Invalid voice",
                "invalid_request_error",
                "invalid_value",
                "session.audio.output.voice",
                "client_7",
            ),
            "event_1",
        ),
    ),
    "speech started": (
        {
            "type": "input_audio_buffer.speech_started",
            "audio_start_ms": 1200,
            "item_id": "item_1",
            "event_id": "event_1",
        },
        server.SpeechStarted(1200, "item_1", "event_1"),
    ),
    "speech stopped": (
        {
            "type": "input_audio_buffer.speech_stopped",
            "audio_end_ms": 2200,
            "item_id": "item_1",
            "event_id": "event_1",
        },
        server.SpeechStopped(2200, "item_1", "event_1"),
    ),
    "committed": (
        {
            "type": "input_audio_buffer.committed",
            "item_id": "item_1",
            "previous_item_id": None,
            "event_id": "event_1",
        },
        server.AudioCommitted("item_1", None, "event_1"),
    ),
    "cleared": (
        {"type": "input_audio_buffer.cleared", "event_id": "event_1"},
        server.AudioCleared("event_1"),
    ),
    "idle": (
        {
            "type": "input_audio_buffer.timeout_triggered",
            "audio_start_ms": 0,
            "audio_end_ms": 5000,
            "item_id": "item_1",
            "event_id": "event_1",
        },
        server.IdleTimeout(0, 5000, "item_1", "event_1"),
    ),
    "item added": (
        {
            "type": "conversation.item.added",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_audio", "transcript": None}],
                "id": "item_1",
            },
            "previous_item_id": "item_0",
            "event_id": "event_1",
        },
        server.ItemAdded(
            items.Message("user", [items.InputAudio(transcript=None)], "item_1"),
            "item_0",
            "event_1",
        ),
    ),
    "item done": (
        {
            "type": "conversation.item.done",
            "item": ANSWER_TREE,
            "previous_item_id": None,
            "event_id": "event_1",
        },
        server.ItemDone(ANSWER, None, "event_1"),
    ),
    "item deleted": (
        {"type": "conversation.item.deleted", "item_id": "item_1", "event_id": "event_1"},
        server.ItemDeleted("item_1", "event_1"),
    ),
    "item retrieved": (
        {"type": "conversation.item.retrieved", "item": ANSWER_TREE, "event_id": "event_1"},
        server.ItemRetrieved(ANSWER, "event_1"),
    ),
    "item truncated": (
        {
            "type": "conversation.item.truncated",
            "item_id": "item_1",
            "content_index": 0,
            "audio_end_ms": 1500,
            "event_id": "event_1",
        },
        server.ItemTruncated("item_1", 0, 1500, "event_1"),
    ),
    "transcribed, by duration": (
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1",
            "content_index": 0,
            "transcript": "My name is “Ann”",
            "usage": {"type": "duration", "seconds": 1.5},
            "event_id": "event_1",
        },
        server.TranscriptionCompleted(
            "item_1", 0, "My name is “Ann”", server.DurationUsage(1.5), "event_1"
        ),
    ),
    "transcribed, by tokens": (
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1",
            "content_index": 0,
            "transcript": "",
            "usage": {"type": "tokens", "input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
            "event_id": "event_1",
        },
        server.TranscriptionCompleted("item_1", 0, "", server.TokensUsage(5, 2, 7), "event_1"),
    ),
    "not transcribed": (
        {
            "type": "conversation.item.input_audio_transcription.failed",
            "item_id": "item_1",
            "content_index": 0,
            "error": {"type": "server_error", "code": None, "message": "x", "param": None},
            "event_id": "event_1",
        },
        server.TranscriptionFailed(
            "item_1", 0, server.TranscriptionError("server_error", message="x"), "event_1"
        ),
    ),
    "response created": (
        {
            "type": "response.created",
            "response": {
                "id": "resp_1",
                "status": "in_progress",
                "status_details": None,
                "output": [],
                "usage": None,
                "metadata": {"for": "filler"},
                "conversation_id": None,
                "object": "realtime.response",
            },
            "event_id": "event_1",
        },
        server.ResponseCreated(
            server.Response("resp_1", "in_progress", metadata={"for": "filler"}), "event_1"
        ),
    ),
    "response done": (
        {
            "type": "response.done",
            "response": {
                "id": "resp_1",
                "status": "failed",
                "status_details": {
                    "type": "failed",
                    "reason": None,
                    "error": {
                        "type": "rate_limit",
                        "code": "rate_limit_exceeded",
                        "message": None,
                    },
                },
                "output": [ANSWER_TREE],
                "usage": {
                    "total_tokens": 30,
                    "input_tokens": 20,
                    "output_tokens": 10,
                    "input_token_details": {
                        "text_tokens": 5,
                        "audio_tokens": 15,
                        "cached_tokens": 3,
                        "image_tokens": 0,
                        "cached_tokens_details": {
                            "text_tokens": 2,
                            "audio_tokens": 1,
                            "image_tokens": 0,
                        },
                    },
                    "output_token_details": {"text_tokens": 4, "audio_tokens": 6},
                },
                "metadata": None,
                "conversation_id": "conv_1",
                "object": "realtime.response",
            },
            "event_id": "event_1",
        },
        server.ResponseDone(
            server.Response(
                "resp_1",
                "failed",
                server.StatusDetails(
                    "failed", error=server.ErrorOfResponse("rate_limit", "rate_limit_exceeded")
                ),
                [ANSWER],
                server.Usage(
                    30,
                    20,
                    10,
                    server.InputTokens(5, 15, 3, 0, server.CachedTokens(2, 1)),
                    server.OutputTokens(4, 6),
                ),
                conversation_id="conv_1",
            ),
            "event_1",
        ),
    ),
    "output item added": (
        {
            "type": "response.output_item.added",
            "response_id": "resp_1",
            "output_index": 0,
            "item": {"type": "function_call", "name": "f", "arguments": "", "call_id": "call_1"},
            "event_id": "event_1",
        },
        server.OutputItemAdded("resp_1", 0, items.FunctionCall("f", "", "call_1"), "event_1"),
    ),
    "output item done": (
        {
            "type": "response.output_item.done",
            "response_id": "resp_1",
            "output_index": 0,
            "item": ANSWER_TREE,
            "event_id": "event_1",
        },
        server.OutputItemDone("resp_1", 0, ANSWER, "event_1"),
    ),
    "part added": (
        {"type": "response.content_part.added", **AT, "part": {"type": "audio", "transcript": ""}},
        server.ContentPartAdded(
            "resp_1", "item_1", 0, 0, server.ContentPart("audio", ""), "event_1"
        ),
    ),
    "part done": (
        {"type": "response.content_part.done", **AT, "part": {"type": "text", "text": "Hello"}},
        server.ContentPartDone(
            "resp_1", "item_1", 0, 0, server.ContentPart("text", text="Hello"), "event_1"
        ),
    ),
    "audio": (
        {"type": "response.output_audio.delta", **AT, "delta": "/////w=="},
        server.AudioDelta("resp_1", "item_1", "/////w==", event_id="event_1"),
    ),
    "audio done": (
        {"type": "response.output_audio.done", **AT},
        server.AudioDone("resp_1", "item_1", event_id="event_1"),
    ),
    "transcript": (
        {"type": "response.output_audio_transcript.delta", **AT, "delta": "Good"},
        server.TranscriptDelta("resp_1", "item_1", "Good", event_id="event_1"),
    ),
    "transcript done": (
        {"type": "response.output_audio_transcript.done", **AT, "transcript": "Hello"},
        server.TranscriptDone("resp_1", "item_1", "Hello", event_id="event_1"),
    ),
    "arguments": (
        {
            "type": "response.function_call_arguments.delta",
            "response_id": "resp_1",
            "item_id": "item_1",
            "output_index": 0,
            "call_id": "call_1",
            "delta": '{"a',
            "event_id": "event_1",
        },
        server.ArgumentsDelta("resp_1", "item_1", 0, "call_1", '{"a', "event_1"),
    ),
    "arguments done": (
        {
            "type": "response.function_call_arguments.done",
            "response_id": "resp_1",
            "item_id": "item_1",
            "output_index": 0,
            "call_id": "call_1",
            "arguments": "{}",
            "name": "f",
            "event_id": "event_1",
        },
        server.ArgumentsDone("resp_1", "item_1", 0, "call_1", "{}", "f", "event_1"),
    ),
    "limits": (
        {
            "type": "rate_limits.updated",
            "rate_limits": [
                {"name": "tokens", "limit": 50_000, "remaining": 49_000, "reset_seconds": 1.2}
            ],
            "event_id": "event_1",
        },
        server.RateLimitsUpdated([server.RateLimit("tokens", 50_000, 49_000, 1.2)], "event_1"),
    ),
    "transcription delta": (
        {
            "type": "conversation.item.input_audio_transcription.delta",
            "item_id": "item_1",
            "content_index": 0,
            "delta": "My",
            "event_id": "event_1",
        },
        server.TranscriptionDelta("item_1", 0, "My", "event_1"),
    ),
}
"""Each event that is read, as it stands on the wire and as its record."""

SENT: dict[str, tuple[records.Tree, server.ToClient]] = {
    "text": (
        {"type": "response.output_text.delta", **AT, "delta": "Good"},
        server.TextDelta("resp_1", "item_1", "Good", event_id="event_1"),
    ),
    "text done": (
        {"type": "response.output_text.done", **AT, "text": "Hello"},
        server.TextDone("resp_1", "item_1", "Hello", event_id="event_1"),
    ),
}
"""Events that the simulator sends and the pod has no use for."""


@pytest.mark.parametrize("name", CASES)
def test_events_are_read(name: str) -> None:
    """What a server sends, in any form of text."""
    tree, event = CASES[name]
    octets = json.dumps(tree).encode()
    for form in (octets.decode(), octets, bytearray(octets), memoryview(octets)):
        assert server.decode(form) == event


@pytest.mark.parametrize("name", [*CASES, *SENT])
def test_events_are_written(name: str) -> None:
    """What the simulator sends is what the table says a server sends."""
    tree, event = {**CASES, **SENT}[name]
    assert json.loads(server.encode(event)) == tree


@pytest.mark.parametrize("name", CASES)
def test_an_event_cut_anywhere_is_refused(name: str) -> None:
    """No beginning of an event is an event."""
    for cut in hostile.cuts(json.dumps(CASES[name][0]).encode()):
        with pytest.raises(ModelProtocolError):
            server.decode(cut)


@pytest.mark.parametrize("name", SENT)
def test_what_nobody_uses_is_unknown(name: str) -> None:
    """The pod has no use for these: they are counted by their kind like any new event."""
    tree, _ = SENT[name]
    assert server.decode(json.dumps(tree)) == server.Unknown(str(tree["type"]))


def test_the_table_has_every_event() -> None:
    """An event without a case would be one that nobody looked at."""
    read = {type(event) for _, event in CASES.values()}
    assert read == set(get_args(server.FromServer)) - {server.Unknown}
    assert read | {type(event) for _, event in SENT.values()} == set(get_args(server.ToClient))


@pytest.mark.parametrize("kind", records.kinds(server.Read), ids=lambda k: k.__name__)
@settings(max_examples=50)
@given(st.data())
def test_every_event_comes_back(kind: type[server.Read], data: st.DataObject) -> None:
    """Nothing that a server's record may hold is lost."""
    event = data.draw(records.of(kind))
    assert server.decode(server.encode(event)) == event


@pytest.mark.parametrize("kind", records.kinds(server.Read), ids=lambda k: k.__name__)
@settings(max_examples=5)
@given(st.data())
def test_null_says_the_same_as_absent(kind: type[server.Read], data: st.DataObject) -> None:
    """Another server writes null where this one leaves a field out: the event is still read."""
    lean = data.draw(records.trees(kind, optional="none"))
    assert isinstance(lean, dict)
    nulls = dict.fromkeys(kind.__struct_encode_fields__)
    assert server.decode(json.dumps({**nulls, **lean})) == server.decode(json.dumps(lean))


@pytest.mark.parametrize("name", CASES)
def test_new_fields_are_ignored(name: str) -> None:
    """What a server adds to a known event does not cost us the event."""
    tree, event = CASES[name]
    assert server.decode(json.dumps({"new": {"a": [None]}, **tree, "newer": "x"})) == event


def test_the_full_session_is_read_as_its_view() -> None:
    """The simulator sends all settings as they hold; the pod reads what it needs."""
    full = session.effective(session.Session(), session_id="sess_1", model="m", expires_at=7)
    text = server.encode(server.SessionCreated(full, "event_1"))
    assert server.decode(text) == server.SessionCreated(
        server.SessionView("sess_1", "m", 7), "event_1"
    )


@pytest.mark.parametrize(
    "tree",
    [
        {"type": "conversation.item.added", "item": {"type": "mcp_call", "id": "i"}},
        {"type": "conversation.item.done", "item": {"type": "message", "role": "tool"}},
        {"type": "response.output_audio.delta", "item_id": "item_1"},
        {"type": "rate_limits.updated", "rate_limits": [{"name": 1}]},
        {"type": "response.done"},
        {"type": "response.done", "response": []},
        {"type": "response.done", "response": {"status": "completed"}},
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": "soon", "item_id": "i"},
        {"type": "session.start"},
        {"type": "ping", "timestamp": 1},
        {"type": ""},
    ],
)
def test_what_can_not_be_read_is_unknown(tree: records.Tree) -> None:
    """A new kind of event, and a known kind in a shape that has no record: named, no error."""
    assert server.decode(json.dumps(tree)) == server.Unknown(str(tree["type"]))


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_hostile_text_is_refused(name: str) -> None:
    """Whatever a text does to a parser, the answer is the protocol's error."""
    with pytest.raises(ModelProtocolError):
        server.decode(hostile.TEXTS[name])


@given(hostile.garbage | hostile.json_like.map(msgspec.json.encode))
def test_reading_is_total(text: bytes | str) -> None:
    """Garbage never raises anything but the protocol's error."""
    try:
        server.decode(text)
    except ModelProtocolError as error:
        assert error.code == "invalid_value"  # noqa: PT017 - may also succeed


@given(st.data())
def test_any_value_anywhere_is_survived(data: st.DataObject) -> None:
    """A known event with one of its values replaced by anything is read, or is `Unknown`."""
    tree, _ = data.draw(st.sampled_from(list(CASES.values())))
    changed = json.loads(json.dumps(tree))
    place = changed
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not (isinstance(place[key], dict) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = data.draw(hostile.json_like)
    try:
        server.decode(msgspec.json.encode(changed))
    except ModelProtocolError:
        assert place is changed
        assert key == "type"


def test_an_oversized_event_is_refused_unread() -> None:
    """At the limit an event is read; one byte more is refused, however well formed."""
    event = server.AudioDelta("resp_1", "item_1", "")
    fill = server.MESSAGE_BYTES_MAX - len(server.encode(event))
    whole = msgspec.structs.replace(event, delta="A" * fill)
    assert server.decode(server.encode(whole)) == whole
    with pytest.raises(ModelProtocolError):
        server.decode(server.encode(msgspec.structs.replace(event, delta="A" * (fill + 1))))


def test_an_error_holds_no_word_of_the_event() -> None:
    """Errors are logged; what was said is not."""
    for text in ('{"typ":"secret"}', '"secret"', '{"type":"error","error":"secret'):
        with pytest.raises(ModelProtocolError) as refusal:
            server.decode(text)
        assert "secret" not in str(refusal.value)


def test_half_a_character_can_not_be_sent() -> None:
    """A string that is no Unicode raises the protocol's error, not the codec's."""
    with pytest.raises(ModelProtocolError):
        server.encode(server.AudioCleared("\ud800"))
