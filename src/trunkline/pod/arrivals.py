"""Streams whose ticket names no pod: wherever one comes, that pod takes the call's slot first.

The pod that answered the webhook had it reserved; it hears of the move in the answer to its next
beat, and lets go. In a fleet whose streams name their pod nothing here is ever asked.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from trunkline.call import so_far
from trunkline.call.so_far import CallSoFar
from trunkline.core.facts import ResumeCause, SlotMoved
from trunkline.core.fleet_states import Claim, Life, Target
from trunkline.core.ids import CallSid
from trunkline.core.neighbour_words import Caller, Take
from trunkline.core.slots import Full, FullReason, PodSlots, Reserved
from trunkline.core.tickets import Ticket
from trunkline.errors import StoreError
from trunkline.pod.asked import Asked
from trunkline.pod.calls import Calls, Identity, LiveCall
from trunkline.pod.directory import Directory
from trunkline.pod.media_words import SLOT_S_MAX, Refusal
from trunkline.pod.passes import Passes
from trunkline.pod.recorder import NO_EPOCH, Recorder
from trunkline.pod.takeovers import Takeovers
from trunkline.ports import (
    CallState,
    Holder,
    Journal,
    JournalIndex,
    ResumeRefused,
    Resumption,
    Slots,
)
from trunkline.telemetry.logs import Log, LogName

RECEIVED_S_MAX: Final = 1.0
"""So long a call's first fact may be on its way to the journal: its webhook is answered before."""

LOOK_S: Final = 0.02
"""How often the journal is looked at for it."""

_REFUSED: Final = {
    ResumeRefused.UNKNOWN: Refusal.NO_CALL,
    ResumeRefused.ENDED: Refusal.NO_CALL,
    ResumeRefused.STALE: Refusal.STALE_TICKET,
}


