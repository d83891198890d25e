"""What is the twin's own; the port's promises are in tests/contract/test_journal.py."""

import pytest

from chains import CALL, ENDED, RECEIVED, chain
from trunkline.adapters.memory.journal import ENDED_TTL_MS, JOURNAL_TTL_MS, MemoryJournal
from trunkline.core.ids import Epoch, Incarnation, PodName
from trunkline.core.record import Head
from trunkline.ports import Holder, Resumption

pytestmark = pytest.mark.anyio
POD, LIFE = PodName("pod-0"), Incarnation("a")


async def test_its_time_is_the_one_it_is_given() -> None:
    """A seeded world gives it a clock; a stopped one still makes epochs rise."""
    now_ms = 5000
    journal = MemoryJournal(lambda: now_ms)
    assert (await journal.open_call(CALL, POD, LIFE)).epoch == 5000
    found = await journal.resume_call(CALL, Epoch(5000), POD, LIFE)
    assert isinstance(found, Resumption)
    assert found.epoch == 5001
    now_ms = 9000
    found = await journal.resume_call(CALL, Epoch(5001), POD, LIFE)
    assert isinstance(found, Resumption)
    assert found.epoch == 9000


async def test_journals_expire_to_the_millisecond() -> None:
    """Live ones after their time, forgotten ones after theirs."""
    now_ms = 0
    journal = MemoryJournal(lambda: now_ms)
    epoch = (await journal.open_call(CALL, POD, LIFE)).epoch
    now_ms = JOURNAL_TTL_MS - 1
    await journal.append(CALL, Holder(epoch, POD, LIFE), Head(), chain(CALL, RECEIVED, ENDED))
    await journal.forget_call(CALL)
    now_ms += ENDED_TTL_MS - 1
    assert len(await journal.read(CALL)) == 2
    now_ms += 1
    assert await journal.read(CALL) == []


async def test_what_it_gives_out_is_no_part_of_it() -> None:
    """A reader can't change the journal."""
    journal = MemoryJournal(lambda: 1)
    epoch = (await journal.open_call(CALL, POD, LIFE)).epoch
    await journal.append(CALL, Holder(epoch, POD, LIFE), Head(), chain(CALL, RECEIVED))
    (await journal.read(CALL)).clear()
    assert len(await journal.read(CALL)) == 1
