"""One timer, set to whatever comes first."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest
import uvloop

from trunkline.pod.alarm import Alarm

Run = Callable[[Coroutine[None, None, None]], None]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_time_that_is_over_can_be_followed_by_another(run: Run) -> None:
    """Uvloop gives a handle without a time for it: the next `set` must not ask the handle."""

    async def main() -> None:
        rings: list[float] = []
        rung = asyncio.Event()
        loop = asyncio.get_running_loop()

        def ring() -> None:
            rings.append(loop.time())
            rung.set()

        alarm = Alarm(ring)
        now = loop.time()
        alarm.set(now - 1)
        alarm.set(now + 60)
        assert alarm.at == now - 1
        await rung.wait()
        assert alarm.at is None
        alarm.set(now + 60)
        alarm.set(now - 1)
        rung.clear()
        await rung.wait()
        assert len(rings) == 2

    run(main())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_an_alarm_that_was_stopped_does_not_ring(run: Run) -> None:
    """Stopped twice, or never set, neither."""

    async def main() -> None:
        rings: list[None] = []
        alarm = Alarm(lambda: rings.append(None))
        alarm.stop()
        alarm.set(0.0)
        alarm.stop()
        alarm.stop()
        for _ in range(3):
            await asyncio.sleep(0)
        assert not rings
        assert alarm.at is None

    run(main())
