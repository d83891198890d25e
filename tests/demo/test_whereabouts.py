"""Who carries which call, asked of servers in the pods' place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from servers import HOST, free_port
from trunkline.demo.child import Child
from trunkline.demo.whereabouts import Whereabouts

pytestmark = pytest.mark.anyio

SOON_S = 10.0


@asynccontextmanager
async def pods(**carried: Sequence[str]) -> AsyncIterator[Whereabouts]:
    """Each with its calls, looked at all the while."""
    urls, runners = [], []
    for name, calls in carried.items():
        app = web.Application()
        app.router.add_get("/api/v1/pod", answering({"pod": name, "draining": False}))
        app.router.add_get("/api/v1/live", answering([{"call": call} for call in calls]))
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, HOST, port).start()
        urls.append(f"http://{HOST}:{port}")
        runners.append(runner)
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
        where = Whereabouts(Child("http://unused", urls, 0), http)
        looking = tasks.create_task(where.look())
        yield where
        looking.cancel()
    for runner in runners:
        await runner.cleanup()


def answering(told: object) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        del request
        return web.json_response(told)

    return answer


async def test_the_calls_of_all_pods_are_known() -> None:
    """By the pods' own names."""
    async with pods(one=["CA1", "CA2"], other=["CA3"]) as where, asyncio.timeout(SOON_S):
        while where.pods != {"one": ["CA1", "CA2"], "other": ["CA3"]}:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def test_one_pod_is_not_asked() -> None:
    """There is nothing to tell apart."""
    async with aiohttp.ClientSession() as http:
        where = Whereabouts(Child("http://unused", ["http://unused"], 0), http)
        await where.look()
        assert where.pods == {}
