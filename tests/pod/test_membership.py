"""What a pod says of itself every two seconds, and what it does with the answer."""

import pytest

from pod.ends import until
from pod.office import FIRST, ME, NEXT_STREAM, SECOND, Stores, office
from trunkline.core.facts import CallEnded
from trunkline.core.fleet_states import LEASE_MS, Claim
from trunkline.core.ids import Incarnation, PodName
from trunkline.core.slots import Full
from trunkline.pod.membership import SILENT_S, WOKE_S

pytestmark = pytest.mark.anyio


async def test_a_beat_lists_what_the_pod_holds() -> None:
    """Reserved and talking; a store that forgot knows it again, and it is counted."""
    stores = Stores()
    async with office(stores=stores) as here:
        await here.ring(FIRST)
        await here.ring(SECOND)
        here.start(FIRST)
        listed = {one.call: one for one in here.slots.listed()}
        assert {call: one.bound for call, one in listed.items()} == {FIRST: True, SECOND: False}
        assert listed[FIRST].claim == Claim("inbound", "", "", "m")
        stores.journal.fleet.slots.clear()
        stores.journal.fleet.room.counts.clear()
        await here.reception.membership.tell()
        assert (await stores.fleet.look()).inbound == 2
        assert here.counted("call_slots_retaken_total") == 2


async def test_a_slot_is_released_when_its_call_ends() -> None:
    """At once, and not with the next beat."""
    stores = Stores()
    async with office(stores=stores) as here:
        await here.ring(FIRST)
        here.hang_up(FIRST, here.start(FIRST))
        await here.until_empty()
        await until(lambda: not stores.journal.fleet.slots)


async def test_a_release_that_was_lost_is_made_good_by_the_next_beat() -> None:
    """The store was away when the call ended."""
    stores = Stores()
    async with office(stores=stores) as here:
        await here.ring(FIRST)
        await here.reception.membership.tell()
        stores.fleet.losing = True
        here.status(FIRST)
        await until(lambda: stores.fleet.lost > 0)
        assert stores.journal.fleet.slots
        await here.reception.membership.tell()
        assert not stores.journal.fleet.slots


async def test_a_pod_that_drains_gets_no_calls() -> None:
    """From its next beat on."""
    stores = Stores()
    async with office(stores=stores) as here:
        membership = here.reception.membership
        membership.drain()
        assert membership.draining
        await membership.tell()
        assert isinstance(await stores.fleet.reserve(FIRST), Full)
        await membership.leave()
        assert (await stores.fleet.look()).pods == ()


async def test_a_later_life_of_its_name_leaves_a_pod_without_calls() -> None:
    """It says so in its log, and goes on with those that it has."""
    stores = Stores()
    later = ME._replace(incarnation=Incarnation("later"))
    async with office(stores=stores) as here:
        await here.ring(FIRST)
        async with office(stores=stores, me=later) as there:
            await here.reception.membership.tell()
            heard = here.reception.membership.heard
            assert heard is not None
            assert heard.replaced
            assert (await here.ring(SECOND)).ticket.incarnation == "later"
            assert (here.slots.held, there.slots.held) == (1, 1)


async def test_a_store_that_is_away_is_asked_again() -> None:
    """What was heard last stays."""
    stores = Stores()
    async with office(stores=stores) as here:
        before = here.reception.membership.heard
        stores.journal.away = True
        await here.reception.membership.tell()
        await here.reception.membership.leave()
        assert here.reception.membership.heard is before
        assert here.reception.membership.holders == 0
        assert here.reception.membership.pods == 1


async def test_a_pod_that_is_gone_is_told_of_once() -> None:
    """Its lease is over: somebody shall look for its calls."""
    stores = Stores()
    other = ME._replace(pod=PodName("pod-1"), incarnation=Incarnation("b"))
    async with office(stores=stores) as here, office(stores=stores, me=other):
        await here.reception.membership.tell()
        assert here.fewer == []
        for _ in range(3):
            stores.journal.now_ms += LEASE_MS // 2
            await here.reception.membership.tell()
        assert here.fewer == [1]


async def test_a_pod_whose_beats_are_not_answered_may_be_taken_for_dead() -> None:
    """Until a while after its next answered one."""
    async with office() as here:
        membership = here.reception.membership
        assert not membership.was_silent
        here.journal.away = True
        membership.heard_at -= SILENT_S + 1
        assert membership.was_silent
        await membership.tell()
        assert membership.was_silent
        here.journal.away = False
        await membership.tell()
        assert membership.was_silent, "what others did meanwhile may be on its way"
        membership.woke_at -= WOKE_S
        assert not membership.was_silent


async def test_a_stop_that_a_pod_finds_when_it_wakes_is_not_its_callers_end() -> None:
    """Another pod had the carrier run the redirect, which stops a stream (world, FREEZE)."""
    async with office() as here:
        answer = await here.ring(FIRST)
        socket = here.start(FIRST)
        here.reception.membership.heard_at -= SILENT_S + 1
        here.hang_up(FIRST, socket)
        following = await here.redirect(FIRST, answer)
        assert following is not None
        assert following.verbs[0] == "Connect"
        here.start(FIRST, NEXT_STREAM)
        assert not [fact for fact in await here.facts(FIRST) if isinstance(fact, CallEnded)]
