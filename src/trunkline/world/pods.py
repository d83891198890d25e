"""A pod of the world: its real machines over the world's stores, model and carrier.

The order of its start and end is `pod.life`'s. One life of a pod is a `Place`: it can be frozen and
killed, and a new life takes its name.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from pydantic import SecretStr

from trunkline.core.costs import Prices
from trunkline.core.fleet_states import Beat, Life
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.neighbour_words import Answer, Receive, Take, Told, Word
from trunkline.core.pool import PoolLimits
from trunkline.core.slots import PodSlots
from trunkline.pod.admission import Gate
from trunkline.pod.calls import Calls, Identity
from trunkline.pod.carrier_facts import CarrierFacts
from trunkline.pod.clock import RedisClock
from trunkline.pod.costs import Costs
from trunkline.pod.door import Door
from trunkline.pod.media_words import Refusal
from trunkline.pod.orders import Orders
from trunkline.pod.orphans import Orphans
from trunkline.pod.passes import media_path
from trunkline.pod.reception import Ground, Reception
from trunkline.pod.recorder import Recorder
from trunkline.pod.surroundings import Surroundings
from trunkline.ports import PodAt
from trunkline.sim.carrier.account import AUTH_TOKEN
from trunkline.sim.carrier.events import Request
from trunkline.telemetry.logs import get_logger
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import webhooks
from trunkline.world.broken import Broken
from trunkline.world.carrier import PUBLIC_URL, WorldCarrier, WorldOrders
from trunkline.world.clock import Place
from trunkline.world.media import PodStream
from trunkline.world.model import MODEL, WorldModel, WorldModelDoor
from trunkline.world.scene import Scene, WorldTools
from trunkline.world.stores import EPOCH_MS, WorldBook, WorldFleet, WorldJournal, WorldStores
from trunkline.world.wires import BrokenError, ask

T = TypeVar("T")

KEY: Final = b"the world's ticket key, 32 bytes"
POOL_SIZE: Final = 2
WORD_S_MAX: Final = 0.2
ORDER_S_MAX: Final = 4.0
"""These two are `adapters.neighbour_http`'s."""

NEIGHBOUR_S: Final = (0.001, 0.02)
"""One way between two pods."""

DRAIN_S_MAX: Final = 120.0
FLUSH_S_MAX: Final = 10.0
PRICES: Final = Prices(date(2026, 1, 1), "none", {})


@dataclass(frozen=True)
class Surround:
    """What all pods of a world share."""

    rng: random.Random
    stores: WorldStores
    model: WorldModel
    carrier: WorldCarrier
    scene: Scene
    pods: Callable[[], list["WorldPod"]]
    """All lives that are not dead."""
    cap: int
    on_stray: Callable[[Broken], None]
    """Told what must never happen."""


