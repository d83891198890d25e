"""Whether one call's record is whole: its chain, its end, and what its row says of it.

Facts go in as the call log has them; what is wrong comes out. Nothing of a finding is a number
dialled or a word spoken.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from trunkline.core.facts import CallEnded, CallReceived
from trunkline.core.ids import CallSid
from trunkline.core.record import QUARANTINED, Aside, Entry, Head, Why, after, hangs_on

FINDINGS_MAX: Final = 20
"""Findings of one call that are told; a chain that is broken throughout needs no more."""


class FindingKind(StrEnum):
    """What may be wrong with a call."""

    GAP = "gap"
    """Facts between two others, or before the first, are missing."""
    CHAIN = "chain"
    """A fact does not hang on the one before it: changed, moved, or another call's."""
    CHANGED = "changed"
    """A fact's text is not the one that was chained."""
    AFTER_END = "after_end"
    """A fact follows the call's end."""
    END_MISSING = "end_missing"
    """The call's row knows how it ended, and the fact that says so is missing."""
    NO_OUTCOME = "no_outcome"
    """The call has no end, and it is not live."""
    ROW = "row"
    """The call's row does not say what its facts say, or is missing."""
    NO_FACTS = "no_facts"
    """There is a row, and not one fact."""
    DOUBLED = "doubled"
    """The same facts stand under another call as well."""
    STRAY = "stray"
    """A fact contradicts another that stands in its place."""
    MISSING = "missing"
    """The carrier had an answered call that the log does not know."""
    NOT_CARRIED = "not_carried"
    """The log has a call that the carrier does not know."""


