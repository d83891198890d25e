"""Which model of a list a new call is let in for."""

from dataclasses import replace

import pytest

from pod.ends import Door
from pod.office import FIRST, NUMBER, SECOND, THIRD, voice
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.slots import Full, FullReason, ModelLimit, PodSlots, Reserved
from trunkline.pod.asked import Asked
from trunkline.pod.directory import Line, Overflow
from trunkline.pod.rooms import Rooms

E1 = Epoch(1)
LINE = Line(NUMBER, "desk", "", "", Overflow(), models=(ModelLimit("a", 1), ModelLimit("b", 1)))


@pytest.fixture
def doors() -> dict[str, Door]:
    """Each with tokens."""
    return {"a": Door(), "b": Door()}


@pytest.fixture
def rooms(doors: dict[str, Door]) -> Rooms:
    """Of a pod with slots enough."""
    return Rooms(PodSlots(9), doors)


def asked(rooms: Rooms, call: CallSid, line: Line = LINE) -> str:
    """The model that the call gets, or why it gets none."""
    answer = rooms.reserve(Asked.by(voice(call)), line, E1, 0.0)
    return answer.model if isinstance(answer, Reserved) else answer.reason


def test_a_model_that_is_full_leads_to_the_next(rooms: Rooms) -> None:
    """And the last one to the overflow action."""
    assert [asked(rooms, call) for call in (FIRST, SECOND, THIRD)] == ["a", "b", "model_full"]


def test_a_model_without_tokens_leads_to_the_next(rooms: Rooms, doors: dict[str, Door]) -> None:
    """Whatever its sessions."""
    doors["a"].has_tokens = False
    assert asked(rooms, FIRST) == "b"
    doors["b"].has_tokens = False
    assert asked(rooms, SECOND) == FullReason.MODEL_FULL


def test_a_call_that_is_there_is_asked_nothing(rooms: Rooms, doors: dict[str, Door]) -> None:
    """It has its slot."""
    assert asked(rooms, FIRST) == "a"
    doors["a"].has_tokens = doors["b"].has_tokens = False
    assert asked(rooms, FIRST) == "a"


def test_the_door_is_told_how_many_calls_it_has() -> None:
    """Those that wait for their stream included."""
    counts: list[int] = []

    class Counting(Door):
        def has_room(self, calls: int) -> bool:
            counts.append(calls)
            return True

    line = replace(LINE, models=(ModelLimit("a"),))
    rooms = Rooms(PodSlots(9), {"a": Counting()})
    for call in (FIRST, SECOND, THIRD):
        asked(rooms, call, line)
    assert counts == [0, 1, 2]


def test_nothing_binds_where_no_model_is_named(rooms: Rooms) -> None:
    """And one whose door is gone is left to the search."""
    assert asked(rooms, FIRST, replace(LINE, models=())) == ""
    assert asked(rooms, SECOND, replace(LINE, models=(ModelLimit("gone"),))) == "gone"


def test_other_limits_bind_as_before(doors: dict[str, Door]) -> None:
    """Of a pod that is full no model is asked in vain."""
    slots = PodSlots(1)
    slots.reserve(THIRD, E1, 0.0)
    answer = Rooms(slots, doors).reserve(Asked.by(voice(FIRST)), LINE, E1, 0.0)
    assert answer == Full(FullReason.CAP)
