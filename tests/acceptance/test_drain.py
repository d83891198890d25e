"""A pod that is told to stop: no new calls, an orderly end for those it has, nothing unwritten."""

import asyncio

import aiohttp
import pytest

from acceptance.scene import conversation, scene
from trunkline.core.facts import CallOverflowed
from trunkline.sim.caller import HangUp, Listen, Pause, WaitForHangUp
from trunkline.sim.carrier.faults import AfterLoss, Faults

pytestmark = pytest.mark.anyio

ENDS_S_MAX = 15
LATE_REDIRECT = Faults(after_close_s=1.0)
"""From a close of ours to the next verb the carrier takes 1-2 s: the port must be open then."""


async def test_a_call_ends_as_it_would_and_the_next_one_overflows(
    redis_url: str, database_url: str
) -> None:
    """The caller hears every word; the new caller gets a person; then the pod is gone."""
    async with (
        scene(redis_url, database_url, environ={"TRUNKLINE_DRAIN_S_MAX": "60"}) as here,
        asyncio.TaskGroup() as tasks,
    ):
        call = tasks.create_task(here.call(*conversation("this is caller seven")))
        await here.until(lambda: here.pod.view().calls_active == 1)
        here.pod.stop()
        await here.until(lambda: here.pod.view().draining)
        refused = await here.call(*conversation())
        assert refused.dialled == ("+15550100021",)
        report = await call
        await asyncio.wait_for(asyncio.shield(here.running), ENDS_S_MAX)
        assert ("agent", "i heard this is caller seven") in report.transcript
        assert (await here.logged(report.sid)).outcome == "caller_ended"
        assert CallOverflowed("draining", "dial") in await here.facts(refused.sid)
        assert here.pod.view().facts_backlog == 0
        with pytest.raises(aiohttp.ClientConnectionError):
            await here.get("/healthz")


async def test_when_the_grace_is_over_callers_get_the_overflow_action(
    redis_url: str, database_url: str
) -> None:
    """The call is ended as drained, its redirect comes a second later, and is answered."""
    async with (
        scene(redis_url, database_url, environ={"TRUNKLINE_DRAIN_S_MAX": "1"}) as here,
        asyncio.TaskGroup() as tasks,
    ):
        call = tasks.create_task(here.call(Listen(), WaitForHangUp(), faults=LATE_REDIRECT))
        await here.until(lambda: here.pod.view().calls_active == 1)
        here.pod.stop()
        report = await call
        await asyncio.wait_for(asyncio.shield(here.running), ENDS_S_MAX)
        assert report.dialled == ("+15550100021",)
        assert not report.warnings
        row = await here.logged(report.sid)
        assert (row.outcome, row.reason) == ("failed", "drained")


async def test_a_transfer_at_the_very_end_is_dialled(redis_url: str, database_url: str) -> None:
    """The last call is over and its redirect on the way: the pod waits for that too."""
    async with (
        scene(redis_url, database_url, environ={"TRUNKLINE_DRAIN_S_MAX": "60"}) as here,
        asyncio.TaskGroup() as tasks,
    ):
        script = (*conversation("please transfer me")[:-1], WaitForHangUp())
        call = tasks.create_task(here.call(*script, faults=LATE_REDIRECT))
        await here.until(lambda: here.pod.view().calls_active == 1)
        here.pod.stop()
        report = await call
        await asyncio.wait_for(asyncio.shield(here.running), ENDS_S_MAX)
        assert report.dialled == ("+15550100020",)
        assert (await here.logged(report.sid)).outcome == "transferred"


async def test_a_second_signal_ends_every_call_now(redis_url: str, database_url: str) -> None:
    """Talking, without a stream, or only reserved: all are in the log, and nothing is left."""
    gone = Faults(reset_after_s=0.5, after_loss=AfterLoss.HANG_UP, after_loss_s=30.0)
    slow = Faults(stream_delay_s=30.0)
    async with (
        scene(redis_url, database_url, environ={"TRUNKLINE_DRAIN_S_MAX": "3660"}) as here,
        asyncio.TaskGroup() as tasks,
    ):
        script = (Listen(), Pause(60_000), HangUp())
        talking, lost, reserved = (
            tasks.create_task(here.call(*script, faults=faults)) for faults in (None, gone, slow)
        )
        await here.until(
            lambda: (
                here.pod.view().calls_active == 2
                and here.pod.view().calls_reserved == 1
                and here.pod.view().media_sockets == 1
            )
        )
        sids = here.carrier.live
        here.pod.stop()
        await here.until(lambda: here.pod.view().draining)
        here.pod.hurry()
        await asyncio.wait_for(asyncio.shield(here.running), ENDS_S_MAX)
        for sid in sids:
            row = await here.logged(sid)
            assert (row.outcome, row.reason) == ("failed", "drained")
        assert (await talking).dialled == ("+15550100021",)
        for sid in here.carrier.live:
            here.carrier.hang_up(sid)
    assert not lost.cancelled()
    assert not reserved.cancelled()
