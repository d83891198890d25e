"""A promise that was not kept."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Broken:
    """Its number in the design, whose, and how. 0 is a bug: what should not even happen."""

    promise: int
    what: str

    def __str__(self) -> str:
        return f"promise {self.promise}: {self.what}"
