"""A pod's life: what it is made of, in which order it starts, and how it ends.

What starts first ends last: the recorder, the sessions and the servers outlive the calls, so that
an ended call is written and its redirect answered.
"""

import asyncio
import gc
import socket
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from pydantic import SecretStr

from trunkline.core import proof
from trunkline.core.costs import Prices
from trunkline.core.slots import PodSlots
from trunkline.pod.admission import Gate
from trunkline.pod.bridge import media_protocol
from trunkline.pod.calls import Calls, Identity, LiveCall
from trunkline.pod.carrier_facts import CarrierFacts
from trunkline.pod.clock import RedisClock
from trunkline.pod.costs import Costs
from trunkline.pod.desk import Desk
from trunkline.pod.directory import Directory
from trunkline.pod.doors import Doors
from trunkline.pod.front import Front
from trunkline.pod.http.internal import LiveCallView, PodView, internal_app
from trunkline.pod.http.public import public_app
from trunkline.pod.http.serving import SHUTDOWN_S_MAX, HttpServer
from trunkline.pod.media import MediaHouse
from trunkline.pod.orphans import Orphans
from trunkline.pod.passes import Passes
from trunkline.pod.purge import Purge
from trunkline.pod.recorder import Recorder
from trunkline.pod.redirects import Redirects
from trunkline.pod.surroundings import Surroundings, Toolbox
from trunkline.pod.watchdog import Watchdog
from trunkline.ports import CallBook, CarrierBook, Holder, Journal, JournalIndex, UnendedCalls
from trunkline.telemetry.labels import SESSION_STATES
from trunkline.telemetry.logs import Log, LogName, lines_lost
from trunkline.telemetry.metrics import Metrics

FLUSH_S_MAX: Final = 10.0
"""After the last call: so long the recorder may take to store what is left. The journal keeps what
the call log did not take; what the journal did not take is lost, and the log says how much."""

SERVERS_S_MAX: Final = SHUTDOWN_S_MAX + 2.0
"""From the word to the ports' end: what is being answered is answered, for it makes facts."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A pod's settings, as far as its own code needs them."""

    me: Identity
    ticket_key: bytes
    auth_tokens: Sequence[SecretStr]
    calls_max: int
    drain_s_max: float
    version: str


class ConfigWatch(Protocol):
    """Has the config read again when it changes."""

    def ask(self) -> None:
        """Read it now."""
        ...

    async def run(self, each: Callable[[], None] | None = None) -> None:
        """Watch until cancelled; `each` is done at every look."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pod stands on, made by its compose."""

    journal: Journal
    index: JournalIndex
    book: CallBook
    unended: UnendedCalls
    carrier: CarrierBook
    doors: Doors
    """By the models they lead to."""
    directory: Callable[[], Directory]
    toolbox: Callable[[LiveCall], Toolbox]
    prices: Prices
    public: socket.socket
    internal: socket.socket
    log: Log
    metrics: Metrics
    config: ConfigWatch | None = None
    """None: there is no file to read again."""
    purge: Purge | None = None
    """Erases calls past their tenants' days; none where somebody else does."""


def wall_ms() -> int:
    """Milliseconds since 1970, by this machine."""
    return time.time_ns() // 1_000_000


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
        """Live until `stop`."""
        log = self._parts.log
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
                chores = [
                    passing.create_task(self._keep_house(), name="house"),
                    passing.create_task(self._watch_config(), name="config"),
                    passing.create_task(self._orphans().run(), name="orphans"),
                ]
                if parts.purge is not None:
                    chores.append(passing.create_task(parts.purge.run(), name="purge"))
                # What start-up made lives as long as the process: the collector may skip it.
                gc.collect()
                gc.freeze()
                watchdog.start()  # Start-up may take its time: nobody talks yet.
                self._ready = True
                parts.log.info(LogName.POD_READY, port=self.public_port)
                if on_ready is not None:
                    on_ready(self)
                await self._stopping.wait()
                await self._drain()
                for chore in chores:
                    chore.cancel()
            await self._leave(servers.values(), serving, [flushed, noted])

    # Starting.

    def _open(self, passing: asyncio.TaskGroup) -> dict[str, HttpServer]:
        setup, parts = self._setup, self._parts
        costs = Costs(parts.prices, parts.metrics)
        around = Surroundings(self._recorder, parts.log, parts.metrics, costs)
        clock = RedisClock(wall_ms)
        calls = Calls(self._slots, around, doors=parts.doors, toolbox=parts.toolbox, tasks=passing)
        front = self._front(calls, clock)
        gate = Gate(
            setup.me,
            calls,
            key=setup.ticket_key,
            auth_tokens=setup.auth_tokens,
            redis_ms=clock.now_ms,
        )
        media = MediaHouse(gate, parts.metrics)
        self._calls, self._media = calls, media
        parts.metrics.watch(
            active_calls=lambda: self._slots.held,
            calls_max=setup.calls_max,
            pool_sessions=self._sessions,
            breakers_open=lambda: sum(door.is_shut for door in parts.doors.values()),
            call_log_backlog=self._recorder.backlog,
            log_lines_lost=lines_lost,
        )
        token = setup.auth_tokens[0].get_secret_value().encode()
        public = public_app(
            front,
            public_url=setup.me.public_url,
            tokens=setup.auth_tokens,
            metrics=parts.metrics,
            prove=partial(proof.answer, token, setup.me.pod, setup.me.incarnation),
        )
        internal = internal_app(
            self, parts.book, parts.metrics, ready=lambda: self._ready, version=setup.version
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

    def _front(self, calls: Calls, clock: RedisClock) -> Front:
        setup, parts = self._setup, self._parts
        passes = Passes(setup.me.public_url, setup.ticket_key)
        desk = Desk(
            setup.me,
            calls,
            self._slots,
            doors=parts.doors,
            passes=passes,
            directory=parts.directory,
            journal=parts.journal,
            recorder=self._recorder,
            clock=clock,
            log=parts.log,
            metrics=parts.metrics,
        )
        redirects = Redirects(
            setup.me,
            calls,
            self._slots,
            passes=passes,
            directory=parts.directory,
            journal=parts.journal,
            recorder=self._recorder,
            clock=clock,
            log=parts.log,
        )
        return Front(desk, redirects, passes=passes, carrier=self._carrier, log=parts.log)

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

    def _orphans(self) -> Orphans:
        assert self._calls is not None
        parts, me = self._parts, self._setup.me
        return Orphans(
            me.pod,
            me.incarnation,
            self._recorder,
            journal=parts.journal,
            index=parts.index,
            book=parts.book,
            unended=parts.unended,
            is_dead=self._was_me,
            on_closed=self._calls.tell_end,
            log=parts.log,
        )

    def _was_me(self, holder: Holder) -> bool:
        """A former life of this pod: two never live at once under one name."""
        me = self._setup.me
        return holder.pod == me.pod and holder.incarnation != me.incarnation

    # Ending.

    async def _drain(self) -> None:
        assert self._calls is not None
        self._ready = False
        self._parts.log.info(LogName.DRAIN_BEGAN, count=len(self._calls.all()))
        if self._hurried:
            self._calls.cut()  # It was told so before there were calls.
        await self._calls.drain(self._setup.drain_s_max)

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
