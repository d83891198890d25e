"""A pod's life: what it is made of, in which order it starts, and how it ends.

What starts first ends last: the recorder, the sessions and the servers outlive the calls, so that
an ended call is written and its redirect answered.
"""

import asyncio
import gc
from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from trunkline.core import neighbour_proof, proof
from trunkline.core.fleet_states import Beat, Life
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.slots import PodSlots
from trunkline.pod import chores, namesake
from trunkline.pod.admission import Gate
from trunkline.pod.bridge import media_protocol
from trunkline.pod.calls import Calls
from trunkline.pod.carrier_facts import CarrierFacts
from trunkline.pod.clock import RedisClock, wall_ms
from trunkline.pod.costs import Costs
from trunkline.pod.http.internal import LiveCallView, PodView, internal_app
from trunkline.pod.http.neighbours import neighbour_routes
from trunkline.pod.http.public import public_app
from trunkline.pod.http.serving import SHUTDOWN_S_MAX, HttpServer
from trunkline.pod.media import MediaHouse
from trunkline.pod.membership import Membership
from trunkline.pod.orphans import Orphans
from trunkline.pod.parts import Parts, Setup
from trunkline.pod.reception import Ground, Reception
from trunkline.pod.recorder import Recorder
from trunkline.pod.surroundings import Surroundings
from trunkline.pod.watchdog import Watchdog
from trunkline.telemetry.labels import SESSION_STATES
from trunkline.telemetry.logs import LogName, lines_lost

FLUSH_S_MAX: Final = 10.0
"""After the last call: so long the recorder may take to store what is left. The journal keeps what
the call log did not take; what the journal did not take is lost, and the log says how much."""

SERVERS_S_MAX: Final = SHUTDOWN_S_MAX + 2.0
"""From the word to the ports' end: what is being answered is answered, for it makes facts."""


