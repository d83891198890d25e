"""Forms as the server's own codec reads them."""

from dataclasses import replace

from sim.carrier_bench import FROM, PLAN, TO
from trunkline.sim.carrier.account import Account, Callee
from trunkline.sim.carrier.forms import status_form, stream_form, verdict_form, voice_form
from trunkline.wire.webhooks import MachineVerdict, StatusCallback, StreamStatus, VoiceRequest

ACCOUNT = replace(Account(), wall_s=1_700_000_000.0)


def test_a_voice_form_says_who_calls() -> None:
    """With the extra parameters of an action, and no verdict before there is one."""
    form = voice_form(PLAN, ACCOUNT, "ringing", (("Digits", "12"),))
    request = VoiceRequest.from_form(form)
    assert (request.from_number, request.to_number) == (FROM, TO)
    assert request.status == "ringing"
    assert request.answered_by is None
    assert form["Digits"] == "12"
    assert {"FromCity", "ToCountry", "CallerState", "CalledZip"} <= set(form)
    outbound = replace(PLAN, direction="outbound-api")
    form = voice_form(outbound, ACCOUNT, "in-progress", answered_by="human")
    assert VoiceRequest.from_form(form).answered_by == "human"
    assert "StirVerstat" not in form


def test_a_status_form_is_numbered_and_dated() -> None:
    """RFC 2822 in UTC; a duration only at the end."""
    form = status_form(PLAN, ACCOUNT, "completed", 3, 0.0, 17)
    callback = StatusCallback.from_form(form)
    assert (callback.sequence_number, callback.duration, callback.is_over) == (3, 17, True)
    assert callback.timestamp == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert callback.sip_response_code == 200
    ringing = StatusCallback.from_form(status_form(PLAN, ACCOUNT, "ringing", 0, 0.0))
    assert (ringing.duration, ringing.is_over, ringing.sip_response_code) == (None, False, None)


def test_a_stream_form_names_the_stream() -> None:
    """ISO 8601; an error only where there was one."""
    form = stream_form("CA1", ACCOUNT, "MZ1", "stream-error", 0.5, "31920")
    status = StreamStatus.from_form(form)
    assert (status.call, status.stream, status.event) == ("CA1", "MZ1", "stream-error")
    assert status.error == "31920"
    assert status.timestamp == "2023-11-14T22:13:20.500Z"
    assert form["StreamName"] == "MZ1"


def test_a_verdict_form_says_who_answered() -> None:
    """And how long it took to find out."""
    plan = replace(PLAN, callee=Callee(answered_by="fax", verdict_s=2.5))
    verdict = MachineVerdict.from_form(verdict_form(plan, ACCOUNT))
    assert (verdict.answered_by, verdict.duration_ms) == ("fax", 2500)
