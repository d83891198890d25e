"""The words of the fleet's slots: what pods say of themselves, what they are answered.

`docs/explain/slots.md` explains them. All times are of one clock, the store's; a pod's own clock
is never read, and no pod is told to compare its clock with another's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from trunkline.core.facts import Direction
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName


class Hold(StrEnum):
    """How far a slot of the fleet is in its life."""

    FREE = "free"
    """Nobody's."""
    RESERVED = "reserved"
    """Given for a call; its pod has not listed it yet."""
    LISTED = "listed"
    """Its pod says that it waits for the call's stream."""
    BOUND = "bound"
    """Its pod says that the stream has started."""


NEXT: Final[Mapping[Hold, Mapping[Hold, str]]] = MappingProxyType(
    {
        Hold.FREE: {
            Hold.RESERVED: "reserve, or resume of a call that has none",
            Hold.LISTED: "retaken by a beat, also over every limit",
            Hold.BOUND: "retaken by a beat, also over every limit",
        },
        Hold.RESERVED: {
            Hold.LISTED: "the pod's next beat",
            Hold.BOUND: "the pod's next beat",
            Hold.FREE: "15 s without a beat that lists it, or release",
        },
        Hold.LISTED: {
            Hold.BOUND: "a beat, after start",
            Hold.RESERVED: "resume, on whichever pod",
            Hold.FREE: "release, a beat without it, or 10 s without a beat",
        },
        Hold.BOUND: {
            Hold.RESERVED: "resume, on whichever pod",
            Hold.FREE: "release, a beat without it, or 10 s without a beat",
        },
    }
)
"""`docs/explain/slots.md` is drawn from it; `core.fleet` asserts it."""

BEAT_MS: Final = 2_000
"""Between two beats of a pod."""

LEASE_MS: Final = 10_000
"""A pod that has not beaten for so long gets no calls, and its slots are reclaimed."""

QUIET_MS_MAX: Final = 5_000
"""Nobody asked for so long: the store was away, and nothing is reclaimed for one lease."""

assert QUIET_MS_MAX + 2 * BEAT_MS < LEASE_MS, "no outage that goes unnoticed ends a live lease"

HOLDER_MS_MAX: Final = 6_000
"""A holder that has not come for so long is forgotten: it comes every 2 s."""

REAP_MAX: Final = 64
"""Slots that one step frees, and holders that it forgets: the rest is the next step's."""

PAST_MS: Final = 24 * 3600 * 1000
"""How long a life of a pod that was replaced is known as such."""

FLEET_TTL_MS: Final = 24 * 3600 * 1000
"""How long what the fleet keeps outlives the last beat."""


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a pod: who may hold slots."""

    pod: PodName
    incarnation: Incarnation


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call counts with, beside its pod. Empty names bind nothing."""

    direction: Direction = "inbound"
    tenant: str = ""
    vertical: str = ""
    model: str = ""


UNKNOWN_CLAIM: Final = Claim()
"""Of a call that its pod has yet to list."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A slot as its pod lists it."""

    call: CallSid
    epoch: Epoch
    bound: bool
    claim: Claim = UNKNOWN_CLAIM


@dataclass(frozen=True, slots=True)
class Beat:
    """What a pod says of itself every 2 s: who it is, and all slots that it holds."""

    life: Life
    address: str
    """Where other pods reach it inside."""
    revision: str
    target: int
    cap: int
    draining: bool = False
    joined_ms: int = 0
    """What its first beat was answered, so that a store that forgot can learn it; 0 before."""
    slots: tuple[Listed, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """The answer to a beat."""

    now_ms: int
    joined_ms: int
    """When this life joined the fleet; for the next beat."""
    retaken: int
    """Listed slots that the store had forgotten, reclaimed, or had with another under a lower
    epoch."""
    lost: tuple[CallSid, ...]
    """Listed calls that a higher epoch gave to another pod: let go of them."""
    held: int
    """Slots that this life holds now, reservations not listed yet among them."""
    replaced: bool
    """A later life has the pod's name: this one gets no more calls."""
    pods: int
    """Pods that may get calls, and all that drain."""
    holders: int
    """Callers who hold, in the whole fleet."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The call has a slot, there. `first` is False for a repetition."""

    call: CallSid
    life: Life
    address: str
    model: str
    epoch: Epoch
    """0 until its pod has listed it with the journal's."""
    bound: bool
    first: bool


@dataclass(frozen=True, slots=True)
class Target:
    """Where a resumed call shall go; `life` None: anywhere under a cap, for the call elsewhere.

    `exclude`: pods that did not answer. `newest`: pods of the newest revision if they have room.
    A life that is named gets the call over its cap: it holds the call already. `asked_from`: the
    epoch that was asked for first, where a pod that was chosen before did not take the call: who
    asks for that one again gets the same answer. None: this is the first choice.
    """

    life: Life | None = None
    exclude: tuple[PodName, ...] = ()
    newest: bool = False
    closes: bool = False
    """The call goes on nowhere: its record gets its end, and its slot is free."""
    asked_from: Epoch | None = None


ANYWHERE: Final = Target()


@dataclass(frozen=True, slots=True)
class PodSeen:
    """A life of a pod as the fleet knows it."""

    life: Life
    address: str
    revision: str
    target: int
    cap: int
    draining: bool
    replaced: bool
    joined_ms: int
    lease_left_ms: int
    """0 or less: reclaimed when next somebody asks, unless the store was away."""
    held: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """A look at the fleet: its pods in the order in which they are filled."""

    now_ms: int
    pods: tuple[PodSeen, ...]
    holders: int
    inbound: int
    outbound: int
