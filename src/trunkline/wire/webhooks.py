"""Forms and signatures of Twilio's HTTP requests.

Source: Twilio, "Webhooks security" and "TwiML request parameters". The signature itself is
computed by the twilio package. Which URLs it may stand for is decided here, because the
package's own `validate` tries port 80 for `wss`, and cuts a user name and an IPv6 address to
pieces with the port.
"""

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode

from twilio.request_validator import (  # type: ignore[import-untyped]  # It has no types.
    RequestValidator,
)

from trunkline.errors import CarrierProtocolError
from trunkline.wire.twilio import MALFORMED, NOT_ACCEPTABLE, NUMBER_DIGITS_MAX

FORM_BYTES_MAX: Final = 64 * 1024
"""A longer body is refused before it is parsed; Twilio's forms have some 2 KiB."""

FORM_FIELDS_MAX: Final = 500
"""More fields are refused: Twilio sends some 40."""

SIGNATURE_HEADER: Final = "X-Twilio-Signature"
IDEMPOTENCY_HEADER: Final = "I-Twilio-Idempotency-Token"
"""Equal on all attempts of one webhook, where it is sent at all."""
API_VERSION: Final = "2010-04-01"
FORM_CONTENT_TYPE: Final = "application/x-www-form-urlencoded"

