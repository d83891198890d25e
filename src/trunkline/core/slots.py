"""The right to carry one call on this pod: one pod's own ledger.

A slot carries at most one call and a call holds at most one slot. Over several pods a store's
script decides; this ledger then still binds: it is the pod's own cap when the store is away.

Beside the cap, a call's vertical, tenant and direction bound it, and so does what the key of its
model allows. These limits come with each reservation, for they belong to a version of the config
file: of what was told of one vertical, tenant or model the newest version counts, whichever comes
last. A model is a limit of another kind: there may be a next one that has room.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from trunkline.core.facts import Direction
from trunkline.core.fleet_states import Claim, Listed
from trunkline.core.ids import CallSid, Epoch


class Standing(StrEnum):
    """Where a call stands with this pod's slots."""

    FREE = "free"
    """It has none."""
    RESERVED = "reserved"
    """One waits for its stream."""
    BOUND = "bound"
    """Its stream has started."""


NEXT: Final[Mapping[Standing, Mapping[Standing, str]]] = MappingProxyType(
    {
        Standing.FREE: {Standing.RESERVED: "reserve, unless full, at a limit or draining"},
        Standing.RESERVED: {
            Standing.BOUND: "bind, when start brings a good ticket",
            Standing.FREE: "expire after 15 s, or release",
        },
        Standing.BOUND: {Standing.FREE: "release, at the end of the call"},
    }
)
"""`docs/explain/stream.md` is drawn from it."""

INBOUND_HOLD_S: Final = 15.0
"""A slot reserved for so long without a `start` is free again."""


HOLDING_S_MAX: Final = 75.0
"""So long a caller holds where no slot is free, unless their number says otherwise. First new
capacity comes 47 to 57 s after a surge begins: the autoscaler's step, a scrape, a pod's start."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Whose a call is, and how many calls at once they may have; None: no limit of that kind.

    `calls_max` counts both directions together. Without a tenant nothing but the cap binds, for a
    vertical is its tenants'. `version` is the config file's.
    """

    version: int = 0
    tenant: str = ""
    vertical: str = ""
    vertical_calls_max: int | None = None
    tenant_calls_max: int | None = None
    outbound_calls_max: int | None = None
    """Of the tenant's calls, those placed."""
    inbound_slots_kept: int = 0
    """Slots of the whole fleet that no placed call takes; one pod's own ledger keeps none."""


NOBODYS: Final = Bounds()
"""A call that only the cap binds."""


@dataclass(frozen=True, slots=True)
class ModelLimit:
    """A model that would do for a call, by the name of its URL, model and key together.

    `calls_max`: how many calls its key may serve at once; None: nobody knows of a limit.
    """

    model: str
    calls_max: int | None = None


@dataclass(frozen=True, slots=True)
class Reserved:
    """The call has a slot. `epoch` is the highest it was asked for with; `bound` if it talks.

    `first` is False for a repetition: a call that had a slot keeps it. `model` has the room that
    the call takes; empty where no model was named.
    """

    call: CallSid
    epoch: Epoch
    bound: bool
    first: bool
    model: str = ""


class FullReason(StrEnum):
    """Why there is no slot."""

    CAP = "cap"
    """As many calls as the pod may carry have one."""
    DRAINING = "draining"
    """The pod takes no new calls."""
    MODEL_FULL = "model_full"
    """No model of the agent's list has room for one more call beside those that it has."""
    VERTICAL_FULL = "vertical_full"
    """The vertical's tenants have as many calls as it may have."""
    TENANT_FULL = "tenant_full"
    """The tenant has as many calls as it may have."""
    OUTBOUND_FULL = "outbound_full"
    """The tenant has as many placed calls as it may have."""
    NO_POD = "no_pod"
    """Only a fleet says this: no pod has said lately that it is there."""
    INBOUND_KEPT = "inbound_kept"
    """Only a fleet says this: what is free is kept for inbound calls."""
    OLDER_HOLDERS = "older_holders"
    """Only a fleet says this: what is free is for callers who have held for longer."""


@dataclass(frozen=True, slots=True)
class Full:
    """No slot for this call. Of several reasons the widest: what must be mended first."""

    reason: FullReason
    held_ms: int = 0
    """How long the caller has been holding, by the fleet's clock; 0 where nobody counts it."""


