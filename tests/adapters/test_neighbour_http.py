"""Pods that do not answer, or not as pods do: each is nobody, and soon."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from trunkline.adapters.neighbour_http import CONNECTIONS_MAX, HttpNeighbours
from trunkline.core import neighbour_proof as proof
from trunkline.core.fleet_states import Life
from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.core.neighbour_words import (
    BODY_BYTES_MAX,
    Answer,
    Caller,
    Receive,
    Told,
    Word,
    encode,
)
from trunkline.ports import PodAt

pytestmark = pytest.mark.anyio

CALL = CallSid("CA" + "1" * 32)
KEY = proof.key_of(b"0123456789abcdef0123456789abcdef")
LIFE = Life(PodName("pod-1"), Incarnation("b"))
ORDER = Receive(Caller("inbound", "+15550100099", "+15550100001"))

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handle: Handler) -> AsyncIterator[PodAt]:
    """A server that answers as the test says."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield PodAt(LIFE, f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def never(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def garbage(_: web.Request) -> web.Response:
    return web.Response(body=b"<html>")


async def refusing(_: web.Request) -> web.Response:
    return web.Response(status=500)


async def moved(_: web.Request) -> web.Response:
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"})


async def endless(_: web.Request) -> web.Response:
    return web.Response(body=b" " * (2 * BODY_BYTES_MAX))


@pytest.mark.parametrize("handle", [never, garbage, refusing, moved, endless])
async def test_what_is_no_answer_of_a_pod_is_none(handle: Handler) -> None:
    """A pod that is silent, too, after 200 ms: its call is taken over."""
    async with served(handle) as at, HttpNeighbours(KEY, lambda: 0) as us:
        assert await us.word(at, CALL) is None


async def test_nobody_listens_there() -> None:
    """Its process is gone; and a store may hold what is no address."""
    async with HttpNeighbours(KEY, lambda: 0) as us:
        for address in ("http://127.0.0.1:1", "nonsense", "", "http://[::1"):
            at = PodAt(LIFE, address)
            assert await us.word(at, CALL) is None
            assert await us.receive(at, CALL, ORDER) is None
            await us.tell(at, CALL, Told("completed"))


async def test_an_answer_in_pieces_is_one() -> None:
    """However the network cuts it."""

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for at in range(0, len(text := encode(Answer("<Response/>"))), 7):
            await response.write(text[at : at + 7])
            await asyncio.sleep(0)
        return response

    async with served(slowly) as at, HttpNeighbours(KEY, lambda: 0) as us:
        assert await us.receive(at, CALL, ORDER) == Answer("<Response/>")


async def test_the_key_is_never_sent() -> None:
    """An address from a store may be anybody's: what it gets proves one request only."""
    seen: list[str] = []

    async def noting(request: web.Request) -> web.Response:
        seen.append(str(request.headers) + request.path_qs + (await request.read()).decode())
        return web.Response(body=encode(Answer()))

    async with served(noting) as at, HttpNeighbours(KEY, lambda: 1_790_000_000_000) as us:
        await us.receive(at, CALL, ORDER)
    assert proof.HEADER in seen[0]
    assert KEY.hex() not in seen[0]


async def test_a_question_does_not_wait_for_orders() -> None:
    """Many calls are taken over at once; a pod that lives is not taken for dead meanwhile."""
    came, full = 0, asyncio.Event()

    async def busy(request: web.Request) -> web.Response:
        nonlocal came
        if request.method == "GET":
            return web.Response(body=encode(Word("live")))
        came += 1
        if came == CONNECTIONS_MAX:
            full.set()
        return await never(request)

    async with (
        served(busy) as at,
        HttpNeighbours(KEY, lambda: 0) as us,
        asyncio.TaskGroup() as tasks,
    ):
        orders = [tasks.create_task(us.receive(at, CALL, ORDER)) for _ in range(CONNECTIONS_MAX)]
        await full.wait()
        assert await us.word(at, CALL) == Word("live")
        for order in orders:
            order.cancel()
