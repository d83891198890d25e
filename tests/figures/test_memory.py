"""Memory of a pod over thousands of short calls, from outside: what the kernel counts as its own.

A quarter of the callers talk and have a tool called, the others hear the greeting and hang up.
After each thousand calls the pod is left alone until nothing is left of them, then for a while
longer; then it is measured.
"""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from acceptance.far_pod import FarPod, far_pod
from acceptance.scene import KEY, conversation
from trunkline.sim.caller import HangUp, Listen, Script
from trunkline.sim.realtime.options import RealtimeSimOptions

pytestmark = [pytest.mark.anyio, pytest.mark.figure, pytest.mark.timeout(3600)]

STEP: Final = 1_000
STEPS: Final = 5
AT_ONCE: Final = 40
GROWTH_MB_MAX: Final = 5.0
"""From the first thousand calls to the last."""

REST_S: Final = 10.0
"""So long the pod rests before it is measured: warm sessions are back, timers have run out."""

SHORT: Final[Script] = (Listen(until_silence_ms=300), HangUp())
TALKS: Final[Script] = conversation("what are your prices")


@dataclass(frozen=True, slots=True)
class Memory:
    """MB of a process."""

    private: float
    """Pages that nobody else has."""
    resident: float

    def __str__(self) -> str:
        return f"{self.private:.1f} MB of its own, {self.resident:.1f} MB resident"


def memory_of(pid: int) -> Memory:
    """As the kernel counts it now."""
    kb = {"Private_Clean:": 0, "Private_Dirty:": 0, "Rss:": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, *values = line.split()
        if name in kb:
            kb[name] = int(values[0])
    return Memory((kb["Private_Clean:"] + kb["Private_Dirty:"]) / 1024, kb["Rss:"] / 1024)


async def test_five_thousand_short_calls_leave_no_memory_behind(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """The process ends within 5 MB of where it was after the first thousand."""
    model = RealtimeSimOptions(keys=(KEY,), keep_audio=False, think_ms=100)
    environ = {"TRUNKLINE_CALLS_MAX": "60"}
    measured: list[Memory] = []
    async with far_pod(redis_url, database_url, tmp_path, environ=environ, model=model) as here:
        sys.stdout.write(f"\nat start: {memory_of(here.process.pid)}\n")
        for step in range(1, STEPS + 1):
            await thousand(here)
            await rest(here)
            measured.append(memory_of(here.process.pid))
            sys.stdout.write(f"after {step * STEP} calls: {measured[-1]}\n")
            sys.stdout.flush()
        rows = await here.book.calls(limit=2 * STEP * STEPS)
    assert len(rows) == STEP * STEPS
    assert {row.outcome for row in rows} == {"caller_ended"}
    assert measured[-1].private - measured[0].private <= GROWTH_MB_MAX
    assert measured[-1].resident - measured[0].resident <= GROWTH_MB_MAX


async def thousand(here: FarPod) -> None:
    """So many calls, one after another on each of several lines."""
    scripts = iter([TALKS if number % 4 == 0 else SHORT for number in range(STEP)])
    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(line(here, scripts))


async def line(here: FarPod, scripts: Iterator[Script]) -> None:
    """One telephone line: the next caller calls when the last has hung up."""
    for script in scripts:
        report = await here.call(*script, to="+15550100002")
        assert report.ended_by == "caller"
        assert not report.warnings


async def rest(here: FarPod) -> None:
    """Until nothing of the calls is left in the pod, and a while longer."""
    while True:
        view = await here.view()
        if not any(view[name] for name in ("calls_active", "calls_reserved", "facts_backlog")):
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(REST_S)
