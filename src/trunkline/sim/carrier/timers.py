"""Named deadlines of one machine: at most one of each name."""

import math
from enum import StrEnum
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=StrEnum)


class Timers(Generic[Name]):
    """Set, forgotten, and taken when they are due, the earliest first."""

    __slots__ = ("_at", "next")

    def __init__(self) -> None:
        self._at: dict[Name, float] = {}
        self.next = math.inf
        """The earliest deadline; infinite where there is none."""

    def set(self, name: Name, at: float) -> None:
        """Set a deadline, in place of the one of this name."""
        self._at[name] = at
        self.next = min(self._at.values())

    def forget(self, *names: Name) -> None:
        """Take deadlines back."""
        for name in names:
            self._at.pop(name, None)
        self.next = min(self._at.values(), default=math.inf)

    def clear(self) -> None:
        """Take all back."""
        self._at.clear()
        self.next = math.inf

    def take(self, now: float) -> Name | None:
        """The earliest that is due, taken off the list."""
        if now < self.next:
            return None
        name = min(self._at, key=self._at.__getitem__)
        self.forget(name)
        return name
