"""What the shells ask of the world (Protocols of at most five methods each)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from trunkline.core.carrier import CarrierFact
from trunkline.core.facts import Direction
from trunkline.core.fleet_states import Beat, Claim, Fleet, Heard, Life, Placed, Target
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.neighbour_words import Answer, Receive, Take, Told, Word
from trunkline.core.record import Aside, Entry, Head
from trunkline.core.retention import Erased, Retention
from trunkline.core.slots import INBOUND_HOLD_S, NOBODYS, Bounds, Full, ModelLimit


class CallState(StrEnum):
    """What the journal knows of a call."""

    LIVE = "live"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a call: under which epoch, which life of which pod."""

    epoch: Epoch
    pod: PodName
    incarnation: Incarnation


@dataclass(frozen=True, slots=True)
class HeldCall:
    """A call's journal as a look over all of them finds it."""

    call: CallSid
    holder: Holder
    state: CallState
    logged: bool
    """The call log has all of it: it was told so (`forget_call`)."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The journal's answer to a call's webhook: the same for every repetition of it.

    `opened_at_ms` is when this epoch began, `now_ms` the present, both by Redis time.
    """

    epoch: Epoch
    pod: PodName
    incarnation: Incarnation
    state: CallState
    opened_at_ms: int
    now_ms: int
    first: bool
    """True for the request that made it, False for a repetition."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """The call goes on under `epoch` on `life`; a repetition within its window gets the same.

    `address` is where that pod is reached inside; empty where the fleet does not know it.
    """

    epoch: Epoch
    head: Head
    opened_at_ms: int
    now_ms: int
    first: bool
    life: Life
    address: str = ""


class ResumeRefused(StrEnum):
    """Why a resume was refused."""

    UNKNOWN = "unknown"
    """No journal of such a call."""
    ENDED = "ended"
    STALE = "stale"
    """The token's epoch is not the call's, and was not within the window."""


class Journal(Protocol):
    """The ordered facts of live calls, fenced by epoch, sequence and head of the chain."""

    async def open_call(self, call: CallSid, pod: PodName, incarnation: Incarnation) -> Opening:
        """Begin a call's journal, or say how it was begun."""
        ...

    async def resume_call(
        self, call: CallSid, epoch: Epoch, pod: PodName, incarnation: Incarnation
    ) -> Resumption | ResumeRefused:
        """Compare-and-set from `epoch` to a higher one; if the fleet knows the pod, the call's
        slot goes there in the same step, whatever the limits.
        """
        ...

    async def append(
        self, call: CallSid, holder: Holder, head: Head, entries: Sequence[Entry]
    ) -> None:
        """Append what follows `head`; idempotent for entries it already holds.

        A call that a restarted store forgot is begun anew by an append from its first entry on,
        and a store that forgot the holder's epoch takes it: a higher one wins, a lower never does.
        Without entries it asks whether the journal holds all up to `head`.

        Raises:
            Fenced: a higher epoch owns the call, it has ended, or the chain has another head.
            Behind: the journal holds less: append again what follows its head, or all there is.
            StoreError: Redis did not answer in time; the same append may be sent again.
        """
        ...

    async def forget_call(self, call: CallSid) -> None:
        """The call ended and the call log has all of it: let the journal expire soon."""
        ...

    async def read(self, call: CallSid) -> list[Entry]:
        """Every entry of a call, in order; empty if there is none."""
        ...


class Slots(Protocol):
    """The fleet's slots, as webhooks on any pod ask for them; the rules are `core.fleet`'s."""

    async def reserve(
        self,
        call: CallSid,
        hold_s: float = INBOUND_HOLD_S,
        *,
        direction: Direction = "inbound",
        bounds: Bounds = NOBODYS,
        models: Sequence[ModelLimit] | None = None,
        exclude: Sequence[PodName] = (),
        holding: bool = False,
    ) -> Placed | Full:
        """A slot on some pod, or why there is none; a call that has one gets the same again.

        `exclude`: pods that did not answer. `holding`: without a slot, the caller holds.
        """
        ...

    async def resume(
        self, call: CallSid, epoch: Epoch, target: Target, claim: Claim
    ) -> Resumption | ResumeRefused | Full:
        """The journal's compare-and-set from `epoch`, and the call's slot moved with it.

        `claim` counts where the call has no slot any more. Full: nothing has changed.
        """
        ...

    async def release(self, call: CallSid, life: Life, epoch: Epoch) -> bool:
        """The call is over there: whether its slot was there, under no later epoch; idempotent."""
        ...


class Roster(Protocol):
    """Which pods there are, and what they hold, as they say it."""

    async def beat(self, said: Beat) -> Heard:
        """A pod lives, and holds these slots and no others: the ledger follows it."""
        ...

    async def leave(self, life: Life) -> None:
        """The pod has ended: whatever it held is free."""
        ...

    async def look(self) -> Fleet:
        """The fleet as it is."""
        ...


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One row of the call log's list: times in ms since 1970, None where it has not happened."""

    call: CallSid
    direction: str
    from_number: str
    to_number: str
    agent: str
    tenant: str
    vertical: str
    pod: str
    started_at_ms: int
    answered_at_ms: int | None
    ended_at_ms: int | None
    outcome: str | None
    reason: str | None
    facts: int
    erased_at_ms: int | None = None
    """When its numbers, and what its facts say, were erased."""


