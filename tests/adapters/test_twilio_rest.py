"""The carrier's list, from our simulator's Calls API and from a server that misbehaves."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import format_datetime

import pytest
from aiohttp import web

from trunkline.adapters.postgres.rows import moment
from trunkline.adapters.twilio_rest import ATTEMPTS_MAX, CarrierCall, TwilioCalls
from trunkline.core.ids import CallSid
from trunkline.errors import CarrierError, SettingsError
from trunkline.sim.caller import HangUp
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN
from trunkline.sim.serve_carrier import CarrierOptions, serve_carrier
from trunkline.sim.speech import recorded

pytestmark = pytest.mark.anyio

DAY_MS = 24 * 3600 * 1000
AT_MS = 1_767_225_600_000


async def listed(calls: TwilioCalls, since_ms: int, until_ms: int) -> list[CarrierCall]:
    return [call async for call in calls.between(since_ms, until_ms)]


@asynccontextmanager
async def api(answer: Callable[[web.Request], web.Response]) -> AsyncIterator[str]:
    """A server that answers as the test says; its URL."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def resource(number: int, **fields: str | None) -> dict[str, str | None]:
    start = format_datetime(moment(AT_MS + number))
    known = {"sid": f"CA{number:032}", "status": "completed", "start_time": start}
    return {**known, "parent_call_sid": None, "price": None, **fields}


async def test_the_simulators_list() -> None:
    """Its calls of today, by name; another's is None; a wrong token is said."""
    options = CarrierOptions(
        voice=recorded(),
        voice_url="http://127.0.0.1:1/voice",
        status_url="http://127.0.0.1:1/s",
        rest_port=0,
    )
    async with serve_carrier(options) as carrier:
        assert carrier.api_url is not None
        report = await carrier.place_call(
            to="+15550100001", from_="+15550100099", script=(HangUp(),)
        )
        async with TwilioCalls(carrier.api_url, ACCOUNT_SID, AUTH_TOKEN) as calls:
            call = await calls.one(CallSid(report.sid))
            assert call is not None
            assert call.call == report.sid
            assert await calls.one(CallSid("CA" + "0" * 32)) is None
            await listed(calls, AT_MS, AT_MS + DAY_MS)
        async with TwilioCalls(carrier.api_url, ACCOUNT_SID, "wrong") as calls:
            with pytest.raises(SettingsError, match="TRUNKLINE_TWILIO_AUTH_TOKEN"):
                await calls.one(CallSid(report.sid))


async def test_the_simulators_notes_of_what_it_could_not_fetch() -> None:
    """By their paths; nothing of a call that it does not know, or whose documents came."""
    options = CarrierOptions(
        voice=recorded(), voice_url="http://127.0.0.1:1/prefix/voice?a=b", rest_port=0
    )
    async with serve_carrier(options) as carrier:
        assert carrier.api_url is not None
        report = await carrier.place_call(
            to="+15550100001", from_="+15550100099", script=(HangUp(),)
        )
        async with TwilioCalls(carrier.api_url, ACCOUNT_SID, AUTH_TOKEN) as calls:
            assert await calls.not_fetched(CallSid(report.sid)) == ["/prefix/voice"]
            assert await calls.not_fetched(CallSid("CA" + "0" * 32)) == []


async def test_notes_of_other_troubles_are_passed_over() -> None:
    """Only a document that was not had counts."""
    url = "https://voice.example.com/twilio/voice"

    def answer(request: web.Request) -> web.Response:
        del request
        notes = [
            {"error_code": "12200", "request_url": url},
            {"error_code": None, "request_url": url},
            {"error_code": "11200", "request_url": None},
            {"error_code": "11205", "request_url": url, "log": "0"},
        ]
        return web.json_response({"notifications": notes})

    async with api(answer) as at, TwilioCalls(at, ACCOUNT_SID, AUTH_TOKEN) as calls:
        assert await calls.not_fetched(CallSid("CA" + "0" * 32)) == ["/twilio/voice"]


@pytest.mark.parametrize("repeats_filters", [True, False])
async def test_every_page_is_read(*, repeats_filters: bool) -> None:
    """Whether its link repeats the filters or not; the legs of transfers are left out."""
    asked: list[dict[str, str]] = []

    def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        page = int(request.query.get("Page", "0"))
        kept = f"&StartTime%3E={request.query['StartTime>']}" if repeats_filters else ""
        calls = [resource(page), resource(10 + page, parent_call_sid="CA1")]
        following = f"{request.path}?PageSize=1000&Page={page + 1}{kept}" if page < 2 else None
        return web.json_response({"calls": calls, "next_page_uri": following})

    async with api(answer) as url, TwilioCalls(url, ACCOUNT_SID, AUTH_TOKEN, retry_s=0.01) as calls:
        found = await listed(calls, AT_MS, AT_MS + DAY_MS)
    assert [call.call for call in found] == [f"CA{number:032}" for number in range(3)]
    assert found[0].started_at_ms == AT_MS
    assert found[0].was_answered
    for query in asked:
        assert (query["StartTime>"], query["StartTime<"]) == ("2026-01-01", "2026-01-02")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_for_now_is_asked_again(status: int) -> None:
    """And given up after some attempts, in one line that names the setting."""
    asked: list[int] = []

    def answer(request: web.Request) -> web.Response:
        del request
        asked.append(status)
        if len(asked) == 2:
            return web.json_response(resource(1, start_time="soon", status="busy"))
        return web.Response(status=status)

    async with api(answer) as url, TwilioCalls(url, ACCOUNT_SID, AUTH_TOKEN, retry_s=0.01) as calls:
        call = await calls.one(CallSid("CA1"))
        assert call == CarrierCall(CallSid(f"CA{1:032}"), "busy", None)
        assert not call.was_answered
        with pytest.raises(CarrierError, match="TRUNKLINE_TWILIO_API_URL"):
            await calls.one(CallSid("CA1"))
    assert len(asked) == 2 + ATTEMPTS_MAX


@pytest.mark.parametrize("body", ["<html>", '{"calls": 7}', ""])
async def test_what_is_no_answer_of_the_api(body: str) -> None:
    """One line; nothing of the body is quoted."""
    async with (
        api(lambda _: web.Response(text=body)) as url,
        TwilioCalls(url, ACCOUNT_SID, AUTH_TOKEN, retry_s=0.01) as calls,
    ):
        with pytest.raises(CarrierError, match="not one of the carrier's Calls API"):
            await listed(calls, AT_MS, AT_MS)


async def test_a_request_that_is_refused_for_good() -> None:
    """It is not sent again."""
    async with (
        api(lambda _: web.Response(status=400)) as url,
        TwilioCalls(url, ACCOUNT_SID, AUTH_TOKEN, retry_s=0.01) as calls,
    ):
        with pytest.raises(CarrierError, match="answers 400"):
            await listed(calls, AT_MS, AT_MS)


async def test_a_carrier_that_is_not_there() -> None:
    """Nobody listens: it is said, not waited for without end."""
    async with TwilioCalls("http://127.0.0.1:1", ACCOUNT_SID, AUTH_TOKEN, retry_s=0.01) as calls:
        with pytest.raises(CarrierError, match="does not answer"):
            await calls.one(CallSid("CA1"))
