"""One call leg from its first ring to its last callback."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.carrier_bench import (
    FROM,
    MEDIA,
    PLAN,
    TO,
    VOICE,
    Bench,
    Document,
    connect,
    response,
    talking,
)
from sim.carrier_bot import clear, mark, media
from trunkline.sim.caller import (
    HangUp,
    Interrupt,
    Listen,
    Pause,
    Press,
    Say,
    Step,
    WaitForHangUp,
)
from trunkline.sim.carrier.account import AUTH_TOKEN, Account, Callee, Dialled
from trunkline.sim.carrier.call import FETCHES_MAX
from trunkline.sim.carrier.events import (
    Event,
    PersonHungUp,
    StreamBinary,
    StreamClosed,
    StreamRefused,
    StreamStalled,
    Updated,
    WebhookAnswered,
    WebhookFailed,
)
from trunkline.sim.carrier.faults import (
    AfterLoss,
    Duplicate,
    Faults,
    Garbage,
    Signature,
)
from trunkline.sim.carrier.forms import STATUS_EVENTS, CallPlan
from trunkline.sim.carrier.phases import OVER
from trunkline.wire.webhooks import Form, is_signed

FALLBACK = "https://bot.example/fallback"
NEXT = "https://bot.example/next"


# 1. The TwiML request ---------------------------------------------------------------------


def test_the_webhook_is_a_signed_form() -> None:
    """POST, all parameters, blank ones too, a valid signature, a token, 15 s."""
    bench = Bench({VOICE: response("<Hangup/>")}).place()
    (request,) = bench.requests
    headers = dict(request.headers)
    assert (request.method, request.url, request.timeout_s) == ("POST", VOICE, 15.0)
    assert is_signed(VOICE, request.form, headers["X-Twilio-Signature"], [AUTH_TOKEN])
    assert headers["I-Twilio-Idempotency-Token"]
    assert headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    form = request.form
    assert form["CallSid"] == PLAN.sid
    assert form["AccountSid"] == Account().sid
    assert (form["From"], form["Caller"]) == (FROM, FROM)
    assert (form["To"], form["Called"]) == (TO, TO)
    assert form["CallStatus"] == "ringing"
    assert form["Direction"] == "inbound"
    assert form["ApiVersion"] == "2010-04-01"
    assert form["FromZip"] == ""
    assert form["StirVerstat"] == "TN-Validation-Passed-A"


@pytest.mark.parametrize("broken", [None, 404, 500, 302, "no xml", "<Answer/>"])
def test_a_webhook_that_fails_leads_to_the_fallback_url(broken: Document) -> None:
    """Timeout, refusal, redirect, or a document that does not parse: the fallback is asked."""
    plan = replace(PLAN, fallback_url=FALLBACK)
    bench = Bench({VOICE: broken, FALLBACK: connect()}, plan=plan).place(16)
    assert bench.webhooks() == [VOICE, FALLBACK]
    form = bench.requests[1].form
    assert form["ErrorCode"] in {"11200", "11205", "12100"}
    assert form["ErrorUrl"] == VOICE
    assert "start" in bench.events()


def test_without_a_fallback_the_caller_hears_an_error() -> None:
    """Then the call ends, by the carrier."""
    bench = Bench({VOICE: None}).place(14.9)
    assert bench.report.answered_at is None
    bench.go(10)
    report = bench.report
    assert (report.status, report.ended_by) == ("completed", "carrier")
    assert report.warnings == {11205: 1}
    assert report.transcript[0][0] == "carrier"
    assert bench.finished == 1


def test_a_broken_fallback_is_not_asked_again() -> None:
    """Both broken: an error, the end."""
    plan = replace(PLAN, fallback_url=FALLBACK)
    bench = Bench({VOICE: 500, FALLBACK: 500}, plan=plan).place(10)
    assert bench.webhooks() == [VOICE, FALLBACK]
    assert bench.report.ended_by == "carrier"


@pytest.mark.parametrize("signature", [Signature.WRONG, Signature.MISSING])
def test_a_webhook_may_be_signed_wrongly(signature: Signature) -> None:
    """To see whether the server minds."""
    bench = Bench({VOICE: 403}, faults=Faults(webhook_signature=signature)).place()
    (request,) = bench.requests
    given_signature = dict(request.headers).get("X-Twilio-Signature")
    if signature is Signature.MISSING:
        assert given_signature is None
    else:
        assert given_signature is not None
        assert not is_signed(VOICE, request.form, given_signature, [AUTH_TOKEN])


def test_a_doubled_webhook_has_the_same_token() -> None:
    """And the same form; the second answer is thrown away, and compared with the first."""
    faults = Faults(duplicate_webhook=Duplicate.IGNORED, duplicate_after_ms=100)
    bench = Bench({VOICE: connect()}, faults=faults).place(0.05)
    bench.documents[VOICE] = response("<Hangup/>")
    bench.go(1.0)
    first, second = (request for request in bench.requests if request.wants_answer)
    assert dict(first.headers) == dict(second.headers)
    assert first.form == second.form
    assert first.request != second.request
    assert bench.report.copies_differed == 1
    assert bench.report.status == "in-progress"


def test_a_doubled_webhook_may_be_obeyed_twice() -> None:
    """Then the second stream kills the first."""
    faults = Faults(duplicate_webhook=Duplicate.OBEYED, duplicate_after_ms=100)
    bench = Bench({VOICE: connect()}, faults=faults).place(1.0)
    assert [action.stream for action in bench.opened] == [0, 1]
    assert bench.closed == [0]
    assert len(bench.messages("stop")) == 1
    assert bench.report.copies_differed == 0


# 2. Documents -----------------------------------------------------------------------------


def test_a_pause_as_first_verb_lets_the_line_ring() -> None:
    """Not answered, not billed; each redirect asks again; then the stream answers."""
    hold = response('<Pause length="2"/><Redirect>/voice</Redirect>')
    bench = Bench({VOICE: hold}).place(5.0)
    assert len(bench.webhooks()) == 3
    assert bench.call.leg.phase == "ringing"
    assert [form["CallStatus"] for form in (r.form for r in bench.requests)] == ["ringing"] * 3
    bench.documents[VOICE] = connect()
    bench.go(5.0)
    assert bench.call.leg.phase == "in-progress"
    assert bench.call.leg.answered_at is not None


def test_a_caller_who_waits_too_long_gives_up() -> None:
    """An inbound call that ends before it was answered is `no-answer`."""
    plan = replace(PLAN, give_up_s=4.5)
    hold = response('<Pause length="2"/><Redirect>/voice</Redirect>')
    bench = Bench({VOICE: hold}, plan=plan).place(10.0)
    report = bench.report
    assert (report.status, report.ended_by, report.answered_at) == ("no-answer", "caller", None)
    assert report.ended_at - report.began_at == pytest.approx(4.5)
    (form,) = bench.callbacks("/status")
    assert (form["CallStatus"], form["CallDuration"]) == ("no-answer", "0")


@pytest.mark.parametrize(
    ("verb", "status"),
    [("<Reject/>", "no-answer"), ('<Reject reason="busy"/>', "busy")],
)
def test_a_rejected_call_is_never_answered(verb: str, status: str) -> None:
    """Neither answered nor billed."""
    report = Bench({VOICE: response(verb)}).place(1.0).report
    assert (report.status, report.answered_at) == (status, None)


def test_say_then_hangup() -> None:
    """The carrier's own voice; it lasts, and it is in the transcript."""
    report = Bench({VOICE: response("<Say>We are closed.</Say><Hangup/>")}).place(9.0).report
    assert (report.status, report.ended_by) == ("completed", "agent")
    assert report.transcript == (("carrier", "We are closed."),)
    assert report.answered_at is not None
    assert report.ended_at - report.answered_at == pytest.approx(14 * 0.06)


