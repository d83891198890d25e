"""Stores with switches: the memory twins, made to fail when a test says so."""

import asyncio
from collections.abc import Sequence

from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.memory.fleet import MemoryFleet
from trunkline.adapters.memory.journal import MemoryJournal
from trunkline.core.carrier import CarrierFact
from trunkline.core.facts import Direction
from trunkline.core.fleet_states import Beat, Claim, Fleet, Heard, Life, Placed, Target
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Aside, Entry, Head
from trunkline.core.slots import INBOUND_HOLD_S, NOBODYS, Bounds, Full, ModelLimit
from trunkline.errors import StoreError
from trunkline.ports import HeldCall, Holder, Opening, ResumeRefused, Resumption


class FailingJournal(MemoryJournal):
    """A journal that is away while `away`, and loses answers when told to.

    `now_ms` is its time. While `gate` is not set, what it has done is not answered.
    """

    def __init__(self) -> None:
        super().__init__(lambda: self.now_ms)
        self.now_ms = 1_000_000
        self.away = False
        self.answers_to_lose = 0
        self.appends = 0
        self.openings = 0
        self.forgotten: list[CallSid] = []
        self._appended = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def lose_all(self) -> None:
        """Everything is gone, as after a restart of a store that kept nothing."""
        self._calls.clear()

    def lose_tail(self, call: CallSid, keep: int) -> None:
        """A crash: of the call's entries only the first so many were synced."""
        del self._calls[call].entries[keep:]

    def held_by(self, call: CallSid) -> tuple[Epoch, PodName]:
        """Who has the call, under which epoch."""
        held = self._calls[call]
        return held.epoch, held.pod

    async def open_call(self, call: CallSid, pod: PodName, incarnation: Incarnation) -> Opening:
        """Open, or be away, or open and let the answer get lost."""
        self.openings += 1
        self._arrive()
        opening = await super().open_call(call, pod, incarnation)
        await self._answer()
        return opening

    async def resume_call(
        self, call: CallSid, epoch: Epoch, pod: PodName, incarnation: Incarnation
    ) -> Resumption | ResumeRefused:
        """Resume, or be away, or resume and let the answer get lost."""
        self._arrive()
        resumed = await super().resume_call(call, epoch, pod, incarnation)
        await self._answer()
        return resumed

    async def append(
        self, call: CallSid, holder: Holder, head: Head, entries: Sequence[Entry]
    ) -> None:
        """Append, or be away, or append and let the answer get lost."""
        self.appends += 1
        try:
            self._arrive()
            await super().append(call, holder, head, entries)
        finally:
            self._appended.set()
        await self._answer()

    async def wait_for_append(self) -> None:
        """The next append was taken or refused."""
        self._appended.clear()
        async with asyncio.timeout(20):
            await self._appended.wait()

    async def forget_call(self, call: CallSid) -> None:
        """Forget, or be away."""
        self._arrive()
        await super().forget_call(call)
        await self._answer()
        self.forgotten.append(call)

    async def holder(self, call: CallSid) -> HeldCall | None:
        """Say who holds it, or be away."""
        self._arrive()
        return await super().holder(call)

    async def read(self, call: CallSid) -> list[Entry]:
        """Read, or be away."""
        self._arrive()
        entries = await super().read(call)
        await self._answer()
        return entries

    def _arrive(self) -> None:
        if self.away:
            raise StoreError("away")

    async def _answer(self) -> None:
        await self.gate.wait()
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise StoreError("answer lost")


class FailingFleet(MemoryFleet):
    """The fleet in the same store: away when the journal is."""

    def __init__(self, journal: FailingJournal) -> None:
        super().__init__(journal)
        self._store = journal
        self.losing = False
        """Releases are lost."""
        self.lost = 0
        self.beats = 0
        self.bugs = 0
        """So many beats break."""

    async def release(self, call: CallSid, life: Life, epoch: Epoch) -> bool:
        """Release, or be away, or lose it."""
        self._arrive()
        if self.losing:
            self.lost += 1
            raise StoreError("lost")
        return await super().release(call, life, epoch)

    async def leave(self, life: Life) -> None:
        """Leave, or be away."""
        self._arrive()
        await super().leave(life)

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
        """Reserve, or be away."""
        self._arrive()
        return await super().reserve(
            call,
            hold_s,
            direction=direction,
            bounds=bounds,
            models=models,
            exclude=exclude,
            holding=holding,
        )

    async def resume(
        self, call: CallSid, epoch: Epoch, target: Target, claim: Claim
    ) -> Resumption | ResumeRefused | Full:
        """Resume, or be away."""
        self._arrive()
        return await super().resume(call, epoch, target, claim)

    async def beat(self, said: Beat) -> Heard:
        """Beat, or be away, or break."""
        self._arrive()
        self.beats += 1
        if self.bugs:
            self.bugs -= 1
            raise AssertionError("a bug")
        return await super().beat(said)

    async def look(self) -> Fleet:
        """Look, or be away."""
        self._arrive()
        return await super().look()

    def _arrive(self) -> None:
        if self._store.away:
            raise StoreError("away")


class FailingBook(MemoryCallBook):
    """A call log that is away while `away`."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.entries_away = False
        self.entries_asked = asyncio.Event()
        self.refusals = 0
        self._asked = asyncio.Event()

    async def write(self, entries: Sequence[tuple[CallSid, Entry]]) -> None:
        """Write, or be away."""
        try:
            if self.away:
                self.refusals += 1
                raise StoreError("away")
            await super().write(entries)
        finally:
            self._asked.set()

    async def put_aside(self, facts: Sequence[Aside]) -> None:
        """Put aside, or be away."""
        if self.away:
            raise StoreError("away")
        await super().put_aside(facts)

    async def write_carrier_facts(self, facts: Sequence[CarrierFact]) -> None:
        """Write, or be away."""
        self._asked.set()
        if self.away:
            raise StoreError("away")
        await super().write_carrier_facts(facts)

    async def entries(self, call: CallSid) -> list[Entry]:
        """Read: a test looks into it while it is away; `entries_away` for everybody else."""
        if self.entries_away:
            self.entries_asked.set()
            raise StoreError("away")
        return await super().entries(call)

    async def wait_until_asked(self) -> None:
        """The next write was taken or refused."""
        self._asked.clear()
        async with asyncio.timeout(20):
            await self._asked.wait()
