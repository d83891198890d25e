"""Load on one target, and what it cost: taken while all calls are up."""

import asyncio
import time
from dataclasses import dataclass

import msgspec
import psutil

from bench.targets import Target
from trunkline.loadtest.callers import MIXED
from trunkline.loadtest.ends import Ends
from trunkline.loadtest.figures import Call
from trunkline.loadtest.percentiles import Percentiles, counted, percentiles
from trunkline.loadtest.place import Placing
from trunkline.loadtest.plan import Load

SETTLE_S = 3.0
"""After the last call began, before anything is measured: its session opens, its greeting plays."""


class Cost(msgspec.Struct, frozen=True):
    """One target under load. Times of the processor in ms for one call and one second."""

    name: str
    calls: int
    ready_s: float
    cpu_ms: float
    far_ends_ms: float
    mb_a_call: float
    """Memory of each call of the second half of them."""
    to_model: Percentiles | None
    to_caller: Percentiles | None
    silence: Percentiles | None
    own_late: Percentiles | None
    failed: int
    holes: int
    lost: int
    missed: int
    false: int

    @property
    def calls_a_core(self) -> float:
        """So many, if each further call costs what these do."""
        return 1000 / self.cpu_ms


@dataclass(frozen=True, slots=True)
class _Mark:
    at: float
    target_s: float
    ours_s: float
    rss: int


async def cost(target: Target, ends: Ends, load: Load, seed: int) -> Cost:
    """Call, and measure from `SETTLE_S` after the last call began until the first hangs up."""
    placing = Placing(ends, load, MIXED, (), None, seed)
    process = psutil.Process(target.pid)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(placing.run())
        marks = [
            await _mark(process, placing, at)
            for at in (load.ramp_s / 2, load.ramp_s + SETTLE_S, load.seconds)
        ]
        await running
    half, full, end = marks
    wall_s = (end.at - full.at) * load.calls / 1000
    calls = placing.tally.calls
    return Cost(
        name=target.name,
        calls=load.calls,
        ready_s=target.ready_s,
        cpu_ms=(end.target_s - full.target_s) / wall_s,
        far_ends_ms=(end.ours_s - full.ours_s) / wall_s,
        mb_a_call=(end.rss - half.rss) / 1e6 / (load.calls / 2),
        to_model=counted(placing.marks.to_model.total()),
        to_caller=counted(placing.marks.to_caller.total()),
        silence=_silences(calls),
        own_late=counted(placing.tally.own_late.total()),
        failed=sum(bool(call.failed) for call in calls),
        holes=sum(len(call.holes) for call in calls),
        lost=sum(
            way.lost for call in calls for way in (call.to_model, call.to_caller) if way is not None
        ),
        missed=sum(call.missed_turns for call in calls),
        false=sum(call.false_turns or 0 for call in calls),
    )


async def _mark(process: psutil.Process, placing: Placing, at_s: float) -> _Mark:
    await asyncio.sleep(max(0.0, at_s - placing.now))
    theirs = process.cpu_times()
    return _Mark(
        time.monotonic(),
        theirs.user + theirs.system,
        time.process_time(),
        process.memory_info().rss,
    )


def _silences(calls: list[Call]) -> Percentiles | None:
    found = [turn.silence_ms for call in calls for turn in call.turns]
    return percentiles([ms for ms in found if ms is not None])