def test_dial_records_whom_and_tells_the_action() -> None:
    """The result is configurable."""
    account = replace(Account(), dialled=Dialled(status="busy", ring_s=2.0))
    bench = Bench(
        {VOICE: response('<Dial action="/next">+15550100009</Dial>'), NEXT: response("<Hangup/>")},
        account=account,
    ).place(5.0)
    assert bench.report.dialled == ("+15550100009",)
    form = bench.requests[1].form
    assert (form["DialCallStatus"], form["DialCallDuration"]) == ("busy", "0")
    assert bench.report.status == "completed"


def test_gather_sends_the_keys() -> None:
    """With a finish key; a prompt is spoken meanwhile."""
    document = response('<Gather action="/next" numDigits="3"><Say>Choose.</Say></Gather>')
    bench = Bench(
        {VOICE: document, NEXT: response("<Hangup/>")},
        [Pause(500), Press("12#"), WaitForHangUp()],
    ).place(5.0)
    assert bench.requests[1].form["Digits"] == "12"


def test_gather_without_keys_goes_on_in_the_document() -> None:
    """After its timeout."""
    document = response('<Gather timeout="2"/><Redirect>/next</Redirect>')
    bench = Bench({VOICE: document, NEXT: response("<Hangup/>")}).place(1.9)
    assert bench.webhooks() == [VOICE]
    bench.go(0.5)
    assert bench.webhooks() == [VOICE, NEXT]
    assert bench.requests[1].form["CallStatus"] == "in-progress"


