import pytest
from msgspec import Raw

from sim.model_client import ModelClient, connected, spoken
from trunkline.sim.realtime.brain import Ask, Reply, Say
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.responses import BESIDE_MAX
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.client import CreateResponse, ResponseOptions
from trunkline.wire.realtime.items import InputText, Message
from trunkline.wire.realtime.session import FunctionTool

TOOL = FunctionTool("check_stock", "Looks.", Raw(b'{"type": "object"}'))


def text(words: str) -> client.CreateItem:
    return client.CreateItem(Message("user", [InputText(words)]))


def test_one_response_at_a_time_writes_to_the_conversation() -> None:
    """Check list, line 8: the second is refused, the first goes on."""
    line = connected()
    line.send(CreateResponse(event_id="first"))
    line.send(CreateResponse(event_id="second"))
    error = line.of(server.Error)[0].error
    assert error.code == "conversation_already_has_active_response"
    assert error.event_id == "second"
    assert line.answer().response.status == "completed"
    line.send(CreateResponse())
    assert line.answer().response.status == "completed"
    assert len(line.of(server.ResponseCreated)) == 2


def test_responses_beside_the_conversation_run_in_parallel() -> None:
    """Told apart by their metadata; bounded; the conversation stays as it is."""
    line = connected()
    line.send(CreateResponse())
    for number in range(BESIDE_MAX):
        wish = ResponseOptions(conversation="none", metadata={"n": str(number)})
        line.send(CreateResponse(wish))
    assert line.errors() == []
    line.send(CreateResponse(ResponseOptions(conversation="none")))
    assert line.errors() == ["rate_limit_exceeded"]
    line.wait(30.0)
    done = [event.response for event in line.of(server.ResponseDone)]
    assert len(done) == BESIDE_MAX + 1
    assert {response.metadata["n"] for response in done if response.metadata} == set(
        map(str, range(BESIDE_MAX))
    )
    assert len(line.server.dialogue.conversation) == 1


def test_cancel_ends_what_is_active_and_only_that() -> None:
    """Check list, line 8: with nothing active, or another's id, it is an error."""
    line = connected()
    line.send(client.CancelResponse())
    assert line.errors() == ["response_cancel_not_active"]
    line.send(CreateResponse())
    line.wait(0.6)
    line.send(client.CancelResponse("resp_nobody"))
    assert line.errors() == ["response_cancel_not_active"] * 2
    came = line.send(client.CancelResponse())
    done = came[-1]
    assert isinstance(done, server.ResponseDone)
    details = done.response.status_details
    assert details is not None
    assert (done.response.status, details.reason) == ("cancelled", "client_cancelled")
    line.send(client.CancelResponse())
    assert line.errors() == ["response_cancel_not_active"] * 3


def test_a_response_by_its_id_can_be_cancelled_beside_the_conversation() -> None:
    """The active one goes on."""
    line = connected()
    line.send(CreateResponse())
    came = line.send(CreateResponse(ResponseOptions(conversation="none")))
    created = came[0]
    assert isinstance(created, server.ResponseCreated)
    line.send(client.CancelResponse(created.response.id))
    line.wait(30)
    assert [e.response.status for e in line.of(server.ResponseDone)] == ["cancelled", "completed"]


@pytest.mark.parametrize(
    "wish",
    [
        ResponseOptions(output_modalities=["audio", "text"]),
        ResponseOptions(max_output_tokens=0),
        ResponseOptions(metadata={str(n): "" for n in range(17)}),
        ResponseOptions(metadata={"x" * 65: ""}),
        ResponseOptions(metadata={"x": "y" * 513}),
    ],
)
def test_wishes_that_no_server_grants_are_refused(wish: ResponseOptions) -> None:
    """And no response begins."""
    line = connected()
    line.send(CreateResponse(wish))
    assert line.errors()[0] in {"invalid_value", "string_above_max_length"}
    assert line.of(server.ResponseCreated) == []


def test_a_wish_holds_for_one_response_only() -> None:
    """Instructions, modalities, tools, choice, length."""
    line = connected(tools=(TOOL,))
    line.send(CreateResponse(ResponseOptions(instructions='Say "good morning".')))
    assert spoken(line.answer().response.output[0]) == "good morning"
    line.send(text("is it in stock"))
    line.send(CreateResponse(ResponseOptions(tool_choice="none")))
    assert spoken(line.answer().response.output[0]) == "i heard is it in stock"
    line.send(text("is it in stock"))
    line.send(CreateResponse())
    assert line.answer().response.output[0].__struct_config__.tag == "function_call"
    line.send(text("hello"))
    line.send(CreateResponse(ResponseOptions(tool_choice="required")))
    assert len(line.answer().response.output) == 2
    line.send(text("hello"))
    line.send(CreateResponse(ResponseOptions(max_output_tokens=4)))
    assert line.answer().response.status == "incomplete"
    assert line.record.said[-1].audio_ms == 200
    line.send(text("hello"))
    line.send(CreateResponse(ResponseOptions(output_modalities=["text"])))
    assert line.answer().response.status == "completed"
    assert [e.text for e in line.of(server.TextDone)] == ["i heard hello"]


