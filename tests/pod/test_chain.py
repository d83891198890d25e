"""What a record takes back when the journal lost it."""

import pytest

from chains import CALL, ENDED, OTHER_CALL, RECEIVED, SAID, chain
from trunkline.core.ids import Epoch
from trunkline.core.record import Entry, Head, after
from trunkline.pod.chain import TAIL_ENTRIES_MAX, CallRecord


def made(entries: list[Entry]) -> CallRecord:
    """A record of which the journal has acknowledged all."""
    one = CallRecord(CALL, Epoch(1), linked=after(entries[-1]), unacked=list(entries))
    one.acknowledge(entries)
    return one


LONG = chain(CALL, RECEIVED, *[SAID] * (TAIL_ENTRIES_MAX + 50))


def test_a_fact_is_promised_to_the_call_log_once() -> None:
    """Sent again to a journal that lost it, it is not written again."""
    entries = chain(CALL, RECEIVED, SAID, ENDED)
    one = CallRecord(CALL, Epoch(1), unacked=list(entries))
    assert one.acknowledge(entries[:2]) == entries[:2]
    assert one.take_back(after(entries[0]))
    assert one.unacked == entries[1:]
    assert one.acked == after(entries[0])
    assert one.acknowledge(entries[1:]) == entries[2:]
    assert list(one.tail) == entries


@pytest.mark.parametrize("held", [0, 1, 49, 50, 51, 300])
def test_what_is_not_kept_comes_from_elsewhere(held: int) -> None:
    """Within the tail at once; before it with the help of the call log."""
    one = made(LONG)
    head = after(LONG[held - 1]) if held else Head()
    if held <= 51:
        assert not one.take_back(head) or held == 52
        assert one.take_back(head, LONG)
    else:
        assert one.take_back(head)
    assert one.unacked == LONG[held:]


@pytest.mark.parametrize(
    "older",
    [
        [],
        LONG[:40],
        LONG[5:60],
        chain(OTHER_CALL, *[SAID] * 100),
        chain(CALL, *[SAID] * 60, salt=3),
    ],
)
def test_a_beginning_that_does_not_hang_together_is_none(older: list[Entry]) -> None:
    """Gaps, another call's facts, another past: nothing is taken back, and nothing changed."""
    one = made(LONG)
    assert not one.take_back(Head(), older)
    assert not one.unacked
    assert one.acked == after(LONG[-1])


def test_a_call_without_facts_is_begun_anew_with_nothing() -> None:
    """It was opened, and the journal forgot it."""
    one = CallRecord(CALL, Epoch(1))
    assert one.take_back(Head())
    assert one.unacked == []


def test_who_could_not_mend_does_not_ask() -> None:
    """Fenced, being mended, or ended with nothing kept."""
    entries = chain(CALL, RECEIVED, ENDED)
    one = made(entries)
    assert one.can_ask
    one.ended = True
    assert one.can_ask
    one.tail.clear()
    assert not one.can_ask
    one.ended, one.mending = False, True
    assert not one.can_ask
    one.mending = False
    one.fence()
    assert not one.can_ask