def test_record_and_enqueue_tell_their_actions() -> None:
    """Recording URL; queue result."""
    bench = Bench(
        {
            VOICE: response('<Record action="/next"/>'),
            NEXT: response('<Enqueue action="/end">people</Enqueue>'),
            "https://bot.example/end": response("<Hangup/>"),
        }
    ).place(10.0)
    assert bench.requests[1].form["RecordingUrl"]
    assert bench.requests[2].form["QueueResult"] == "bridged"
    assert bench.report.dialled == ("queue:people",)


def test_documents_that_run_in_a_circle_end_the_call() -> None:
    """A bound, not a busy loop for ever."""
    bench = Bench({VOICE: response("<Redirect/>"), "": 404}).place(0)
    bench.documents[VOICE] = response(f"<Redirect>{VOICE}</Redirect>")
    bench.go(FETCHES_MAX * 0.02)
    assert len(bench.webhooks()) <= FETCHES_MAX
    assert bench.finished == 1


def test_what_the_schema_does_not_know_is_a_warning() -> None:
    """12200, and the rest of the document runs."""
    report = Bench({VOICE: response("<Dance/><Hangup/>")}).place(1.0).report
    assert report.warnings == {12200: 1}
    assert report.ended_by == "agent"


# 7. After a stream ------------------------------------------------------------------------


def test_a_stream_that_the_server_closes_leads_to_the_next_verb() -> None:
    """At once, with the same CallSid; the new stream has a SID of its own and counts from 1."""
    bench = talking(after="<Redirect>/next</Redirect>", next=connect()).go(1.0)
    first = bench.stream_sid
    bench.close(1000).go(0.1)
    assert bench.webhooks() == [VOICE, NEXT]
    starts = bench.messages("start")
    assert len(starts) == 2
    assert starts[1]["streamSid"] != first
    assert starts[1]["sequenceNumber"] == "1"
    assert starts[1]["start"] == {**starts[0]["start"], "streamSid": starts[1]["streamSid"]}  # type: ignore[dict-item]  # The message is JSON.


def test_the_action_url_goes_before_later_verbs() -> None:
    """With `action` set, what follows `</Connect>` is never reached."""
    document = connect("<Redirect>/wrong</Redirect>", attributes=' action="/next"')
    bench = talking(voice=document, next=response("<Hangup/>")).close(1000).go(0.1)
    assert bench.webhooks() == [VOICE, NEXT]
    assert bench.report.status == "completed"


def test_with_nothing_left_the_call_is_completed() -> None:
    """A document that ends with `</Connect>` hangs up when its stream ends."""
    bench = talking().go(1.0).close(1000).go(0.1)
    assert (bench.report.status, bench.report.ended_by) == ("completed", "agent")
    (form,) = bench.callbacks("/status")
    assert form["CallStatus"] == "completed"
    assert form["CallDuration"] == "2"


