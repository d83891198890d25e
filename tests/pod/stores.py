"""Stores with switches: the memory twins, made to fail when a test says so."""

import asyncio
from collections.abc import Sequence

from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.memory.journal import MemoryJournal
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.record import Entry, Head
from trunkline.errors import StoreError


class FailingJournal(MemoryJournal):
    """A journal that is away while `away`, and loses the answer of an append when told to."""

    def __init__(self) -> None:
        super().__init__(lambda: 1_000_000)
        self.away = False
        self.answers_to_lose = 0
        self.appends = 0

    async def append(
        self, call: CallSid, epoch: Epoch, head: Head, entries: Sequence[Entry]
    ) -> None:
        """Append, or be away, or append and let the answer get lost."""
        self.appends += 1
        if self.away:
            raise StoreError("away")
        await super().append(call, epoch, head, entries)
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise StoreError("answer lost")


class FailingBook(MemoryCallBook):
    """A call log that is away while `away`."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
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

    async def wait_until_asked(self) -> None:
        """The next write was taken or refused."""
        self._asked.clear()
        async with asyncio.timeout(20):
            await self._asked.wait()
