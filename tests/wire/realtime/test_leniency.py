import json

import pytest

from trunkline.wire.realtime import items, leniency, server
from wire import records

DONE: records.Tree = {"type": "response.done", "event_id": "event_1"}


def done(**response: records.Json) -> server.FromServer:
    whole = {"id": "resp_1", "status": "completed", **response}
    return server.decode(json.dumps({**DONE, "response": whole}))


def test_a_done_response_is_done_whatever_it_holds() -> None:
    """Items of a kind without a record are left out; the others stay, in order."""
    call: records.Tree = {"type": "function_call", "name": "f", "arguments": "{}"}
    reasoning: records.Tree = {"type": "reasoning", "summary": []}
    event = done(output=[reasoning, call, 7, None, {"type": "message", "role": "tool"}])
    assert event == server.ResponseDone(
        server.Response("resp_1", "completed", output=[items.FunctionCall("f", "{}")]), "event_1"
    )


def test_a_final_state_without_a_record_is_incomplete() -> None:
    """A response that is done must not keep the call waiting for the sake of a new word."""
    event = done(status="expired")
    assert event == server.ResponseDone(server.Response("resp_1", "incomplete"), "event_1")


def test_a_beginning_state_without_a_record_is_in_progress() -> None:
    """What was only created is not over."""
    text = '{"type":"response.created","response":{"id":"resp_1","status":"queued"}}'
    assert server.decode(text) == server.ResponseCreated(server.Response("resp_1", "in_progress"))


@pytest.mark.parametrize(
    "particular",
    [
        {"usage": {"total_tokens": "many"}},
        {"usage": {"input_token_details": []}},
        {"status_details": "failed"},
        {"status_details": {"error": "quota"}},
        {"metadata": {"a": 1}},
        {"metadata": []},
        {"conversation_id": 7},
        {"output": None},
        {"object": None},
        {"usage": {"total_tokens": None, "input_token_details": None}, "output": [5]},
    ],
)
def test_an_unreadable_particular_is_left_out(particular: records.Tree) -> None:
    """Tokens or details in a new shape do not hide that the response is done."""
    event = done(**particular)
    assert isinstance(event, server.ResponseDone)
    assert event.response.id == "resp_1"
    assert event.response.status == "completed"


def test_a_session_is_created_whatever_it_says_of_itself() -> None:
    """A server that writes its expiry as text has still given us a session."""
    text = '{"type":"session.created","session":{"id":"sess_1","expires_at":"2026-01-01"}}'
    assert server.decode(text) == server.SessionCreated(server.SessionView())


@pytest.mark.parametrize("error", ["quota", {"message": 5}, {"message": "m", "code": 429}, []])
def test_an_error_is_an_error_whatever_it_says(error: records.Json) -> None:
    """An `error` event is never lost, though its particulars may be."""
    event = server.decode(json.dumps({"type": "error", "error": error}))
    assert event == server.Error(server.ErrorDetail())


def test_a_transcript_is_read_whatever_it_cost() -> None:
    """A new way to count does not cost us what the caller said."""
    text = json.dumps(
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1",
            "content_index": 0,
            "transcript": "Hello",
            "usage": {"type": "words", "words": 1},
        }
    )
    assert server.decode(text) == server.TranscriptionCompleted("item_1", 0, "Hello")


def test_nulls_are_looked_for_only_so_deep() -> None:
    """Nesting as deep as the parser allows is answered, not overflowed."""
    deep = '{"a":' * 900 + "null" + "}" * 900
    text = f'{{"type":"error","error":{{"type":null,"message":"m","x":{deep}}}}}'
    assert server.decode(text) == server.Error(server.ErrorDetail("m"))


@pytest.mark.parametrize("surplus", [0, 1])
def test_a_long_event_is_not_looked_into_twice(surplus: int) -> None:
    """What takes two readings and a walk has a bound, so that no call waits for another's."""
    event = '{"type":"error","error":{"type":null,"message":"%s"}}'
    text = event % ("m" * (leniency.BYTES_MAX - len(event % "") + surplus))
    read = server.decode(text)
    assert isinstance(read, server.Unknown if surplus else server.Error)