def test_a_broken_connection_leads_to_the_next_verb_after_a_while() -> None:
    """One second by default; the stream callback says `stream-error`."""
    bench = talking(after="<Redirect>/next</Redirect>", next=connect()).go(1.0)
    bench.close(None).go(0.95)
    assert bench.webhooks() == [VOICE]
    bench.go(0.1)
    assert bench.webhooks() == [VOICE, NEXT]
    assert bench.report.warnings == {31921: 1}
    forms = bench.callbacks("/stream")
    assert [form["StreamEvent"] for form in forms][:2] == ["stream-started", "stream-error"]
    assert forms[1]["StreamError"]


def test_a_broken_connection_may_end_the_call() -> None:
    """Nobody knows what Twilio does: the other outcome is a switch."""
    faults = Faults(after_loss=AfterLoss.HANG_UP, after_loss_s=0.5)
    bench = talking(after="<Redirect>/next</Redirect>", faults=faults).close(None).go(1.0)
    assert bench.webhooks() == [VOICE]
    assert (bench.report.status, bench.report.ended_by) == ("completed", "carrier")


def test_a_broken_connection_may_leave_the_caller_until_the_api_helps() -> None:
    """The next verb never runs: an update by REST is the only way on."""
    faults = Faults(after_loss=AfterLoss.NOTHING)
    bench = talking(after="<Redirect>/next</Redirect>", next=connect(), faults=faults)
    bench.close(None).go(30.0)
    assert (bench.webhooks(), bench.report.status) == ([VOICE], "in-progress")
    bench.happen(Updated(url=NEXT)).go(0.1)
    assert bench.webhooks() == [VOICE, NEXT]
    assert len(bench.opened) == 2


def test_a_close_with_an_error_code_is_counted_but_goes_on_at_once() -> None:
    """The server did close: 31921, `stream-error`, next verb."""
    bench = talking(after="<Redirect>/next</Redirect>", next=connect()).close(1011).go(0.1)
    assert bench.webhooks() == [VOICE, NEXT]
    assert bench.report.warnings == {31921: 1}


def test_a_refused_handshake_is_31920() -> None:
    """Then the next verb; with none, the end about a second later."""
    bench = Bench({VOICE: connect()})
    bench.refuse = StreamRefused(0, "HTTP 503")
    bench.place(0.9)
    assert bench.report.status == "in-progress"
    bench.go(0.5)
    assert bench.report.warnings == {31920: 1}
    assert bench.report.status == "completed"
    assert [form["StreamEvent"] for form in bench.callbacks("/stream")] == ["stream-error"]


def test_a_refused_handshake_may_lead_to_the_next_verb_or_not() -> None:
    """Both outcomes are switches."""
    table = {VOICE: connect("<Redirect>/next</Redirect>"), NEXT: response("<Hangup/>")}
    bench = Bench(table, faults=Faults(refuse_streams=1)).place(0.1)
    assert bench.webhooks() == [VOICE, NEXT]
    assert bench.opened == []
    faults = Faults(refuse_streams=1, after_refusal=AfterLoss.HANG_UP)
    bench = Bench(table, faults=faults).place(2.0)
    assert bench.webhooks() == [VOICE]
    assert bench.report.ended_by == "carrier"


def test_a_caller_who_hangs_up_during_a_resume_is_gone() -> None:
    """While the redirect's answer is on its way; nothing is opened any more."""
    bench = talking(
        after="<Redirect>/next</Redirect>",
        faults=Faults(hang_up_during_resume=True, after_loss_s=0.0),
        next=None,
    )
    bench.close(None).go(0.1)
    assert bench.webhooks() == [VOICE, NEXT]
    assert (bench.report.status, bench.report.ended_by) == ("completed", "caller")
    bench.go(20)
    assert len(bench.opened) == 1


def test_a_caller_hangs_up() -> None:
    """`stop`, close, callback, and then nothing."""
    bench = talking([Pause(500), HangUp()]).go(2.0)
    assert bench.events()[-1] == "stop"
    assert bench.closed == [0]
    assert bench.report.ended_by == "caller"
    assert [form["StreamEvent"] for form in bench.callbacks("/stream")] == [
        "stream-started",
        "stream-stopped",
    ]
    assert bench.finished == 1
    assert bench.call.deadline() is None


