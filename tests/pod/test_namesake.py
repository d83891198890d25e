"""A pod that is started under a name in use."""

import pytest

from pod.ends import POD
from pod.office import Stores, office
from pod.test_reception import freeze, life_of
from trunkline.core.fleet_states import LEASE_MS, Beat, Life
from trunkline.core.ids import Incarnation, PodName
from trunkline.errors import SettingsError
from trunkline.pod import namesake

pytestmark = pytest.mark.anyio

NEW, HERE = Life(POD, Incarnation("new")), "http://10.0.0.1:8081"


async def check(stores: Stores, me: Life = NEW, address: str = HERE) -> None:
    await namesake.check(me, address, stores.fleet, stores.neighbours)


async def test_a_name_whose_pod_answers_is_refused() -> None:
    """Also if it has not beaten for long; the line names the setting and who answers."""
    stores = Stores()
    async with office(stores=stores) as here:
        with pytest.raises(SettingsError, match=r"^TRUNKLINE_POD_NAME: pod-0 is in use by"):
            await check(stores)
        stores.journal.now_ms += LEASE_MS - 1
        with pytest.raises(SettingsError):
            await check(stores)
        await check(stores, Life(PodName("pod-1"), Incarnation("new")))
        await check(stores, life_of(here))


async def test_a_name_whose_pod_does_not_answer_is_taken() -> None:
    """It is asked a few times, for it may be busy; then the new life has its name."""
    stores = Stores()
    async with office(stores=stores) as here:
        freeze(here, stores)
        await check(stores)
        assert stores.neighbours.asked == ["pod-0 word"] * namesake.ASKED_MAX
        heard = await stores.fleet.beat(Beat(NEW, HERE, "1", 3, 3))
        assert not heard.replaced
        await here.reception.membership.tell()
        assert here.reception.membership.heard is not None
        assert here.reception.membership.heard.replaced


async def test_a_pod_that_is_started_anew_does_not_ask_its_own_port() -> None:
    """Its last life said the same address."""
    stores = Stores()
    await stores.fleet.beat(Beat(Life(POD, Incarnation("old")), HERE, "1", 3, 3))
    await check(stores)
    assert stores.neighbours.asked == []


async def test_while_the_store_is_away_a_name_is_taken_unasked() -> None:
    """Nobody knows who has it."""
    stores = Stores()
    async with office(stores=stores):
        stores.journal.away = True
        await check(stores)
        stores.journal.away = False