MEANINGS: Final = {
    FindingKind.GAP: "facts are missing before another",
    FindingKind.CHAIN: "a fact does not hang on the one before it",
    FindingKind.CHANGED: "a fact's text was changed",
    FindingKind.AFTER_END: "a fact follows the call's end",
    FindingKind.END_MISSING: "the row has an outcome, and the facts have no end",
    FindingKind.NO_OUTCOME: "the call has no outcome, and is not live",
    FindingKind.ROW: "the call's row and its facts disagree",
    FindingKind.NO_FACTS: "the call has a row and no facts",
    FindingKind.DOUBLED: "the same facts stand under another call too",
    FindingKind.STRAY: "a fact contradicts the one in its place",
    FindingKind.MISSING: "the carrier had this call, and the log does not have it",
    FindingKind.NOT_CARRIED: "the log has this call, and the carrier does not know it",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `detail` says where, in a few words of ours."""

    call: CallSid
    kind: FindingKind
    detail: str = ""


Row = Mapping[str, str | int | None]
"""What the log says of a call in one line: the fields of `ports.LoggedCall` by their names."""


@dataclass(slots=True)
class Checked:
    """What was looked at of a call, and what was found."""

    findings: list[Finding] = field(default_factory=list)
    facts: int = 0
    erased: int = 0
    """Facts whose text and salt are gone: the chain holds without them."""
    quarantined: int = 0
    """Facts in their place of the chain whose text is kept aside."""
    fenced: int = 0
    """Facts that a pod made after it had lost the call; beside the chain."""
    is_open: bool = False
    """No outcome and no end: sound if the call is live."""


def check(
    call: CallSid, row: Row | None, entries: Sequence[Entry], aside: Sequence[Aside]
) -> Checked:
    """Look at one call. `entries` are in the order of their numbers."""
    own = [fact.entry for fact in aside if fact.why in QUARANTINED]
    chain = sorted([*entries, *own], key=lambda entry: entry.seq)
    done = Checked(
        facts=len(chain),
        erased=sum(is_erased(entry) for entry in chain),
        quarantined=len(own),
        fenced=sum(fact.why is Why.FENCED for fact in aside),
    )
    unreadable = {fact.entry.seq for fact in aside if fact.why is Why.NUL}
    found = [
        *_chain(call, chain),
        *_texts(call, chain, unreadable),
        *_ends(call, row, chain),
        *_row(call, row, chain),
        *(
            Finding(call, FindingKind.STRAY, f"fact {fact.entry.seq}")
            for fact in aside
            if fact.why is Why.CONTRADICTS
        ),
    ]
    done.findings = found[:FINDINGS_MAX]
    ended = any(entry.kind == "call_ended" for entry in chain)
    done.is_open = not ended and (row is None or row["outcome"] is None) and bool(chain)
    return done


def is_erased(entry: Entry) -> bool:
    """Whether a person's data was erased from it: text and salt are gone, the digest stays."""
    return not entry.payload and not entry.salt


def _chain(call: CallSid, chain: Iterable[Entry]) -> Iterator[Finding]:
    head = Head()
    broken: list[int] = []
    for entry in chain:
        if entry.seq > head.seq + 1:
            yield Finding(call, FindingKind.GAP, _facts(head.seq + 1, entry.seq - 1))
        elif not hangs_on(call, head, entry):
            broken.append(entry.seq)
        # Go on from what is there: one fault is one finding, and not one for each later fact.
        head = after(entry)
    for first, last in _runs(broken):
        yield Finding(call, FindingKind.CHAIN, _facts(first, last))


def _texts(call: CallSid, chain: Iterable[Entry], unreadable: set[int]) -> Iterator[Finding]:
    changed = [
        entry.seq
        for entry in chain
        if not is_erased(entry) and entry.seq not in unreadable and not _fits(entry)
    ]
    for first, last in _runs(changed):
        yield Finding(call, FindingKind.CHANGED, _facts(first, last))


def _fits(entry: Entry) -> bool:
    try:
        salt = bytes.fromhex(entry.salt)
    except ValueError:
        return False
    text = entry.payload.encode("utf-8", "replace")
    return hashlib.sha256(salt + text).hexdigest() == entry.digest


def _ends(call: CallSid, row: Row | None, chain: Sequence[Entry]) -> Iterator[Finding]:
    ends = [at for at, entry in enumerate(chain) if entry.kind == "call_ended"]
    if ends and ends[0] != len(chain) - 1:
        first = chain[ends[0] + 1].seq
        yield Finding(call, FindingKind.AFTER_END, _facts(first, chain[-1].seq))
    if row is not None and row["outcome"] is not None and chain and not ends:
        yield Finding(call, FindingKind.END_MISSING, f"after fact {chain[-1].seq}")


def _row(call: CallSid, row: Row | None, chain: Sequence[Entry]) -> Iterator[Finding]:
    if row is None:
        if chain:
            yield Finding(call, FindingKind.ROW, "there is none")
        return
    if not chain:
        yield Finding(call, FindingKind.NO_FACTS)
        return
    expected = _expected(chain)
    differing = [name for name, value in expected.items() if row[name] != value]
    if differing:
        yield Finding(call, FindingKind.ROW, " ".join(differing))


def _expected(chain: Sequence[Entry]) -> dict[str, str | int | None]:
    """What the facts say of their call's row, where they can still be read."""
    expected: dict[str, str | int | None] = {
        "started_at_ms": min(entry.at_ms for entry in chain),
        "answered_at_ms": min(
            (entry.at_ms for entry in chain if entry.kind == "stream_opened"), default=None
        ),
    }
    for entry in chain:
        if entry.kind not in {"call_received", "call_ended"}:
            continue
        try:
            fact = msgspec.json.decode(entry.payload, type=CallReceived | CallEnded)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            continue  # Erased, or a later revision's.
        if isinstance(fact, CallEnded):
            expected |= {
                "ended_at_ms": entry.at_ms,
                "outcome": fact.outcome.value,
                "reason": _clean(fact.reason),
            }
        else:
            expected |= {
                name: _clean(getattr(fact, name))
                for name in (
                    *("direction", "from_number", "to_number"),
                    *("agent", "tenant", "vertical", "pod"),
                )
            }
    return expected


def _clean(text: str) -> str:
    """As the log's row has it: NUL can't be stored."""
    return text.replace("\0", "\ufffd")


def _runs(seqs: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers that follow each other, as first and last."""
    runs: list[tuple[int, int]] = []
    for seq in seqs:
        if runs and seq == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return runs


def _facts(first: int, last: int) -> str:
    return f"fact {first}" if first == last else f"facts {first} to {last}"
