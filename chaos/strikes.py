"""What each fault does to the stage; each comes back when it is over, or the pods are back."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import psutil

from chaos.plan import Name, Slot
from chaos.stage import Stage
from trunkline.errors import TrunklineError

BACK_S_MAX: Final = 90.0
"""So long a pod may take to be gone and to take calls again."""

COMMAND_S_MAX: Final = 60.0
POLL_S: Final = 0.2
PART: Final = 3
"""Of the model's open sessions each third is broken."""

Say = Callable[[str], None]


async def strike(slot: Slot, stage: Stage, say: Say) -> None:
    """Do it."""
    await _STRIKES[slot.name](slot, stage, say)


async def _kill(_: Slot, stage: Stage, say: Say) -> None:
    name = await stage.busiest()
    process = await stage.pod(name)
    calls = await stage.calls_of(name)
    process.kill()
    say(f"{name} killed with {calls} calls")
    await _gone(process)
    await _back(stage, name)
    say(f"{name} takes calls again")


async def _drain(_: Slot, stage: Stage, say: Say) -> None:
    await _drain_one(stage, await stage.busiest(), say)


async def _roll(_: Slot, stage: Stage, say: Say) -> None:
    for name in stage.names:
        await _drain_one(stage, name, say)


async def _drain_one(stage: Stage, name: str, say: Say) -> None:
    process = await stage.pod(name)
    calls, began = await stage.calls_of(name), time.monotonic()
    code, told = await command(stage, "pods", "drain", name)
    if code:
        raise TrunklineError(f"pods drain: {told.strip()}")
    say(f"{name} drains with {calls} calls")
    await _gone(process)
    say(f"{name} was empty after {time.monotonic() - began:.1f} s")
    await _back(stage, name)
    say(f"{name} takes calls again after {time.monotonic() - began:.1f} s")


async def _ingress(_: Slot, stage: Stage, say: Say) -> None:
    for each in await stage.called("traefik"):
        each.kill()
    say("Traefik killed")


async def _valkey(slot: Slot, stage: Stage, say: Say) -> None:
    await _stand_still(slot, await stage.called("valkey-server"), "Valkey", say)


async def _postgres(slot: Slot, stage: Stage, say: Say) -> None:
    await _stand_still(slot, await stage.called("postgres"), "PostgreSQL", say)


async def _stand_still(slot: Slot, processes: list[psutil.Process], what: str, say: Say) -> None:
    if not processes:
        raise TrunklineError(f"{what} is not there")
    for each in processes:
        each.send_signal(signal.SIGSTOP)
    say(f"{what} stands still for {slot.for_s:g} s")
    try:
        await asyncio.sleep(slot.for_s)
    finally:
        for each in processes:
            each.send_signal(signal.SIGCONT)
    say(f"{what} goes on")


async def _model(slot: Slot, stage: Stage, say: Say) -> None:
    """The refusals are the model's own switch (`run` sets it); what is open breaks here."""
    model = stage.ends.model
    assert model is not None
    broken = [record.name for record in model.sessions][::PART]
    for name in broken:
        model.reset(name)
    say(f"the model refuses for {slot.for_s:g} s; {len(broken)} sessions broken")
    await asyncio.sleep(slot.for_s)


_STRIKES: Final[Mapping[Name, Callable[[Slot, Stage, Say], Awaitable[None]]]] = {
    Name.KILL: _kill,
    Name.DRAIN: _drain,
    Name.ROLL: _roll,
    Name.INGRESS: _ingress,
    Name.VALKEY: _valkey,
    Name.POSTGRES: _postgres,
    Name.MODEL: _model,
}


async def command(stage: Stage, *words: str) -> tuple[int, str]:
    """A command of ours, run as the pods are: its code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "trunkline.cli.main", *words, "--env-file", os.devnull,
        env=dict(stage.environ), stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(COMMAND_S_MAX):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return -1, f"trunkline {' '.join(words)} took longer than {COMMAND_S_MAX:.0f} s"
    assert process.returncode is not None
    return process.returncode, (out if out.strip() else err).decode()


async def _gone(process: psutil.Process) -> None:
    late = time.monotonic() + BACK_S_MAX
    while process.is_running():
        if time.monotonic() > late:
            raise TrunklineError(f"a pod is still there after {BACK_S_MAX:.0f} s")
        await asyncio.sleep(POLL_S)


async def _back(stage: Stage, name: str) -> None:
    late = time.monotonic() + BACK_S_MAX
    while not await stage.is_ready(name):
        if time.monotonic() > late:
            raise TrunklineError(f"{name} takes no calls {BACK_S_MAX:.0f} s after its end")
        await asyncio.sleep(POLL_S)
