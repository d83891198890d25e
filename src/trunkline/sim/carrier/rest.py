"""The Calls API: create, fetch, list, update, with Twilio's queue, limits and errors.

Requests go in, answers and orders come out. A creation is answered at once; the call itself
waits for a token of the account's calls per second (`due` says whose turn it is).
"""

import base64
import binascii
import hmac
import json
import random
from collections import deque
from dataclasses import dataclass, field
from datetime import date
from email.utils import parsedate_to_datetime
from typing import Final

from trunkline.sim.carrier.account import Account, new_sid
from trunkline.sim.carrier.call import CarrierCall
from trunkline.sim.carrier.events import Updated
from trunkline.sim.carrier.forms import CallPlan
from trunkline.sim.carrier.phases import OVER, Phase
from trunkline.sim.carrier.resources import (
    PAGE_SIZE,
    ApiError,
    CalleeBook,
    CallState,
    Resource,
    call_resource,
    document_of,
    notifications_resource,
    plan_of,
    refuse,
)
from trunkline.wire.webhooks import API_VERSION, Form

RECORDS_MAX: Final = 10_000
"""Ended calls that can still be fetched; then the oldest is forgotten."""

QUEUED_MAX: Final = 2_000
"""Calls waiting for their token; beyond it creations are refused (429, 20429)."""

QUEUED_S_MAX: Final = 24 * 3600.0
"""A call that waited longer fails (22005)."""

PAGE_SIZE_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """What the account may do, and how often the API fails."""

    calls_per_s: float = 1.0
    calls_at_once: int | None = None
    """Live and queued calls; more are refused with 10004."""
    refused_share: float = 0.0
    """Requests refused with 429, unprocessed."""
    lost_share: float = 0.0
    """Requests processed, whose answers never arrive."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """An HTTP request to the API."""

    method: str
    path: str
    query: Form = field(default_factory=Form)
    form: Form = field(default_factory=Form)
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ApiReply:
    """Its answer; `is_lost` where the connection breaks instead."""

    status: int
    body: Resource = field(repr=False)
    is_lost: bool = False

    @property
    def text(self) -> str:
        """The body as JSON."""
        return json.dumps(self.body)


@dataclass(frozen=True, slots=True)
class Create:
    """Make this call's machine; it is placed later."""

    plan: CallPlan


@dataclass(frozen=True, slots=True)
class Change:
    """Hand this event to the call."""

    sid: str
    event: Updated


Wanted = Create | Change


