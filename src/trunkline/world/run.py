"""One world from its first second to its rest.

    story = run(Plan(seed=7, minutes=5, pods=3, calls=30))
    story.broken    what was not kept, with the step at which it showed; empty: all was

The same plan makes the same world, step by step: whatever is chosen by chance is drawn from the
seed, and nothing reads another clock than the loop's.
"""

import asyncio
import hashlib
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from trunkline.core.slots import NOBODYS
from trunkline.sim.carrier.faults import NO_FAULTS
from trunkline.sim.speech import recorded
from trunkline.world.broken import Broken
from trunkline.world.carrier import Pod, WorldCall, WorldCarrier
from trunkline.world.clock import BEGIN_S, OUTSIDE, WorldLoop
from trunkline.world.model import WorldModel
from trunkline.world.pods import Surround, WorldPod
from trunkline.world.promises import Promises
from trunkline.world.scene import Scene, script_of
from trunkline.world.stores import WorldStores
from trunkline.world.storm import Storm
from trunkline.world.weather import Kind, faults_of, forecast

LOOK_S: Final = 0.25
"""How often the promises are looked at."""

CALLS_SHARE: Final = 0.8
"""The last call comes when so much of the time is over."""

REST_S: Final = 100.0
"""After the last call: so long the world has to come to rest."""

END_S_MAX: Final = 900.0
"""A call that is not over so long after the last one came never will be."""

CAPS: Final = (2, 3, 20)
"""Caps of pods: with the smallest, callers hold."""

TRACE_LINES_MAX: Final = 200
"""What is kept of the story to be told when a promise is broken."""


@dataclass(frozen=True)
class Plan:
    """What world it shall be."""

    seed: int
    minutes: float = 5.0
    pods: int = 3
    calls: int = 30
    cap: int = 0
    """Each pod's; 0: one of `CAPS`, by the seed."""
    weather: bool = True
    kinds: tuple[Kind, ...] = tuple(Kind)
    """What the weather may be."""


@dataclass
class Story:
    """What became of it."""

    plan: Plan
    steps: int = 0
    virtual_s: float = 0.0
    broken: list[str] = field(default_factory=list)
    """Promises that were not kept, the first one first."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How calls ended, by the call log."""
    counts: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    """Of all that was told on the way: two runs of one plan have the same."""
    trace: deque[str] = field(default_factory=lambda: deque(maxlen=TRACE_LINES_MAX))


