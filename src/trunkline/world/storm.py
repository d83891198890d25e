"""The weather in act: what a squall does to the world, and when it is over."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trunkline.sim.realtime.faults import Fault
from trunkline.world.carrier import WorldCarrier
from trunkline.world.clock import OUTSIDE
from trunkline.world.model import WorldModel
from trunkline.world.pods import WorldPod
from trunkline.world.promises import Promises
from trunkline.world.stores import WorldStores
from trunkline.world.weather import Kind, Squall

SLOW_WEBHOOK_S = (0.2, 3.0)
NEW_LIFE_S = (1.0, 8.0)
"""From a pod's end to its next life."""

LOSSY = 0.3
MODEL_THINK_S = "6"


@dataclass
class Storm:
    """Does what the forecast says."""

    stores: WorldStores
    model: WorldModel
    carrier: WorldCarrier
    promises: Promises
    alive: Callable[[], list[WorldPod]]
    start_pod: Callable[[str], WorldPod]
    tell: Callable[[str], None]

    async def rage(self, squalls: Sequence[Squall], begin: float) -> None:
        """One after the other begins; each ends by itself."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            for squall in squalls:
                await asyncio.sleep(max(0.0, begin + squall.at_s - loop.time()))
                self.tell(f"weather: {squall.kind} for {squall.for_s:.1f} s")
                tasks.create_task(self._strike(squall), name=squall.kind)

    async def _strike(self, squall: Squall) -> None:
        kind = squall.kind
        match kind:
            case Kind.SLOW_WEBHOOKS:
                usual, self.carrier.ways.webhook_s = self.carrier.ways.webhook_s, SLOW_WEBHOOK_S
                await asyncio.sleep(squall.for_s)
                self.carrier.ways.webhook_s = usual
            case Kind.HALF_OPEN | Kind.RESET:
                self._streams(squall)
            case Kind.KILL | Kind.FREEZE | Kind.DRAIN:
                await self._pod(squall)
            case Kind.REDIS_AWAY | Kind.REDIS_LOSSY | Kind.REDIS_FORGETS:
                await self._redis(squall)
            case Kind.POSTGRES_AWAY:
                self.stores.postgres.away = True
                await asyncio.sleep(squall.for_s)
                self.stores.postgres.away = False
            case _:
                self._model(squall)

    def _streams(self, squall: Squall) -> None:
        """A share of the streams, at random: one at least, if there is one."""
        legs = [
            (call, number) for call in self.carrier.calls.values() for number, _ in call.live_legs
        ]
        for call, number in legs[: math.ceil(len(legs) * squall.chance)]:
            if squall.kind is Kind.RESET:
                call.reset(number)
            else:
                call.black_out(number, 1.0 + 20.0 * squall.chance)

    async def _pod(self, squall: Squall) -> None:
        """Some pod that serves, if another one does too."""
        serving = [
            pod for pod in self.alive() if pod.ready and not pod.draining and not pod.place.frozen
        ]
        if len(serving) < 2:  # noqa: PLR2004 - nobody would be left
            return
        pod = serving[int(squall.chance * len(serving))]
        self.tell(f"weather: {pod.place.name} it is")
        low, high = NEW_LIFE_S
        new_life_s = low + (high - low) * squall.chance
        match squall.kind:
            case Kind.KILL:
                pod.place.kill()
                await asyncio.sleep(new_life_s)
                self.start_pod(pod.name)
            case Kind.FREEZE:
                await self._freeze(pod, squall.for_s)
            case _:
                asyncio.get_running_loop().call_soon(pod.drain, context=pod.place.context)
                while not pod.ended and not pod.place.dead:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(1.0)
                await asyncio.sleep(new_life_s)
                self.start_pod(pod.name)

    async def _freeze(self, pod: WorldPod, for_s: float) -> None:
        now = asyncio.get_running_loop().time()
        pod.place.freeze()
        for call in self.carrier.calls.values():
            if any(leg.pod is pod for _, leg in call.live_legs):
                call.excuse(now - 3.0, now + for_s + 3.0)
        await asyncio.sleep(for_s)
        pod.place.thaw()
        self.promises.disturbed(asyncio.get_running_loop().time())

    async def _redis(self, squall: Squall) -> None:
        redis = self.stores.redis
        if squall.kind is Kind.REDIS_LOSSY:
            redis.lossy = LOSSY
        else:
            redis.away = True
        self.promises.stores_were_away = True
        await asyncio.sleep(squall.for_s)
        redis.away, redis.lossy = False, 0.0
        if squall.kind is Kind.REDIS_FORGETS:
            self.stores.journal.lose_all()
        self.promises.disturbed(asyncio.get_running_loop().time())

    def _model(self, squall: Squall) -> None:
        since = asyncio.get_running_loop().time() - self.model.faults.started_at
        until = since + squall.for_s
        times = 1 + int(3 * squall.chance)
        match squall.kind:
            case Kind.MODEL_REFUSES:
                code = "429" if squall.chance < 0.5 else "503"  # noqa: PLR2004 - either
                self.model.put(Fault("handshake", code, None, since, until))
            case Kind.MODEL_SLOW:
                self.model.put(Fault("think", MODEL_THINK_S, None, since, until))
            case Kind.MODEL_STALLS:
                self.model.put(Fault("stall_response", "", times))
            case Kind.MODEL_FAILS:
                self.model.put(Fault("fail_response", "server_error", times, since, until))
            case _:
                loop = asyncio.get_running_loop()
                loop.call_soon(self.model.drop, 1 + int(6 * squall.chance), context=OUTSIDE)