def test_the_longest_call_ends() -> None:
    """32015."""
    bench = Bench({VOICE: connect()}, plan=replace(PLAN, length_s_max=5.0)).place(6.0)
    assert bench.report.warnings == {32015: 1}
    assert bench.report.status == "completed"


# 3. The stream's handshake ----------------------------------------------------------------


def test_the_stream_is_opened_as_twilio_does() -> None:
    """The URL as in the document, its signature over no parameters, Twilio's agent."""
    (action,) = talking().opened
    headers = dict(action.headers)
    assert action.url == MEDIA
    assert headers.keys() == {"User-Agent", "X-Twilio-Signature"}
    assert headers["User-Agent"] == "Twilio.TmeWs/1.0"
    assert is_signed(MEDIA, Form(), headers["X-Twilio-Signature"], [AUTH_TOKEN])


@pytest.mark.parametrize("signature", [Signature.WRONG, Signature.MISSING])
def test_the_streams_signature_may_be_wrong(signature: Signature) -> None:
    """To see whether the server minds."""
    (action,) = talking(faults=Faults(stream_signature=signature)).opened
    value = dict(action.headers).get("X-Twilio-Signature")
    assert value is None or not is_signed(MEDIA, Form(), value, [AUTH_TOKEN])
    assert (value is None) == (signature is Signature.MISSING)


def test_a_ticket_may_be_stale_or_foreign() -> None:
    """The socket opens later, with other parameters than the document's."""
    faults = Faults(stream_delay_s=31.0, parameters=(("ticket", "another's"),))
    document = connect(parameters='<Parameter name="ticket" value="own"/>')
    bench = Bench({VOICE: document}, faults=faults).place(30.0)
    assert bench.opened == []
    bench.go(2.0)
    (start,) = bench.messages("start")
    assert isinstance(start["start"], dict)
    assert start["start"]["customParameters"] == {"ticket": "another's"}


def test_a_strangers_socket_replays_the_ticket() -> None:
    """A second socket with the same parameters; how long it lived is in the report."""
    document = connect(parameters='<Parameter name="ticket" value="own"/>')
    bench = talking(voice=document, faults=Faults(replay_after_s=1.0)).go(1.1)
    first, second = bench.messages("start")
    assert isinstance(first["start"], dict)
    assert isinstance(second["start"], dict)
    assert second["start"]["customParameters"] == first["start"]["customParameters"]
    assert second["streamSid"] != first["streamSid"]
    bench.go(0.4)
    bench.happen(StreamClosed(1, 1008)).go(1.0)
    own, probe = bench.report.streams
    assert not own.probe
    assert probe.probe
    assert probe.close_code == 1008
    assert probe.lasted_ms == pytest.approx(500, abs=15)
    assert bench.call.leg.phase == "in-progress"
    assert bench.report.warnings == {}


# 9, 10. The API, outbound calls, callbacks ------------------------------------------------


def outbound(**changes: object) -> CallPlan:
    plan = replace(
        PLAN, direction="outbound-api", callee=Callee(ring_s=2.0), status_events=STATUS_EVENTS
    )
    return replace(plan, **changes)  # type: ignore[arg-type]  # A test's shorthand.


def test_an_outbound_call_rings_and_is_answered() -> None:
    """Callbacks in order, numbered from 0; the document is asked for after the answer."""
    bench = Bench({VOICE: connect()}, [Pause(1000)], plan=outbound()).place(1.9)
    assert bench.webhooks() == []
    bench.go(5.0)
    assert bench.requests[2].form["CallStatus"] == "in-progress"
    forms = bench.callbacks("/status")
    assert [form["CallStatus"] for form in forms] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]
    assert [form["SequenceNumber"] for form in forms] == ["0", "1", "2", "3"]
    for form in forms:
        assert form["CallbackSource"] == "call-progress-events"
        assert form["Timestamp"].endswith("+0000")
        assert form["Direction"] == "outbound-api"
    assert "CallDuration" not in forms[2]
    assert forms[3]["CallDuration"]


