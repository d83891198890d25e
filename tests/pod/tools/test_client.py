import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from pod.tools.tiny_server import Answer, TinyServer, echo, is_signed, saying, serving, silence
from trunkline.core.ids import CallSid
from trunkline.pod.tools.client import Failure, HttpClient, Request, signature
from trunkline.pod.tools.specs import Run

pytestmark = pytest.mark.anyio

CALL = CallSid("CA" + "0" * 32)
RUN = Run(CALL, "key-1")
BODY = b'{"day":"Monday"}'


@asynccontextmanager
async def asking(answer: Answer) -> AsyncIterator[tuple[HttpClient, TinyServer]]:
    async with serving(answer) as server, HttpClient() as client:
        yield client, server


async def ask(
    client: HttpClient, url: str, *, timeout_s: float = 5.0, bytes_max: int = 100
) -> bytes | Failure:
    return await client.send(Request(url, BODY, RUN), timeout_s=timeout_s, bytes_max=bytes_max)


async def test_the_body_goes_as_it_is_and_the_answer_comes_as_it_is() -> None:
    """With the call and the key of the wish in headers."""
    async with asking(echo) as (client, server):
        assert await ask(client, server.url + "/a?b=c") == BODY
        (headers,) = server.headers
        assert server.paths == ["/a?b=c"]
        assert headers["Content-Type"] == "application/json"
        assert headers["Trunkline-Call-Sid"] == CALL
        assert headers["Idempotency-Key"] == "key-1"
        assert "Trunkline-Signature" not in headers


async def test_a_signed_request_can_be_checked() -> None:
    """By time and body; nobody's header replaces ours."""
    async with asking(echo) as (client, server):
        forged = {"trunkline-signature": "t=1,v1=0", "Trunkline-Call-SID": "CA-other", "X": "1"}
        request = Request(server.url, BODY, RUN, headers=forged, signing_key="k-1")
        before = int(time.time())
        await client.send(request, timeout_s=5.0, bytes_max=100)
        (headers,) = server.headers
        header = headers["Trunkline-Signature"]
        assert is_signed("k-1", BODY, header)
        assert not is_signed("k-2", BODY, header)
        assert not is_signed("k-1", BODY + b" ", header)
        assert before <= int(header.removeprefix("t=").partition(",")[0]) <= time.time()
        assert headers["Trunkline-Call-Sid"] == CALL
        assert headers["X"] == "1"


def test_a_signature_is_what_the_page_says() -> None:
    """As `openssl dgst -sha256 -hmac` has it: HMAC-SHA256 of `1700000000.{}` under `key`."""
    assert signature("key", b"{}", 1_700_000_000) == (
        "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    )


async def test_a_wish_whose_name_no_header_can_carry_is_named_by_its_hash() -> None:
    """The model chooses part of it: no line break of its gets into a request."""
    async with asking(echo) as (client, server):
        for key in ("a\r\nX-Evil: 1", "ключ", "", "x" * 256, "\ud800"):
            request = Request(server.url, BODY, Run(CALL, key))
            assert await client.send(request, timeout_s=5.0, bytes_max=100) == BODY
        keys = [headers["Idempotency-Key"] for headers in server.headers]
        assert len(set(keys)) == 5
        assert all(len(key) == 64 for key in keys)
        assert not any("X-Evil" in headers for headers in server.headers)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
async def test_only_2xx_is_an_answer(status: int) -> None:
    """A redirect is not followed: our headers hold secrets."""
    async with asking(saying(b"{}", status, Location="/elsewhere")) as (client, server):
        assert await ask(client, server.url) == Failure("status", status)
        assert len(server.paths) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_every_2xx_is(status: int) -> None:
    """Also the empty one."""
    async with asking(saying(b"", status)) as (client, server):
        assert await ask(client, server.url) == b""


@pytest.mark.parametrize(("size", "well"), [(100, True), (101, False), (5_000_000, False)])
async def test_an_answer_is_read_to_its_bound(size: int, well: bool) -> None:  # noqa: FBT001
    """To the byte; a longer one is no answer."""
    async with asking(saying(b"x" * size)) as (client, server):
        answer = await ask(client, server.url)
        assert answer == (b"x" * size if well else Failure("too_big", 200))


@pytest.mark.parametrize(
    ("status", "failure"), [(200, Failure("too_big", 200)), (500, Failure("status", 500))]
)
async def test_an_answer_without_end_is_left(status: int, failure: Failure) -> None:
    """The bound holds for streams too, and the connection is cut."""
    wrote = 0

    async def stream(request: web.Request) -> web.StreamResponse:
        nonlocal wrote
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 1000)
            wrote += 1000

    async with asking(stream) as (client, server):
        assert await ask(client, server.url) == failure
        await server.until(lambda: server.under_way == 0)
    assert wrote < 20_000_000


