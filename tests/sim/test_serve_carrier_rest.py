"""The Calls API's port."""

import aiohttp
import pytest

from trunkline.errors import SettingsError
from trunkline.sim.carrier.rest import ApiReply, ApiRequest
from trunkline.sim.serve_carrier_rest import serve_api

pytestmark = pytest.mark.anyio


async def test_requests_reach_the_machine_as_they_are() -> None:
    """Method, path, query, repeated fields, authorization; the answer is JSON."""
    seen: list[ApiRequest] = []

    def answer(request: ApiRequest) -> ApiReply:
        seen.append(request)
        return ApiReply(201, {"sid": "CA1"})

    async with serve_api(answer, 0) as base, aiohttp.ClientSession() as client:
        assert base is not None
        form = [("StatusCallbackEvent", "ringing"), ("StatusCallbackEvent", "answered")]
        headers = {"Authorization": "Basic eA=="}
        url = f"{base}/2010-04-01/Calls.json?StartTime%3E=2026-01-01&To=%2B15550100001"
        async with client.post(url, data=form, headers=headers) as reply:
            assert reply.status == 201
            assert await reply.json() == {"sid": "CA1"}
    (request,) = seen
    assert (request.method, request.path) == ("POST", "/2010-04-01/Calls.json")
    assert request.query["StartTime>"] == "2026-01-01"
    assert request.query["To"] == "+15550100001"
    assert request.form.getall("StatusCallbackEvent") == ["ringing", "answered"]
    assert request.authorization == "Basic eA=="


async def test_a_body_that_is_no_form_is_refused() -> None:
    """400, before the machine sees it."""

    def answer(_: ApiRequest) -> ApiReply:
        raise AssertionError

    async with (
        serve_api(answer, 0) as base,
        aiohttp.ClientSession() as client,
        client.post(f"{base}/", data=b"\xff\xfe=%zz") as reply,
    ):
        assert reply.status == 400


async def test_a_lost_answer_is_a_broken_connection() -> None:
    """The client can't know whether the call was made."""
    async with (
        serve_api(lambda _: ApiReply(201, {}, is_lost=True), 0) as base,
        aiohttp.ClientSession() as client,
    ):
        with pytest.raises(aiohttp.ClientError):
            async with client.post(f"{base}/", data=b""):
                pass


async def test_no_port_no_api() -> None:
    """It listens only where it is wanted."""
    async with serve_api(lambda _: ApiReply(200, {}), None) as base:
        assert base is None


async def test_a_port_in_use_is_named() -> None:
    """One line."""

    def answer(_: ApiRequest) -> ApiReply:
        raise AssertionError

    async with serve_api(answer, 0) as base:
        assert base is not None
        port = int(base.rpartition(":")[2])
        with pytest.raises(SettingsError, match=f"port {port}"):
            async with serve_api(answer, port):
                pass