class Pod:
    """One process that carries calls. Made inside a running loop; `run` is its life."""

    def __init__(self, setup: Setup, parts: Parts) -> None:
        self._setup = setup
        self._parts = parts
        self._slots = PodSlots(setup.calls_max)
        self._stopping = asyncio.Event()
        self._ready = False
        self._hurried = False
        self._calls: Calls | None = None
        self._recorder = Recorder(
            parts.journal,
            parts.book,
            pod=setup.me.pod,
            incarnation=setup.me.incarnation,
            log=parts.log,
            metrics=parts.metrics,
            wall_ms=wall_ms,
        )
        self._carrier = CarrierFacts(parts.carrier, parts.log, wall_ms)
        self._media: MediaHouse | None = None
        self._reception: Reception | None = None
        self._orphans: Orphans | None = None
        self.public_port: int = parts.public.getsockname()[1]
        self.internal_port: int = parts.internal.getsockname()[1]

    def stop(self) -> None:
        """Drain: refuse new calls, let the present ones end within the grace period, then end."""
        self._stopping.set()

    def hurry(self) -> None:
        """End the calls that are left now; those whose webhook is being answered overflow."""
        self._hurried = True
        self._stopping.set()
        if self._calls is not None:
            self._calls.cut()

    def reload(self) -> None:
        """Read the config file now, for the calls that come."""
        if self._parts.config is not None:
            self._parts.config.ask()

    async def run(self, on_ready: Callable[["Pod"], None] | None = None) -> None:
        """Live until `stop`.

        Raises:
            SettingsError: another pod has this one's name, and answers.
        """
        log, setup = self._parts.log, self._setup
        me = Life(setup.me.pod, setup.me.incarnation)
        await namesake.check(me, setup.internal_url, self._parts.roster, self._parts.neighbours)
        watchdog = Watchdog(
            lag=self._parts.metrics.loop_lagged,
            blocked=lambda cpu_s, stack: log.warning(
                LogName.LOOP_BLOCKED, ms=round(cpu_s * 1000), stack=stack
            ),
        )
        try:
            await self._live(watchdog, on_ready)
        finally:
            watchdog.stop()
        log.info(LogName.POD_STOPPED)

    async def _live(self, watchdog: Watchdog, on_ready: Callable[["Pod"], None] | None) -> None:
        parts = self._parts
        async with asyncio.TaskGroup() as lasting:
            flushed = lasting.create_task(self._recorder.run(), name="recorder")
            noted = lasting.create_task(self._carrier.run(), name="carrier facts")
            lasting.create_task(parts.doors.run(), name="doors")
            async with asyncio.TaskGroup() as passing:
                servers = self._open(passing)
                serving = [
                    lasting.create_task(server.run(), name=f"{name} port")
                    for name, server in servers.items()
                ]
                assert self._reception is not None
                await chores.once("beats", self._reception.membership.tell, parts.log)
                tasks = [
                    passing.create_task(chores.keep_up(name, work, parts.log), name=name)
                    for name, work in self._chores().items()
                ]
                # What start-up made lives as long as the process: the collector may skip it.
                # To look through it once before found nothing, and took a twentieth of the start.
                gc.freeze()
                watchdog.start()  # Start-up may take its time: nobody talks yet.
                self._ready = True
                parts.log.info(LogName.POD_READY, port=self.public_port)
                if on_ready is not None:
                    on_ready(self)
                await self._stopping.wait()
                await self._drain()
                await chores.end(tasks)
            await self._leave(servers.values(), serving, [flushed, noted])

    # Starting.

    def _open(self, passing: asyncio.TaskGroup) -> dict[str, HttpServer]:
        setup, parts = self._setup, self._parts
        costs = Costs(parts.prices, parts.metrics)
        around = Surroundings(self._recorder, parts.log, parts.metrics, costs)
        clock = RedisClock(wall_ms)
        calls = Calls(
            self._slots,
            around,
            doors=parts.doors,
            toolbox=parts.toolbox,
            tasks=passing,
            on_released=self._released,
            was_silent=self._was_silent,
        )
        self._reception = reception = self._receive(calls, clock)
        gate = Gate(
            setup.me,
            calls,
            reception.arrivals,
            key=setup.ticket_key,
            auth_tokens=setup.auth_tokens,
            redis_ms=clock.now_ms,
        )
        media = MediaHouse(gate, parts.metrics)
        self._calls, self._media = calls, media
        self._watch(reception.membership)
        token = setup.auth_tokens[0].get_secret_value().encode()
        public = public_app(
            reception.front,
            public_url=setup.me.public_url,
            tokens=setup.auth_tokens,
            metrics=parts.metrics,
            prove=partial(proof.answer, token, setup.me.pod, setup.me.incarnation),
        )
        internal = internal_app(
            self, parts.book, parts.metrics, ready=lambda: self._ready, version=setup.version
        )
        internal.include_router(
            neighbour_routes(
                reception.orders,
                setup.me.incarnation,
                neighbour_proof.key_of(setup.ticket_key),
                wall_ms,
                parts.metrics.webhook_refused,
            )
        )
        return {
            "public": HttpServer(
                public,
                parts.public,
                ws=media_protocol(media),
                cut=parts.metrics.webhook_refused,
            ),
            "internal": HttpServer(internal, parts.internal),
        }

    def _watch(self, membership: Membership) -> None:
        """Where the gauges are read."""
        setup, parts = self._setup, self._parts
        parts.metrics.watch(
            active_calls=lambda: self._slots.held,
            holders=lambda: membership.holders,
            pods=lambda: membership.pods,
            calls_max=setup.calls_max,
            pool_sessions=self._sessions,
            breakers_open=lambda: sum(door.is_shut for door in parts.doors.values()),
            call_log_backlog=self._recorder.backlog,
            log_lines_lost=lines_lost,
        )

    def _receive(self, calls: Calls, clock: RedisClock) -> Reception:
        setup, parts, me = self._setup, self._parts, self._setup.me
        beat = Beat(
            Life(me.pod, me.incarnation),
            setup.internal_url,
            setup.version,
            setup.calls_target,
            setup.calls_max,
        )
        return Reception(
            Ground(
                me=me,
                beat=beat,
                key=setup.ticket_key,
                calls=calls,
                slots=self._slots,
                doors=parts.doors,
                directory=parts.directory,
                journal=parts.journal,
                index=parts.index,
                fleet_slots=parts.slots,
                roster=parts.roster,
                neighbours=parts.neighbours,
                recorder=self._recorder,
                carrier=self._carrier,
                carrier_orders=parts.carrier_orders,
                clock=clock,
                log=parts.log,
                metrics=parts.metrics,
                drain=self.stop,
                on_fewer=self._fewer,
                now=asyncio.get_running_loop().time,
                wall_ms=wall_ms,
            )
        )

    def _fewer(self) -> None:
        if self._orphans is not None:
            self._orphans.hurry()

    def _released(self, call: CallSid, epoch: Epoch) -> None:
        if self._reception is not None:
            self._reception.membership.release(call, epoch)

    def _chores(self) -> dict[str, chores.Work]:
        """What is done beside the calls until the pod ends."""
        assert self._reception is not None
        self._orphans = self._look_for_orphans()
        found: dict[str, chores.Work] = {
            "beats": self._reception.membership.run,
            "releases": self._reception.membership.carry_releases,
            "house": self._keep_house,
            "config": self._watch_config,
            "orphans": self._orphans.run,
        }
        if self._parts.purge is not None:
            found["purge"] = self._parts.purge.run
        return found

    def _was_silent(self) -> bool:
        return self._reception is not None and self._reception.membership.was_silent

    async def _keep_house(self) -> None:
        assert self._calls is not None
        await self._calls.keep_house()

    async def _watch_config(self) -> None:
        if self._parts.config is not None:
            await self._parts.config.run(self._sweep_doors)

    def _sweep_doors(self) -> None:
        """Let the doors go that the config no longer names and no call may still want."""
        assert self._calls is not None
        used = {model for live in self._calls.all() for model in live.prepared.models}
        self._parts.doors.sweep(used)

    def _look_for_orphans(self) -> Orphans:
        assert self._calls is not None
        assert self._reception is not None
        reception = self._reception
        parts, me = self._parts, self._setup.me
        return Orphans(
            me.pod,
            me.incarnation,
            self._recorder,
            journal=parts.journal,
            slots=parts.slots,
            index=parts.index,
            book=parts.book,
            unended=parts.unended,
            lives=reception.peers.lives,
            on_found=reception.rescue.watch,
            on_closed=self._calls.tell_end,
            log=parts.log,
        )

    # Ending.

    async def _drain(self) -> None:
        assert self._calls is not None
        assert self._reception is not None
        self._ready = False
        self._parts.log.info(LogName.DRAIN_BEGAN, count=len(self._calls.all()))
        if self._hurried:
            self._calls.cut()  # It was told so before there were calls.
        self._reception.membership.drain()
        log = self._parts.log
        await chores.once("beats", self._reception.membership.tell, log)
        async with asyncio.TaskGroup() as tasks:
            moving = chores.keep_up("migration", self._reception.migration.run, log)
            moves = tasks.create_task(moving, name="migration")
            await self._calls.drain(self._setup.drain_s_max)
            await chores.end([moves])

    async def _leave(
        self,
        servers: Collection[HttpServer],
        serving: Collection[asyncio.Task[None]],
        flushed: Collection[asyncio.Task[None]],
    ) -> None:
        """No call is left: first the ports go, then the recorder, for answers make facts."""
        assert self._media is not None
        await self._media.close()
        for server in servers:
            server.stop()
        await asyncio.wait(serving, timeout=SERVERS_S_MAX)
        assert self._reception is not None
        self._reception.rescue.stop()
        await self._reception.membership.leave()
        self._recorder.close()
        self._carrier.close()
        _, late = await asyncio.wait(flushed, timeout=FLUSH_S_MAX)
        if late:
            count, reason = self._recorder.backlog() + self._carrier.backlog, "flush_s_max"
            self._parts.log.error(LogName.FACT_REFUSED, count=count, reason=reason)
            for task in late:
                task.cancel()
        self._parts.doors.close()

    # What the pod says of itself.

    def view(self) -> PodView:
        """Counts of now."""
        assert self._media is not None
        return PodView(
            pod=self._setup.me.pod,
            incarnation=self._setup.me.incarnation,
            draining=self._slots.closed,
            calls_active=self._slots.bound,
            calls_reserved=self._slots.reserved,
            calls_max=self._slots.calls_max,
            sessions=self._sessions(),
            media_sockets=len(self._media.open),
            facts_backlog=self._recorder.backlog(),
        )

    def _sessions(self) -> dict[str, int]:
        """Sessions by their state, all doors together."""
        counts = [door.statistics() for door in self._parts.doors.values()]
        return {state: sum(count[state] for count in counts) for state in SESSION_STATES}

    def live_calls(self) -> list[LiveCallView]:
        """The calls carried now."""
        assert self._calls is not None
        now = asyncio.get_running_loop().time()
        return [
            LiveCallView(
                call=live.call,
                agent=live.line.agent,
                phase=live.runner.phase if live.runner is not None else "reserved",
                seconds=now - live.since,
            )
            for live in self._calls.all()
        ]
