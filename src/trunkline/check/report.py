"""Items as lines for people and as JSON for programs."""

from collections.abc import Sequence
from typing import Final

import msgspec

from trunkline.check.items import Item, Status, worst

WHAT_WIDTH: Final = 16


def lines(items: Sequence[Item]) -> str:
    """A line per item, and one that counts them."""
    counts = {status: sum(item.status is status for item in items) for status in Status}
    told = [_line(item) for item in items]
    told.append(
        f"{counts[Status.OK]} ok, {counts[Status.WARN]} to look at, {counts[Status.FAIL]} failed"
    )
    return "\n".join(told)


def as_json(items: Sequence[Item]) -> str:
    """All of them, and the worst status."""
    return msgspec.json.encode({"status": worst(items), "items": items}).decode()


def _line(item: Item) -> str:
    remedy = f"  -> {item.remedy}" if item.remedy else ""
    # One line, whatever an answer or a file's name held.
    text = f"{item.status:<4}  {item.what:<{WHAT_WIDTH}}  {item.why}{remedy}"
    return "".join(char if char.isprintable() else " " for char in text)
