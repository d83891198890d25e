"""What is bounded on the way to the call log; the way itself is walked in test_recorder.py."""

import pytest

from chains import CALL, SAID, chain
from pod.stores import FailingBook, FailingJournal
from trunkline.core.ids import Epoch
from trunkline.core.record import Why
from trunkline.pod.chain import CallRecord
from trunkline.pod.flush import ASIDE_ENTRIES_MAX, Flush
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


def flush(unwritten_max: int) -> Flush:
    return Flush(
        FailingJournal(),
        FailingBook(),
        {},
        log=logs.get_logger(),
        metrics=Metrics(),
        unwritten_max=unwritten_max,
    )


async def test_beyond_the_bound_a_call_is_only_named() -> None:
    """Its facts are in the journal; an ended call then keeps none of them here."""
    one, entries = CallRecord(CALL, Epoch(1), ended=True), chain(CALL, *[SAID] * 6)
    one.acknowledge(entries)
    here = flush(5)
    here.put(one, entries[:4])
    assert (here.backlog, len(here.kept(CALL)), len(one.tail)) == (4, 4, 6)
    here.put(one, entries[4:])
    assert (here.backlog, len(here.kept(CALL)), len(one.tail)) == (5, 4, 0)


async def test_what_is_put_aside_is_bounded() -> None:
    """The newest are only logged."""
    here = flush(5)
    for _ in range(3):
        here.put_aside(CALL, chain(CALL, *[SAID] * (ASIDE_ENTRIES_MAX // 2)), Why.FENCED)
    assert here.backlog == ASIDE_ENTRIES_MAX
