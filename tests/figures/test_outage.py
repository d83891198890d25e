"""Figures of a model that is away: 50 calls, every session cut, the model refused for 20 s.

Run by hand (`make figures`): it takes a minute and a half, and prints what it measured at the
carrier's end, in the carrier's clock.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final

import pytest

from acceptance.played import Played, seen
from acceptance.scene import CALLER, KEY, OUR_NUMBER, Scene, scene
from trunkline.core.facts import CallEnded, Fact, FallbackPlayed, SessionOpened
from trunkline.sim.caller import HangUp, Listen, Say, Script, Step
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.realtime.options import RealtimeSimOptions

pytestmark = [pytest.mark.anyio, pytest.mark.figure, pytest.mark.timeout(240)]

CALLS: Final = 50
OUTAGE_S: Final = 20.0
SOUND_S_MAX: Final = 3.0
"""From the loss of the session to the first sound that a caller hears after it."""
BACK_S_MAX: Final = 5.0
"""From the model's return to the call's next session."""
HEAR: Final = Listen(until_silence_ms=600, max_ms=6000)


def conversation(turns: int) -> Script:
    steps: list[Step] = [HEAR]
    for _ in range(turns):
        steps += [Say("this is caller seven"), HEAR]
    return (*steps, HangUp())


def first_sound(report: CallReport, after: float) -> float:
    """When the caller heard something at or after this moment, in the carrier's clock."""
    for turn in report.turns:
        if turn.reply_at is None or turn.last_at is None or turn.last_at <= after:
            continue
        silences = [(gap.at, gap.at + gap.ms / 1000) for gap in turn.gaps]
        at = max(after, turn.reply_at)
        for begin, end in silences:
            if begin <= at < end:
                at = end
        return at
    return float("inf")


async def outage(here: Scene) -> tuple[float, float]:
    """Cut every session and refuse new ones for a while: when it began and ended."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(12)  # Everybody is in conversation by then: the calls take a minute.
    began = loop.time()
    here.model.put("handshake=503")
    for record in here.model.records:
        if record.closed_at is None:
            here.model.reset(record.name)
    await asyncio.sleep(OUTAGE_S)
    here.model.faults.clear()
    return began, loop.time()


async def test_fifty_calls_whose_model_is_away_for_twenty_seconds(
    redis_url: str, database_url: str
) -> None:
    """Everybody hears something within 3 s; all are back within 5 s; nobody is lost."""
    loop = asyncio.get_running_loop()
    model = RealtimeSimOptions(keys=(KEY,), think_ms=300)
    async with scene(redis_url, database_url, model=model) as here:
        wall = _wall_ms() - 1000 * loop.time()
        async with asyncio.TaskGroup() as tasks:
            calls = [
                tasks.create_task(
                    here.carrier.place_call(
                        to=OUR_NUMBER, from_=CALLER, script=conversation(12), give_up_s=120
                    )
                )
                for _ in range(CALLS)
            ]
            away = tasks.create_task(outage(here))
        began, ended = away.result()
        played = [await seen(here, call.result()) for call in calls]
    sounds = sorted(first_sound(one.report, began) - began for one in played)
    scripts = sorted(first(one, FallbackPlayed, wall, began) - began for one in played)
    backs = sorted(first(one, SessionOpened, wall, began) - ended for one in played)
    lost = [one.ended for one in played if one.ended != ("caller_ended", "stop")]
    sys.stdout.write(
        f"\n{CALLS} calls, model away {OUTAGE_S:.0f} s: first sound {figures(sounds)} s, "
        f"script {figures(scripts)} s after the loss; "
        f"back with the model {figures(backs)} s after its return; {len(lost)} lost\n"
    )
    assert all(len(one.of(CallEnded)) == 1 for one in played)
    assert not lost
    assert max(sounds[-1], scripts[-1]) <= SOUND_S_MAX
    assert backs[-1] <= BACK_S_MAX


def first(one: Played, kind: type[Fact], wall: float, after: float) -> float:
    """When such a fact was made first after this moment, in the carrier's clock."""
    times = [
        (entry.at_ms - wall) / 1000
        for entry, fact in zip(one.entries, one.facts, strict=True)
        if isinstance(fact, kind)
    ]
    return min((at for at in times if at > after), default=float("inf"))


def figures(values: Sequence[float]) -> str:
    return f"p50 {values[len(values) // 2]:.2f}, max {values[-1]:.2f}"


def _wall_ms() -> float:
    return time.time() * 1000
