"""A call's search for a session in act: the ladder decides, the doors to its models give."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from trunkline.core.ladder import Exhausted, Ladder, Step, Try
from trunkline.errors import ModelError
from trunkline.pod.door import Acquired
from trunkline.pod.surroundings import JITTER, SessionDoor


@dataclass(frozen=True, slots=True)
class Found:
    """A session, and the place of its model in the list."""

    acquired: Acquired
    place: int


class Search:
    """One search over the doors of an agent's models, in their order."""

    def __init__(
        self,
        doors: Sequence[SessionDoor],
        *,
        first: int = 0,
        on_exhausted: Callable[[str], None],
        jitter: Callable[[], float] = JITTER,
    ) -> None:
        """`on_exhausted` is told, once, that every model was asked in vain."""
        self._doors = doors
        self._ladder = Ladder(len(doors), jitter=jitter, first=first)
        self._on_exhausted = on_exhausted
        self._found: Found | None = None
        self._failures: list[tuple[int, str]] = []
        """Attempts that failed and that the ladder was not told of yet."""
        self._news = asyncio.Event()

    async def run(self, pause_s: float = 0.0) -> Found:
        """Search until a session is had. Cancelled, it leaves none behind."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                steps = self._ladder.begin(loop.time(), pause_s=pause_s)
                attempts: list[asyncio.Task[None]] = []
                while self._found is None:
                    attempts += self._perform(steps, tasks)
                    await self._wait()
                    steps = self._ladder.tick(loop.time())
                    while self._failures:
                        steps += self._ladder.failed(*self._failures.pop(0), loop.time())
                for attempt in attempts:
                    attempt.cancel()
        except asyncio.CancelledError:
            if self._found is not None:
                self._doors[self._found.place].release(self._found.acquired.session, clean=True)
            raise
        return self._found

    def _perform(self, steps: list[Step], tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        started = []
        for step in steps:
            match step:
                case Try():
                    started.append(tasks.create_task(self._try(step), name="open model"))
                case Exhausted():
                    self._on_exhausted(step.reason)
                case _:
                    assert_never(step)
        return started

    async def _wait(self) -> None:
        """Until an attempt has an outcome, or the next one is due."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._ladder.deadline()):
                await self._news.wait()
        self._news.clear()

    async def _try(self, step: Try) -> None:
        door = self._doors[step.model]
        try:
            acquired = await door.acquire()
        except ModelError as error:
            self._failures.append((step.attempt, str(error)))
        else:
            if self._found is None:
                self._found = Found(acquired, step.model)
            else:
                door.release(acquired.session, clean=True)
        self._news.set()