@pytest.mark.parametrize(
    ("callee", "status"),
    [
        (Callee(result="busy"), "busy"),
        (Callee(result="failed"), "failed"),
        (Callee(result="no-answer"), "no-answer"),
        (Callee(ring_s=100.0), "no-answer"),
    ],
)
def test_an_outbound_call_may_not_be_answered(callee: Callee, status: str) -> None:
    """Within its ring time; no document is asked for."""
    bench = Bench({}, plan=outbound(callee=callee, ring_s_max=20.0)).place(25.0)
    assert bench.report.status == status
    assert bench.webhooks() == []
    assert bench.callbacks("/status")[-1]["SipResponseCode"]
    assert bench.finished == 1


def test_synchronous_detection_delays_the_document() -> None:
    """It then carries who answered."""
    callee = Callee(ring_s=1.0, answered_by="machine_start", verdict_s=4.0)
    plan = outbound(callee=callee, detect_machine=True)
    bench = Bench({VOICE: connect()}, plan=plan).place(4.9)
    assert bench.webhooks() == []
    bench.go(0.5)
    request = next(request for request in bench.requests if request.wants_answer)
    assert request.form["AnsweredBy"] == "machine_start"


def test_asynchronous_detection_tells_its_verdict_later() -> None:
    """The stream is up meanwhile."""
    plan = outbound(detect_machine=True, detect_async=True, verdict_url="https://bot.example/amd")
    bench = Bench({VOICE: connect()}, plan=plan).place(3.0)
    assert "start" in bench.events()
    assert bench.callbacks("/amd") == []
    bench.go(4.0)
    (form,) = bench.callbacks("/amd")
    assert (form["AnsweredBy"], form["MachineDetectionDuration"]) == ("human", "3500")


def test_an_inline_document_runs_without_a_webhook() -> None:
    """Its URLs must be absolute (15004)."""
    plan = outbound(voice_url=None, twiml=connect())
    bench = Bench({}, plan=plan).place(3.0)
    assert bench.webhooks() == []
    assert "start" in bench.events()
    plan = outbound(voice_url=None, twiml=response("<Redirect>/next</Redirect>"))
    assert Bench({}, plan=plan).place(9.0).report.warnings == {15004: 1}


def test_a_new_document_kills_the_stream() -> None:
    """`stop`, close; the new document runs; the old one's rest does not."""
    bench = talking(after="<Redirect>/next</Redirect>", next=response("<Hangup/>"))
    bench.happen(Updated(twiml=connect())).go(0.1)
    assert bench.closed == [0]
    assert len(bench.messages("stop")) == 1
    assert [action.stream for action in bench.opened] == [0, 1]
    assert bench.webhooks() == [VOICE]
    bench.happen(Updated(url=NEXT)).go(0.1)
    assert bench.webhooks() == [VOICE, NEXT]
    assert bench.report.status == "completed"


def test_the_api_ends_a_call() -> None:
    """`completed` for a live one, `canceled` for one that rings."""
    bench = talking().happen(Updated(status="completed")).go(0.1)
    assert (bench.report.status, bench.report.ended_by) == ("completed", "api")
    bench = Bench({}, plan=outbound()).place(1.0).happen(Updated(status="completed")).go(0.1)
    assert bench.report.status == "canceled"
    bench.happen(Updated(status="completed"))


def test_an_answer_that_comes_after_an_update_does_not_count() -> None:
    """The newest document wins."""
    bench = Bench({VOICE: response("<Redirect>/next</Redirect>"), NEXT: None}).place(0.1)
    bench.happen(Updated(twiml=connect())).go(0.1)
    for request in bench.requests:
        bench.happen(WebhookAnswered(request.request, 200, b"<Response/>"))
    bench.go(20.0)
    assert bench.report.status == "in-progress"


