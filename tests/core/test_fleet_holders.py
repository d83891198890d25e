from trunkline.core.fleet_holders import Holders
from trunkline.core.fleet_room import Kin, Room
from trunkline.core.fleet_states import HOLDER_MS_MAX, REAP_MAX
from trunkline.core.ids import CallSid
from trunkline.core.slots import Bounds, ModelLimit

ONE, TWO, THREE = CallSid("CA1"), CallSid("CA2"), CallSid("CA3")
ANYBODY = Kin()
DENTIST = Kin("health", "dentist")
OPTICIAN = Kin("health", "optician")


def test_a_holder_is_as_old_as_its_first_webhook() -> None:
    """Each one keeps it for 6 s more."""
    holders = Holders()
    assert holders.remember(ONE, ANYBODY, 1000) == 0
    assert holders.remember(ONE, ANYBODY, 6000) == 5000
    holders.forget_absent(5999 + HOLDER_MS_MAX)
    assert len(holders) == 1
    holders.forget_absent(6000 + HOLDER_MS_MAX)
    assert len(holders) == 0


def test_as_many_are_forgotten_in_one_step_as_a_step_may() -> None:
    """The rest in the next."""
    holders = Holders()
    for number in range(REAP_MAX + 3):
        holders.remember(CallSid(f"CA{number}"), ANYBODY, 0)
    holders.forget_absent(HOLDER_MS_MAX)
    assert len(holders) == 3


def test_the_free_slots_must_exceed_the_older_holders() -> None:
    """Who came in the same ms are in the order of their names; a newcomer is the youngest."""
    holders, room = Holders(), Room()
    holders.remember(TWO, ANYBODY, 0)
    holders.remember(ONE, ANYBODY, 0)
    assert holders.goes_first(ONE, ANYBODY, 1, room)
    assert not holders.goes_first(TWO, ANYBODY, 1, room)
    assert holders.goes_first(TWO, ANYBODY, 2, room)
    assert not holders.goes_first(THREE, ANYBODY, 2, room)
    holders.forget(ONE)
    holders.forget(ONE)
    assert holders.goes_first(TWO, ANYBODY, 1, room)


def test_older_holders_take_no_more_than_their_limits_let_in() -> None:
    """Ten of one tenant with room for one keep out one."""
    holders, room = Holders(), Room()
    room.learn(Bounds(1, "dentist", "health", tenant_calls_max=1), None)
    for number in range(10):
        holders.remember(CallSid(f"CB{number}"), DENTIST, 0)
    assert holders.goes_first(ONE, OPTICIAN, 2, room)
    assert not holders.goes_first(ONE, OPTICIAN, 1, room)
    assert not holders.goes_first(ONE, DENTIST, 9, room)


def test_a_shared_limit_is_shared_in_order() -> None:
    """The vertical has room for one: the older tenant's caller has it."""
    holders, room = Holders(), Room()
    room.learn(Bounds(1, "dentist", "health", vertical_calls_max=1), None)
    holders.remember(ONE, DENTIST, 0)
    assert not holders.goes_first(TWO, OPTICIAN, 9, room)
    assert holders.goes_first(TWO, ANYBODY, 9, room)
    room.learn(Bounds(2, "dentist", "health", vertical_calls_max=2), None)
    assert holders.goes_first(TWO, OPTICIAN, 9, room)


def test_holders_that_want_one_model_come_in_order() -> None:
    """Those who want another are not kept."""
    holders, room = Holders(), Room()
    room.learn(Bounds(1), [ModelLimit("m", 1), ModelLimit("n", 1)])
    holders.remember(ONE, Kin(models=("m",)), 0)
    assert not holders.goes_first(TWO, Kin(models=("m",)), 9, room)
    assert holders.goes_first(TWO, Kin(models=("m", "n")), 9, room)
    assert holders.goes_first(TWO, Kin(models=("n",)), 9, room)
