"""A loop whose time jumps, for one test."""

from collections.abc import Coroutine
from typing import TypeVar

from trunkline.world.clock import OUTSIDE, WorldLoop

T = TypeVar("T")


def played(work: Coroutine[object, object, T]) -> T:
    """Run it to its end on a world's loop; nothing may break on the way."""
    loop = WorldLoop()
    try:
        found = OUTSIDE.copy().run(loop.run_until_complete, work)
    finally:
        loop.close()
    assert loop.broken == []
    return found
