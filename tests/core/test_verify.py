"""What was done to a record, and what is found. Each deed in one test."""

import dataclasses
from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains import CALL, ENDED, OTHER_CALL, RECEIVED, SAID, WHOLE_CALL, chain
from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.core.facts import (
    AgentHeard,
    CallEnded,
    CallResumed,
    EndOrdered,
    EndTakenBack,
    Outcome,
    ResumeCause,
    StreamOpened,
)
from trunkline.core.ids import CallSid
from trunkline.core.record import Aside, Entry, Why, after
from trunkline.core.verify import (
    FINDINGS_MAX,
    MEANINGS,
    Checked,
    FindingKind,
    Row,
    check,
    is_erased,
)

pytestmark = pytest.mark.anyio


async def row_of(entries: Sequence[Entry], call: CallSid = CALL) -> Row:
    """What the log says of a call with these facts."""
    book = MemoryCallBook()
    await book.write([(call, entry) for entry in entries])
    row = await book.call(call)
    assert row is not None
    return dataclasses.asdict(row)


def found(done: Checked) -> list[tuple[FindingKind, str]]:
    return [(finding.kind, finding.detail) for finding in done.findings]


def changed(entry: Entry, **fields: object) -> Entry:
    return msgspec.structs.replace(entry, **fields)


async def test_a_call_that_two_pods_carried_is_sound() -> None:
    """Under two epochs, with what only a takeover writes; the row is of both."""
    first = chain(
        CALL, RECEIVED, StreamOpened("MZ1"), AgentHeard("i1", "reception", "Good day", 2000, 1000)
    )
    second = chain(
        CALL,
        StreamOpened("MZ2"),
        CallResumed(ResumeCause.POD_LOST, None, "pod-0", "pod-1", 8),
        EndOrdered(Outcome.AGENT_ENDED, "end_call"),
        EndTakenBack(),
        ENDED,
        head=after(first[-1]),
        epoch=first[0].epoch + 1,
    )
    entries = [*first, *second]
    assert found(check(CALL, await row_of(entries), entries, [])) == []


def dropped(at: int) -> Callable[[list[Entry]], None]:
    def drop(entries: list[Entry]) -> None:
        del entries[at]

    return drop


def text_changed(entries: list[Entry]) -> None:
    entries[2] = changed(entries[2], payload=entries[2].payload.replace("Good", "Bad"))


def rows_swapped(entries: list[Entry]) -> None:
    first, second = entries[2], entries[3]
    entries[2], entries[3] = changed(second, seq=first.seq), changed(first, seq=second.seq)


def kind_changed(entries: list[Entry]) -> None:
    entries[1] = changed(entries[1], kind="caller_said")


def salt_changed(entries: list[Entry]) -> None:
    entries[1] = changed(entries[1], salt="no hex")


def one_rewritten(entries: list[Entry]) -> None:
    entries[2] = chain(CALL, SAID, SAID, SAID, salt=9)[2]


DEEDS = [
    (dropped(4), [(FindingKind.END_MISSING, "after fact 4"), (FindingKind.ROW, "")]),
    (dropped(2), [(FindingKind.GAP, "fact 3")]),
    (dropped(0), [(FindingKind.GAP, "fact 1"), (FindingKind.ROW, "started_at_ms")]),
    (text_changed, [(FindingKind.CHANGED, "fact 3")]),
    (rows_swapped, [(FindingKind.CHAIN, "facts 3 to 5")]),
    (kind_changed, [(FindingKind.CHAIN, "fact 2"), (FindingKind.ROW, "answered_at_ms")]),
    (salt_changed, [(FindingKind.CHANGED, "fact 2")]),
    (one_rewritten, [(FindingKind.CHAIN, "facts 3 to 4")]),
]


@pytest.mark.parametrize(("deed", "expected"), DEEDS)
async def test_what_was_done_to_the_facts_is_found(
    deed: Callable[[list[Entry]], None], expected: list[tuple[FindingKind, str]]
) -> None:
    """And where; the row stands as it was."""
    entries = chain(CALL, *WHOLE_CALL)
    row = await row_of(entries)
    assert check(CALL, row, entries, []).findings == []
    deed(entries)
    done = found(check(CALL, row, entries, []))
    assert done == [each for each in expected if each != (FindingKind.ROW, "")]


async def test_a_sound_call_is_counted() -> None:
    """Ended, or going on; a live call is open and no more."""
    entries = chain(CALL, *WHOLE_CALL)
    done = check(CALL, await row_of(entries), entries, [])
    assert (done.facts, done.is_open, done.findings) == (5, False, [])
    live = check(CALL, await row_of(entries[:3]), entries[:3], [])
    assert (live.facts, live.is_open, live.findings) == (3, True, [])


async def test_the_last_row_deleted_with_the_outcome_leaves_an_open_call() -> None:
    """Whoever does both is found where the call is not live."""
    entries = chain(CALL, *WHOLE_CALL)[:-1]
    assert check(CALL, await row_of(entries), entries, []).is_open


