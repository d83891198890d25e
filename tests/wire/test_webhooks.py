from collections.abc import Sequence
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twilio.request_validator import (  # type: ignore[import-untyped]  # It has no types.
    RequestValidator,
)

from trunkline.errors import CarrierProtocolError
from trunkline.wire import webhooks
from trunkline.wire.twilio import MALFORMED, NOT_ACCEPTABLE
from trunkline.wire.webhooks import (
    Form,
    MachineVerdict,
    StatusCallback,
    StreamStatus,
    VoiceRequest,
    is_signed,
    parse_form,
    sign,
)
from wire import hostile

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
VOICE = "https://calls.example.com/twilio/voice"
MEDIA = "wss://calls.example.com/pods/pod-1/media"
CALL = "CA00000000000000000000000000000001"
ACCOUNT = "AC00000000000000000000000000000001"
STREAM = "MZ00000000000000000000000000000001"

forms = st.lists(
    st.tuples(st.sampled_from(["From", "To", "a", ""]) | st.text(max_size=6), st.text(max_size=8)),
    max_size=8,
).map(Form)
hosts = st.sampled_from(["calls.example.com", "a.b", "127.0.0.1", "Calls.Example.com"])
ports = st.sampled_from(["", ":443", ":80", ":8443"])
paths = st.sampled_from(
    ["", "/", "/twilio/voice", "/twilio/resume/a.b-c", "/x?y=1&z=%20", "/?", "/%C3%A9", "/a;b?c"]
)
schemes = st.sampled_from(["https", "http", "wss"])
urls = st.builds("{}://{}{}{}".format, schemes, hosts, ports, paths)
tokens = st.text(min_size=1, max_size=40)


def judged(url: str, form: Form, signature: str, token: str) -> bool:
    """What the twilio package says."""
    return bool(RequestValidator(token).validate(url, form, signature))


def judge_signs(url: str, form: Form, token: str) -> str:
    return str(RequestValidator(token).compute_signature(url, form))


@given(urls, forms, tokens)
def test_our_signature_is_twilios(url: str, form: Form, token: str) -> None:
    """The twilio package accepts what we sign: repeated names, blanks, any characters."""
    signature = sign(url, form, token)
    assert signature == judge_signs(url, form, token)
    assert judged(url, form, signature, token) or url.endswith("?")  # It drops an empty query.
    assert is_signed(url, form, signature, [token])


@given(schemes, hosts, ports, ports, paths, forms, tokens)
def test_ports_count_as_little_as_with_the_package(
    scheme: str, host: str, port: str, signed_port: str, path: str, form: Form, token: str
) -> None:
    """We take what the twilio package takes, and for `wss` the port that it forgets."""
    url, signed = f"{scheme}://{host}{port}{path}", f"{scheme}://{host}{signed_port}{path}"
    signature = judge_signs(signed, form, token)
    forgotten = scheme == "wss" and not port and signed_port == ":443"
    expected = judged(url, form, signature, token) or forgotten or signed == url
    if not path.endswith("?"):  # The package drops an empty query, and so the signature.
        assert is_signed(url, form, signature, [token]) == expected


@given(forms, forms)
def test_another_form_has_another_signature(form: Form, other: Form) -> None:
    """A changed, added or dropped field is noticed; order and doubles are not signed."""

    def signed_part(of: Form) -> str:
        return "".join(
            name + value for name in sorted(of) for value in sorted(set(of.getall(name)))
        )

    accepted = is_signed(VOICE, other, sign(VOICE, form, TOKEN), [TOKEN])
    assert accepted == (signed_part(form) == signed_part(other))


