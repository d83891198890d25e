"""The carrier's HTTP requests: numbered, signed, and with their faults."""

import random
from dataclasses import replace

from sim.carrier_bench import VOICE
from trunkline.sim.carrier.account import AUTH_TOKEN, Account
from trunkline.sim.carrier.faults import Faults
from trunkline.sim.carrier.outbox import LATER_MAX, Outbox
from trunkline.wire.webhooks import Form, is_signed, parse_form

FORM = Form([("CallSid", "CA1"), ("Empty", "")])


def outbox(faults: Faults | None = None) -> Outbox:
    return Outbox(replace(Account(), faults=faults or Faults()), random.Random(1))


def test_a_get_carries_its_fields_in_the_signed_url() -> None:
    """And none in the body."""
    request = outbox().webhook(VOICE + "?a=b#rc=1", "GET", FORM)
    assert request.url == VOICE + "?a=b&CallSid=CA1&Empty="
    assert request.form == Form()
    signature = dict(request.headers)["X-Twilio-Signature"]
    assert is_signed(request.url, Form(), signature, [AUTH_TOKEN])


def test_a_post_signs_blank_fields_too() -> None:
    """As the server will read them from the body."""
    request = outbox().webhook(VOICE, "POST", FORM)
    signature = dict(request.headers)["X-Twilio-Signature"]
    assert is_signed(VOICE, parse_form(request.form.encode()), signature, [AUTH_TOKEN])
    assert not is_signed(VOICE, Form([("CallSid", "CA1")]), signature, [AUTH_TOKEN])


def test_requests_have_numbers_and_tokens_of_their_own() -> None:
    """Only a repeated one shares its token."""
    box = outbox()
    first, second = box.webhook(VOICE, "POST", FORM), box.webhook(VOICE, "POST", FORM)
    again = box.again(first)
    assert len({first.request, second.request, again.request}) == 3
    assert first.headers == again.headers != second.headers


def test_callbacks_wait_until_they_are_due() -> None:
    """Without faults that is at once, in order."""
    box = outbox()
    for number in range(3):
        box.callback(VOICE, "POST", Form([("n", str(number))]), 1.0)
    assert box.deadline() == 1.0
    assert [request.form["n"] for request in box.due(1.0)] == ["0", "1", "2"]
    assert box.is_empty
    assert box.deadline() is None
    assert box.callbacks_sent == 3


def test_held_back_callbacks_are_bounded() -> None:
    """Beyond the limit they go out without delay."""
    box = outbox(Faults(callback_delay_s_max=1000.0))
    for _ in range(LATER_MAX + 10):
        box.callback(VOICE, "POST", FORM, 1.0)
    assert len(box.due(1.0)) >= 10
