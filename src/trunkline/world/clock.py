"""The world's clock: a loop whose time jumps to the next timer, and the places where code runs.

Nothing sleeps: where a selector would wait, the time is put forward. All that is run belongs to a
`Place`, a process of the world, by its context; a place that is frozen keeps what would run in it
until it thaws, and of one that is dead nothing ever runs again.
"""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextvars import Context, ContextVar, copy_context
from itertools import count
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BEGIN_S: Final = 1_000.0
"""The loop's time when a world begins."""


class StuckError(Exception):
    """Nothing is left that could ever happen, and somebody still waits."""


class Place:
    """One process of the world."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.context = copy_context()
        self.context.run(_HERE.set, self)
        self.frozen = False
        self.dead = False
        self.unwinding = False
        """It is dead, and its tasks are ended for the sake of order: nothing it does counts."""
        self.tasks: dict[int, asyncio.Task[object]] = {}
        self._kept: deque[_Turn] = deque()
        self._on_death: dict[int, Callable[[], None]] = {}
        self._numbers = count(1)

    @property
    def still(self) -> bool:
        """Whether nothing runs in it now."""
        return (self.frozen or self.dead) and not self.unwinding

    def freeze(self) -> None:
        """As SIGSTOP."""
        self.frozen = True

    def thaw(self) -> None:
        """As SIGCONT: whatever came due meanwhile runs now, in its order."""
        self.frozen = False
        if not self.dead:
            self._release()

    def kill(self) -> None:
        """As SIGKILL: its connections break, and nothing more runs in it."""
        self.dead = True
        for tell in list(self._on_death.values()):
            tell()
        self._on_death.clear()

    def on_death(self, tell: Callable[[], None]) -> Callable[[], None]:
        """`tell` is called at its death; what is returned takes that back."""
        number = next(self._numbers)
        self._on_death[number] = tell
        return lambda: self._on_death.pop(number, None) and None

    def keep(self, turn: "_Turn") -> None:
        """To be run when it thaws; what a dead place keeps is for `unwind`."""
        self._kept.append(turn)

    def spawn(self, work: Coroutine[object, object, T], name: str) -> "asyncio.Task[T]":
        """Run something in it."""
        return asyncio.get_running_loop().create_task(work, name=name, context=self.context)

    async def unwind(self) -> None:
        """End what a dead place left unfinished, so that nothing of it is left."""
        self.unwinding = True
        self._release()
        while left := [task for task in self.tasks.values() if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1.0)

    def _release(self) -> None:
        kept, self._kept = self._kept, deque()
        for turn in kept:
            turn.again()


_HERE: ContextVar[Place | None] = ContextVar("place", default=None)

OUTSIDE: Final = Context()
"""Of what runs in no place: the carrier, the model, the weather."""


def here() -> Place | None:
    """The place whose code runs now."""
    return _HERE.get()


class _Turn:
    """Something that a place does when its turn comes; the handle says whether it still shall."""

    __slots__ = ("_args", "_call", "_place", "handle")

    def __init__(self, place: Place, call: Callable[..., object], args: tuple[object, ...]) -> None:
        self._place = place
        self._call = call
        self._args = args
        self.handle: asyncio.Handle | None = None

    def __call__(self) -> None:
        place = self._place
        if place.still:
            place.keep(self)
        elif self.handle is None or not self.handle.cancelled():
            self._call(*self._args)

    def again(self) -> None:
        asyncio.get_running_loop().call_soon(self, context=self._place.context)


class _Jump(selectors.BaseSelector):
    """Selects nothing, and puts the time forward instead of waiting."""

    def __init__(self) -> None:
        self.now = BEGIN_S
        self._keys: dict[FileDescriptorLike, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("nothing is left that could happen")
        if timeout > 0:
            self.now += timeout
        return []

    def register(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: "FileDescriptorLike") -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> "Mapping[FileDescriptorLike, selectors.SelectorKey]":
        return self._keys


class _Task(asyncio.Task[T]):
    """Hashed by its number: a set of tasks then has the same order in every run."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class WorldLoop(asyncio.SelectorEventLoop):
    """The loop. `steps` counts what it has run through."""

    def __init__(self) -> None:
        self._jump = _Jump()
        self._numbers = count(1)
        self.steps = 0
        self.broken: list[str] = []
        """What went wrong where nobody could be told."""
        super().__init__(self._jump)
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Seconds; `BEGIN_S` at first."""
        return self._jump.now

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """As any loop, in the callback's place."""
        self.steps += 1
        place = _HERE.get() if context is None else context.get(_HERE)
        if place is None or not place.still:
            return super().call_soon(callback, *args, context=context)
        turn = _Turn(place, callback, args)
        turn.handle = asyncio.Handle(turn, (), self, context)
        place.keep(turn)
        return turn.handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As any loop, in the callback's place."""
        place = _HERE.get() if context is None else context.get(_HERE)
        if place is None:
            return super().call_at(when, callback, *args, context=context)
        turn = _Turn(place, callback, args)
        turn.handle = handle = super().call_at(when, turn, context=context)
        return handle

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[object, object, T] | Generator[object, None, T],
        context: Context | None = None,
    ) -> "_Task[T]":
        place = _HERE.get() if context is None else context.get(_HERE)
        task: _Task[T] = _Task.__new__(_Task)
        task.number = next(self._numbers)
        task.__init__(work, loop=loop, context=context)  # type: ignore[misc] # hashed from the first
        if place is not None:
            place.tasks[task.number] = task
            task.add_done_callback(lambda _: place.tasks.pop(task.number, None))
        return task

    def _note(self, _loop: asyncio.AbstractEventLoop, told: dict[str, object]) -> None:
        error = told.get("exception")
        place = here()
        if place is not None and place.unwinding:
            return
        self.broken.append(f"{told.get('message')}: {error!r}")
