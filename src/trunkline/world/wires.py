"""What lies between the places of the world: pipes that keep their order, and questions.

A pipe is one direction of a connection. What is sent arrives later, in the place of its reader, in
the order of its sending; a pipe that is cut swallows all, and neither end is told.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Generic, TypeVar

from trunkline.world.clock import OUTSIDE, Place

T = TypeVar("T")

PIPE_ITEMS_MAX = 50_000
"""On their way at once: more would be a queue without a bound, and ends the world."""


class Pipe(Generic[T]):
    """One direction."""

    def __init__(
        self, arrive: Callable[[T], None], way_s: float, reader: Context = OUTSIDE
    ) -> None:
        """`arrive` is called in `reader`'s place."""
        self._arrive = arrive
        self.way_s = way_s
        self._reader = reader
        self._items: deque[T] = deque()
        self._loop = asyncio.get_running_loop()
        self.cut = False

    def send(self, item: T) -> None:
        """It arrives after the way."""
        if self.cut:
            return
        assert len(self._items) < PIPE_ITEMS_MAX
        self._items.append(item)
        self._loop.call_later(self.way_s, self._deliver, context=self._reader)

    def _deliver(self) -> None:
        if self._items and not self.cut:
            self._arrive(self._items.popleft())


class BrokenError(Exception):
    """The place that was asked is dead, or died over it."""


async def ask(place: Place, work: Callable[[], Coroutine[object, object, T]], name: str) -> T:
    """Have another place do something, and wait for what comes of it.

    Raises:
        BrokenError: the place is dead.
    """
    if place.dead:
        raise BrokenError(place.name)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    async def answered() -> None:
        try:
            found = await work()
        except asyncio.CancelledError:
            broken()
            raise
        if not answer.done():
            answer.set_result(found)

    def broken() -> None:
        if not answer.done():
            answer.set_exception(BrokenError(place.name))

    forget = place.on_death(broken)
    place.spawn(answered(), name)
    try:
        return await answer
    finally:
        forget()