class WorldPod:
    """One life of a pod."""

    def __init__(self, around: Surround, name: str, life: int) -> None:
        self.name = name
        self.place = Place(f"{name}/{life}")
        self.life = Life(PodName(name), Incarnation(f"{life:04x}"))
        self.me = Identity(self.life.pod, self.life.incarnation, PUBLIC_URL)
        self.slots = PodSlots(around.cap)
        self.metrics = Metrics()
        self.ready = False
        self.ended = False
        self._look: Orphans | None = None
        self.draining = False
        self.refusals: dict[str, int] = {}
        self._around = around
        self._path = media_path(self.life.pod)
        self._loop = asyncio.get_running_loop()
        self._skew_ms = around.rng.randint(-30_000, 30_000)
        self._stopping = asyncio.Event()
        self.fleet = WorldFleet(around.stores)
        self.reception: Reception
        self.recorder: Recorder
        self.calls: Calls
        self.door: Door
        self._carrier_facts: CarrierFacts
        self._gate: Gate

    def start(self) -> None:
        """It lives from now on."""
        self.place.spawn(self._live(), self.place.name).add_done_callback(self._over)

    def drain(self) -> None:
        """As SIGTERM."""
        self.draining = True
        self._stopping.set()

    def _over(self, life: asyncio.Task[None]) -> None:
        if not self.place.dead and not life.cancelled() and life.exception() is not None:
            self._around.on_stray(Broken(0, f"{self.place.name}: {life.exception()!r}"))

    # What the carrier and other pods do.

    async def answer(self, request: Request) -> tuple[int, bytes]:
        """A webhook, as `pod.http.public` answers it."""
        headers = dict(request.headers)
        signature = headers.get(webhooks.SIGNATURE_HEADER, "")
        if not webhooks.is_signed(request.url, request.form, signature, [AUTH_TOKEN]):
            return 403, b""
        if not self.ready:
            return 503, b""
        front, form = self.reception.front, request.form
        path = request.url.removeprefix(PUBLIC_URL)
        if path == "/twilio/voice":
            document = await front.voice(webhooks.VoiceRequest.from_form(form))
            return 200, document.encode()
        if path.startswith("/twilio/resume/"):
            token = path.rpartition("/")[2]
            found = await front.resume(token, webhooks.VoiceRequest.from_form(form))
            return (403, b"") if found is None else (200, found.encode())
        if path == "/twilio/status":
            front.status(webhooks.StatusCallback.from_form(form))
        elif path == "/twilio/stream-status":
            front.stream_status(webhooks.StreamStatus.from_form(form))
        else:
            return 404, b""
        return 204, b""

    def stream(self, path: str) -> PodStream | None:
        """A stream's upgrade."""
        if path != self._path or not self.ready:
            return None
        return PodStream(
            self._gate,
            self._refused,
            lambda: self._around.on_stray(Broken(6, "audio without a ticket")),
        )

    def _refused(self, refusal: Refusal) -> None:
        self.refusals[refusal] = self.refusals.get(refusal, 0) + 1

    # Its life.

    async def _live(self) -> None:
        around = self._around
        log, wall_ms = get_logger(), self._wall_ms
        book = WorldBook(around.stores)
        self.recorder = Recorder(
            WorldJournal(around.stores),
            book,
            pod=self.life.pod,
            incarnation=self.life.incarnation,
            log=log,
            metrics=self.metrics,
            wall_ms=wall_ms,
            salt=around.rng.randbytes,
        )
        self._carrier_facts = CarrierFacts(book, log, wall_ms)
        self.door = Door(WorldModelDoor(around.model), PoolLimits(size=POOL_SIZE), MODEL)
        async with asyncio.TaskGroup() as lasting:
            lasting.create_task(self.recorder.run(), name="recorder")
            lasting.create_task(self._carrier_facts.run(), name="carrier facts")
            lasting.create_task(self.door.run(), name="doors")
            async with asyncio.TaskGroup() as passing:
                self._open(passing)
                await self.reception.membership.tell()
                self._look = orphans = self._orphans(book)
                chores = [
                    passing.create_task(self.reception.membership.run(), name="beats"),
                    passing.create_task(self.reception.membership.carry_releases(), name="slots"),
                    passing.create_task(self.calls.keep_house(), name="house"),
                    passing.create_task(orphans.run(), name="orphans"),
                ]
                self.ready = True
                await self._stopping.wait()
                await self._drain()
                for chore in chores:
                    chore.cancel()
            self.ready = False
            self.reception.rescue.stop()
            await self.reception.membership.leave()
            self.recorder.close()
            self._carrier_facts.close()
            self.door.close()
        self.ended = True

    def _open(self, passing: asyncio.TaskGroup) -> None:
        around, log = self._around, get_logger()
        surroundings = Surroundings(
            self.recorder, log, self.metrics, Costs(PRICES, self.metrics), around.rng.random
        )
        clock = RedisClock(self._wall_ms)
        doors = {MODEL: self.door}
        self.calls = Calls(
            self.slots,
            surroundings,
            doors=doors,
            toolbox=lambda _: WorldTools(around.rng),
            tasks=passing,
            on_released=self._released,
            was_silent=lambda: self.reception.membership.was_silent,
        )
        fleet, journal = self.fleet, WorldJournal(around.stores)
        self.reception = Reception(
            Ground(
                me=self.me,
                beat=Beat(self.life, self.place.name, "1", around.cap, around.cap),
                key=KEY,
                calls=self.calls,
                slots=self.slots,
                doors=doors,
                directory=lambda: around.scene,
                journal=journal,
                index=journal,
                fleet_slots=fleet,
                roster=fleet,
                neighbours=WorldNeighbours(around),
                recorder=self.recorder,
                carrier=self._carrier_facts,
                carrier_orders=WorldOrders(around.carrier),
                clock=clock,
                log=log,
                metrics=self.metrics,
                drain=self.drain,
                on_fewer=self._fewer,
                now=self._loop.time,
                wall_ms=self._wall_ms,
            )
        )
        self._gate = Gate(
            self.me,
            self.calls,
            self.reception.arrivals,
            key=KEY,
            auth_tokens=[SecretStr(AUTH_TOKEN)],
            redis_ms=clock.now_ms,
        )

    def _orphans(self, book: WorldBook) -> Orphans:
        journal = WorldJournal(self._around.stores)
        return Orphans(
            self.life.pod,
            self.life.incarnation,
            self.recorder,
            journal=journal,
            slots=self.fleet,
            index=journal,
            book=book,
            unended=book,
            lives=self.reception.peers.lives,
            on_found=self.reception.rescue.watch,
            on_closed=self.calls.tell_end,
            log=get_logger(),
        )

    async def _drain(self) -> None:
        self.reception.membership.drain()
        await self.reception.membership.tell()
        async with asyncio.TaskGroup() as tasks:
            moves = tasks.create_task(self.reception.migration.run(), name="migration")
            await self.calls.drain(DRAIN_S_MAX)
            moves.cancel()

    def _fewer(self) -> None:
        if self._look is not None:
            self._look.hurry()

    def _released(self, call: CallSid, epoch: Epoch) -> None:
        self.reception.membership.release(call, epoch)

    def _wall_ms(self) -> int:
        return EPOCH_MS + self._skew_ms + round(self._loop.time() * 1000)


