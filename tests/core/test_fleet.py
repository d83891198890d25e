"""What is the specification's own; the promises are in tests/contract/test_fleet*.py."""

import pytest

from trunkline.core.fleet import FleetSlots
from trunkline.core.fleet_states import (
    BEAT_MS,
    LEASE_MS,
    NEXT,
    PAST_MS,
    REAP_MAX,
    UNKNOWN_CLAIM,
    Beat,
    Hold,
    Life,
    Listed,
    Placed,
)
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName

A, B = (Life(PodName("pod-0"), Incarnation(incarnation)) for incarnation in "ab")
CALL = CallSid("CA1")


def beat(life: Life = A, *slots: Listed) -> Beat:
    return Beat(life, "http://pod", "1", 3, 5, slots=slots)


def listed(*, bound: bool, epoch: int = 1) -> Listed:
    return Listed(CALL, Epoch(epoch), bound)


def standing(fleet: FleetSlots) -> Hold:
    slot = fleet.slots.get(CALL)
    return Hold.FREE if slot is None else slot.hold


DEEDS = {
    "reserve": lambda fleet: fleet.reserve(CALL, 0),
    "resume": lambda fleet: fleet.move(CALL, Epoch(9), A, 0, UNKNOWN_CLAIM),
    "list": lambda fleet: fleet.beat(beat(A, listed(bound=False)), 0),
    "bind": lambda fleet: fleet.beat(beat(A, listed(bound=True)), 0),
    "beat without it": lambda fleet: fleet.beat(beat(A), 0),
    "release": lambda fleet: fleet.release(CALL, A, Epoch(9)),
}

ONLY_BACK = {(Hold.BOUND, Hold.LISTED)}
"""A pod's list is the truth: a snapshot that comes late is put right by the next one."""


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("before", [[], ["reserve"], ["list"], ["bind"]])
def test_a_slot_moves_as_the_table_says(before: list[str], deed: str) -> None:
    """Whatever is done to it."""
    fleet = FleetSlots()
    fleet.beat(beat(), 0)
    for earlier in before:
        DEEDS[earlier](fleet)
    was = standing(fleet)
    DEEDS[deed](fleet)
    now = standing(fleet)
    assert now is was or now in NEXT[was] or (was, now) in ONLY_BACK


def test_the_table_has_a_way_from_free_to_bound_and_back() -> None:
    """Reserved, listed, bound, free."""
    fleet = FleetSlots()
    fleet.beat(beat(), 0)
    seen = [standing(fleet)]
    for deed in ("reserve", "list", "bind", "release"):
        DEEDS[deed](fleet)
        seen.append(standing(fleet))
    assert seen == [Hold.FREE, Hold.RESERVED, Hold.LISTED, Hold.BOUND, Hold.FREE]


def test_a_replaced_life_is_known_for_a_day() -> None:
    """It does not get the name back while its successor lives or has lived lately."""
    fleet = FleetSlots()
    fleet.beat(beat(A), 0)
    fleet.beat(beat(B), 1)
    assert fleet.beat(beat(A), 2).replaced
    fleet.leave(B, 3)
    assert fleet.beat(beat(A), 4).replaced
    assert not fleet.beat(beat(A), 4 + PAST_MS).replaced


def test_a_life_that_was_reclaimed_and_wakes_is_taken_again() -> None:
    """Nobody else had its name meanwhile."""
    fleet = FleetSlots()
    fleet.beat(beat(A, listed(bound=True)), 0)
    for at in range(1, 8):
        fleet.look(at * BEAT_MS)
    assert fleet.look(8 * BEAT_MS).pods == ()
    heard = fleet.beat(beat(A, listed(bound=True)), 9 * BEAT_MS)
    assert (heard.replaced, heard.retaken, heard.pods) == (False, 1, 1)


def test_a_reservation_that_waited_for_the_reaper_gets_its_time() -> None:
    """Its time was over while nothing was reclaimed: who comes again begins anew."""
    fleet = FleetSlots()
    fleet.beat(beat(), 0)
    assert isinstance(fleet.reserve(CALL, 0, hold_s=1.0), Placed)
    fleet.beat(beat(), 60_000)
    again = fleet.reserve(CALL, 60_001, hold_s=1.0)
    assert isinstance(again, Placed)
    assert not again.first
    assert fleet.slots[CALL].expires_at_ms == 61_001


def test_no_step_frees_more_than_its_piece() -> None:
    """Reservations and dead pods' slots together."""
    fleet = FleetSlots()
    slots = [Listed(CallSid(f"CB{number}"), Epoch(1), bound=True) for number in range(REAP_MAX)]
    fleet.beat(beat(A, *slots), 0)
    fleet.beat(Beat(Life(PodName("pod-1"), Incarnation("a")), "", "1", 99, 99), 0)
    for number in range(3):
        fleet.reserve(CallSid(f"CA{number}"), 0, hold_s=1.0)
    for at in range(1, LEASE_MS // BEAT_MS):
        fleet.look(at * BEAT_MS)
    assert len(fleet.slots) == REAP_MAX + 3
    fleet.look(LEASE_MS)
    assert len(fleet.slots) == 3
    fleet.look(LEASE_MS)
    assert len(fleet.slots) == 0
