"""The pod's doors to models, by name, while configs come and go.

A door that the config no longer names stays as long as a call may still want it, and then its
sessions are closed.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping

from trunkline.pod.door import Door


class Doors(Mapping[str, Door]):
    """Doors that are wanted, and those that some call may still use."""

    def __init__(self, doors: Mapping[str, Door]) -> None:
        self._doors = dict(doors)
        self._unwanted: set[str] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._closed = asyncio.Event()

    def __getitem__(self, name: str) -> Door:
        return self._doors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._doors)

    def __len__(self) -> int:
        return len(self._doors)

    async def run(self) -> None:
        """Keep every door until `close`; each of them ends in its own time."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for name in self._doors:
                self._start(name)
            await self._closed.wait()
            self._tasks = None

    def want(self, doors: Mapping[str, Door]) -> None:
        """From now on these. One that is here already stays, under the new one's bounds."""
        if self._closed.is_set():
            return
        for name, door in doors.items():
            if name not in self._doors:
                self._doors[name] = door
                self._start(name)
            elif self._doors[name].limits != door.limits:
                self._doors[name].relimit(door.limits)
        self._unwanted = self._doors.keys() - doors.keys()

    def sweep(self, in_use: Collection[str]) -> None:
        """Close the doors that are neither wanted nor used by a call."""
        for name in self._unwanted - set(in_use):
            self._unwanted.remove(name)
            self._doors.pop(name).close()

    def close(self) -> None:
        """End `run` soon: nobody is served any more."""
        for door in self._doors.values():
            door.close()
        self._closed.set()

    def _start(self, name: str) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._doors[name].run(), name=f"door {name}")
