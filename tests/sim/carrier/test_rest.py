"""The Calls API, and the twilio package's own client as its judge."""

import base64
import itertools
import json
import random
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]  # No types.
from twilio.http import HttpClient  # type: ignore[import-untyped]  # It has no types.
from twilio.http.response import Response  # type: ignore[import-untyped]  # It has no types.
from twilio.rest import Client  # type: ignore[import-untyped]  # It has no types.

from sim.carrier_bench import FROM, PLAN, TO
from sim.carrier_bot import ToyVoice
from trunkline.sim.caller import Person
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN, Account
from trunkline.sim.carrier.call import CarrierCall
from trunkline.sim.carrier.events import PersonHungUp, Updated, WebhookFailed
from trunkline.sim.carrier.resources import CalleeBook
from trunkline.sim.carrier.rest import (
    QUEUED_S_MAX,
    RECORDS_MAX,
    ApiLimits,
    ApiReply,
    ApiRequest,
    CallsApi,
    Change,
    Create,
)
from trunkline.wire.webhooks import Form

URL = "https://bot.example/voice"
CALLS = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls"
NEW = {"To": TO, "From": FROM, "Url": URL}
ACCOUNT = Account(api_key="SK1", api_secret="s", wall_s=1_700_000_000.0)


def basic(user: str = ACCOUNT_SID, password: str = AUTH_TOKEN) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Office:
    """The API with the calls it makes, and a client's words for it."""

    def __init__(self, limits: ApiLimits | None = None, account: Account = ACCOUNT) -> None:
        self.now = 1000.0
        self.account = account
        self.rng = random.Random(1)
        self.api = CallsApi(account, limits or ApiLimits(), CalleeBook(), self.rng)
        self.calls: dict[str, CarrierCall] = {}
        self.changes: list[Updated] = []

    def ask(
        self,
        method: str,
        path: str,
        fields: dict[str, str] | None = None,
        authorization: str | None = None,
    ) -> ApiReply:
        form = Form((fields or {}).items())
        empty = Form()
        request = ApiRequest(
            method, path, form if method == "GET" else empty,
            empty if method == "GET" else form, authorization or basic(),
        )  # fmt: skip
        reply, wanted = self.api.handle(request, self.now)
        for order in wanted:
            match order:
                case Create():
                    self.add(order.plan.sid, order)
                case Change():
                    self.changes.append(order.event)
                    self.calls[order.sid].receive(order.event, self.now)
        return reply

    def add(self, sid: str, order: Create) -> None:
        call = CarrierCall(order.plan, self.account, Person((), ToyVoice()), self.rng)
        self.calls[sid] = call
        self.api.watch(call, self.now)

    def create(self, **fields: str) -> str:
        reply = self.ask("POST", f"{CALLS}.json", {**NEW, **fields})
        assert reply.status == 201
        return str(reply.body["sid"])

    def dial(self, for_s: float = 0.0) -> list[str]:
        """Place what is due within so long."""
        end = self.now + for_s
        placed: list[str] = []
        while True:
            ready, stale = self.api.due(self.now)
            assert not stale
            for sid in ready:
                self.calls[sid].place(self.now)
            placed += ready
            at = self.api.deadline()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
        self.now = end
        return placed

    def answer(self, sid: str) -> None:
        self.now += 1.5
        self.calls[sid].tick(self.now)
        assert self.calls[sid].leg.phase == "in-progress"


class ToOffice(HttpClient):  # type: ignore[misc]  # The package has no types.
    """The twilio package's client talks to the machine instead of the network."""

    def __init__(self, office: Office) -> None:
        self.office = office

    def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **_: object,
    ) -> Response:
        del headers
        assert auth is not None
        parts = urlsplit(url)
        query = Form([*parse_qsl(parts.query), *_pairs(params)])
        request = ApiRequest(method, parts.path, query, Form(_pairs(data)), basic(*auth))
        reply, wanted = self.office.api.handle(request, self.office.now)
        for order in wanted:
            if isinstance(order, Create):
                self.office.add(order.plan.sid, order)
            else:
                self.office.calls[order.sid].receive(order.event, self.office.now)
        return Response(reply.status, reply.text)


