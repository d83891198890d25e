"""Models that have no room for one more call: the new caller goes elsewhere, live ones talk on."""

import asyncio

import pytest

from acceptance.scene import KEY, Scene, conversation, scene
from trunkline.core.facts import CallOverflowed, CallReceived
from trunkline.sim.caller import HangUp, Listen, Say, WaitForHangUp
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.serve_realtime import RealtimeSimulator

pytestmark = pytest.mark.anyio

OTHER = {"OTHER": RealtimeSimOptions(keys=(KEY,), models=("other-model",))}

CONFIG = """
agents:
  desk:
    instructions: You answer.
    greeting: 'Say: "good morning"'
    models:
      - {name: gpt-realtime-2.1, sessions_max: 3}
      - {name: other-model, url: "@OTHER@", sessions_max: 2}
numbers:
  "*": {agent: desk, hold_s: 0, overflow: {dial: "+15550100021"}}
"""
"""Two sessions of the first model and one of the other are for calls, the rest is kept for them."""

SMALL = RealtimeSimOptions(keys=(KEY,), tokens_per_minute=1000)
"""Three calls that talk as fast as these would spend more in a minute; one may, after a while."""

ONE_MODEL = """
agents:
  desk: {instructions: You answer., greeting: 'Say: "good morning"'}
numbers:
  "*": {agent: desk, hold_s: 0, overflow: {dial: "+15550100021"}}
"""


CALLS_UNTIL_THERE_IS_ROOM = 30
"""The minute's tokens come back evenly, so somebody is served long before so many have called."""


def callers(model: RealtimeSimulator) -> int:
    """Sessions with a caller at present."""
    return sum(bool(record.updates) and record.closed_at is None for record in model.records)


def opened(model: RealtimeSimulator) -> int:
    """Sessions at present, warm ones included."""
    return sum(record.closed_at is None for record in model.records)


def answers(here: Scene) -> list[int]:
    """How much each session has said."""
    return [len(record.said) for record in here.sessions()]


async def talk(here: Scene, tasks: asyncio.TaskGroup, model: RealtimeSimulator) -> None:
    """One more caller, whom this model serves until he is hung up."""
    before = callers(model)
    tasks.create_task(here.call(Listen(), WaitForHangUp()))
    await here.until(lambda: callers(model) == before + 1)


async def overflows(here: Scene) -> None:
    """The next caller gets no session, but the number's overflow action, and is in the log."""
    sessions = len(here.sessions())
    report = await here.call(*conversation())
    row, (received, overflowed, _) = await here.logged(report.sid), await here.facts(report.sid)
    assert (row.outcome, row.reason) == ("overflowed", "model_full")
    assert isinstance(received, CallReceived)
    assert overflowed == CallOverflowed("model_full", "dial")
    assert report.dialled == ("+15550100021",)
    assert len(here.sessions()) == sessions


async def gets_in(here: Scene) -> int:
    """Callers come one after another until one is served; how many were not."""
    refused = 0
    while refused < CALLS_UNTIL_THERE_IS_ROOM:
        row = await here.logged((await here.call(Listen(), HangUp())).sid)
        if row.outcome == "caller_ended":
            break
        assert row.reason == "model_full"
        refused += 1
    return refused


async def test_sessions_of_a_key_are_kept_for_the_calls_that_have_them(
    redis_url: str, database_url: str
) -> None:
    """The next model of the list takes who comes then, and when it is full, nobody does.

    No warm session goes beyond what a key allows; a lost session is replaced at a full model.
    """
    async with (
        scene(redis_url, database_url, config=CONFIG, more_models=OTHER) as here,
        asyncio.TaskGroup() as tasks,
    ):
        first, other = here.model, here.more_models["OTHER"]
        await talk(here, tasks, first)
        await talk(here, tasks, first)
        await talk(here, tasks, other)
        await overflows(here)
        series = 'calls_overflowed_total{direction="inbound",reason="model_full"}'
        assert await here.counted(series) == 1
        await here.until(lambda: (opened(first), opened(other)) == (3, 2))
        lost = next(record for record in first.records if record.updates)
        first.expire(lost.name)
        await here.until(lambda: lost.closed_at is not None and callers(first) == 2)
        assert here.pod.view().calls_active == 3
        here.carrier.hang_up(here.carrier.live[0])
        await here.until(lambda: callers(first) == 1 and here.pod.view().calls_active == 2)
        await talk(here, tasks, first)
        for sid in here.carrier.live:
            here.carrier.hang_up(sid)


async def test_a_model_whose_minute_runs_out_takes_no_new_call(
    redis_url: str, database_url: str
) -> None:
    """Who talks already goes on talking, to the end of the call."""
    script = (
        Listen(),
        Say("one"),
        Listen(),
        Say("two"),
        Listen(),
        HangUp(),
    )
    async with (
        scene(redis_url, database_url, config=ONE_MODEL, model=SMALL) as here,
        asyncio.TaskGroup() as tasks,
    ):
        here.model.put("rate_limit_remaining=0")
        live = [tasks.create_task(here.call(*script)) for _ in range(2)]
        await here.until(lambda: len(answers(here)) == 2 and all(answers(here)))
        await overflows(here)
        told = answers(here)
        await here.until(
            lambda: all(now > then for now, then in zip(answers(here), told, strict=True))
        )
        for task in live:
            row = await here.logged((await task).sid)
            assert row.outcome == "caller_ended"
            assert not (await task).warnings
        here.model.faults.clear()
        assert await gets_in(here) < CALLS_UNTIL_THERE_IS_ROOM
