"""The watchdog names the stack that blocks the loop, and blames nobody for a busy machine."""

import asyncio
import time

import pytest

from trunkline.pod.watchdog import BLOCKED_CPU_S, TICK_S, Watchdog

pytestmark = pytest.mark.anyio


class Reports:
    """What a watchdog said."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.blocks: list[tuple[float, str]] = []
        self.marked = asyncio.Event()

    def lag(self, seconds: float) -> None:
        self.lags.append(seconds)
        self.marked.set()

    def blocked(self, cpu_s: float, stack: str) -> None:
        self.blocks.append((cpu_s, stack))

    async def wait_for_marks(self, count: int) -> None:
        for _ in range(count):
            self.marked.clear()
            await self.marked.wait()


def burn_like_a_bug(cpu_s: float) -> None:
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        pass


async def test_a_callback_that_burns_cpu_is_named_by_its_stack() -> None:
    """Half a second of CPU in one callback is reported, with the function that burnt it."""
    reports = Reports()
    watchdog = Watchdog(lag=reports.lag, blocked=reports.blocked)
    watchdog.start()
    try:
        await reports.wait_for_marks(2)
        burn_like_a_bug(0.5)
        await reports.wait_for_marks(2)
    finally:
        watchdog.stop()
    assert any("burn_like_a_bug" in stack for _, stack in reports.blocks)
    assert max(cpu for cpu, _ in reports.blocks) >= 0.4


async def test_waiting_without_cpu_blames_nobody() -> None:
    """A loop that is held without burning CPU is late, and no stack is accused."""
    reports = Reports()
    watchdog = Watchdog(lag=reports.lag, blocked=reports.blocked)
    watchdog.start()
    try:
        await reports.wait_for_marks(2)
        time.sleep(10 * BLOCKED_CPU_S)  # noqa: ASYNC251 - the loop is held on purpose
        await reports.wait_for_marks(2)
    finally:
        watchdog.stop()
    assert max(reports.lags) > 5 * BLOCKED_CPU_S
    assert not any("sleep" in stack for _, stack in reports.blocks)


async def test_a_stopped_watchdog_leaves_no_thread_and_no_timer() -> None:
    """After `stop` nothing marks and nothing looks."""
    reports = Reports()
    watchdog = Watchdog(lag=reports.lag, blocked=reports.blocked)
    watchdog.start()
    await reports.wait_for_marks(1)
    watchdog.stop()
    count = len(reports.lags)
    await asyncio.sleep(3 * TICK_S)
    assert len(reports.lags) == count


async def test_what_came_before_the_start_is_nobodys() -> None:
    """A pod imports and connects for a while before it takes calls: that blocks no caller."""
    reports = Reports()
    watchdog = Watchdog(lag=reports.lag, blocked=reports.blocked)
    burn_like_a_bug(0.2)
    watchdog.start()
    await reports.wait_for_marks(3)
    watchdog.stop()
    assert not any("burn_like_a_bug" in stack for _, stack in reports.blocks)
    assert reports.lags[0] < 0.2


async def test_one_that_was_not_started_can_be_stopped() -> None:
    """A pod that fails to start has nothing to watch."""
    reports = Reports()
    Watchdog(lag=reports.lag, blocked=reports.blocked).stop()
    assert not reports.lags