def _pairs(fields: dict[str, object] | None) -> list[tuple[str, str]]:
    return parse_qsl(
        urlencode({k: v for k, v in (fields or {}).items() if v is not None}, doseq=True),
        keep_blank_values=True,
    )


def test_the_twilio_package_creates_lists_and_updates_calls() -> None:
    """It reads every answer of ours, and we every request of its."""
    office = Office()
    client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=ToOffice(office))
    call = client.calls.create(
        to=TO, from_=FROM, url=URL, status_callback=URL,
        status_callback_event=["initiated", "completed"], timeout=20, machine_detection="Enable",
        async_amd="true",
    )  # fmt: skip
    assert (call.status, call.direction, call.to, call.queue_time) == (
        "queued", "outbound-api", TO, "0",
    )  # fmt: skip
    plan = office.calls[call.sid].plan
    assert plan.status_events == ("initiated", "completed")
    assert plan.detect_async
    office.dial()
    office.answer(call.sid)
    assert client.calls(call.sid).fetch().status == "in-progress"
    assert [found.sid for found in client.calls.list(status="in-progress", to=TO)] == [call.sid]
    assert client.calls.list(status="completed") == []
    client.calls(call.sid).update(twiml='<Response><Pause length="60"/></Response>')
    client.calls(call.sid).update(status="completed")
    fetched = client.calls(call.sid).fetch()
    assert fetched.status == "completed"
    assert fetched.date_created.year == 2023
    with pytest.raises(TwilioRestException) as refused:
        client.calls(call.sid).update(status="completed")
    assert (refused.value.status, refused.value.code) == (400, 21220)


def test_a_creation_is_answered_at_once_and_queued() -> None:
    """201 for each; one call a second leaves; `queue_time` says how long it will take."""
    office = Office()
    replies = [office.ask("POST", f"{CALLS}.json", NEW) for _ in range(4)]
    assert [reply.status for reply in replies] == [201] * 4
    assert [reply.body["queue_time"] for reply in replies] == ["0", "1000", "2000", "3000"]
    assert [reply.body["status"] for reply in replies] == ["queued"] * 4
    assert office.dial(0.0) == [replies[0].body["sid"]]
    assert office.dial(1.5) == [replies[1].body["sid"]]
    assert len(office.dial(10.0)) == 2


@given(st.lists(st.floats(0, 3), max_size=30), st.sampled_from([0.5, 1.0, 5.0]))
def test_calls_per_second_are_never_exceeded(waits: list[float], rate: float) -> None:
    """However requests come: in any second at most so many begin, and the first at once."""
    office = Office(ApiLimits(calls_per_s=rate))
    placed: list[float] = []
    for wait in waits:
        office.now += wait
        office.create()
        placed += [office.now] * len(office.dial(0.0))
        assert placed[0] == 1000.0 + waits[0]
    for first, later in itertools.pairwise(placed):
        assert later - first >= 1 / rate - 1e-6
    office.dial(100.0)
    assert office.api.deadline() is None
    assert all(call.leg.phase != "queued" for call in office.calls.values())


def test_a_queued_call_can_be_canceled() -> None:
    """It never rings."""
    office = Office()
    first, second = office.create(), office.create()
    office.dial()
    reply = office.ask("POST", f"{CALLS}/{second}.json", {"Status": "canceled"})
    assert reply.status == 200
    assert office.calls[second].leg.phase == "canceled"
    assert office.dial(5.0) == []
    assert office.calls[first].leg.phase == "ringing"


