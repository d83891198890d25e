"""The Calls API's words: parameters read into plans, calls and errors written as JSON."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from trunkline.sim.carrier.account import USUAL_CALLEE, Account, Callee
from trunkline.sim.carrier.fetch import NotFetched
from trunkline.sim.carrier.forms import STATUS_EVENTS, CallPlan
from trunkline.wire.webhooks import API_VERSION, Form

PAGE_SIZE: Final = 50
"""So many on a page where nothing is asked for."""

TWIML_CHARS_MAX: Final = 4000
RING_S_MAX: Final = 600
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_OTHER_ADDRESS: Final = re.compile(r"(sip|client):[^\s]{1,200}")
_URL: Final = re.compile(r"https?://[^\s/?#]+[^\s]*")

Json = str | int | None | dict[str, str] | list["Resource"]
Resource = dict[str, Json]


class ApiError(Exception):
    """Why a request is refused: HTTP status and Twilio's code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def resource(self) -> Resource:
        """The error as the API's JSON."""
        return {
            "code": self.code,
            "message": str(self),
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


def refuse(status: int, code: int, message: str) -> NoReturn:
    """Refuse a request."""
    raise ApiError(status, code, message)


@dataclass(frozen=True, slots=True)
class CallState:
    """What the API can say of a call now. Times on the machine's clock."""

    plan: CallPlan
    status: str
    created_at: float
    queue_ms: int = 0
    updated_at: float = 0.0
    answered_at: float | None = None
    ended_at: float | None = None
    duration_s: int | None = None
    answered_by: str | None = None
    failures: tuple[tuple[float, NotFetched], ...] = ()
    """Documents that could not be had."""


def notifications_resource(state: CallState, account: Account) -> Resource:
    """What the API notes of a call: here, the documents that could not be had."""
    base = f"/{API_VERSION}/Accounts/{account.sid}/Calls/{state.plan.sid}/Notifications"
    notes: list[Resource] = []
    for number, (at, failure) in enumerate(state.failures):
        sid, when = f"NO{state.plan.sid[2:-4]}{number:04x}", account.rfc2822(at)
        notes.append(
            {
                "sid": sid,
                "account_sid": account.sid,
                "call_sid": state.plan.sid,
                "api_version": API_VERSION,
                "log": "0",
                "error_code": str(failure.code),
                "more_info": f"https://www.twilio.com/docs/errors/{failure.code}",
                "message_text": failure.reason,
                "message_date": when,
                "date_created": when,
                "date_updated": when,
                "request_method": "POST",
                "request_url": failure.url,
                "uri": f"{base}/{sid}.json",
            }
        )
    end = max(0, len(notes) - 1)
    return {
        "notifications": notes,
        "page": 0,
        "page_size": PAGE_SIZE,
        "start": 0,
        "end": end,
        "uri": f"{base}.json",
        "next_page_uri": None,
        "previous_page_uri": None,
    }


def call_resource(state: CallState, account: Account) -> Resource:
    """A call as the API shows it."""
    plan = state.plan
    base = f"/{API_VERSION}/Accounts/{account.sid}/Calls/{plan.sid}"
    parts = ("notifications", "recordings", "streams", "events")

    def date(at: float | None) -> str | None:
        return None if at is None else account.rfc2822(at)

    return {
        "sid": plan.sid,
        "account_sid": account.sid,
        "api_version": API_VERSION,
        "status": state.status,
        "direction": plan.direction,
        "from": plan.from_number,
        "from_formatted": plan.from_number,
        "to": plan.to_number,
        "to_formatted": plan.to_number,
        "queue_time": str(state.queue_ms),
        "answered_by": state.answered_by,
        "duration": None if state.duration_s is None else str(state.duration_s),
        "price": None,
        "price_unit": "USD",
        "date_created": date(state.created_at),
        "date_updated": date(state.updated_at or state.created_at),
        "start_time": date(state.answered_at),
        "end_time": date(state.ended_at),
        "parent_call_sid": None,
        "phone_number_sid": None,
        "caller_name": None,
        "forwarded_from": None,
        "group_sid": None,
        "annotation": None,
        "trunk_sid": None,
        "uri": f"{base}.json",
        "subresource_uris": {part: f"{base}/{part.title()}.json" for part in parts},
    }


@dataclass(frozen=True, slots=True)
class CalleeBook:
    """Who answers which number; everybody else is the usual callee."""

    by_number: Mapping[str, Callee] = field(default_factory=dict, repr=False)
    usual: Callee = USUAL_CALLEE

    def of(self, number: str) -> Callee:
        """Who is called at this number."""
        return self.by_number.get(number, self.usual)


def plan_of(form: Form, sid: str, callees: CalleeBook) -> CallPlan:
    """The call that a creation asks for. Raises `ApiError`."""
    to_number = form.get("To", "")
    if not to_number:
        refuse(400, 21201, "No 'To' number is specified")
    if not form.get("From"):
        refuse(400, 21213, "A 'From' phone number is required")
    if not _is_address(to_number):
        refuse(400, 21211, "The 'To' number is not a valid phone number")
    if not _is_address(form["From"]):
        refuse(400, 21212, "The 'From' number is not a valid phone number")
    url, twiml = document_of(form)
    events = tuple(form.getall("StatusCallbackEvent")) if "StatusCallbackEvent" in form else ()
    for event in events:
        if event not in STATUS_EVENTS:
            refuse(400, 21626, "A 'StatusCallbackEvent' is invalid")
    detection = form.get("MachineDetection", "")
    if detection not in {"", "Enable", "DetectMessageEnd"}:
        refuse(400, 21218, "'MachineDetection' is invalid")
    return CallPlan(
        sid=sid,
        direction="outbound-api",
        from_number=form["From"],
        to_number=to_number,
        voice_url=url,
        voice_method=_method(form, "Method"),
        twiml=twiml,
        fallback_url=form.get("FallbackUrl") or None,
        fallback_method=_method(form, "FallbackMethod"),
        status_url=form.get("StatusCallback") or None,
        status_method=_method(form, "StatusCallbackMethod"),
        status_events=events or ("completed",),
        ring_s_max=_seconds(form, "Timeout", 60, RING_S_MAX),
        length_s_max=_seconds(form, "TimeLimit", 14_400, 86_400),
        callee=callees.of(to_number),
        detect_machine=bool(detection) and not form.get("SendDigits"),
        detect_async=form.get("AsyncAmd", "").lower() == "true",
        verdict_url=form.get("AsyncAmdStatusCallback") or None,
        verdict_method=_method(form, "AsyncAmdStatusCallbackMethod"),
    )


def document_of(form: Form) -> tuple[str | None, str | None]:
    """`Url` or `Twiml`; `Url` wins. Raises `ApiError` where neither is usable."""
    url, twiml = form.get("Url"), form.get("Twiml")
    if url:
        if _URL.fullmatch(url) is None:
            refuse(400, 21205, "'Url' is not a valid URL")
        return url, None
    if not twiml:
        refuse(400, 21205, "'Url' or 'Twiml' is required")
    if len(twiml) > TWIML_CHARS_MAX:
        refuse(400, 21218, f"'Twiml' is longer than {TWIML_CHARS_MAX} characters")
    return None, twiml


def _is_address(number: str) -> bool:
    return bool(_E164.fullmatch(number) or _OTHER_ADDRESS.fullmatch(number))


def _method(form: Form, name: str) -> str:
    method = form.get(name, "POST").upper()
    if method not in {"GET", "POST"}:
        refuse(400, 21218, f"'{name}' must be GET or POST")
    return method


def _seconds(form: Form, name: str, default: int, most: int) -> float:
    value = form.get(name)
    if value is None or not value:
        return default
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= most):
        refuse(400, 21208, f"'{name}' must be from 1 to {most}")
    return int(value)