@pytest.mark.parametrize(
    ("asked", "signed", "accepted"),
    [
        (VOICE, VOICE, True),
        (VOICE, "https://calls.example.com:443/twilio/voice", True),
        ("https://calls.example.com:443/twilio/voice", VOICE, True),
        (VOICE, "https://calls.example.com:80/twilio/voice", False),
        (VOICE, "https://calls.example.com:8443/twilio/voice", False),
        (VOICE, "http://calls.example.com/twilio/voice", False),
        (VOICE, "https://calls.example.com/twilio/voice/", False),
        (VOICE, "https://calls.example.com/twilio/voice?x=1", False),
        (VOICE, "https://calls.example.org/twilio/voice", False),
        (VOICE + "#rc=2", VOICE, True),
        (VOICE, VOICE + "#rc=2", True),
        (MEDIA, MEDIA, True),
        (MEDIA, "wss://calls.example.com:443/pods/pod-1/media", True),
        (MEDIA, "wss://calls.example.com:80/pods/pod-1/media", True),
        ("wss://calls.example.com:443/pods/pod-1/media", MEDIA, True),
        (MEDIA, "https://calls.example.com/pods/pod-1/media", False),
        (MEDIA, "wss://calls.example.com/pods/pod-2/media", False),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x", True),
        ("http://127.0.0.1/x", "http://127.0.0.1:80/x", True),
        ("ws://127.0.0.1:8080/x", "ws://127.0.0.1:8080/x", True),
        ("https://[::1]:8080/x", "https://[::1]:8080/x", True),
        ("https://[::1]:8080/x", "https://[::1]/x", True),
        ("https://[::1]/x", "https://[::1]:443/x", True),
        ("https://user:12@calls.example.com/x", "https://user:12@calls.example.com:443/x", True),
        ("https://user:12@calls.example.com/x", "https://user@calls.example.com/x", False),
        ("not a url", "not a url", True),
        ("", "", True),
    ],
)
def test_which_url_was_signed(asked: str, signed: str, accepted: bool) -> None:  # noqa: FBT001
    """The public URL with its port or without; any other part that differs is refused."""
    form = Form([("CallSid", CALL)])
    assert is_signed(asked, form, sign(signed, form, TOKEN), [TOKEN]) is accepted


@pytest.mark.parametrize(
    ("tokens_", "accepted"),
    [
        ([TOKEN], True),
        ([OTHER, TOKEN], True),
        ([TOKEN, OTHER], True),
        ([TOKEN, ""], True),
        ([OTHER], False),
        ([""], False),
        ([], False),
    ],
)
def test_both_tokens_count_during_rotation(tokens_: Sequence[str], accepted: bool) -> None:  # noqa: FBT001
    """Either token signs; one that is not set never does."""
    form = Form([("CallSid", CALL)])
    assert is_signed(VOICE, form, sign(VOICE, form, TOKEN), tokens_) is accepted


def test_an_empty_token_signs_nothing() -> None:
    """A token that nobody has set is one that everybody knows."""
    assert not is_signed(VOICE, Form(), sign(VOICE, Form(), ""), ["", TOKEN])


@given(st.text() | st.sampled_from(["", "\ud800", "é", sign(VOICE, Form(), TOKEN)[:-1]]))
@example(sign(VOICE, Form(), TOKEN) + "=")
@example(sign(VOICE, Form(), TOKEN).lower())
def test_no_other_text_is_a_signature(signature: str) -> None:
    """Whatever stands in the header is compared and refused, without an exception."""
    assert not is_signed(VOICE, Form(), signature, [TOKEN])


def test_what_is_no_unicode_is_not_signed() -> None:
    """Half a character in URL or form can't have been signed by anybody."""
    assert not is_signed(VOICE + "\ud800", Form(), "x", [TOKEN])
    assert not is_signed(VOICE, Form([("a", "\ud800")]), "x", [TOKEN])


def test_blanks_count() -> None:
    """An empty value is signed by its name: dropping it would refuse honest requests."""
    body = b"From=&To=%2B15550100001&To=&CallSid="
    form = parse_form(body)
    assert form.fields == (("From", ""), ("To", "+15550100001"), ("To", ""), ("CallSid", ""))
    assert is_signed(VOICE, form, sign(VOICE, form, TOKEN), [TOKEN])
    assert not is_signed(VOICE, Form([("To", "+15550100001")]), sign(VOICE, form, TOKEN), [TOKEN])


@given(forms)
def test_a_form_comes_back(form: Form) -> None:
    """Names, values, order, repeats and blanks survive the body."""
    assert parse_form(form.encode()) == form
    assert parse_form(urlencode(form.fields).encode()).fields == form.fields


def test_a_form_is_a_mapping_of_first_values() -> None:
    """Each name once, in order, with its first value; all of them on demand."""
    form = Form([("a", "1"), ("b", ""), ("a", "2")])
    assert dict(form) == {"a": "1", "b": ""}
    assert list(form) == ["a", "b"]
    assert len(form) == 2
    assert form.getall("a") == ["1", "2"]
    assert "c" not in form
    assert form != Form([("a", "1"), ("a", "2"), ("b", "")])
    assert form != {"a": "1"}
    assert len({form, Form(form.fields)}) == 1