def test_usage_grows_with_the_conversation_and_its_beginning_is_cached() -> None:
    """A cut or another prompt breaks the cache."""
    line = connected()
    line.say("this is caller seven")
    first = line.answer().response.usage
    line.say("this is caller nine")
    second = line.answer().response.usage
    assert first is not None
    assert second is not None
    assert first.input_token_details.cached_tokens == 0
    assert 0 < second.input_token_details.cached_tokens < second.input_tokens
    assert second.input_tokens > first.input_tokens + first.output_token_details.audio_tokens
    heard_ms = sum(turn.audio_ms for turn in line.record.heard)
    spoken_ms = line.record.said[0].audio_ms
    assert second.input_token_details.audio_tokens in range(
        heard_ms // 100 + spoken_ms // 50 - 2, heard_ms // 100 + spoken_ms // 50 + 1
    )
    line.send(client.TruncateItem(line.record.said[0].item_id, 0, 100))
    line.say("hello")
    third = line.answer().response.usage
    assert third is not None
    assert third.input_token_details.cached_tokens == 0


def test_rate_limits_follow_each_creation() -> None:
    """With what is left of the option's limit; a switch says how few."""
    options = RealtimeSimOptions(tokens_per_minute=1000)
    line = connected("rate_limit_remaining=7*1", options=options)
    line.send(CreateResponse())
    line.answer()
    line.send(CreateResponse())
    line.answer()
    limits = [event.rate_limits[0] for event in line.of(server.RateLimitsUpdated)]
    assert limits[0].remaining == 7
    assert 7 < limits[1].remaining < 1000
    kinds = line.kinds()
    assert kinds.index("ResponseCreated") + 1 == kinds.index("RateLimitsUpdated")


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error", "insufficient_quota"])
def test_a_response_fails_by_a_switch_without_an_error_event(code: str) -> None:
    """Check list, line 9: the next one is well again."""
    line = connected(f"fail_response={code}*1")
    line.say("hello")
    response = line.answer().response
    assert response.status == "failed"
    assert response.status_details is not None
    assert response.status_details.error is not None
    assert response.status_details.error.code == code
    assert line.errors() == []
    line.send(CreateResponse())
    assert line.answer().response.status == "completed"


def test_what_the_brain_says_without_clips_fails_the_response_by_name() -> None:
    """A user's own brain has a bug: the text says which word."""

    class Odd:
        def answer(self, ask: Ask) -> Reply:
            return (Say(f"xylophone {ask.why}"),)

    line = connected(brain=Odd())
    line.send(CreateResponse())
    details = line.answer().response.status_details
    assert details is not None
    assert details.error is not None
    assert details.error.message is not None
    assert "'xylophone'" in details.error.message


@pytest.mark.parametrize(
    ("switch", "status", "items"),
    [
        ("incomplete=content_filter*1", "incomplete", 1),
        ("several_items*1", "completed", 2),
        ("think=0*1", "completed", 1),
    ],
)
def test_switches_shape_a_response(switch: str, status: str, items: int) -> None:
    """Check list, line 9: each once."""
    line = connected(switch)
    line.say("hello")
    response = line.answer().response
    assert (response.status, len(response.output)) == (status, items)
    line.say("hello")
    again = line.answer().response
    assert (again.status, len(again.output)) == ("completed", 1)


def test_a_switch_cuts_arguments_of_the_next_call_not_of_speech() -> None:
    """It waits for a response that calls a tool."""
    line = connected("cut_arguments*1", tools=(TOOL,))
    line.say("hello")
    assert line.answer().response.status == "completed"
    line.say("is it in stock")
    response = line.answer().response
    assert response.status == "incomplete"
    assert response.output[0].status == "incomplete"


def test_a_response_that_hangs_is_active_for_ever() -> None:
    """Until it is cancelled."""
    line = connected("stall_response*1")
    line.say("hello")
    line.wait(300.0)
    assert line.of(server.AudioDelta)
    assert line.of(server.ResponseDone) == []
    line.send(client.CancelResponse())
    assert line.of(server.ResponseDone)[0].response.status == "cancelled"


def test_the_judge_reads_a_client_that_is_not_set_up() -> None:
    """Even before its first update a session can speak."""
    line = ModelClient()
    line.send(CreateResponse())
    assert line.answer().response.status == "completed"
