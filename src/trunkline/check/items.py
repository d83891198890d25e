"""What a check says: a line each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """Calls can be carried; something may be missing or end soon."""
    FAIL = "fail"
    """Calls can't be carried, or not as the settings say."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at: what, why it stands so, and what mends it."""

    status: Status
    what: str
    why: str
    remedy: str = ""


def ok(what: str, why: str) -> Item:
    """It is as it should be."""
    return Item(Status.OK, what, why)


def warn(what: str, why: str, remedy: str) -> Item:
    """It hinders no call today."""
    return Item(Status.WARN, what, why, remedy)


def fail(what: str, why: str, remedy: str) -> Item:
    """It hinders calls."""
    return Item(Status.FAIL, what, why, remedy)


def of_lines(status: Status, what: str, text: str) -> list[Item]:
    """An item for each line of an error of ours; what stands behind a semicolon is its remedy."""
    items = []
    for line in text.splitlines():
        why, _, remedy = line.partition("; ")
        items.append(Item(status, what, why, remedy))
    return items


def worst(items: Sequence[Item]) -> Status:
    """The worst of them; ok if there is none."""
    order = [Status.OK, Status.WARN, Status.FAIL]
    return max((item.status for item in items), key=order.index, default=Status.OK)
