"""What is added to a call that nobody carries; the way to it is in test_orphans.py."""

import asyncio

import pytest

from chains import CALL, ENDED, OTHER_CALL, RECEIVED, SAID, chain
from pod.stores import FailingBook, FailingJournal
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Head, after
from trunkline.pod.adopt import ADOPTED_MAX, Adopted, Adoption, following
from trunkline.ports import Holder
from trunkline.telemetry import logs

pytestmark = pytest.mark.anyio

ME = Holder(Epoch(10), PodName("pod-0"), Incarnation("a"))


def test_what_follows_a_head() -> None:
    """In order and chained; a gap, or another call's facts, end it."""
    entries = chain(CALL, RECEIVED, SAID, SAID, ENDED)
    assert following(CALL, Head(), entries) == entries
    assert following(CALL, after(entries[1]), entries) == entries[2:]
    assert following(CALL, Head(), [entries[0], *entries[2:]]) == entries[:1]
    assert following(OTHER_CALL, Head(), entries) == []


async def test_a_call_that_somebody_else_has_by_now_is_left_to_him() -> None:
    """And one that waits is closed once; more than the bound are left for later."""
    journal, book = FailingJournal(), FailingBook()
    closed: list[Adopted] = []
    over = asyncio.Event()
    here = Adoption(journal, book, closed.append, logs.get_logger())
    await book.write([(CALL, entry) for entry in chain(CALL, RECEIVED, SAID)])
    later = Holder(Epoch(11), PodName("pod-1"), Incarnation("a"))
    await journal.append(CALL, later, Head(), chain(CALL, RECEIVED))
    here.put(Adopted(CALL, ME, Head(), ENDED))
    here.put(Adopted(OTHER_CALL, ME, Head(), ENDED))
    here.put(Adopted(OTHER_CALL, ME, Head(), ENDED))
    for number in range(ADOPTED_MAX):
        here.put(Adopted(CallSid(f"CA{number:032}"), ME, Head(), ENDED))
    assert len(here) == ADOPTED_MAX
    over.set()
    await here.carry(over)
    assert len(here) == 0
    assert OTHER_CALL not in here
    assert [one.call for one in closed][:1] == [OTHER_CALL]
    assert len(closed) == ADOPTED_MAX - 1


async def test_a_journal_that_forgot_gets_the_whole_call() -> None:
    """Between our taking it and our closing it."""
    journal, book = FailingJournal(), FailingBook()
    entries = chain(CALL, RECEIVED, SAID, SAID)
    closed: list[Adopted] = []
    over = asyncio.Event()
    over.set()
    await book.write([(CALL, entry) for entry in entries])
    here = Adoption(journal, book, closed.append, logs.get_logger())
    here.put(Adopted(CALL, ME, after(entries[0]), ENDED))
    await here.carry(over)
    assert await journal.read(CALL) == entries
    assert [one.head for one in closed] == [after(entries[2])]
