"""What a pod tells of itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from trunkline.loadtest.podmetrics import Page, Watch, between, read

PAGE = """\
# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total {cpu}
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1.5e+08
# TYPE active_calls_per_pod gauge
active_calls_per_pod{{state="carried"}} 7.0
active_calls_per_pod{{state="held"}} 2.0
# TYPE event_loop_lag_seconds histogram
event_loop_lag_seconds_bucket{{le="0.005"}} {low}
event_loop_lag_seconds_bucket{{le="0.02"}} {middle}
event_loop_lag_seconds_bucket{{le="+Inf"}} {all}
event_loop_lag_seconds_count {all}
# TYPE calls_total counter
calls_total{{outcome="completed"}} 12.0
"""


def page(cpu: float, low: int, middle: int, everything: int) -> str:
    return PAGE.format(cpu=cpu, low=low, middle=middle, all=everything)


def test_what_happened_between_two_answers() -> None:
    """Cores in use, memory, calls in all states, and the bucket that holds 99 % of the ticks."""
    before = read(page(10.0, 1000, 1000, 1000), at=50.0)
    after = read(page(10.5, 1090, 1099, 1100), at=52.0)
    sample = between(before, after, zero=40.0)
    assert (sample.at_s, sample.cpu, sample.memory_mb, sample.calls) == (12.0, 0.25, 150.0, 9.0)
    assert sample.lag_ms == 20.0


def test_beyond_the_last_edge_the_last_edge_is_told() -> None:
    """It is at least so late."""
    before = read(page(1.0, 0, 0, 0), at=0.0)
    assert between(before, read(page(1.0, 1, 2, 9), at=1.0), 0.0).lag_ms == 20.0


def test_another_bots_page_tells_what_it_has() -> None:
    """Its processor perhaps; what it lacks is None, not zero."""
    first = read("process_cpu_seconds_total 1.0\n", at=0.0)
    second = read("process_cpu_seconds_total 1.5\n", at=1.0)
    sample = between(first, second, 0.0)
    assert (sample.cpu, sample.memory_mb, sample.calls, sample.lag_ms) == (0.5, None, None, None)
    assert read("<html>", at=0.0) == Page(0.0)


@asynccontextmanager
async def telling(pages: list[str]) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A pod that gives these answers, the last again and again; the event: all were given."""
    told = asyncio.Event()
    rest = list(pages)

    async def metrics(_: web.Request) -> web.Response:
        if len(rest) == 1:
            told.set()
        text = rest.pop(0) if len(rest) > 1 else rest[0]
        return web.Response(text=text) if text else web.Response(status=500)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        assert runner.addresses
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/metrics", told
    finally:
        await runner.cleanup()


@pytest.mark.anyio
async def test_a_pod_is_asked_until_nobody_wants_to_know() -> None:
    """Answers that fail are gaps; the lag is that from the first answer to the last."""
    pages = [page(1.0, 10, 10, 10), "", page(2.0, 110, 110, 110), page(3.0, 111, 210, 210), ""]
    zero = time.monotonic()
    async with telling(pages) as (url, told), aiohttp.ClientSession() as http:
        watch = Watch(url, http, lambda: zero, poll_s=0.01)
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(watch.run())
            await told.wait()
            running.cancel()
    assert [sample.calls for sample in watch.samples] == [9.0, 9.0]
    assert watch.lag_ms == 20.0


@pytest.mark.anyio
async def test_a_pod_that_does_not_answer_tells_nothing() -> None:
    """No failure of the load test."""
    async with aiohttp.ClientSession() as http:
        gone = Watch("http://127.0.0.1:1/metrics", http, lambda: 0.0)
        assert await gone.ask() is None
        assert gone.lag_ms is None