async def test_facts_under_another_call_do_not_hang_there() -> None:
    """The call's own name is in each hash."""
    entries = chain(CALL, *WHOLE_CALL)
    done = check(OTHER_CALL, await row_of(entries), entries, [])
    assert found(done) == [(FindingKind.CHAIN, "facts 1 to 5")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("from_number", "+1"), ("outcome", "failed"), ("tenant", ""), ("ended_at_ms", 5)],
)
async def test_a_row_that_says_something_else(name: str, value: str | int) -> None:
    """Which field is said, and not what is in it."""
    entries = chain(CALL, *WHOLE_CALL)
    row = dict(await row_of(entries)) | {name: value}
    assert found(check(CALL, row, entries, [])) == [(FindingKind.ROW, name)]


async def test_a_row_without_facts_and_facts_without_a_row() -> None:
    """Nothing at all is no finding of one call's: nobody knows of it."""
    entries = chain(CALL, *WHOLE_CALL)
    assert found(check(CALL, await row_of(entries), [], [])) == [(FindingKind.NO_FACTS, "")]
    assert found(check(CALL, None, entries, [])) == [(FindingKind.ROW, "there is none")]
    nothing = check(CALL, None, [], [])
    assert (nothing.findings, nothing.is_open) == ([], False)
    assert check(CALL, None, entries[:2], []).is_open


async def test_a_fact_behind_the_end() -> None:
    """Nothing may follow, a second end least of all."""
    entries = chain(CALL, RECEIVED, ENDED, SAID, ENDED)
    done = found(check(CALL, await row_of(entries), entries, []))
    assert (FindingKind.AFTER_END, "facts 3 to 4") in done


async def test_an_erased_fact_is_counted_and_holds() -> None:
    """Its digest stays; what the row said of it can't be compared any more."""
    entries = chain(CALL, *WHOLE_CALL)
    row = dict(await row_of(entries)) | {"from_number": "", "to_number": ""}
    for at in (0, 2, 3):
        entries[at] = changed(entries[at], payload="", salt="")
    done = check(CALL, row, entries, [])
    assert (done.erased, done.findings) == (3, [])
    half = [changed(entries[0], salt="00"), *entries[1:]]
    assert found(check(CALL, row, half, [])) == [(FindingKind.CHANGED, "fact 1")]
    assert not is_erased(half[0])


async def test_a_quarantined_fact_is_no_gap() -> None:
    """It is in its place of the chain; one that was cleaned is not read."""
    entries = chain(CALL, *WHOLE_CALL)
    row = await row_of(entries)
    big, nul = entries[2], changed(entries[3], payload="{\ufffd}")
    aside = [Aside(CALL, nul, Why.NUL), Aside(CALL, big, Why.TOO_BIG)]
    done = check(CALL, row, [*entries[:2], entries[4]], aside)
    assert (done.facts, done.quarantined, done.findings) == (5, 2, [])
    wrong = [Aside(CALL, changed(big, payload="{}"), Why.TOO_BIG), aside[0]]
    done = check(CALL, row, [*entries[:2], entries[4]], wrong)
    assert found(done) == [(FindingKind.CHANGED, "fact 3")]


async def test_facts_beside_the_chain() -> None:
    """A contradiction is an alarm; what a fenced pod made is only counted."""
    entries = chain(CALL, *WHOLE_CALL)
    other = chain(CALL, SAID, SAID, salt=3)
    aside = [Aside(CALL, other[0], Why.FENCED), Aside(CALL, other[1], Why.CONTRADICTS)]
    done = check(CALL, await row_of(entries), entries, aside)
    assert found(done) == [(FindingKind.STRAY, "fact 2")]
    assert done.fenced == 1


async def test_nul_and_unreadable_facts_are_compared_as_far_as_they_go() -> None:
    """The row shows NUL as a replacement; a later revision's fact is not ours to read."""
    nul = CallEnded(Outcome.FAILED, "\0")
    entries = chain(CALL, msgspec.structs.replace(RECEIVED, agent="a\0"), nul)
    assert check(CALL, await row_of(entries), entries, []).findings == []
    later = changed(entries[0], payload='{"kind":"call_received","direction":"sideways"}')
    row = dict(await row_of(entries)) | {"direction": ""}
    assert found(check(CALL, row, [later, entries[1]], [])) == [(FindingKind.CHANGED, "fact 1")]


def test_what_is_told_of_one_call_is_bounded() -> None:
    """Every second fact missing of a long one."""
    entries = chain(CALL, *[SAID] * 100)[::2]
    assert len(check(CALL, None, entries, []).findings) == FINDINGS_MAX


def test_every_kind_has_its_words() -> None:
    """A person reads them."""
    assert set(MEANINGS) == set(FindingKind)


@given(
    at=st.integers(0, 4),
    name=st.sampled_from(["seq", "at_ms", "epoch", "kind", "payload", "salt", "digest", "hash"]),
)
def test_any_field_changed_is_found(at: int, name: str) -> None:
    """Whatever it is, wherever it stands."""
    entries = chain(CALL, *WHOLE_CALL)
    value = getattr(entries[at], name)
    other = value + 10 if isinstance(value, int) else "00" + value[2:] + "0"
    entries[at] = changed(entries[at], **{name: other})
    assert check(CALL, None, entries, []).findings[:-1]