def test_a_call_that_waited_a_day_fails() -> None:
    """22005."""
    office = Office()
    office.create()
    stale_one = office.create()
    office.dial()
    office.now += QUEUED_S_MAX + 1
    ready, stale = office.api.due(office.now)
    assert (ready, stale) == ([], [stale_one])
    office.calls[stale_one].receive(Updated(status="failed"), office.now)
    assert office.calls[stale_one].leg.phase == "failed"
    assert office.calls[stale_one].streams.warnings == {22005: 1}


def test_concurrency_is_refused_with_10004() -> None:
    """Live and queued calls count; ended ones do not."""
    office = Office(ApiLimits(calls_at_once=2))
    sid = office.create()
    office.create()
    reply = office.ask("POST", f"{CALLS}.json", NEW)
    assert reply.body["code"] == 10004
    office.calls[sid].receive(Updated(status="canceled"), office.now)
    assert office.ask("POST", f"{CALLS}.json", NEW).status == 201


def test_the_account_may_be_looked_at() -> None:
    """As a check of its keys does; it has no numbers of its own."""
    office = Office()
    base = CALLS.removesuffix("/Calls")
    assert office.ask("GET", f"{base}.json").body["status"] == "active"
    assert office.ask("GET", f"{base}/IncomingPhoneNumbers.json").body == {
        "incoming_phone_numbers": [],
        "next_page_uri": None,
    }
    assert office.ask("GET", f"{base}.json", authorization=basic(password="x")).status == 401
    assert office.ask("POST", f"{base}.json").status == 404


def test_too_many_requests_are_refused_unprocessed() -> None:
    """429, 20429: nothing was created, a retry is safe."""
    office = Office(ApiLimits(refused_share=1.0))
    reply = office.ask("POST", f"{CALLS}.json", NEW)
    assert (reply.status, reply.body["code"]) == (429, 20429)
    assert office.calls == {}


def test_an_answer_may_be_lost_though_the_call_was_made() -> None:
    """A blind retry would call the person twice: the list shows the first."""
    office = Office(ApiLimits(lost_share=1.0))
    assert office.ask("POST", f"{CALLS}.json", NEW).is_lost
    listed = office.ask("GET", f"{CALLS}.json", {"To": TO}).body["calls"]
    assert isinstance(listed, list)
    assert len(listed) == 1


@pytest.mark.parametrize(
    "authorization",
    ["Bearer x", "Basic !", basic(password="wrong"), basic(user="AC2"), "Basic", basic("SK1", "")],
)
def test_whoever_has_no_key_is_refused(authorization: str) -> None:
    """401, 20003, before anything else."""
    reply = Office().ask("GET", f"{CALLS}.json", authorization=authorization)
    assert (reply.status, reply.body["code"]) == (401, 20003)


def test_an_api_key_serves_too() -> None:
    """SK and its secret; none is accepted where none was configured."""
    assert Office().ask("GET", f"{CALLS}.json", authorization=basic("SK1", "s")).status == 200
    bare = Office(account=replace(ACCOUNT, api_key=None, api_secret=None))
    assert bare.ask("GET", f"{CALLS}.json", authorization=basic("None", "None")).status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{CALLS}/CA404.json"),
        ("POST", f"{CALLS}/CA404.json"),
        ("DELETE", f"{CALLS}.json"),
        ("GET", "/2010-04-01/Accounts/AC2/Calls.json"),
        ("GET", "/"),
    ],
)
def test_what_is_not_there_is_20404(method: str, path: str) -> None:
    """404."""
    reply = Office().ask(method, path)
    assert (reply.status, reply.body["code"]) == (404, 20404)


