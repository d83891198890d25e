"""Calls on the stage, struck on a timeline; then the record is verified against the carrier."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chaos import plan, strikes
from chaos.plan import Name, Slot, Timing
from chaos.stage import Stage, Wish
from trunkline.loadtest.figures import Call
from trunkline.loadtest.place import Placing
from trunkline.loadtest.plan import Load
from trunkline.loadtest.timeline import Fault
from trunkline.sim.realtime.faults import Fault as Switch

SCRIPTS: Final = ("talk",)
RATE: Final = 8.0
"""New calls a second, where all of them stay until the end."""

SETTLED_S: Final = 3.0
"""After the last call: the pods write what is left into the call log."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """One run."""

    load: Load
    faults: tuple[Fault, ...]
    placing: Placing
    calls: tuple[Call, ...]
    verified: bool
    record: str
    """What `trunkline calls verify --carrier` said."""


async def run(
    stage: Stage, names: Sequence[Name], timing: Timing, say: Say, seed: int | None = None
) -> Found:
    """Call, strike, verify."""
    load = load_of(stage.wish, names, timing)
    slots = plan.slots(names, load.ramp_s, timing)
    faults: list[Fault] = []
    placing = Placing(stage.ends, load, SCRIPTS, (), None, seed)
    async with asyncio.TaskGroup() as tasks:
        striking = tasks.create_task(_strike_all(slots, stage, placing, faults, say))
        await placing.run()
        striking.cancel()
    await asyncio.sleep(SETTLED_S)
    code, told = await strikes.command(stage, "calls", "verify", "--carrier")
    done = sorted(placing.tally.calls, key=lambda call: call.number)
    return Found(load, tuple(faults), placing, tuple(done), code == 0, told.strip())


def load_of(wish: Wish, names: Sequence[Name], timing: Timing) -> Load:
    """Calls that last `call_s` begin as others end: all of them are up at any time."""
    rate = wish.calls / wish.call_s if wish.call_s else RATE
    ramp_s = (wish.calls - 1) / rate
    lasts_s = plan.seconds(plan.slots(names, ramp_s, timing), timing)
    return Load(wish.calls, rate, lasts_s, wish.call_s or None)


async def _strike_all(
    slots: Sequence[Slot], stage: Stage, placing: Placing, faults: list[Fault], say: Say
) -> None:
    """Each at its time; what really struck is written down with its own time."""
    await asyncio.sleep(0.5)  # The calls' clock is set as they begin.
    for slot in slots:
        await asyncio.sleep(max(0.0, slot.at_s - placing.now))
        at_s = placing.now
        faults.append(Fault(round(at_s, 3), "fleet", slot.name, "", slot.for_s))
        if slot.name is Name.MODEL:
            model = stage.ends.model
            assert model is not None
            since = asyncio.get_running_loop().time() - model.faults.started_at
            model.put(Switch("handshake", "503", None, since, since + slot.for_s))
        say(f"{at_s:6.1f} s  {plan.MEANINGS[slot.name]}")
        await strikes.strike(slot, stage, lambda text: say(f"{placing.now:6.1f} s  {text}"))