def test_a_forms_values_are_not_shown() -> None:
    """A form in a log or a traceback tells no number."""
    assert repr(Form([("From", "+15550100001"), ("To", "x")])) == "Form(From, To)"
    for fields, record in REQUESTS.values():
        person = [v for k, v in fields.items() if k in {"From", "To", "ForwardedFrom"} and v]
        assert not any(value in repr(record) for value in person)


@pytest.mark.parametrize(
    "body",
    [
        b"a",
        b"&",
        b"a=1&",
        b"a=1&&b=2",
        b"a=%FF",
        b"a=%ED%A0%80",
        b"%FF=a",
        b"a=\xc3\xa9",
        b"a=\x80",
        b'{"a":1}',
        b"--boundary\r\n",
        b"a=1&" * webhooks.FORM_FIELDS_MAX + b"a=1",
        b"a=" + b"x" * webhooks.FORM_BYTES_MAX,
    ],
    ids=range(13),
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    """Not encoded as a form, no UTF-8, too many fields, too long: malformed."""
    with pytest.raises(CarrierProtocolError) as refusal:
        parse_form(body)
    assert refusal.value.code == MALFORMED


def test_the_largest_form_is_read() -> None:
    """At their limits length and number of fields pass; nothing at all is an empty form."""
    fields = webhooks.FORM_FIELDS_MAX
    assert len(parse_form(b"&".join([b"a=1"] * fields)).fields) == fields
    assert parse_form(b"a=" + b"x" * (webhooks.FORM_BYTES_MAX - 2))["a"]
    assert parse_form(b"") == Form()
    assert parse_form(b"a=%00")["a"] == "\0"


@given(st.binary(max_size=60))
def test_reading_forms_is_total(body: bytes) -> None:
    """Garbage never raises anything but the protocol's error."""
    try:
        parse_form(body)
    except CarrierProtocolError as error:
        assert error.code == MALFORMED  # noqa: PT017 - may also succeed


Read = VoiceRequest | StatusCallback | StreamStatus | MachineVerdict

REQUESTS: dict[str, tuple[dict[str, str], Read]] = {
    "a call rings": (
        {
            "CallSid": CALL,
            "AccountSid": ACCOUNT,
            "From": "+15550100001",
            "To": "+15550100002",
            "Direction": "inbound",
            "CallStatus": "ringing",
            "ForwardedFrom": "+15550100003",
            "CallerName": "",
            "StirVerstat": "TN-Validation-Passed-A",
        },
        VoiceRequest(
            CALL,
            ACCOUNT,
            "+15550100001",
            "+15550100002",
            "inbound",
            "ringing",
            forwarded_from="+15550100003",
            caller_name="",
            stir_verstat="TN-Validation-Passed-A",
        ),
    ),
    "the fallback is asked": (
        {
            "CallSid": CALL,
            "AccountSid": ACCOUNT,
            "From": "anonymous",
            "To": "sip:a@b",
            "Direction": "outbound-api",
            "CallStatus": "in-progress",
            "ParentCallSid": "CA2",
            "AnsweredBy": "human",
            "ErrorCode": "11200",
            "RecordingUrl": "https://api.example.com/recordings/RE1",
        },
        VoiceRequest(
            CALL,
            ACCOUNT,
            "anonymous",
            "sip:a@b",
            "outbound-api",
            "in-progress",
            parent_call="CA2",
            answered_by="human",
            error_code="11200",
            recording_url="https://api.example.com/recordings/RE1",
        ),
    ),
    "a call is over": (
        {
            "CallSid": CALL,
            "AccountSid": ACCOUNT,
            "From": "",
            "To": "",
            "Direction": "inbound",
            "CallStatus": "completed",
            "SequenceNumber": "3",
            "CallDuration": "61",
            "SipResponseCode": "200",
            "Timestamp": "Sun, 22 Nov 2026 10:00:00 +0000",
        },
        StatusCallback(
            CALL,
            ACCOUNT,
            "completed",
            3,
            61,
            direction="inbound",
            sip_response_code=200,
            timestamp="Sun, 22 Nov 2026 10:00:00 +0000",
        ),
    ),
    "a stream failed": (
        {
            "CallSid": CALL,
            "AccountSid": ACCOUNT,
            "StreamSid": STREAM,
            "StreamEvent": "stream-error",
            "StreamError": "31921",
            "Timestamp": "2026-11-22T10:00:00.000Z",
        },
        StreamStatus(CALL, ACCOUNT, STREAM, "stream-error", "31921", "2026-11-22T10:00:00.000Z"),
    ),
    "a machine answered": (
        {
            "CallSid": CALL,
            "AccountSid": ACCOUNT,
            "AnsweredBy": "machine_start",
            "MachineDetectionDuration": "2500",
        },
        MachineVerdict(CALL, ACCOUNT, "machine_start", 2500),
    ),
}
"""What Twilio asks and tells, as form and as record."""


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_read(name: str) -> None:
    """From the fields that Twilio documents; parameters that are new to us are ignored."""
    fields, record = REQUESTS[name]
    assert type(record).from_form(Form(fields.items())) == record
    assert type(record).from_form(Form([("New", "x"), *fields.items()])) == record


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_written(name: str) -> None:
    """The simulator sends the same fields, and comes back to the same record."""
    fields, record = REQUESTS[name]
    form = record.to_form()
    assert {field: form[field] for field in fields} == fields
    assert type(record).from_form(parse_form(form.encode())) == record


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize(
    "value", ["", "a b", "../x", "a/b", "\0", "é", "x" * 65, "CA1\n", "{tag}", "a:b"]
)
@pytest.mark.parametrize("field", ["CallSid", "AccountSid"])
def test_a_name_that_is_no_identifier_is_refused(name: str, value: str, field: str) -> None:
    """Names become parts of keys and paths: a signed request may not choose them freely."""
    fields, record = REQUESTS[name]
    with pytest.raises(CarrierProtocolError) as refusal:
        type(record).from_form(Form({**fields, field: value}.items()))
    assert refusal.value.code == NOT_ACCEPTABLE
    assert field in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("a call is over", "CallStatus"),
        ("a stream failed", "StreamSid"),
        ("a stream failed", "StreamEvent"),
        ("a machine answered", "AnsweredBy"),
        *((name, field) for name in REQUESTS for field in ("CallSid", "AccountSid")),
    ],
)
def test_what_a_request_is_about_must_be_said(name: str, field: str) -> None:
    """A request without its subject is refused, not guessed at."""
    fields, record = REQUESTS[name]
    rest = {key: value for key, value in fields.items() if key != field}
    with pytest.raises(CarrierProtocolError):
        type(record).from_form(Form(rest.items()))


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "٣", "9" * 19, " 1"])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("a call is over", "SequenceNumber"),
        ("a call is over", "CallDuration"),
        ("a call is over", "SipResponseCode"),
        ("a machine answered", "MachineDetectionDuration"),
    ],
)
def test_a_number_that_is_none_is_refused(name: str, field: str, number: str) -> None:
    """Order and duration are numbers or absent."""
    fields, record = REQUESTS[name]
    with pytest.raises(CarrierProtocolError):
        type(record).from_form(Form({**fields, field: number}.items()))
    blank = type(record).from_form(Form({**fields, field: ""}.items()))
    assert blank != record


@pytest.mark.parametrize(
    ("status", "is_over"),
    [
        ("queued", False),
        ("initiated", False),
        ("ringing", False),
        ("in-progress", False),
        ("completed", True),
        ("busy", True),
        ("failed", True),
        ("no-answer", True),
        ("canceled", True),
    ],
)
def test_which_status_is_the_last(status: str, is_over: bool) -> None:  # noqa: FBT001
    """Five statuses are final, whatever comes after them out of order."""
    assert StatusCallback(CALL, ACCOUNT, status).is_over is is_over


@given(hostile.json_like)
def test_any_form_is_survived_by_every_record(value: object) -> None:
    """Whatever the fields hold, only the protocol's error is raised."""
    text = str(value)
    for fields, record in REQUESTS.values():
        for field in fields:
            try:
                type(record).from_form(Form({**fields, field: text}.items()))
            except CarrierProtocolError as error:
                assert error.code == NOT_ACCEPTABLE  # noqa: PT017 - may also succeed