class Arrivals:
    """Brings calls to where their streams are."""

    def __init__(
        self,
        me: Identity,
        calls: Calls,
        slots: PodSlots,
        takeovers: Takeovers,
        *,
        passes: Passes,
        directory: Callable[[], Directory],
        journal: Journal,
        index: JournalIndex,
        fleet_slots: Slots,
        recorder: Recorder,
        log: Log,
        now: Callable[[], float],
    ) -> None:
        """`now` is the loop's clock."""
        self._life = Life(me.pod, me.incarnation)
        self._calls = calls
        self._slots = slots
        self._takeovers = takeovers
        self._passes = passes
        self._directory = directory
        self._journal = journal
        self._index = index
        self._fleet_slots = fleet_slots
        self._recorder = recorder
        self._log = log
        self._now = now
        self._taking: dict[CallSid, asyncio.Event] = {}
        """Calls that are on their way here, and when they have come."""

    async def take(self, ticket: Ticket) -> LiveCall | Refusal:
        """The ticket's call, which is here now; or why it is not, within `SLOT_S_MAX`."""
        try:
            async with asyncio.timeout(SLOT_S_MAX):
                return await self._alone(ticket)
        except TimeoutError:
            return Refusal.LATE
        except StoreError as error:
            self._log.warning(LogName.FLEET_AWAY, call=ticket.call, reason=str(error))
            return Refusal.STORE_AWAY

    async def _alone(self, ticket: Ticket) -> LiveCall | Refusal:
        """One at a time for each call: a second stream with the same ticket finds it here."""
        call = ticket.call
        while (taking := self._taking.get(call)) is not None:
            await taking.wait()
        self._taking[call] = done = asyncio.Event()
        try:
            live = self._calls.get(call)
            if live is not None:
                return await self._here(live, ticket)
            return await self._reserve(ticket)
        finally:
            del self._taking[call]
            done.set()

    async def _here(self, live: LiveCall, ticket: Ticket) -> LiveCall | Refusal:
        """It is here: under this very epoch, or another pod has answered its redirect since."""
        if live.is_under(ticket.epoch):
            return live
        if ticket.epoch < live.epoch:
            return Refusal.STALE_TICKET
        held = await self._index.holder(live.call)
        if held is None or self._calls.get(live.call) is not live:
            return Refusal.NO_CALL
        if held.holder == Holder(ticket.epoch, self._life.pod, self._life.incarnation):
            return advanced(self._calls, live, ticket)
        # Others have carried it since: what is here is old. The redirect tries again.
        self._calls.let_go(live.call)
        return Refusal.STALE_TICKET

    async def _reserve(self, ticket: Ticket) -> LiveCall | Refusal:
        """First of all a slot of this pod's own, so that its cap holds however many come at once.

        No other limit binds: the call counts with all of them already.
        """
        call = ticket.call
        reserved = self._slots.reserve(call, NO_EPOCH, self._now())
        if isinstance(reserved, Full):
            draining = reserved.reason is FullReason.DRAINING
            return Refusal.DRAINING if draining else Refusal.FULL
        try:
            return await self._move(ticket)
        finally:
            self._give_back(call, reserved)

    def _give_back(self, call: CallSid, reserved: Reserved) -> None:
        """The slot of a call that did not come."""
        if reserved.first and self._calls.get(call) is None:
            self._calls.free(call)

    async def _move(self, ticket: Ticket) -> LiveCall | Refusal:
        """The fleet's slot and the epoch come here, then the call."""
        call = ticket.call
        held = await self._index.holder(call)
        if held is None or held.state is CallState.ENDED:
            return Refusal.NO_CALL
        known = await self._begun(call)
        if known is None or known.received is None or known.ended is not None:
            return Refusal.NO_CALL
        received = known.received
        caller = Caller(received.direction, received.from_number, received.to_number)
        asked = Asked.of(call, caller)
        claim = Claim(received.direction, received.tenant, received.vertical)
        resumed = await self._fleet_slots.resume(call, ticket.epoch, Target(self._life), claim)
        if isinstance(resumed, ResumeRefused):
            return _REFUSED[resumed]
        if isinstance(resumed, Full) or resumed.life != self._life:
            return Refusal.STALE_TICKET  # A stream with the same ticket came elsewhere.
        from_pod = held.holder.pod
        await self._takeovers.take(asked, _order(asked, resumed, from_pod))
        live = self._calls.get(call)
        if live is None or live.epoch != resumed.epoch:
            return Refusal.NO_CALL  # It can't go on: its end is written, and the redirect hears.
        self._moved(live, ticket, from_pod)
        return live

    async def _begun(self, call: CallSid) -> CallSoFar | None:
        """What its journal says, once that has its beginning."""
        tries = round(RECEIVED_S_MAX / LOOK_S)
        for _ in range(tries):
            known = so_far.read(await self._journal.read(call))
            if known.received is not None:
                return known
            await asyncio.sleep(LOOK_S)
        return None

    def _moved(self, live: LiveCall, ticket: Ticket, from_pod: str) -> None:
        """Whoever repeats the webhook gets what it got, and the token in it is good for here."""
        if live.moves.get(ticket.epoch) == live.epoch:
            return  # Written down before: the stream did not wait for it.
        live.moves[ticket.epoch] = live.epoch
        life = self._life
        live.document = self._passes.stream(
            live.call, ticket.epoch, life.pod, life.incarnation, ticket.issued_at_ms
        )
        moved = SlotMoved(from_pod, life.pod, ticket.epoch, live.epoch)
        self._recorder.record(live.call, moved)


def advanced(calls: Calls, live: LiveCall, ticket: Ticket) -> LiveCall | Refusal:
    """Another pod answered the redirect: the call goes on here under the ticket's epoch."""
    if not calls.may_resume(live):
        live.epoch = ticket.epoch  # Its slot has it, and is released under it.
        calls.give_up(live, "resumes_max")
        return Refusal.NO_CALL
    calls.advance(live, ticket.epoch, ticket.issued_at_ms)
    return live


def _order(asked: Asked, resumed: Resumption, from_pod: str) -> Take:
    return Take(
        asked.caller,
        resumed.epoch,
        resumed.head.seq,
        resumed.head.hash,
        resumed.opened_at_ms,
        resumed.now_ms,
        cause=ResumeCause.STREAM_LOST,
        from_pod=from_pod,
    )