class WorldNeighbours:
    """`ports.Neighbours`: the other pods, over a way that takes time."""

    def __init__(self, around: Surround) -> None:
        self._around = around

    async def word(self, at: PodAt, call: CallSid) -> Word | None:
        """As the port says."""

        async def said(orders: Orders) -> Word:
            return orders.word(call)

        return await self._ask(at, said, WORD_S_MAX)

    async def receive(self, at: PodAt, call: CallSid, order: Receive) -> Answer | None:
        """As the port says."""
        return await self._ask(at, lambda orders: orders.receive(call, order), ORDER_S_MAX)

    async def take(self, at: PodAt, call: CallSid, order: Take) -> Answer | None:
        """As the port says."""
        return await self._ask(at, lambda orders: orders.take(call, order), ORDER_S_MAX)

    async def tell(self, at: PodAt, call: CallSid, told: Told) -> None:
        """As the port says."""

        async def obey(orders: Orders) -> bool:
            orders.told(call, told.status)
            return True

        await self._ask(at, obey, WORD_S_MAX)

    async def _ask(
        self,
        at: PodAt,
        work: Callable[[Orders], Coroutine[object, object, T]],
        wait_s_max: float,
    ) -> T | None:
        rng = self._around.rng
        found = next((pod for pod in self._around.pods() if pod.life == at.life), None)
        await asyncio.sleep(rng.uniform(*NEIGHBOUR_S))
        if found is None or not found.ready:
            return None
        try:
            async with asyncio.timeout(wait_s_max):
                said = await ask(
                    found.place, lambda: work(found.reception.orders), f"asked {at.life.pod}"
                )
                await asyncio.sleep(rng.uniform(*NEIGHBOUR_S))
                return said
        except (BrokenError, TimeoutError):
            return None