class Binding(StrEnum):
    """What a `start` finds."""

    BOUND = "bound"
    """The call has its slot, from now on or already."""
    STALE = "stale"
    """A later epoch owns the slot: this stream is a past one."""
    NO_SLOT = "no_slot"
    """Never reserved, expired, or released."""


@dataclass(slots=True)
class _Slot:
    epoch: Epoch
    expires_at: float | None
    """When the reservation ends; None once bound."""
    direction: Direction
    tenant: str
    vertical: str
    """Whose it was when the call began: a later config moves no live call."""
    model: str
    """Where its session is, or was last."""


@dataclass(slots=True)
class _Limits:
    """What is known of one vertical, tenant or model, and of which version."""

    version: int
    calls_max: int | None
    outbound_calls_max: int | None = None


class PodSlots:
    """The slots of one pod. Time is monotonic seconds."""

    def __init__(self, calls_max: int) -> None:
        assert calls_max > 0
        self._calls_max = calls_max
        self._slots: dict[CallSid, _Slot] = {}
        self._verticals: dict[str, _Limits] = {}
        self._tenants: dict[str, _Limits] = {}
        self._models: dict[str, _Limits] = {}
        """Never forgotten, so that an older version can't come back: as many as were ever named."""
        self._closed = False

    @property
    def calls_max(self) -> int:
        """How many slots there are."""
        return self._calls_max

    @property
    def closed(self) -> bool:
        """Whether new calls are refused because the pod drains."""
        return self._closed

    def standing(self, call: CallSid) -> Standing:
        """Where this call stands; a reservation stands until `expire` has freed it."""
        slot = self._slots.get(call)
        if slot is None:
            return Standing.FREE
        return Standing.BOUND if slot.expires_at is None else Standing.RESERVED

    @property
    def reserved(self) -> int:
        """Slots whose call has not started."""
        return len(self._slots) - self.bound

    @property
    def bound(self) -> int:
        """Slots whose call has started."""
        return sum(slot.expires_at is None for slot in self._slots.values())

    @property
    def held(self) -> int:
        """Slots that are not free: reserved and bound."""
        return len(self._slots)

    def held_of(
        self,
        *,
        tenant: str | None = None,
        vertical: str | None = None,
        direction: Direction | None = None,
        model: str | None = None,
    ) -> int:
        """Slots that are not free, of those that are asked for; None: of all."""
        return sum(
            (tenant is None or slot.tenant == tenant)
            and (vertical is None or slot.vertical == vertical)
            and (direction is None or slot.direction == direction)
            and (model is None or slot.model == model)
            for slot in self._slots.values()
        )

    def reserve(
        self,
        call: CallSid,
        epoch: Epoch,
        now: float,
        hold_s: float = INBOUND_HOLD_S,
        *,
        direction: Direction = "inbound",
        bounds: Bounds = NOBODYS,
        models: Sequence[ModelLimit] | None = None,
    ) -> Reserved | Full:
        """A slot for the call, or why there is none.

        A call that has one gets the same again: a repeated webhook prolongs nothing. A higher
        epoch takes the call's slot over, and if it has not started, gets `hold_s` of its own; so
        does a reservation whose time was over and that `expire` had not freed yet. No limit binds
        a call that has its slot, also where it was lowered since.

        `models` would do, the best first: the call counts with the first that has room. An empty
        list says that none has; None, that no model binds this call.
        """
        assert hold_s > 0
        self._learn(bounds, models or ())
        slot = self._slots.get(call)
        if slot is not None:
            if slot.expires_at is not None and (epoch > slot.epoch or slot.expires_at <= now):
                slot.expires_at = now + hold_s
            slot.epoch = max(epoch, slot.epoch)
            bound = slot.expires_at is None
            return Reserved(call, slot.epoch, bound=bound, first=False, model=slot.model)
        model = "" if models is None else self._with_room(models)
        if (reason := self._refusal(direction, bounds, model)) is not None:
            return Full(reason)
        assert model is not None, "else there was a reason"
        self._slots[call] = _Slot(
            epoch, now + hold_s, direction, bounds.tenant, bounds.vertical, model
        )
        return Reserved(call, epoch, bound=False, first=True, model=model)

    def take(
        self,
        call: CallSid,
        epoch: Epoch,
        now: float,
        hold_s: float = INBOUND_HOLD_S,
        *,
        direction: Direction = "inbound",
        bounds: Bounds = NOBODYS,
        model: str = "",
    ) -> None:
        """A call that another pod carried goes on here: no limit binds it, nor a drain."""
        self._learn(bounds, ())
        self._slots[call] = _Slot(
            epoch, now + hold_s, direction, bounds.tenant, bounds.vertical, model
        )

    def listed(self) -> tuple[Listed, ...]:
        """Every slot, as the fleet is told of them. A call without an epoch is none of it yet."""
        return tuple(
            Listed(
                call,
                slot.epoch,
                slot.expires_at is None,
                Claim(slot.direction, slot.tenant, slot.vertical, slot.model),
            )
            for call, slot in self._slots.items()
            if slot.epoch
        )

    def move(self, call: CallSid, model: str) -> None:
        """The call's session is another model's now: it counts there, whatever the limit."""
        if (slot := self._slots.get(call)) is not None:
            slot.model = model

    def _learn(self, bounds: Bounds, models: Sequence[ModelLimit]) -> None:
        """The newest version's limits count; of one version, the last told."""
        if bounds.vertical:
            told = _Limits(bounds.version, bounds.vertical_calls_max)
            _keep_newest(self._verticals, bounds.vertical, told)
        if bounds.tenant:
            told = _Limits(bounds.version, bounds.tenant_calls_max, bounds.outbound_calls_max)
            _keep_newest(self._tenants, bounds.tenant, told)
        for limit in models:
            _keep_newest(self._models, limit.model, _Limits(bounds.version, limit.calls_max))

    def _with_room(self, models: Sequence[ModelLimit]) -> str | None:
        """The first whose key is not at its limit."""
        for model in (limit.model for limit in models):
            if not _is_reached(self._models[model].calls_max, self.held_of(model=model)):
                return model
        return None

    def _refusal(
        self, direction: Direction, bounds: Bounds, model: str | None
    ) -> FullReason | None:
        if self._closed:
            return FullReason.DRAINING
        if len(self._slots) >= self._calls_max:
            return FullReason.CAP
        if model is None:
            return FullReason.MODEL_FULL
        vertical, tenant = bounds.vertical, bounds.tenant
        if vertical and _is_reached(
            self._verticals[vertical].calls_max, self.held_of(vertical=vertical)
        ):
            return FullReason.VERTICAL_FULL
        if not tenant:
            return None
        limits = self._tenants[tenant]
        if _is_reached(limits.calls_max, self.held_of(tenant=tenant)):
            return FullReason.TENANT_FULL
        placed = self.held_of(tenant=tenant, direction="outbound")
        if direction == "outbound" and _is_reached(limits.outbound_calls_max, placed):
            return FullReason.OUTBOUND_FULL
        return None

    def bind(self, call: CallSid, epoch: Epoch, now: float) -> Binding:
        """A stream of the call has started: its slot no longer expires.

        A reservation whose time is over is gone, whether or not `expire` was called since.
        """
        slot = self._slots.get(call)
        if slot is None or (slot.expires_at is not None and slot.expires_at <= now):
            return Binding.NO_SLOT
        if epoch < slot.epoch:
            return Binding.STALE
        slot.epoch = epoch
        slot.expires_at = None
        return Binding.BOUND

    def release(self, call: CallSid) -> bool:
        """The call is over: its slot is free. Whether it had one."""
        return self._slots.pop(call, None) is not None

    def expire(self, now: float) -> list[CallSid]:
        """Free what was reserved and never started; each such call is named once."""
        over = [
            call
            for call, slot in self._slots.items()
            if slot.expires_at is not None and slot.expires_at <= now
        ]
        for call in over:
            del self._slots[call]
        return over

    def deadline(self) -> float | None:
        """When `expire` has something to do next; None while nothing is merely reserved."""
        return min(
            (slot.expires_at for slot in self._slots.values() if slot.expires_at is not None),
            default=None,
        )

    def close(self) -> None:
        """The pod drains: no slot for a new call. Those who have one keep it."""
        self._closed = True


def _keep_newest(known: dict[str, _Limits], name: str, told: _Limits) -> None:
    if name not in known or told.version >= known[name].version:
        known[name] = told


def _is_reached(most: int | None, held: int) -> bool:
    return most is not None and held >= most