def test_updates_are_refused_out_of_state() -> None:
    """21220: a document while it rings, `canceled` when it is live, anything once it is over."""
    office = Office()
    sid = office.create()
    office.dial()
    path = f"{CALLS}/{sid}.json"
    assert office.ask("POST", path, {"Url": URL}).body["code"] == 21220
    office.answer(sid)
    assert office.ask("POST", path, {"Status": "canceled"}).body["code"] == 21220
    assert office.ask("POST", path, {"Status": "maybe"}).status == 400
    assert office.ask("POST", path, {"Url": "nowhere"}).body["code"] == 21205
    assert office.ask("POST", path, {"StatusCallback": URL}).status == 200
    assert office.changes == []
    assert office.ask("POST", path, {"Url": URL, "Method": "get"}).status == 200
    assert office.changes == [Updated(url=URL, method="GET")]
    office.calls[sid].receive(PersonHungUp(), office.now)
    assert office.ask("POST", path, {"Url": URL}).body["code"] == 21220


def test_lists_are_filtered_and_paged() -> None:
    """The newest first; a page says where the next is."""
    office = Office()
    sids = []
    for number in range(5):
        office.now += 1
        sids.append(office.create(To=f"+1555010010{number % 2}"))
    page = office.ask("GET", f"{CALLS}.json", {"PageSize": "2"}).body
    assert [call["sid"] for call in listed(page)] == sids[:2:-1]
    assert str(page["next_page_uri"]).endswith("Page=1")
    last = office.ask("GET", f"{CALLS}.json", {"PageSize": "2", "Page": "2"}).body
    assert [call["sid"] for call in listed(last)] == sids[:1]
    assert last["next_page_uri"] is None
    only = office.ask("GET", f"{CALLS}.json", {"To": "+15550100101"}).body
    assert [call["sid"] for call in listed(only)] == [sids[3], sids[1]]
    office.dial()
    office.answer(sids[0])
    for key, found in (
        ("StartTime", "2023-11-14"), ("StartTime<", "2023-11-14"), ("StartTime>", "2023-11-14"),
    ):  # fmt: skip
        page = office.ask("GET", f"{CALLS}.json", {key: found}).body
        assert [call["sid"] for call in listed(page)] == [sids[0]]
    assert listed(office.ask("GET", f"{CALLS}.json", {"StartTime>": "2023-11-15"}).body) == []
    assert office.ask("GET", f"{CALLS}.json", {"StartTime": "someday"}).status == 400


def test_what_could_not_be_fetched_is_noted() -> None:
    """As the twilio package reads it; a live call's as well as one's that is over."""
    office = Office()
    client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=ToOffice(office))
    sid, other = office.create(), office.create()
    office.dial()
    office.answer(sid)
    for request in range(1, 9):  # Whichever of them asked for the document.
        office.calls[sid].receive(WebhookFailed(request, "no answer in 15 s"), office.now)
    (live,) = client.calls(sid).notifications.list()
    assert (live.error_code, live.request_url, live.log) == ("11205", URL, "0")
    office.calls[sid].receive(PersonHungUp(), office.now + 1)
    office.api.settle(sid, office.now + 2)
    assert [note.sid for note in client.calls(sid).notifications.list()] == [live.sid]
    assert client.calls(other).notifications.list() == []
    assert office.ask("POST", f"{CALLS}/{sid}/Notifications.json").status == 404


def listed(body: object) -> list[dict[str, str]]:
    calls = json.loads(json.dumps(body))["calls"]
    assert isinstance(calls, list)
    return calls


def test_an_ended_call_can_still_be_fetched() -> None:
    """Its record is kept, its machine is not; records are bounded."""
    office = Office()
    sid = office.create()
    office.dial()
    office.answer(sid)
    office.calls[sid].receive(PersonHungUp(), office.now + 2.2)
    office.api.settle(sid, office.now + 3)
    body = office.ask("GET", f"{CALLS}/{sid}.json").body
    assert (body["status"], body["duration"]) == ("completed", "3")
    for number in range(RECORDS_MAX):
        call = CarrierCall(
            replace(PLAN, sid=f"CA{number}"), ACCOUNT, Person((), ToyVoice()), office.rng
        )
        office.api.watch(call, office.now)
        office.api.settle(call.plan.sid, office.now)
    assert office.ask("GET", f"{CALLS}/{sid}.json").status == 404