def test_callbacks_may_be_lost_doubled_and_late() -> None:
    """Each a switch; a doubled one is the same, token and all."""
    lost = Bench({}, plan=outbound(), faults=Faults(callback_loss=1.0)).place(5.0)
    assert lost.callbacks("/status") == []
    doubled = Bench({}, plan=outbound(), faults=Faults(callback_double=1.0)).place(1.0)
    forms = doubled.callbacks("/status")
    assert [form["SequenceNumber"] for form in forms] == ["0", "0", "1", "1"]
    shuffled = set()
    for seed in range(20):
        late = Bench({}, plan=outbound(callee=Callee(result="busy", ring_s=0.1)),
                     faults=Faults(callback_delay_s_max=3.0), seed=seed).place(10.0)  # fmt: skip
        forms = late.callbacks("/status")
        shuffled.add(tuple(form["SequenceNumber"] for form in forms))
        assert sorted(form["SequenceNumber"] for form in forms) == ["0", "1", "2"]
        assert late.finished == 1
    assert len(shuffled) > 3


# A conversation ---------------------------------------------------------------------------


def test_a_barge_in_is_measured_from_first_frame_to_silence() -> None:
    """The server clears 180 ms after it hears the person: so long it took."""
    bench = talking([Interrupt(400, "stop it"), Listen(until_silence_ms=300), HangUp()])
    sid = bench.stream_sid
    heard: list[float] = []

    def react(_: int, message: dict[str, object]) -> list[str]:
        frame = message.get("media")
        quiet = isinstance(frame, dict) and str(frame["payload"]).startswith("////")
        if isinstance(frame, dict) and not quiet and not heard:
            heard.append(bench.now)
        if heard and bench.now - heard[0] > 0.179:
            heard[0] = 1e9
            return [clear(sid), media(sid, b"r" * 800), mark(sid, "reply")]
        return []

    bench.on_message = react
    bench.server(media(sid, b"g" * 40_000)).go(5.0)
    report = bench.report
    assert report.barge_ins_ms == [pytest.approx(180, abs=1)]
    assert bytes(report.turns[1].played) == b"r" * 800
    assert report.transcript[0][0] == "agent"
    assert report.transcript[1] == ("caller", "stop it")
    assert report.status == "completed"


def test_a_reply_with_a_hole_is_reported() -> None:
    """300 ms of audio, 140 ms of nothing, 300 ms more."""
    bench = talking()
    sid = bench.stream_sid
    bench.server(media(sid, b"a" * 2400)).go(0.44).server(media(sid, b"b" * 2400)).go(1.0)
    assert bench.report.holes_ms == [pytest.approx(140, abs=1)]


# Any history ------------------------------------------------------------------------------

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(Listen, st.integers(0, 500), st.just(3000)),
    st.builds(Say, st.sampled_from(["hello", "hello there"])),
    st.builds(Pause, st.integers(0, 3000)),
    st.builds(Interrupt, st.integers(0, 500), st.just("stop"), st.just(3000)),
    st.builds(Press, st.text("0123456789*#", max_size=3)),
)
VERBS = st.sampled_from(
    [
        '<Pause length="2"/>',
        "<Say>hello</Say>",
        '<Play digits="1w2"/>',
        "<Dial>+15550100009</Dial>",
        "<Gather numDigits='1' timeout='1' action='/voice'/>",
        "<Enqueue>q</Enqueue>",
        "<Record action='/next'/>",
        "<Redirect>/next</Redirect>",
        "<Reject/>",
        "<Hangup/>",
        "<Nonsense/>",
        f'<Connect><Stream url="{MEDIA}"/></Connect>',
        f'<Connect action="/next"><Stream url="{MEDIA}"/></Connect>',
        '<Connect><Stream url="wss://bot.example/media?a=b"/></Connect>',
    ]
)
STREAMS = st.sampled_from([connect(), connect("<Redirect>/next</Redirect>")])
OTHERS: st.SearchStrategy[Document] = st.one_of(
    st.builds(lambda verbs: response("".join(verbs)), st.lists(VERBS, min_size=1, max_size=5)),
    st.sampled_from([None, 500, "junk"]),
)
DOCUMENTS: st.SearchStrategy[Document] = st.integers(0, 3).flatmap(
    lambda dice: OTHERS if dice == 3 else STREAMS
)
PROBABILITY = st.sampled_from([0.0, 0.0, 0.5, 1.0])
FAULTS = st.builds(
    Faults,
    duplicate_webhook=st.sampled_from(Duplicate),
    refuse_streams=st.sampled_from([0, 0, 0, 2]),
    stream_delay_s=st.sampled_from([0.0, 0.5]),
    replay_after_s=st.sampled_from([0.0, 0.3]),
    reset_after_s=st.sampled_from([0.0, 0.7]),
    resets_max=st.integers(0, 3),
    after_loss=st.sampled_from(AfterLoss),
    no_stop=st.booleans(),
    hang_up_during_resume=st.booleans(),
    slow_reader_after_s=st.sampled_from([0.0, 0.2]),
    jitter_every_s=st.sampled_from([0.0, 0.4]),
    garbage=st.lists(
        st.sampled_from([g for g in Garbage if g not in {"deep", "huge"}]), max_size=2
    ).map(tuple),
    callback_loss=PROBABILITY,
    callback_double=PROBABILITY,
    callback_delay_s_max=st.sampled_from([0.0, 2.0]),
)