TERMINAL_STATUSES: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""A call in one of these is over; a status that comes later changes nothing."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_AUTHORITY = re.compile(r"(?P<scheme>[^:/?#]+)://(?P<host>[^/?#]*?)(?P<port>:[0-9]+)?(?=[/?#]|$)")


class Form(Mapping[str, str]):
    """Fields in the order they came in: names may repeat, blank values are kept.

    As a mapping it has each name once, with its first value; `fields` has all there is.
    """

    __slots__ = ("_values", "fields")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.fields: Final = tuple(fields)
        values: dict[str, list[str]] = {}
        for name, value in self.fields:
            values.setdefault(name, []).append(value)
        self._values: Final = values

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return self.fields == other.fields if isinstance(other, Form) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        """Names only: the values are a person's."""
        return f"Form({', '.join(self._values)})"

    def getall(self, name: str) -> list[str]:
        """All values of a field, in order (the twilio package asks by this name)."""
        return self._values[name]

    def encode(self) -> bytes:
        """The form as a request body."""
        return urlencode(self.fields).encode("ascii")


def parse_form(body: bytes) -> Form:
    """Read a request body, or raise `CarrierProtocolError` and nothing else."""
    if len(body) > FORM_BYTES_MAX:
        raise CarrierProtocolError(f"form over {FORM_BYTES_MAX} bytes", MALFORMED)
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            encoding="utf-8",
            errors="strict",
            max_num_fields=FORM_FIELDS_MAX,
        )
    except ValueError as error:  # UnicodeDecodeError is one, too.
        raise CarrierProtocolError("the body is no form", MALFORMED) from error
    return Form(fields)


def sign(url: str, form: Form, token: str) -> str:
    """The `X-Twilio-Signature` of a request: `form` is empty for GET and for `wss`."""
    return str(RequestValidator(token).compute_signature(url.partition("#")[0], form))


def is_signed(url: str, form: Form, signature: str, tokens: Sequence[str]) -> bool:
    """Whether one of the tokens made the signature, for the URL with or without its port.

    `url` is the public one, from the settings: never from the Host header. During the rotation
    of a token both are given. Takes the same time whichever character is wrong.
    """
    given = signature.encode("utf-8", "surrogatepass")
    found = False
    for candidate in _with_and_without_port(url.partition("#")[0]):
        for token in tokens:
            try:
                expected = sign(candidate, form, token)
            except UnicodeEncodeError:  # Half a character: Twilio can't have signed this.
                return False
            found |= bool(token) and hmac.compare_digest(expected.encode("ascii"), given)
    return found


def _with_and_without_port(url: str) -> tuple[str, ...]:
    """The forms of a URL that Twilio may have signed: it is not consistent about ports.

    For `wss` the twilio package tries port 80; Twilio itself would mean 443. Both are taken.
    """
    parts = _AUTHORITY.match(url)
    if parts is None:
        return (url,)
    bare, rest = f"{parts['scheme']}://{parts['host']}", url[parts.end() :]
    if parts["port"] is not None:
        return (url, bare + rest)
    secure = parts["scheme"].lower() in {"https", "wss"}
    ports = [":443"] if secure else [":80"]
    if parts["scheme"].lower() == "wss":
        ports.append(":80")
    return (url, *(bare + port + rest for port in ports))


def _id(form: Form, name: str) -> str:
    """A field that names something: it becomes part of keys and paths, so it must be plain."""
    value = form.get(name, "")
    if _ID.fullmatch(value) is None:
        raise CarrierProtocolError(f"{name} is missing or is no identifier", NOT_ACCEPTABLE)
    return value


def _number(form: Form, name: str) -> int | None:
    value = form.get(name, "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= NUMBER_DIGITS_MAX):
        raise CarrierProtocolError(f"{name} is no number", NOT_ACCEPTABLE)
    return int(value)


def _fields(**values: str | int | None) -> Iterator[tuple[str, str]]:
    return ((name, str(value)) for name, value in values.items() if value is not None)


@dataclass(frozen=True, slots=True)
class VoiceRequest:
    """Twilio asks what to do with a call. Numbers are E.164, SIP or client names, or empty.

    Its `repr` names nobody: it may stand in a log.
    """

    call: str
    account: str
    from_number: str = field(repr=False)
    to_number: str = field(repr=False)
    direction: str
    status: str
    parent_call: str | None = None
    forwarded_from: str | None = field(default=None, repr=False)
    caller_name: str | None = field(default=None, repr=False)
    stir_verstat: str | None = None
    answered_by: str | None = None
    error_code: str | None = None
    recording_url: str | None = None
    """Where the message lies that a `<Record>` of ours has just taken."""

    @classmethod
    def from_form(cls, form: Form) -> "VoiceRequest":
        """Raises `CarrierProtocolError` if the form does not name a call."""
        return cls(
            call=_id(form, "CallSid"),
            account=_id(form, "AccountSid"),
            from_number=form.get("From", ""),
            to_number=form.get("To", ""),
            direction=form.get("Direction", ""),
            status=form.get("CallStatus", ""),
            parent_call=form.get("ParentCallSid"),
            forwarded_from=form.get("ForwardedFrom"),
            caller_name=form.get("CallerName"),
            stir_verstat=form.get("StirVerstat"),
            answered_by=form.get("AnsweredBy"),
            error_code=form.get("ErrorCode"),
            recording_url=form.get("RecordingUrl"),
        )

    def to_form(self) -> Form:
        """The fields as Twilio sends them, its doubles included."""
        return Form(
            _fields(
                CallSid=self.call,
                AccountSid=self.account,
                ApiVersion=API_VERSION,
                From=self.from_number,
                To=self.to_number,
                Caller=self.from_number,
                Called=self.to_number,
                Direction=self.direction,
                CallStatus=self.status,
                ParentCallSid=self.parent_call,
                ForwardedFrom=self.forwarded_from,
                CallerName=self.caller_name,
                StirVerstat=self.stir_verstat,
                AnsweredBy=self.answered_by,
                ErrorCode=self.error_code,
                RecordingUrl=self.recording_url,
            )
        )


@dataclass(frozen=True, slots=True)
class StatusCallback:
    """What became of a call. May be lost, doubled or out of order: `sequence_number` counts.

    `duration` in seconds, once the call is over; `timestamp` in RFC 2822.
    """

    call: str
    account: str
    status: str
    sequence_number: int | None = None
    duration: int | None = None
    from_number: str = field(default="", repr=False)
    to_number: str = field(default="", repr=False)
    direction: str = ""
    answered_by: str | None = None
    sip_response_code: int | None = None
    timestamp: str | None = None

    @classmethod
    def from_form(cls, form: Form) -> "StatusCallback":
        """Raises `CarrierProtocolError` if the form does not name a call and its status."""
        status = form.get("CallStatus", "")
        if not status:
            raise CarrierProtocolError("CallStatus is missing", NOT_ACCEPTABLE)
        return cls(
            call=_id(form, "CallSid"),
            account=_id(form, "AccountSid"),
            status=status,
            sequence_number=_number(form, "SequenceNumber"),
            duration=_number(form, "CallDuration"),
            from_number=form.get("From", ""),
            to_number=form.get("To", ""),
            direction=form.get("Direction", ""),
            answered_by=form.get("AnsweredBy"),
            sip_response_code=_number(form, "SipResponseCode"),
            timestamp=form.get("Timestamp"),
        )

    @property
    def is_over(self) -> bool:
        """Whether the call is over, and stays so."""
        return self.status in TERMINAL_STATUSES

    def to_form(self) -> Form:
        """The fields as Twilio sends them."""
        return Form(
            _fields(
                CallSid=self.call,
                AccountSid=self.account,
                ApiVersion=API_VERSION,
                From=self.from_number,
                To=self.to_number,
                Caller=self.from_number,
                Called=self.to_number,
                Direction=self.direction,
                CallStatus=self.status,
                CallbackSource="call-progress-events",
                SequenceNumber=self.sequence_number,
                CallDuration=self.duration,
                AnsweredBy=self.answered_by,
                SipResponseCode=self.sip_response_code,
                Timestamp=self.timestamp,
            )
        )


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What became of a stream: `stream-started`, `stream-stopped` or `stream-error`."""

    call: str
    account: str
    stream: str
    event: str
    error: str | None = None
    timestamp: str | None = None

    @classmethod
    def from_form(cls, form: Form) -> "StreamStatus":
        """Raises `CarrierProtocolError` if the form does not name a stream and its event."""
        return cls(
            call=_id(form, "CallSid"),
            account=_id(form, "AccountSid"),
            stream=_id(form, "StreamSid"),
            event=_id(form, "StreamEvent"),
            error=form.get("StreamError"),
            timestamp=form.get("Timestamp"),
        )

    def to_form(self) -> Form:
        """The fields as Twilio sends them."""
        return Form(
            _fields(
                AccountSid=self.account,
                CallSid=self.call,
                StreamSid=self.stream,
                StreamName=self.stream,
                StreamEvent=self.event,
                StreamError=self.error,
                Timestamp=self.timestamp,
            )
        )


@dataclass(frozen=True, slots=True)
class MachineVerdict:
    """Who answered an outbound call (asynchronous machine detection)."""

    call: str
    account: str
    answered_by: str
    duration_ms: int | None = None

    @classmethod
    def from_form(cls, form: Form) -> "MachineVerdict":
        """Raises `CarrierProtocolError` if the form does not name a call and who answered."""
        return cls(
            call=_id(form, "CallSid"),
            account=_id(form, "AccountSid"),
            answered_by=_id(form, "AnsweredBy"),
            duration_ms=_number(form, "MachineDetectionDuration"),
        )

    def to_form(self) -> Form:
        """The fields as Twilio sends them."""
        return Form(
            _fields(
                CallSid=self.call,
                AccountSid=self.account,
                AnsweredBy=self.answered_by,
                MachineDetectionDuration=self.duration_ms,
            )
        )
