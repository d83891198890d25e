"""The Calls API's parameters and JSON."""

import json

import pytest

from sim.carrier_bench import FROM, PLAN, TO
from trunkline.sim.carrier.account import Account, Callee
from trunkline.sim.carrier.resources import (
    ApiError,
    CalleeBook,
    CallState,
    call_resource,
    document_of,
    plan_of,
)
from trunkline.wire.webhooks import Form

URL = "https://bot.example/voice"
GOOD = {"To": TO, "From": FROM, "Url": URL}


def form(**changes: str) -> Form:
    return Form({**GOOD, **changes}.items())


def test_a_creation_becomes_a_plan() -> None:
    """With Twilio's defaults."""
    plan = plan_of(form(), "CA1", CalleeBook())
    assert (plan.direction, plan.to_number, plan.from_number) == ("outbound-api", TO, FROM)
    assert (plan.ring_s_max, plan.length_s_max, plan.voice_method) == (60, 14_400, "POST")
    assert plan.status_events == ("completed",)
    assert not plan.detect_machine


def test_every_parameter_is_heeded() -> None:
    """Events repeat their key; detection is off where digits are sent."""
    fields = [
        *form(
            Timeout="30", TimeLimit="120", Method="get", FallbackUrl=URL, StatusCallback=URL,
            MachineDetection="Enable", AsyncAmd="true", AsyncAmdStatusCallback=URL,
        ).fields,
        ("StatusCallbackEvent", "ringing"),
        ("StatusCallbackEvent", "completed"),
    ]  # fmt: skip
    callee = Callee(result="busy")
    plan = plan_of(Form(fields), "CA1", CalleeBook({TO: callee}))
    assert plan.status_events == ("ringing", "completed")
    assert (plan.ring_s_max, plan.length_s_max, plan.voice_method) == (30, 120, "GET")
    assert (plan.detect_machine, plan.detect_async, plan.verdict_url) == (True, True, URL)
    assert plan.callee is callee
    fields.append(("SendDigits", "1"))
    assert not plan_of(Form(fields), "CA1", CalleeBook()).detect_machine


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": ""}, 21201),
        ({"From": ""}, 21213),
        ({"To": "5550100001"}, 21211),
        ({"To": "+1555 0100001"}, 21211),
        ({"From": "me"}, 21212),
        ({"Url": ""}, 21205),
        ({"Url": "ftp://bot.example/"}, 21205),
        ({"Url": "", "Twiml": "x" * 4001}, 21218),
        ({"Timeout": "601"}, 21208),
        ({"Timeout": "soon"}, 21208),
        ({"StatusCallbackEvent": "dialing"}, 21626),
        ({"Method": "PUT"}, 21218),
        ({"MachineDetection": "Maybe"}, 21218),
    ],
)
def test_a_wrong_parameter_is_refused(changes: dict[str, str], code: int) -> None:
    """400, with Twilio's code, and no number in the message."""
    with pytest.raises(ApiError) as refused:
        plan_of(form(**changes), "CA1", CalleeBook())
    assert (refused.value.status, refused.value.code) == (400, code)
    resource = refused.value.resource()
    assert (resource["status"], resource["code"]) == (400, code)
    assert "+1555" not in str(resource["message"])


def test_url_wins_over_twiml() -> None:
    """Where both are given."""
    assert document_of(form(Twiml="<Response/>")) == (URL, None)
    assert document_of(Form([("Twiml", "<Response/>")])) == (None, "<Response/>")


def test_a_call_is_json() -> None:
    """Strings where Twilio has strings, null where nothing is known."""
    state = CallState(PLAN, "completed", 0.0, 1500, 5.0, 1.0, 4.0, 3, "human")
    resource = json.loads(json.dumps(call_resource(state, Account(wall_s=1_700_000_000.0))))
    assert resource["queue_time"] == "1500"
    assert resource["duration"] == "3"
    assert resource["start_time"] == "Tue, 14 Nov 2023 22:13:21 +0000"
    assert resource["price"] is None
    assert resource["uri"].endswith(f"/Calls/{PLAN.sid}.json")
    waiting = call_resource(CallState(PLAN, "queued", 0.0), Account())
    assert waiting["end_time"] is None
    assert waiting["duration"] is None