def stray(bench: Bench, dice: random.Random) -> list[Event]:
    """Something that may happen to the call at any moment."""
    request = dice.randrange(1, 9)
    events: list[Event] = [
        PersonHungUp(),
        Updated(status=dice.choice(["completed", "canceled"])),
        Updated(url=NEXT),
        Updated(twiml=connect()),
        Updated(twiml="junk"),
        WebhookAnswered(request, 200, response("<Hangup/>").encode()),
        WebhookFailed(request, "late"),
    ]
    if bench.opened:
        stream = dice.choice(bench.opened).stream
        events += [
            StreamClosed(stream, dice.choice([None, 1000, 1011])),
            StreamBinary(stream),
            StreamStalled(stream, stalled=dice.random() < 0.5),
        ]
    return [dice.choice(events)]


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(DOCUMENTS, DOCUMENTS),
    st.lists(STEPS, max_size=4),
    FAULTS,
    st.booleans(),
    st.integers(0, 2**32),
)
def test_any_history_ends_with_everything_closed(
    documents: tuple[Document, Document],
    script: list[Step],
    faults: Faults,
    is_inbound: bool,  # noqa: FBT001
    seed: int,
) -> None:
    """Whatever happens: a final status once, all sockets gone, nothing awaited, bytes balanced."""
    dice = random.Random(seed)
    plan = PLAN if is_inbound else outbound()
    plan = replace(plan, length_s_max=30.0, give_up_s=40.0)
    table = dict(zip((VOICE, NEXT), documents, strict=True))
    bench = Bench(table, [*script, WaitForHangUp(20)], faults=faults, plan=plan, seed=seed)
    bench.place(dice.choice([0.0, 0.05, 3.0]))
    for _ in range(30):
        bench.go(dice.choice([0.0, 0.01, 0.1, 0.5]))
        if bench.opened and dice.random() < 0.7 and bench.messages("start"):
            sid = bench.stream_sid
            said = dice.choice([media(sid, b"a" * 3000), mark(sid, "m"), clear(sid), "junk"])
            bench.server(said, dice.choice(bench.opened).stream)
        if dice.random() < 0.07:
            for event in stray(bench, dice):
                bench.happen(event)
    bench.go(200.0)
    report = bench.report
    assert bench.finished == 1
    assert report.status in OVER
    assert bench.call.deadline() is None
    for stream in report.streams:
        assert stream.ended_at is not None or stream.opened_at is None
        balance = stream.bytes_played + stream.bytes_cleared + stream.bytes_dropped
        assert balance == stream.bytes_received
    sequences = {form["SequenceNumber"] for form in bench.callbacks("/status")}
    assert len(sequences) <= len(plan.status_events)
    started = [message["streamSid"] for message in bench.messages("start")]
    if Garbage.SECOND_START not in faults.garbage:
        assert len(started) == len(set(started))