class CallsApi:
    """The API of one account. `watch` tells it of every call, `settle` of each one's end."""

    def __init__(
        self, account: Account, limits: ApiLimits, callees: CalleeBook, rng: random.Random
    ) -> None:
        self._account = account
        self._limits = limits
        self._callees = callees
        self._rng = rng
        self._calls: dict[str, CarrierCall] = {}
        self._created: dict[str, tuple[float, int]] = {}
        self._ended: dict[str, CallState] = {}
        self._queue: deque[str] = deque()
        self._tokens = 1.0
        self._filled_at: float | None = None

    def watch(self, call: CarrierCall, now: float) -> None:
        """A call exists from now on."""
        self._calls[call.plan.sid] = call
        self._created.setdefault(call.plan.sid, (now, 0))

    def settle(self, sid: str, now: float) -> None:
        """A call is over: what can be said of it is kept, its machine is not."""
        self._ended[sid] = self._state(sid, now)
        del self._calls[sid], self._created[sid]
        while len(self._ended) > RECORDS_MAX:
            del self._ended[next(iter(self._ended))]

    # Calls per second ---------------------------------------------------------------------

    def due(self, now: float) -> tuple[list[str], list[str]]:
        """Calls that may be placed now, one token each; and those that waited too long."""
        self._fill(now)
        ready: list[str] = []
        stale: list[str] = []
        while self._queue:
            call = self._calls.get(self._queue[0])
            if call is None or call.leg.phase is not Phase.QUEUED:  # Canceled meanwhile.
                self._queue.popleft()
            elif now - self._created[call.plan.sid][0] > QUEUED_S_MAX:
                stale.append(self._queue.popleft())
            elif self._tokens >= 1.0:
                self._tokens -= 1.0
                ready.append(self._queue.popleft())
            else:
                break
        return ready, stale

    def deadline(self) -> float | None:
        """When `due` must be asked again."""
        if not self._queue or self._filled_at is None:
            return None
        return self._filled_at + max(0.0, 1.0 - self._tokens) / self._limits.calls_per_s

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            gained = (now - self._filled_at) * self._limits.calls_per_s
            # An average rate: an idle second saves one token, not a burst.
            self._tokens = min(1.0, self._tokens + gained + 1e-9)
        self._filled_at = now

    # Requests -----------------------------------------------------------------------------

    def handle(self, request: ApiRequest, now: float) -> tuple[ApiReply, list[Wanted]]:
        """Answer a request, and say what is to be done."""
        try:
            if self._rng.random() < self._limits.refused_share:
                refuse(429, 20429, "Too many requests")
            status, body, wanted = self._route(request, now)
        except ApiError as error:
            return ApiReply(error.status, error.resource()), []
        lost = self._rng.random() < self._limits.lost_share
        return ApiReply(status, body, is_lost=lost), wanted

    def _route(self, request: ApiRequest, now: float) -> tuple[int, Resource, list[Wanted]]:
        account = f"/{API_VERSION}/Accounts/{self._account.sid}"
        prefix = f"{account}/Calls"
        if not self._is_allowed(request.authorization):
            refuse(401, 20003, "Authenticate")
        path, method = request.path, request.method
        if path == f"{account}.json" and method == "GET":
            return 200, {"sid": self._account.sid, "status": "active", "type": "Full"}, []
        if path == f"{account}/IncomingPhoneNumbers.json" and method == "GET":
            # Whoever is called is ours to play: the account itself has no number.
            return 200, {"incoming_phone_numbers": [], "next_page_uri": None}, []
        if path == f"{prefix}.json" and method == "POST":
            return self._create(request.form, now)
        if path == f"{prefix}.json" and method == "GET":
            return 200, self._list(request.query, now), []
        if path.startswith(f"{prefix}/") and path.endswith(".json"):
            sid, _, part = path[len(prefix) + 1 : -len(".json")].partition("/")
            if sid not in self._calls and sid not in self._ended:
                refuse(404, 20404, f"The requested resource {path} was not found")
            if part == "Notifications" and method == "GET":
                return 200, notifications_resource(self._state(sid, now), self._account), []
            if method == "POST" and not part:
                return self._update(sid, request.form, now)
            if method == "GET" and not part:
                return 200, call_resource(self._state(sid, now), self._account), []
        raise ApiError(404, 20404, f"The requested resource {path} was not found")

    def _is_allowed(self, authorization: str | None) -> bool:
        kind, _, encoded = (authorization or "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return False
        account = self._account
        pairs = [(account.sid, account.auth_token)]
        if account.api_key is not None and account.api_secret is not None:
            pairs.append((account.api_key, account.api_secret))
        return any(
            hmac.compare_digest(given, f"{user}:{secret}".encode()) for user, secret in pairs
        )

    def _create(self, form: Form, now: float) -> tuple[int, Resource, list[Wanted]]:
        plan = plan_of(form, new_sid("CA", self._rng), self._callees)
        most = self._limits.calls_at_once
        live = sum(not call.leg.is_over for call in self._calls.values())
        if most is not None and live >= most:
            refuse(400, 10004, "Call concurrency limit exceeded")
        if len(self._queue) >= QUEUED_MAX:
            refuse(429, 20429, "Too many calls are queued")
        self._fill(now)
        wait_s = max(0.0, len(self._queue) + 1 - self._tokens) / self._limits.calls_per_s
        self._created[plan.sid] = (now, round(wait_s * 1000))
        self._queue.append(plan.sid)
        state = CallState(plan, Phase.QUEUED, now, round(wait_s * 1000))
        return 201, call_resource(state, self._account), [Create(plan)]

    def _update(self, sid: str, form: Form, now: float) -> tuple[int, Resource, list[Wanted]]:
        state = self._state(sid, now)
        status = form.get("Status", "")
        if status:
            if status not in {"canceled", "completed"}:
                refuse(400, 21218, "'Status' must be canceled or completed")
            waiting = state.status in {Phase.QUEUED, Phase.RINGING}
            if state.status in OVER or (status == "canceled" and not waiting):
                refuse(400, 21220, "The call is not in a state that allows this")
            event = Updated(status=status)
        else:
            if "Url" not in form and "Twiml" not in form:  # Nothing Twilio would act on.
                return 200, call_resource(state, self._account), []
            url, twiml = document_of(form)
            if state.status != Phase.IN_PROGRESS:
                refuse(400, 21220, "The call is not in-progress")
            event = Updated(url=url, method=form.get("Method", "POST").upper(), twiml=twiml)
        return 200, call_resource(state, self._account), [Change(sid, event)]

    def _list(self, query: Form, now: float) -> Resource:
        size = min(_count(query, "PageSize", PAGE_SIZE), PAGE_SIZE_MAX) or PAGE_SIZE
        page = _count(query, "Page", 0)
        states = [self._state(sid, now) for sid in (*self._ended, *self._calls)]
        states = [state for state in states if self._fits(state, query)]
        states.sort(key=lambda state: state.created_at, reverse=True)
        shown = states[page * size : (page + 1) * size]
        base = f"/{API_VERSION}/Accounts/{self._account.sid}/Calls.json?PageSize={size}"
        more = len(states) > (page + 1) * size
        return {
            "calls": [call_resource(state, self._account) for state in shown],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + max(0, len(shown) - 1),
            "uri": f"{base}&Page={page}",
            "first_page_uri": f"{base}&Page=0",
            "previous_page_uri": f"{base}&Page={page - 1}" if page else None,
            "next_page_uri": f"{base}&Page={page + 1}" if more else None,
        }

    def _fits(self, state: CallState, query: Form) -> bool:
        wanted = {"Status": state.status, "To": state.plan.to_number}
        wanted |= {"From": state.plan.from_number, "ParentCallSid": ""}
        if any(query.get(name) not in {None, "", value} for name, value in wanted.items()):
            return False
        for name in ("StartTime", "StartTime<", "StartTime>"):
            bound = query.get(name)
            if not bound:
                continue
            if state.answered_at is None:
                return False
            day = parsedate_to_datetime(self._account.rfc2822(state.answered_at)).date()
            limit = _day(bound)
            fits = {"StartTime": day == limit, "StartTime<": day <= limit}
            if not fits.get(name, day >= limit):
                return False
        return True

    def _state(self, sid: str, now: float) -> CallState:
        """What can be said of a call now."""
        if sid in self._ended:
            return self._ended[sid]
        call = self._calls[sid]
        created_at, queue_ms = self._created[sid]
        leg = call.leg
        return CallState(
            plan=call.plan,
            status=leg.phase,
            created_at=created_at,
            queue_ms=queue_ms,
            updated_at=now,
            answered_at=leg.answered_at,
            ended_at=leg.ended_at,
            duration_s=leg.talked_s if leg.is_over else None,
            answered_by=leg.answered_by,
            failures=tuple(call.fetcher.failures),
        )


def _count(query: Form, name: str, default: int) -> int:
    value = query.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else default  # noqa: PLR2004


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        refuse(400, 20001, "A date must be YYYY-MM-DD")