class JournalIndex(Protocol):
    """A look over all journals, for calls that nobody carries any more."""

    async def held(self, cursor: int) -> tuple[int, Sequence[HeldCall]]:
        """Some of the calls, in a bounded step, and where to go on.

        Begins with 0 and is over when it answers 0. A call that is there all the time is found at
        least once; one that comes or goes meanwhile may be found, or not.
        """
        ...

    async def holder(self, call: CallSid) -> HeldCall | None:
        """Who holds a call; None if there is no journal of it."""
        ...


class CallBook(Protocol):
    """The call log: acknowledged facts, for ever."""

    async def write(self, entries: Sequence[tuple[CallSid, Entry]]) -> None:
        """Commit the entries and what follows from them for their calls' rows; idempotent.

        Raises:
            StoreError: nothing of it was committed; the same write may be sent again.
        """
        ...

    async def put_aside(self, facts: Sequence[Aside]) -> None:
        """Keep facts beside the calls' chains, each once; raises as `write`."""
        ...

    async def calls(self, *, limit: int, before_ms: int | None = None) -> list[LoggedCall]:
        """The newest calls first."""
        ...

    async def call(self, call: CallSid) -> LoggedCall | None:
        """One call's row; None if the log has no such call."""
        ...

    async def entries(self, call: CallSid) -> list[Entry]:
        """Every fact of a call, in order."""
        ...


class CarrierBook(Protocol):
    """The part of the call log outside all chains."""

    async def write_carrier_facts(self, facts: Sequence[CarrierFact]) -> None:
        """Commit them; the same words about the same call are kept once.

        Raises:
            StoreError: nothing of it was committed; the same write may be sent again.
        """
        ...

    async def carrier_facts(self, call: CallSid) -> list[CarrierFact]:
        """What the carrier told of a call, in the order in which it came."""
        ...


class UnendedCalls(Protocol):
    """A look into the call log for calls that have no outcome."""

    async def unended(self, pod: PodName, *, limit: int) -> list[CallSid]:
        """Calls that this pod received and that have no outcome, the oldest first."""
        ...


class Eraser(Protocol):
    """What takes words and numbers out of the call log; digests, hashes, times and outcomes stay.

    It never touches a call that may be live, by the call log's own clock.
    """

    async def due(self, retention: Retention) -> Erased:
        """What `purge` would erase in all."""
        ...

    async def purge(self, retention: Retention, *, calls_max: int) -> Erased | None:
        """Erase the oldest calls past their days, at most so many; None while another purges."""
        ...

    async def sweep(self) -> Erased | None:
        """Erase what came late for calls that were erased before; None while another purges."""
        ...

    async def calls_of(self, number: str) -> Mapping[CallSid, bool]:
        """Every call from or to a number, oldest first, and whether it is over."""
        ...

    async def erase(self, calls: Sequence[CallSid]) -> Erased:
        """Erase those of the calls that are over."""
        ...


class JournalEraser(Protocol):
    """What takes ended calls out of the journals' store at once."""

    async def erase_journals(self, calls: Sequence[CallSid]) -> int:
        """Delete the journals of those that have ended or are unknown; how many there were."""
        ...


@dataclass(frozen=True, slots=True)
class PodAt:
    """One life of a pod, and the URL of its internal port."""

    life: Life
    address: str


class Neighbours(Protocol):
    """The other pods. None: it did not answer in time, or that life of it is over."""

    async def word(self, at: PodAt, call: CallSid) -> Word | None:
        """What it knows of a call: asked before its call is taken over."""
        ...

    async def receive(self, at: PodAt, call: CallSid, order: Receive) -> Answer | None:
        """Have it answer a new call that has a slot there."""
        ...

    async def take(self, at: PodAt, call: CallSid, order: Take) -> Answer | None:
        """Have it go on with a call under an epoch that names it."""
        ...

    async def tell(self, at: PodAt, call: CallSid, told: Told) -> None:
        """Pass on what the carrier told of a call's end; nothing comes of it if it is away."""
        ...


class CarrierOrders(Protocol):
    """What we order of the carrier about a call that it has."""

    async def redirect(self, call: CallSid, url: str) -> bool:
        """Have it ask this address what follows; False if the call is over.

        Raises:
            CarrierError: refused, or no answer.
            SettingsError: the account or its token is wrong.
        """
        ...


FrameListener = Callable[[memoryview], None]
LossListener = Callable[[str], None]


class ModelSession(Protocol):
    """One socket to a realtime model that has sent `session.created`."""

    @property
    def id(self) -> str:
        """Ours, for logs and the pool; not the provider's."""
        ...

    def listen(self, on_frame: FrameListener, on_lost: LossListener) -> None:
        """Deliver every later text message, then the reason of its loss, once."""
        ...

    def send(self, text: bytes) -> None:
        """Write a text message; never waits. A lost session swallows it."""
        ...

    def send_audio(self, text: bytes) -> bool:
        """The same for the caller's audio. False: dropped, for the model has not read what was
        written before, and late audio is worse than lost audio.
        """
        ...

    async def close(self) -> None:
        """Close within the deadline of closes; a second close does nothing."""
        ...


class ModelDoor(Protocol):
    """Where sessions come from."""

    async def open(self) -> ModelSession:
        """A session that has sent `session.created`.

        Raises:
            ModelError: refused, or not in time; its text is a short reason without secrets.
        """
        ...
