"""A pod that carries as many calls as it may: the next caller, and the one after a call's end."""

import asyncio
from collections.abc import Sequence

import pytest

from acceptance.scene import OUR_NUMBER, Scene, conversation, scene
from trunkline.core.facts import CallEnded, CallOverflowed, CallReceived, Outcome
from trunkline.sim.caller import Listen, WaitForHangUp
from trunkline.sim.carrier.report import CallReport

pytestmark = pytest.mark.anyio

DIALS, SAYS, VOICEMAIL = OUR_NUMBER, "+15550100002", "+15550100003"
CALLS_MAX = 3


async def fill(here: Scene, tasks: asyncio.TaskGroup) -> Sequence[asyncio.Task[CallReport]]:
    """As many callers as the pod carries, all of them talking."""
    calls = [
        tasks.create_task(here.call(Listen(), WaitForHangUp(), from_=f"+1555010003{number}"))
        for number in range(CALLS_MAX)
    ]
    await here.until(lambda: here.pod.view().calls_active == CALLS_MAX)
    return calls


async def test_the_next_caller_gets_the_numbers_overflow_action(
    redis_url: str, database_url: str
) -> None:
    """A person, words or a voicemail, at once; the log has the call and the metric counts it."""
    async with (
        scene(redis_url, database_url, environ={"TRUNKLINE_CALLS_MAX": str(CALLS_MAX)}) as here,
        asyncio.TaskGroup() as tasks,
    ):
        await fill(here, tasks)
        dialled = await here.call(*conversation(), to=DIALS)
        told = await here.call(*conversation(), to=SAYS)
        recorded = await here.call(*conversation(), to=VOICEMAIL)
        assert dialled.dialled == ("+15550100021",)
        assert ("carrier", "All our lines are busy.") in told.transcript
        assert ("carrier", "Please leave a message.") in recorded.transcript
        for report, action in ((dialled, "dial"), (told, "say"), (recorded, "voicemail")):
            assert not report.streams
            assert not report.warnings
            row, facts = await here.logged(report.sid), await here.facts(report.sid)
            assert (row.outcome, row.reason, row.answered_at_ms) == ("overflowed", "cap", None)
            assert [type(fact) for fact in facts] == [CallReceived, CallOverflowed, CallEnded]
            assert facts[1] == CallOverflowed("cap", action)
        overflowed = 'calls_total{direction="inbound",outcome="overflowed"}'
        assert await here.counted(overflowed) == 3
        assert await here.counted('active_calls_per_pod{state="carried"}') == CALLS_MAX
        for sid in here.carrier.live:
            here.carrier.hang_up(sid)


async def test_a_slot_is_free_again_when_its_call_has_ended(
    redis_url: str, database_url: str
) -> None:
    """The next caller is greeted, and the others were never disturbed."""
    async with (
        scene(redis_url, database_url, environ={"TRUNKLINE_CALLS_MAX": str(CALLS_MAX)}) as here,
        asyncio.TaskGroup() as tasks,
    ):
        calls = await fill(here, tasks)
        here.carrier.hang_up(here.carrier.live[0])
        gone = await calls[0]
        await here.until(lambda: here.pod.view().calls_active == CALLS_MAX - 1)
        next_one = await here.call(*conversation("this is caller seven"))
        assert ("agent", "i heard this is caller seven") in next_one.transcript
        assert (await here.logged(next_one.sid)).outcome == Outcome.CALLER_ENDED
        assert here.pod.view().calls_active == CALLS_MAX - 1
        for sid in here.carrier.live:
            here.carrier.hang_up(sid)
    assert gone.streams
    assert [len(call.result().streams) for call in calls] == [1] * CALLS_MAX


async def test_callers_who_all_come_at_once_are_never_more_than_the_cap(
    redis_url: str, database_url: str
) -> None:
    """Ten webhooks together: three get a stream, seven their overflow action, none is lost."""
    async with scene(
        redis_url, database_url, environ={"TRUNKLINE_CALLS_MAX": str(CALLS_MAX)}
    ) as here:
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(here.call(Listen(), to=SAYS)) for _ in range(10)]
        reports = [call.result() for call in calls]
        outcomes = [(await here.logged(report.sid)).outcome for report in reports]
        assert sum(bool(report.streams) for report in reports) == CALLS_MAX
        assert outcomes.count("overflowed") == 10 - CALLS_MAX
        assert outcomes.count("caller_ended") == CALLS_MAX
