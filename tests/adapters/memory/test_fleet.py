"""What is the twin's own; the port's promises are in tests/contract/test_fleet.py."""

import pytest

from trunkline.adapters.memory.fleet import MemoryFleet
from trunkline.adapters.memory.journal import MemoryJournal
from trunkline.core.fleet_states import UNKNOWN_CLAIM, Beat, Life, Placed, Target
from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.ports import Resumption

pytestmark = pytest.mark.anyio
LIFE = Life(PodName("pod-0"), Incarnation("a"))
CALL = CallSid("CA1")


async def test_it_is_one_store_with_the_journal() -> None:
    """One clock, and a resume that both see."""
    now_ms = 5000
    journal = MemoryJournal(lambda: now_ms)
    fleet = MemoryFleet(journal)
    heard = await fleet.beat(Beat(LIFE, "http://pod", "1", 3, 5))
    assert (heard.now_ms, heard.joined_ms) == (5000, 5000)
    epoch = (await journal.open_call(CALL, LIFE.pod, LIFE.incarnation)).epoch
    now_ms = 6000
    answer = await fleet.resume(CALL, epoch, Target(LIFE), UNKNOWN_CLAIM)
    assert isinstance(answer, Resumption)
    assert (answer.epoch, answer.address) == (6000, "http://pod")
    found = await fleet.reserve(CALL)
    assert isinstance(found, Placed)
    assert found.epoch == 6000
    assert await fleet.release(CALL, LIFE, answer.epoch)
    await fleet.leave(LIFE)
    assert (await fleet.look()).pods == ()
