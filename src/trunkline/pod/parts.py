"""What a pod is made of, as its compose makes it."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from trunkline.core.costs import Prices
from trunkline.pod.calls import Identity, LiveCall
from trunkline.pod.directory import Directory
from trunkline.pod.doors import Doors
from trunkline.pod.purge import Purge
from trunkline.pod.surroundings import Toolbox
from trunkline.ports import (
    CallBook,
    CarrierBook,
    CarrierOrders,
    Journal,
    JournalIndex,
    Neighbours,
    Roster,
    Slots,
    UnendedCalls,
)
from trunkline.telemetry.logs import Log
from trunkline.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Setup:
    """A pod's settings, as far as its own code needs them."""

    me: Identity
    ticket_key: bytes
    auth_tokens: Sequence[SecretStr]
    calls_target: int
    calls_max: int
    internal_url: str
    """Where other pods reach the internal port."""
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
    slots: Slots
    roster: Roster
    neighbours: Neighbours
    carrier_orders: CarrierOrders | None
    """None: no account is set, and the carrier can't be asked to run a redirect."""
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
