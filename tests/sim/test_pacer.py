"""One timer for all."""

import asyncio
import time

import pytest

from sim.carrier_bot import wait_for
from trunkline.sim.pacer import Pacer

pytestmark = pytest.mark.anyio


class Ticks:
    """Something paced: due every 20 ms from its beginning."""

    def __init__(self, count: int) -> None:
        self.armed_at = float("inf")
        self.began = time.monotonic()
        self.count = count
        self.times: list[float] = []

    def deadline(self) -> float | None:
        done = len(self.times)
        return None if done == self.count else self.began + 0.02 * (done + 1)

    def tick(self, now: float) -> None:
        self.times.append(now)


async def test_one_timer_paces_many_on_the_absolute_clock() -> None:
    """Nobody early, nobody's lateness adds up, all done."""
    pacer = Pacer(asyncio.get_running_loop())
    calls = [Ticks(25) for _ in range(50)]
    for call in calls:
        pacer.arm(call)
    await wait_for(lambda: all(len(call.times) == 25 for call in calls))
    for call in calls:
        early = [at - (call.began + 0.02 * number) for number, at in enumerate(call.times, 1)]
        assert min(early) >= 0
    assert pacer.late_ms(0.5) <= 20
    assert pacer.late_ms(0.5) <= pacer.late_ms(1.0)
    pacer.close()
    pacer.arm(Ticks(1))


async def test_an_earlier_deadline_moves_the_timer() -> None:
    """Armed anew, the old entry counts for nothing."""
    pacer = Pacer(asyncio.get_running_loop())
    call = Ticks(1)
    call.began += 3600
    pacer.arm(call)
    call.began -= 3600
    pacer.arm(call)
    await wait_for(lambda: len(call.times) == 1)
    await asyncio.sleep(0)
    assert len(call.times) == 1
    assert pacer.late_ms(0.99) > 0
    pacer.close()
