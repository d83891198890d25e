"""What erases, by its contract: Postgres and its twin."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import msgspec
import pytest

from chains import CALL, ENDED, OTHER_CALL, RECEIVED, SAID, WHOLE_CALL, chain
from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.memory.erasure import MemoryEraser
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import connect
from trunkline.adapters.postgres.erasure import PostgresEraser
from trunkline.core.facts import CallerSaid, Fact
from trunkline.core.ids import CallSid
from trunkline.core.record import GENESIS, Entry, chain_hash
from trunkline.core.retention import DAY_MS, Erased, Retention
from trunkline.ports import CallBook, Eraser

pytestmark = pytest.mark.anyio

CALLER, LINE = "+15550100001", "+15550100002"
MONTH = Retention({"clinic": 30})


@dataclass
class Bench:
    book: CallBook
    eraser: Eraser
    now_ms: int
    """The present when the test began: both stores go by their own clock."""

    async def keep(self, call: CallSid, days_ago: float, *facts: Fact) -> list[Entry]:
        begun_ms = self.now_ms - int(days_ago * DAY_MS)
        entries = chain(call, *(facts or WHOLE_CALL), begun_ms=begun_ms)
        await self.book.write([(call, entry) for entry in entries])
        return entries

    async def said(self, call: CallSid) -> list[str]:
        return [entry.payload for entry in await self.book.entries(call)]


@pytest.fixture(params=["postgres", "memory"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the call log is; None for the twin."""
    return str(request.getfixturevalue("database_url")) if request.param == "postgres" else None


@pytest.fixture
async def bench(url: str | None) -> AsyncIterator[Bench]:
    now_ms = time.time_ns() // 1_000_000
    if url is None:
        book = MemoryCallBook()
        yield Bench(book, MemoryEraser(book, lambda: now_ms), now_ms)
        return
    async with await connect(url) as pool:
        yield Bench(PostgresCallBook(pool), PostgresEraser(pool), now_ms)


def verifies(call: CallSid, entries: list[Entry]) -> bool:
    """Whether the chain holds, by its digests alone."""
    previous = GENESIS
    for seq, entry in enumerate(entries, 1):
        made = chain_hash(
            call, previous, entry.seq, entry.kind, entry.at_ms, entry.epoch, entry.digest
        )
        if (entry.seq, entry.hash) != (seq, made):
            return False
        previous = made
    return True


async def test_a_purged_call_keeps_its_row_and_its_chain(bench: Bench) -> None:
    """Times, outcome, counts, digests and hashes stay; words, salts and numbers are gone."""
    entries = await bench.keep(CALL, 31)
    before = await bench.book.call(CALL)
    assert before is not None
    assert await bench.eraser.due(MONTH) == Erased(1, 5)
    assert await bench.eraser.purge(MONTH, calls_max=10) == Erased(1, 5)
    kept = await bench.book.entries(CALL)
    assert kept == [msgspec.structs.replace(entry, payload="", salt="") for entry in entries]
    assert verifies(CALL, kept)
    after = await bench.book.call(CALL)
    assert after is not None
    assert after.erased_at_ms is not None
    assert after == replace(before, from_number="", to_number="", erased_at_ms=after.erased_at_ms)
    assert await bench.book.calls(limit=10) == [after]


async def test_what_is_not_due_is_not_touched(bench: Bench) -> None:
    """Younger calls, other tenants', those of tenants who keep for ever."""
    young = await bench.keep(CALL, 29)
    assert await bench.eraser.purge(MONTH, calls_max=10) == Erased()
    assert await bench.book.entries(CALL) == young
    other = await bench.keep(OTHER_CALL, 31)
    for retention in (Retention(), Retention({"clinic": None}, {"healthcare": 1})):
        assert await bench.eraser.due(retention) == Erased()
        assert await bench.eraser.purge(retention, calls_max=10) == Erased()
    assert await bench.book.entries(OTHER_CALL) == other


async def test_a_tenant_that_left_the_file_has_its_vertical_s_days(bench: Bench) -> None:
    """Nothing is kept for ever because a line of the config file went."""
    await bench.keep(CALL, 31)
    assert await bench.eraser.due(Retention({"other": 1}, {"healthcare": 40})) == Erased()
    assert await bench.eraser.due(Retention({"other": 1}, {"healthcare": 30})) == Erased(1, 5)


