"""All that answers webhooks and other pods, put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trunkline.core.fleet_states import Beat, Life
from trunkline.core.slots import PodSlots
from trunkline.pod.arrivals import Arrivals
from trunkline.pod.calls import Calls, Identity
from trunkline.pod.carrier_facts import CarrierFacts
from trunkline.pod.clock import RedisClock
from trunkline.pod.desk import Desk
from trunkline.pod.directory import Directory
from trunkline.pod.front import Front
from trunkline.pod.membership import Membership
from trunkline.pod.migration import Migration
from trunkline.pod.orders import Orders
from trunkline.pod.passes import Passes
from trunkline.pod.peers import Peers
from trunkline.pod.recorder import Recorder
from trunkline.pod.redirects import Redirects
from trunkline.pod.rescue import Rescue
from trunkline.pod.rooms import Rooms
from trunkline.pod.surroundings import SessionDoor
from trunkline.pod.takeovers import Takeovers
from trunkline.ports import CarrierOrders, Journal, JournalIndex, Neighbours, Roster, Slots
from trunkline.telemetry.logs import Log
from trunkline.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Ground:
    """What it stands on."""

    me: Identity
    beat: Beat
    """What this pod says of itself, without its slots."""
    key: bytes
    calls: Calls
    slots: PodSlots
    doors: Mapping[str, SessionDoor]
    directory: Callable[[], Directory]
    journal: Journal
    index: JournalIndex
    fleet_slots: Slots
    roster: Roster
    neighbours: Neighbours
    recorder: Recorder
    carrier: CarrierFacts
    carrier_orders: CarrierOrders | None
    clock: RedisClock
    log: Log
    metrics: Metrics
    drain: Callable[[], None]
    """Begins this pod's end."""
    on_fewer: Callable[[], None]
    """Told that a pod is gone."""
    now: Callable[[], float]
    """The loop's clock."""
    wall_ms: Callable[[], int]


class Reception:
    """Made inside the running loop."""

    def __init__(self, ground: Ground) -> None:
        g = ground
        passes, rooms = Passes(g.me.public_url, g.key, pinned=g.me.pinned), Rooms(g.slots, g.doors)
        desk, self.redirects = _desk(g, passes, rooms), _redirects(g, passes)
        takeovers = _takeovers(g, passes, desk)
        self.orders = Orders(g.calls, desk, takeovers, g.drain)
        life = Life(g.me.pod, g.me.incarnation)
        self.peers = Peers(life, g.roster, g.neighbours, self.orders.word)
        self.rescue = Rescue(
            g.index, self.peers.word, self.peers.turn, passes, g.carrier_orders, g.log
        )
        self.front = Front(
            g.me,
            desk,
            self.redirects,
            takeovers,
            rooms,
            passes=passes,
            directory=g.directory,
            journal=g.journal,
            index=g.index,
            slots=g.fleet_slots,
            peers=self.peers,
            neighbours=g.neighbours,
            carrier=g.carrier,
            rescue=self.rescue,
            clock=g.clock,
            log=g.log,
        )
        self.arrivals = _arrivals(g, passes, takeovers)
        self.migration = Migration(
            g.me,
            g.calls,
            slots=g.fleet_slots,
            journal=g.journal,
            neighbours=g.neighbours,
            recorder=g.recorder,
            log=g.log,
            now=g.now,
        )
        self.membership = Membership(
            g.roster,
            g.fleet_slots,
            g.beat,
            listed=g.slots.listed,
            on_lost=g.calls.lost,
            on_fewer=g.on_fewer,
            clock=g.clock,
            log=g.log,
            metrics=g.metrics,
        )


def _arrivals(g: Ground, passes: Passes, takeovers: Takeovers) -> Arrivals:
    return Arrivals(
        g.me,
        g.calls,
        g.slots,
        takeovers,
        passes=passes,
        directory=g.directory,
        journal=g.journal,
        index=g.index,
        fleet_slots=g.fleet_slots,
        recorder=g.recorder,
        log=g.log,
        now=g.now,
    )


def _desk(g: Ground, passes: Passes, rooms: Rooms) -> Desk:
    return Desk(
        g.me,
        g.calls,
        rooms,
        passes=passes,
        directory=g.directory,
        journal=g.journal,
        recorder=g.recorder,
        clock=g.clock,
        log=g.log,
        metrics=g.metrics,
        now=g.now,
    )


def _redirects(g: Ground, passes: Passes) -> Redirects:
    return Redirects(
        g.me,
        g.calls,
        passes=passes,
        directory=g.directory,
        journal=g.journal,
        slots=g.fleet_slots,
        recorder=g.recorder,
        clock=g.clock,
        log=g.log,
        now=g.now,
    )


def _takeovers(g: Ground, passes: Passes, desk: Desk) -> Takeovers:
    return Takeovers(
        g.me,
        g.calls,
        g.slots,
        desk,
        passes=passes,
        directory=g.directory,
        journal=g.journal,
        recorder=g.recorder,
        clock=g.clock,
        log=g.log,
        wall_ms=g.wall_ms,
        now=g.now,
    )
