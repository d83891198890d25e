"""The model's seat: one session after another, each given back as what it is."""

import asyncio

import pytest

from call.script import VIEW, agent
from pod.ends import Door, until
from trunkline.call.actions import MeterLimit, MeterUse, OpenModel
from trunkline.call.events import Event, ModelAway, ModelLost, ModelOpened
from trunkline.pod.seat import REFUSED_MODEL_MESSAGES_MAX, ModelSeat
from trunkline.telemetry.metrics import Metrics
from trunkline.wire.realtime import client, server

pytestmark = pytest.mark.anyio


class Room:
    """A seat, its doors, and what its call was told."""

    def __init__(self, *doors: Door, first: int = 0) -> None:
        self.doors = doors or (Door(),)
        self.events: list[Event] = []
        self.metrics = Metrics()
        self.places: list[int] = []
        self.seat = ModelSeat(
            self.doors,
            self.metrics,
            self.events.append,
            first=first,
            on_seated=self.places.append,
        )

    async def opened(self, *, skip: bool = False) -> None:
        await self.seat.search(OpenModel(skip=skip))
        assert isinstance(self.events[-1], ModelOpened)


async def test_a_session_is_opened_taken_and_given_back_dirty() -> None:
    """What is said on it reaches the call; after the end it is heard no more."""
    room = Room()
    await room.opened()
    room.seat.take()
    (door,) = room.doors
    room.seat.send(client.SessionUpdate(agent().session))
    door.session.says(server.SessionUpdated(VIEW))
    assert room.events[1:] == [server.SessionUpdated(VIEW)]
    assert door.session.heard() == ["SessionUpdate"]
    room.seat.leave()
    room.seat.leave()
    assert door.released == [False]
    room.seat.send(client.ClearAudio())
    assert door.session.heard() == ["SessionUpdate"]


async def test_a_session_that_nobody_took_goes_back_clean() -> None:
    """The call ended first."""
    room = Room()
    await room.opened()
    room.seat.leave()
    assert room.doors[0].released == [True]


async def test_the_next_session_takes_the_seat_of_the_present_one() -> None:
    """And only then the present one leaves."""
    room = Room(Door(), Door())
    await room.opened()
    room.seat.take()
    await room.opened(skip=True)
    first, second = room.doors
    assert first.released == []
    room.seat.take()
    assert (first.released, second.released) == ([False], [])
    room.seat.drop()
    assert second.released == [False]


async def test_a_second_session_that_was_opened_replaces_one_that_waits() -> None:
    """Only one waits at a time."""
    room = Room()
    await room.opened()
    await room.opened()
    assert room.doors[0].released == [True]
    room.seat.leave()
    assert room.doors[0].released == [True, True]


async def test_a_lost_session_is_told_once() -> None:
    """It has been given back by then."""
    room = Room()
    await room.opened()
    room.seat.take()
    (door,) = room.doors
    door.session.lose("closed")
    door.session.lose("closed")
    assert room.events[1:] == [ModelLost("closed")]
    assert door.released == [False]


async def test_each_session_may_talk_its_own_share_of_nonsense() -> None:
    """The count begins anew with the next."""
    room = Room()
    for _ in range(2):
        await room.opened()
        room.seat.take()
        for _ in range(REFUSED_MODEL_MESSAGES_MAX):
            room.doors[0].session.says_raw(b"{")
        assert not any(isinstance(event, ModelLost) for event in room.events)
    room.doors[0].session.says_raw(b"{")
    assert room.events[-1] == ModelLost("refused_messages")


async def test_who_failed_is_blamed() -> None:
    """The door of the model that sits, or sat last."""
    room = Room(Door(), Door())
    await room.opened(skip=True)
    room.seat.take()
    room.seat.drop()
    room.seat.blame("closed", 1.0)
    assert [door.blamed for door in room.doors] == [[], ["closed"]]


async def test_a_hopeless_search_is_told_and_goes_on() -> None:
    """Until a session is had."""
    room = Room()
    (door,) = room.doors
    door.refusal = "breaker_open"
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(room.seat.search(OpenModel()))
        await until(lambda: bool(room.events))
        assert room.events == [ModelAway("breaker_open")]
        door.refusal = None
    assert isinstance(room.events[-1], ModelOpened)
    room.seat.leave()


async def test_the_first_search_begins_where_there_is_room() -> None:
    """Each session's place is told when it sits down."""
    room = Room(Door(), Door(), first=1)
    await room.opened()
    assert room.places == []
    room.seat.take()
    await room.opened(skip=True)
    room.seat.take()
    assert room.places == [1, 0]
    assert [door.given for door in room.doors] == [1, 1]
    room.seat.leave()


async def test_what_a_model_says_of_its_tokens_is_told_to_its_door() -> None:
    """The one whose session sits there, or sat there last."""
    room = Room(Door(), Door(), first=1)
    await room.opened()
    room.seat.take()
    room.seat.meter(MeterLimit(1000, 400, 36.0))
    room.seat.meter(MeterUse(60, None))
    room.seat.drop()
    room.seat.meter(MeterUse(70, 2.0))
    first, second = room.doors
    assert (first.told, first.used) == ([], [])
    assert second.told == [(1000, 400, 36.0)]
    assert second.used == [(60, None), (70, 2.0)]