async def test_a_packed_answer_is_refused() -> None:
    """We ask for none; a small one may hold a huge one."""
    async with asking(saying(b"x", Content_Encoding="gzip")) as (client, server):
        assert await ask(client, server.url) == Failure("malformed", 200)


async def test_a_slow_server_is_left_in_time() -> None:
    """Whether its head or its body is late; the request is taken back."""

    async def late_body(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        return await silence(request)

    for answer in (silence, late_body):
        async with asking(answer) as (client, server):
            begun = time.monotonic()
            assert await ask(client, server.url, timeout_s=0.1) == Failure("timeout")
            assert time.monotonic() - begun < 1.0
            await server.until(lambda: server.under_way == 0)


async def drop(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return await silence(request)


async def test_a_server_that_drops_us() -> None:
    """Before it has answered."""
    async with asking(drop) as (client, server):
        assert await ask(client, server.url) == Failure("unreachable")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://no..name/", "nonsense", "http://[::bad", "ftp://host/"]
)
async def test_nobody_there(url: str) -> None:
    """A closed port, a name that is none, a URL that is none."""
    async with HttpClient() as client:
        assert await ask(client, url) == Failure("unreachable")


async def test_headers_that_are_none() -> None:
    """A secret with a line break in it is not sent in pieces."""
    async with asking(echo) as (client, server):
        request = Request(server.url, BODY, RUN, secret_headers={"X-Key": "a\r\nX-Evil: 1"})
        answer = await client.send(request, timeout_s=5.0, bytes_max=100)
        assert answer == Failure("unreachable")
        assert server.headers == []


async def test_a_cancelled_request_leaves_nothing() -> None:
    """The caller hung up: the server sees the connection go."""
    async with asking(silence) as (client, server):
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(ask(client, server.url))
            await server.until(lambda: server.under_way == 1)
            asked.cancel()
        await server.until(lambda: server.under_way == 0)


async def test_three_hundred_requests_at_once_do_not_wait_for_each_other() -> None:
    """The usual bound of 100 connections would stall a full pod with slow tools."""
    gate = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await gate.wait()
        return await echo(request)

    async with asking(answer) as (client, server), asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(ask(client, server.url)) for _ in range(300)]
        await server.until(lambda: server.under_way == 300)
        gate.set()
        assert [await one for one in asked] == [BODY] * 300


async def test_beyond_the_bound_a_request_waits_within_its_deadline() -> None:
    """The named policy of the bound."""
    async with (
        serving(silence) as server,
        HttpClient(connections_max=1) as client,
        asyncio.TaskGroup() as tasks,
    ):
        first = tasks.create_task(ask(client, server.url))
        await server.until(lambda: server.under_way == 1)
        assert await ask(client, server.url, timeout_s=0.1) == Failure("timeout")
        assert server.most_under_way == 1
        first.cancel()


async def test_cookies_are_not_kept() -> None:
    """Nothing of one call reaches another."""
    async with asking(saying(b"", Set_Cookie="who=me; Path=/")) as (client, server):
        await ask(client, server.url)
        await ask(client, server.url)
        assert "Cookie" not in server.headers[1]


async def test_a_closed_client_reaches_nobody() -> None:
    """The process ends; a late tool is told so."""
    assert await ask(HttpClient(), "http://127.0.0.1:1/") == Failure("unreachable")
