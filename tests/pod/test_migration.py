"""A pod that drains: its calls go to others, or stay until they can."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pod.ends import until
from pod.office import FIRST, ME, NEXT_STREAM, NUMBER, Office, Stores, office
from trunkline.core.facts import CallResumed, Outcome
from trunkline.core.ids import Incarnation, PodName
from trunkline.pod.migration import LOOK_S, Migration
from trunkline.telemetry.logs import get_logger

pytestmark = pytest.mark.anyio

OTHER = ME._replace(pod=PodName("pod-1"), incarnation=Incarnation("b"))


@asynccontextmanager
async def draining(here: Office, stores: Stores, patience_s: float = 0.0) -> AsyncIterator[None]:
    """It hands its calls over while the block lasts."""
    membership = here.reception.membership
    membership.drain()
    await membership.tell()
    migration = Migration(
        ME,
        here.calls,
        slots=stores.fleet,
        journal=stores.journal,
        neighbours=stores.neighbours,
        recorder=here.around.recorder,
        log=get_logger(),
        now=asyncio.get_running_loop().time,
        ingress_s=0.0,
        patience_s=patience_s,
    )
    moving = here.tasks.create_task(migration.run(), name="migration")
    try:
        yield
    finally:
        moving.cancel()


async def test_a_call_is_moved_and_its_redirect_finds_it_there() -> None:
    """Its record says why; the resume does not count as one."""
    stores = Stores()
    async with office(stores=stores) as one, office(stores=stores, me=OTHER) as other:
        answer = await one.ring(FIRST)
        socket = one.start(FIRST)
        async with draining(one, stores):
            await one.until_empty()
        assert socket.closed
        assert other.slots.held == 1
        for at in (other, one, other):
            then = await at.redirect(FIRST, answer)
            assert then is not None
            assert then.ticket.pod == OTHER.pod
        other.start(FIRST, NEXT_STREAM)
        await until(lambda: other.around.recorder.backlog() == 0)
        (resumed,) = [fact for fact in await other.facts(FIRST) if isinstance(fact, CallResumed)]
        assert (resumed.cause, resumed.from_pod) == ("migrated", ME.pod)
        assert (await stores.fleet.look()).inbound == 1


async def test_without_a_slot_elsewhere_a_call_stays() -> None:
    """Until there is one."""
    stores = Stores()
    async with office(stores=stores) as one:
        await one.ring(FIRST)
        socket = one.start(FIRST)
        async with draining(one, stores):
            for _ in range(3):
                await asyncio.sleep(0)
            assert not socket.closed
            async with office(stores=stores, me=OTHER) as other:
                await one.until_empty()
                assert other.slots.held == 1


async def test_a_call_that_the_other_pod_does_not_take_is_taken_back() -> None:
    """It goes on here, under a still higher epoch, and is recorded."""
    stores = Stores()
    async with office(stores=stores) as one, office(stores=stores, me=OTHER) as other:
        answer = await one.ring(FIRST)
        one.start(FIRST)
        stores.neighbours.frozen.add(other.reception.membership.life)
        async with draining(one, stores, patience_s=0.01):
            await until(lambda: stores.journal.held_by(FIRST)[0] > answer.ticket.epoch)
            await until(lambda: stores.journal.held_by(FIRST)[1] == ME.pod)
            live = one.calls.get(FIRST)
            assert live is not None
            await until(lambda: live.epoch == stores.journal.held_by(FIRST)[0])
        assert one.slots.held == 1
        one.status(FIRST)
        await one.end(FIRST)


async def test_a_reserved_call_waits_for_its_stream() -> None:
    """Its ticket names this pod: it is moved once it talks."""
    stores = Stores()
    async with office(stores=stores) as one, office(stores=stores, me=OTHER):
        await one.ring(FIRST)
        async with draining(one, stores):
            await asyncio.sleep(0)
            assert one.calls.get(FIRST) is not None
            one.start(FIRST)
            await one.until_empty()


async def test_a_store_that_is_away_moves_nothing() -> None:
    """The calls go on; they are moved when it is back."""
    stores = Stores()
    async with office(stores=stores) as one, office(stores=stores, me=OTHER):
        await one.ring(FIRST)
        one.start(FIRST)
        await until(lambda: one.around.recorder.backlog() == 0)
        stores.journal.away = True
        async with draining(one, stores):
            await asyncio.sleep(0)
            assert one.calls.get(FIRST) is not None
            stores.journal.away = False
            await one.until_empty()


# What crosses a move.


async def test_a_beat_while_a_call_is_on_its_way_does_not_drop_it() -> None:
    """The fleet says that a later epoch has it: our own. The other pod then does not take it."""
    stores = Stores()
    async with office(stores=stores) as one, office(stores=stores, me=OTHER) as other:
        answer = await one.ring(FIRST)
        socket = one.start(FIRST)
        stores.neighbours.gate.clear()
        async with draining(one, stores):
            await until(lambda: "pod-1 take" in stores.neighbours.asked)
            await one.reception.membership.tell()
            assert not socket.closed
            other.calls.cut()
            stores.neighbours.gate.set()
            await until(lambda: stores.journal.held_by(FIRST)[1] == ME.pod)
        assert not socket.closed
        live = one.calls.get(FIRST)
        assert live is not None
        assert live.epoch > answer.ticket.epoch
        one.status(FIRST)
        assert (await one.end(FIRST)).outcome is Outcome.CALLER_ENDED


async def test_a_redirect_while_a_call_is_on_its_way_leads_to_where_it_goes() -> None:
    """Its stream broke meanwhile; wherever the redirect comes. One pod has it then, and writes."""
    for at in (0, 1):
        stores = Stores()
        async with office(stores=stores) as one, office(stores=stores, me=OTHER) as other:
            answer = await one.ring(FIRST)
            socket = one.start(FIRST)
            stores.neighbours.gate.clear()
            async with draining(one, stores):
                await until(lambda here=stores: "pod-1 take" in here.neighbours.asked)  # type: ignore[misc]
                one.lose(FIRST, socket)
                then = await (one, other)[at].redirect(FIRST, answer)
                assert then is not None
                assert then.ticket.pod == OTHER.pod
                stores.neighbours.gate.set()
                await one.until_empty()
                await until(lambda here=other: here.calls.get(FIRST) is not None)  # type: ignore[misc]
            other.start(FIRST, NEXT_STREAM)
            await until(lambda here=other: here.around.recorder.backlog() == 0)  # type: ignore[misc]
            assert stores.journal.held_by(FIRST) == (then.ticket.epoch, OTHER.pod)
            other.status(FIRST)
            assert (await other.end(FIRST)).outcome is Outcome.CALLER_ENDED
            assert other.slots.held == 0


async def test_a_caller_who_hangs_up_while_their_call_is_on_its_way_is_gone_there_too() -> None:
    """The end is told to whoever may write it; before the move or after it, there is one."""
    for taken in (True, False):
        stores = Stores()
        async with office(stores=stores) as one, office(stores=stores, me=OTHER) as other:
            await one.ring(FIRST)
            socket = one.start(FIRST)
            stores.neighbours.gate.clear()
            async with draining(one, stores):
                await until(lambda here=stores: "pod-1 take" in here.neighbours.asked)  # type: ignore[misc]
                one.hang_up(FIRST, socket)
                await one.until_empty()
                if not taken:
                    other.calls.cut()
                stores.neighbours.gate.set()
                if taken:
                    assert (await other.end(FIRST)).outcome is Outcome.CALLER_ENDED
                else:
                    await until(lambda here=stores: here.journal.held_by(FIRST)[1] == ME.pod)  # type: ignore[misc]
            assert other.slots.held == 0


async def test_a_quiet_call_that_finds_no_place_is_not_tried_all_the_time() -> None:
    """A store is asked every two seconds, however quiet the caller."""
    stores = Stores()
    async with office(stores=stores) as one, office(stores=stores, me=OTHER) as other:
        await one.ring(FIRST)
        one.start(FIRST)
        other.calls.cut()
        async with draining(one, stores):
            await until(lambda: "pod-1 take" in stores.neighbours.asked)
            for _ in range(4):
                await asyncio.sleep(LOOK_S)
        assert stores.neighbours.asked.count("pod-1 take") == 1


async def test_a_move_closes_no_call_that_can_stay() -> None:
    """Resumed three times a moment ago, or of a number that only the old config knows."""
    stores = Stores()
    async with office(stores=stores) as one, office(stores=stores, me=OTHER) as other:
        await one.ring(FIRST)
        socket = one.start(FIRST)
        for _ in range(3):
            one.around.recorder.record(FIRST, CallResumed("pod_lost", None, "pod-8", "pod-9", 5))
        await until(lambda: one.around.recorder.backlog() == 0)
        other.directory.number = "+15550100077"
        async with draining(one, stores, patience_s=0.01):
            await until(lambda: stores.journal.held_by(FIRST)[1] == ME.pod)
            await until(lambda: "pod-1 take" in stores.neighbours.asked)
        assert not socket.closed
        other.directory.number = NUMBER
        async with draining(one, stores, patience_s=0.01):
            await one.until_empty()
        assert other.slots.held == 1
        other.start(FIRST, NEXT_STREAM)