class World:
    """Made inside its loop."""

    def __init__(self, plan: Plan, loop: WorldLoop, tasks: asyncio.TaskGroup) -> None:
        self.plan = plan
        self.loop = loop
        self.story = Story(plan)
        cap = plan.cap or self.dice("cap").choice(CAPS)
        self.stores = WorldStores(self.dice("stores"), loop)
        speech = recorded()
        self.model = WorldModel(self.dice("model"), speech)
        self.lives: list[WorldPod] = []
        self.carrier = WorldCarrier(
            self.dice("carrier"),
            speech,
            pods=self._ingress,
            pod_at=self._pod_at,
            tasks=tasks,
            on_finished=self._finished,
            tell=self.tell,
        )
        self.around = Surround(
            self.dice("pods"),
            self.stores,
            self.model,
            self.carrier,
            Scene(speech, NOBODYS),
            pods=self.alive,
            cap=cap,
            on_stray=self._break,
        )
        self.promises = Promises(self.stores, self.carrier, self.model, self.lives, cap)
        self.storm = Storm(
            self.stores,
            self.model,
            self.carrier,
            self.promises,
            self.alive,
            self.start_pod,
            self.tell,
        )
        self._digest = hashlib.sha256()
        self._over = asyncio.Event()
        self._changed = asyncio.Event()

    def dice(self, name: str) -> random.Random:
        """Chances of one kind, from the seed: drawing some leaves the others as they are."""
        return random.Random(f"{self.plan.seed} {name}")  # noqa: S311 - a world's dice

    def tell(self, line: str) -> None:
        """Something happened."""
        told = f"{self.loop.time() - BEGIN_S:9.3f} {line}"
        self._digest.update(told.encode())
        self.story.trace.append(told)

    def alive(self) -> list[WorldPod]:
        """Lives that are not dead."""
        return [pod for pod in self.lives if not pod.place.dead]

    def start_pod(self, name: str) -> WorldPod:
        """A new life takes the name."""
        pod = WorldPod(self.around, name, len(self.lives) + 1)
        self.lives.append(pod)
        pod.start()
        self.tell(f"{pod.place.name} starts")
        return pod

    def _break(self, broken: Broken) -> None:
        """The world ends with it."""
        at = self.loop.time() - BEGIN_S
        self.story.broken.append(f"step {self.loop.steps}, {at:.3f} s: {broken}")
        self._over.set()

    def _ingress(self) -> list[Pod]:
        return [pod for pod in self.alive() if pod.ready]

    def _pod_at(self, path: str) -> Pod | None:
        for pod in reversed(self.alive()):
            if path == f"/pods/{pod.name}/media" and not pod.ended:
                return pod
        return None

    def _finished(self, call: WorldCall) -> None:
        self.tell(f"{call.sid[:6]} over: {call.call.leg.phase} by {call.call.leg.ended_by}")
        for broken in self.promises.judge(call):
            self._break(broken)
        self._changed.set()

    async def live(self) -> None:
        """Pods start, callers call, and then all comes to rest."""
        for number in range(self.plan.pods):
            self.start_pod(f"pod-{number}")
        async with asyncio.TaskGroup() as tasks:
            chores = [tasks.create_task(self._watch()), tasks.create_task(self._call())]
            if self.plan.weather:
                chores.append(tasks.create_task(self._rage()))
            await self._over.wait()
            for chore in chores:
                chore.cancel()

    async def _watch(self) -> None:
        while True:
            for broken in self.promises.look(self.loop.time()):
                self._break(broken)
            for bug in self.loop.broken:
                self._break(Broken(0, bug))
            self.loop.broken.clear()
            await asyncio.sleep(LOOK_S)

    async def _rage(self) -> None:
        squalls = forecast(self.dice("weather"), self.plan.minutes * 60, self.plan.kinds)
        await self.storm.rage(squalls, BEGIN_S)

    async def _call(self) -> None:
        rng, faults_rng = self.dice("callers"), self.dice("faults")
        span_s = self.plan.minutes * 60 * CALLS_SHARE
        for at in sorted(rng.uniform(2.0, span_s) for _ in range(self.plan.calls)):
            await asyncio.sleep(max(0.0, BEGIN_S + at - self.loop.time()))
            faults = faults_of(faults_rng) if self.plan.weather else NO_FAULTS
            call = self.carrier.place_call(script_of(rng), faults)
            self.tell(f"{call.sid[:6]} calls")
        try:
            async with asyncio.timeout(END_S_MAX):
                await self._until_no_call()
        except TimeoutError:
            self._break(Broken(3, "a call does not end"))
            return
        await asyncio.sleep(REST_S)
        for broken in await self.promises.settle(self.loop.time()):
            self._break(broken)
        self._over.set()

    async def _until_no_call(self) -> None:
        while any(not call.is_finished for call in self.carrier.calls.values()):
            self._changed.clear()
            await self._changed.wait()

    async def end(self) -> Story:
        """Nothing of any pod is left; what became of it all."""
        story = self.story
        story.steps, story.virtual_s = self.loop.steps, self.loop.time() - BEGIN_S
        for call in self.carrier.calls.values():
            row = await self.stores.book.call(call.sid)
            ended = "none" if row is None else f"{row.outcome} {row.reason}"
            story.outcomes[f"{ended} ({call.call.leg.ended_by})"] += 1
        story.counts["webhooks"] = self.carrier.asked
        story.counts["sessions"] = self.model.made
        story.counts["lives"] = len(self.lives)
        story.digest = self._digest.hexdigest()
        self.carrier.close()
        for pod in self.alive():
            pod.place.kill()
        for pod in self.lives:
            await pod.place.unwind()
        return story


async def _run(plan: Plan, loop: WorldLoop) -> Story:
    async with asyncio.TaskGroup() as tasks:
        world = World(plan, loop, tasks)
        await world.live()
        return await world.end()


def told(story: Story) -> str:
    """What became of a world, in lines."""
    plan = story.plan
    ends = ", ".join(f"{count} {end}" for end, count in sorted(story.outcomes.items()))
    counts = ", ".join(f"{count} {what}" for what, count in sorted(story.counts.items()))
    size = f"{story.steps} steps, {story.virtual_s:.0f} s, {plan.pods} pods"
    lines = [
        f"seed {plan.seed}: {size}, {counts}",
        f"  calls: {ends or 'none'}",
    ]
    if story.broken:
        again = f"--seed {plan.seed} --minutes {plan.minutes:g} --pods {plan.pods}"
        lines += [f"  BROKEN at {broken}" for broken in story.broken]
        lines.append(f"  again: trunkline sim world {again} --calls {plan.calls}")
    return "\n".join(lines) + "\n"


def run(plan: Plan) -> Story:
    """Run one world."""
    loop = WorldLoop()
    try:
        return OUTSIDE.copy().run(loop.run_until_complete, _run(plan, loop))
    finally:
        loop.close()
