import math

from trunkline.core.fleet_room import Kin, Room, kin_of
from trunkline.core.fleet_states import Claim, Life
from trunkline.core.ids import Incarnation, PodName
from trunkline.core.slots import NOBODYS, Bounds, FullReason, ModelLimit

LIFE = Life(PodName("pod-0"), Incarnation("a"))
PLACED = Claim("outbound", "dentist", "health", "m")
BOUNDS = Bounds(3, "dentist", "health", 5, 4, 1)


def test_a_slot_counts_with_all_that_it_is_of() -> None:
    """And leaves nothing behind."""
    room = Room()
    room.count(LIFE, PLACED, 1)
    assert room.held(LIFE) == 1
    assert dict(room.counts) == dict.fromkeys(
        ("p:pod-0 a", "d:outbound", "v:health", "m:m", "t:dentist", "o:dentist"), 1
    )
    room.count(LIFE, PLACED, -1)
    assert dict(room.counts) == {}


def test_a_call_of_nobody_counts_with_its_pod_alone() -> None:
    """No empty name is counted."""
    room = Room()
    room.count(LIFE, Claim(), 1)
    assert set(room.counts) == {"p:pod-0 a", "d:inbound"}


def test_the_newest_version_counts_and_of_one_the_last() -> None:
    """A limit may go, too."""
    room = Room()
    assert room.left("t:dentist") == math.inf
    room.learn(BOUNDS, [ModelLimit("m", 2)])
    room.learn(Bounds(2, "dentist", "health", 9, 9, 9), [ModelLimit("m", 9)])
    assert (room.left("t:dentist"), room.left("v:health"), room.left("m:m")) == (4, 5, 2)
    room.learn(Bounds(3, "dentist", "health"), None)
    assert (room.left("t:dentist"), room.left("m:m")) == (math.inf, 2)


def test_slots_kept_for_inbound_are_a_limit_of_a_version_too() -> None:
    """Nothing is kept before anybody says so."""
    room = Room()
    assert room.inbound_kept == 0
    room.learn(Bounds(2, inbound_slots_kept=3), None)
    room.learn(NOBODYS, None)
    assert room.inbound_kept == 3


def test_the_widest_limit_is_named() -> None:
    """Model, vertical, tenant, placed calls."""
    room = Room()
    kin = kin_of(BOUNDS, [ModelLimit("m", 1)])
    assert kin == Kin("health", "dentist", ("m",))
    room.learn(BOUNDS, [ModelLimit("m", 3)])
    assert room.refusal("outbound", kin) is None
    room.count(LIFE, PLACED, 1)
    assert room.refusal("outbound", kin) is FullReason.OUTBOUND_FULL
    assert room.refusal("inbound", kin) is None
    for _ in range(3):
        room.count(LIFE, Claim("inbound", "dentist", "health"), 1)
    assert room.refusal("outbound", kin) is FullReason.TENANT_FULL
    room.count(LIFE, Claim("inbound", "optician", "health"), 1)
    assert room.refusal("inbound", kin) is FullReason.VERTICAL_FULL
    for _ in range(2):
        room.count(LIFE, Claim(model="m"), 1)
    assert room.refusal("inbound", kin) is FullReason.MODEL_FULL


def test_the_first_model_with_room_is_taken() -> None:
    """All of them together say how many more calls there may be."""
    room, kin = Room(), Kin(models=("m", "n"))
    room.learn(NOBODYS, [ModelLimit("m", 1), ModelLimit("n", 2)])
    assert (room.with_room(kin.models or ()), room.left_of(kin)) == ("m", 3)
    room.count(LIFE, Claim(model="m"), 1)
    room.count(LIFE, Claim(model="m"), 1)
    assert (room.with_room(kin.models or ()), room.left_of(kin)) == ("n", 2)
    assert room.left_of(Kin()) == math.inf
    assert room.left_of(Kin(models=())) == 0
