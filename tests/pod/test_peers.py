"""Where other pods are, and what they know of a call."""

import pytest

from pod.office import FIRST, ME, Stores, office
from trunkline.core.fleet import FleetSlots
from trunkline.core.fleet_states import LEASE_MS, Life
from trunkline.core.ids import CallSid, Incarnation, PodName

pytestmark = pytest.mark.anyio

OTHER = ME._replace(pod=PodName("pod-1"), incarnation=Incarnation("b"))


async def test_a_life_that_is_over_is_nowhere() -> None:
    """Unknown, or replaced by a later one of its name."""
    stores = Stores()
    later = OTHER._replace(incarnation=Incarnation("c"))
    async with office(stores=stores) as here, office(stores=stores, me=OTHER):
        peers, life = here.reception.peers, Life(OTHER.pod, OTHER.incarnation)
        assert (await peers.at(life)) is not None
        assert await peers.at(Life(OTHER.pod, Incarnation("x"))) is None
        async with office(stores=stores, me=later):
            assert await peers.at(life) is None
            assert await peers.word(life, FIRST) is None


async def test_who_lives_is_who_has_beaten_lately() -> None:
    """By the store's clock."""
    stores = Stores()
    async with office(stores=stores) as here, office(stores=stores, me=OTHER):
        peers = here.reception.peers
        assert set(await peers.lives()) == {ME.pod, OTHER.pod}
        stores.journal.now_ms += LEASE_MS - 1
        await here.reception.membership.tell()
        stores.journal.now_ms += 1
        assert set(await peers.lives()) == {ME.pod}


async def test_what_a_pod_knows_of_a_call() -> None:
    """Ours is asked without a request; one that does not answer is gone."""
    stores = Stores()
    async with office(stores=stores) as here, office(stores=stores, me=OTHER) as other:
        mine, theirs = (at.reception.membership.life for at in (here, other))
        await here.ring(FIRST)
        for at in (here, other):
            word = await at.reception.peers.word(mine, FIRST)
            assert word is not None
            assert (word.state, word.streaming) == ("live", False)
        here.start(FIRST)
        word = await other.reception.peers.word(mine, FIRST)
        assert word is not None
        assert word.streaming
        unknown = await here.reception.peers.word(theirs, FIRST)
        assert unknown is not None
        assert unknown.state == "unknown"
        stores.neighbours.frozen.add(theirs)
        assert await here.reception.peers.word(theirs, FIRST) is None


async def test_a_pod_is_found_where_it_was_though_the_store_forgot() -> None:
    """Until its next beat; a later life of its name is another pod."""
    stores = Stores()
    async with office(stores=stores) as here, office(stores=stores, me=OTHER) as other:
        peers, life = here.reception.peers, other.reception.membership.life
        assert await peers.at(life) is not None
        stores.journal.fleet = FleetSlots()
        assert await peers.at(life) is not None
        assert await peers.lives() == {}
        await other.reception.membership.tell()
        assert set(await peers.lives()) == {OTHER.pod}


async def test_each_call_has_an_order_of_pods_of_its_own() -> None:
    """All agree on it; who is first differs from call to call."""
    stores = Stores()
    async with office(stores=stores) as here, office(stores=stores, me=OTHER) as other:
        calls = [CallSid(f"CA{number:032}") for number in range(20)]
        turns = [[await at.reception.peers.turn(call) for at in (here, other)] for call in calls]
        assert {tuple(turn) for turn in turns} == {(0, 1), (1, 0)}