async def test_steps_are_bounded_and_the_oldest_go_first(bench: Bench) -> None:
    """A round is as many steps as it takes; a call is erased once."""
    calls = [CallSid(f"CA{number:032}") for number in range(5)]
    for number, call in enumerate(calls):
        await bench.keep(call, 40 - number)
    assert await bench.eraser.purge(MONTH, calls_max=2) == Erased(2, 10)
    assert [any(await bench.said(call)) for call in calls] == [False, False, True, True, True]
    assert await bench.eraser.purge(MONTH, calls_max=10) == Erased(3, 15)
    assert await bench.eraser.purge(MONTH, calls_max=10) == Erased()


async def test_a_live_call_is_never_touched(bench: Bench) -> None:
    """One without an end is live for two days, whatever is asked; then its pod did not live."""
    await bench.keep(CALL, 1.9, RECEIVED, SAID)
    await bench.keep(OTHER_CALL, 3.1, RECEIVED, SAID)
    day = Retention({"clinic": 1})
    assert await bench.eraser.calls_of(CALLER) == {OTHER_CALL: True, CALL: False}
    assert await bench.eraser.erase([CALL]) == Erased()
    assert await bench.eraser.purge(day, calls_max=10) == Erased(1, 2)
    assert all(await bench.said(CALL))
    assert not any(await bench.said(OTHER_CALL))


async def test_one_person_s_calls_are_erased(bench: Bench) -> None:
    """From the number and to it; nobody else's."""
    back = msgspec.structs.replace(RECEIVED, from_number=LINE, to_number=CALLER)
    other = msgspec.structs.replace(RECEIVED, from_number="+15550100003")
    third = CallSid("CA" + "3" * 32)
    await bench.keep(CALL, 0.2)
    await bench.keep(OTHER_CALL, 0.1, back, SAID, ENDED)
    await bench.keep(third, 0.1, other, SAID, ENDED)
    found = await bench.eraser.calls_of(CALLER)
    assert found == {CALL: True, OTHER_CALL: True}
    assert await bench.eraser.erase(list(found)) == Erased(2, 8)
    assert await bench.eraser.calls_of(CALLER) == {}
    assert [any(await bench.said(call)) for call in (CALL, OTHER_CALL, third)] == [0, 0, 1]
    assert await bench.eraser.erase([CALL, CallSid("CA unknown")]) == Erased(1, 0)


async def test_what_is_written_again_does_not_come_back(bench: Bench) -> None:
    """A pod whose write was not answered writes it again: it is the same fact, and stays erased."""
    entries = await bench.keep(CALL, 0.1)
    await bench.eraser.erase([CALL])
    await bench.book.write([(CALL, entry) for entry in entries])
    assert not any(await bench.said(CALL))
    assert await bench.eraser.calls_of(CALLER) == {}


async def test_what_comes_late_is_swept(bench: Bench) -> None:
    """A fact that was still on its way; its number does not return to the row either."""
    entries = chain(CALL, *WHOLE_CALL, begun_ms=bench.now_ms - DAY_MS // 10)
    await bench.book.write([(CALL, entry) for entry in entries[2:]])
    await bench.eraser.erase([CALL])
    await bench.book.write([(CALL, entry) for entry in entries[:2]])
    row = await bench.book.call(CALL)
    assert row is not None
    assert (row.from_number, row.to_number) == ("", "")
    assert await bench.eraser.sweep() == Erased(0, 2)
    assert not any(await bench.said(CALL))
    assert verifies(CALL, await bench.book.entries(CALL))
    assert await bench.eraser.sweep() == Erased()


async def test_many_calls_of_one_person_are_erased_in_pieces(bench: Bench) -> None:
    """More than one transaction takes."""
    calls = [CallSid(f"CA{number:032}") for number in range(120)]
    for call in calls:
        await bench.keep(call, 0.1, RECEIVED, CallerSaid("i", "secret"), ENDED)
    assert await bench.eraser.erase(calls) == Erased(120, 360)
