"""Entries as columns of the call log, and back. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from asyncpg import Record

from trunkline.core.carrier import CarrierFact
from trunkline.core.facts import CallEnded, CallReceived
from trunkline.core.ids import CallSid
from trunkline.core.record import PAYLOAD_BYTES_MAX, Aside, Entry, Why
from trunkline.ports import LoggedCall

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

Row = tuple[CallSid, Entry]


def moment(at_ms: int) -> datetime:
    """Milliseconds since 1970 as a time; exact."""
    return EPOCH + at_ms * MILLISECOND


def milliseconds(at: datetime) -> int:
    """A time as milliseconds since 1970; exact for what `moment` made."""
    return (at - EPOCH) // MILLISECOND


def columns_of_entries(rows: Sequence[Row]) -> dict[str, list[object]]:
    """Entries as arrays, one value a row, in the given order."""
    return {
        "call_sids": [call for call, _ in rows],
        "seqs": [entry.seq for _, entry in rows],
        "epochs": [entry.epoch for _, entry in rows],
        "kinds": [entry.kind for _, entry in rows],
        "ats": [moment(entry.at_ms) for _, entry in rows],
        "payloads": [entry.payload for _, entry in rows],
        "salts": [entry.salt for _, entry in rows],
        "digests": [entry.digest for _, entry in rows],
        "hashes": [entry.hash for _, entry in rows],
    }


def entry_of(record: Record) -> Entry:
    """A row of `facts` as the entry that it was."""
    return Entry(
        seq=record["seq"],
        at_ms=milliseconds(record["at"]),
        epoch=record["epoch"],
        kind=record["kind"],
        payload=record["payload"],
        salt=record["salt"],
        digest=record["digest"],
        hash=record["hash"],
    )


def clean(text: str) -> str:
    """A text that PostgreSQL takes: it refuses NUL and lone surrogates."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def storable(row: Row) -> bool:
    """Whether PostgreSQL takes an entry as it is.

    It takes whatever `core.record.link` makes: JSON escapes NUL.
    """
    call, entry = row
    return all(
        (text.isascii() and "\0" not in text) or text == clean(text)
        for text in (call, entry.kind, entry.payload, entry.salt, entry.digest, entry.hash)
    )


def quarantined(row: Row) -> Aside | None:
    """The row as it is kept aside, if the log of facts does not take it; None if it does.

    Its texts are cleaned: then it is no longer what was hashed.
    """
    call, entry = row
    if not storable(row):
        return cleaned(Aside(call, entry, Why.NUL))
    if is_too_big(entry.payload):
        return Aside(call, entry, Why.TOO_BIG)
    return None


def is_too_big(payload: str) -> bool:
    """Whether it has more bytes than a payload may; most texts are too short to be counted."""
    return len(payload) > PAYLOAD_BYTES_MAX // 4 and len(payload.encode()) > PAYLOAD_BYTES_MAX


def cleaned(fact: Aside) -> Aside:
    """The fact with its texts as PostgreSQL takes them."""
    entry = fact.entry
    texts = {
        "kind": clean(entry.kind),
        "payload": clean(entry.payload),
        "salt": clean(entry.salt),
        "digest": clean(entry.digest),
        "hash": clean(entry.hash),
    }
    return Aside(CallSid(clean(fact.call)), msgspec.structs.replace(entry, **texts), fact.why)


def columns_of_aside(facts: Sequence[Aside]) -> dict[str, list[object]]:
    """Facts kept aside as arrays, one value a row."""
    columns = columns_of_entries([(fact.call, fact.entry) for fact in facts])
    return columns | {"whys": [fact.why.value for fact in facts]}


def aside_of(call: CallSid, record: Record) -> Aside:
    """A row of `stray_facts`."""
    return Aside(call, entry_of(record), why_of(record["why"]))


def columns_of_carrier_facts(facts: Sequence[CarrierFact]) -> dict[str, list[object]]:
    """What the carrier told, as arrays, one value a row."""
    return {
        "call_sids": [fact.call for fact in facts],
        "digests": [fact.digest for fact in facts],
        "kinds": [fact.kind for fact in facts],
        "ats": [moment(fact.at_ms) for fact in facts],
        "payloads": [clean(fact.payload) for fact in facts],
    }


def carrier_fact_of(call: CallSid, record: Record) -> CarrierFact:
    """A row of `carrier_facts`."""
    return CarrierFact(call, record["kind"], milliseconds(record["at"]), record["payload"])


def why_of(text: str) -> Why:
    """Why a fact is aside; a reason of a later revision's is an alarm to us."""
    return Why(text) if text in set(Why) else Why.CONTRADICTS


@dataclass(slots=True)
class CallChange:
    """What some facts say of their call's row; None where they say nothing."""

    call_sid: str
    epoch: int
    started_at: datetime
    direction: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    agent: str | None = None
    tenant: str | None = None
    vertical: str | None = None
    pod: str | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None


def changes_of(rows: Iterable[Row]) -> list[CallChange]:
    """One change for each call, sorted by call, so that two writers never deadlock."""
    changes: dict[CallSid, CallChange] = {}
    for call, entry in rows:
        at = moment(entry.at_ms)
        change = changes.setdefault(call, CallChange(call, entry.epoch, at))
        change.epoch = max(change.epoch, entry.epoch)
        change.started_at = min(change.started_at, at)
        if entry.kind == "stream_opened":
            change.answered_at = min(change.answered_at or at, at)
        elif entry.kind in {"call_received", "call_ended"}:
            _tell(change, entry, at)
    return [changes[call] for call in sorted(changes)]


def _tell(change: CallChange, entry: Entry, at: datetime) -> None:
    fact: CallReceived | CallEnded
    try:
        fact = msgspec.json.decode(entry.payload, type=CallReceived | CallEnded)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return  # A neighbour revision's, perhaps: the fact itself is kept whatever it says.
    if isinstance(fact, CallEnded):
        change.ended_at = at
        change.outcome, change.reason = fact.outcome.value, clean(fact.reason)
    else:
        change.direction = fact.direction
        change.from_number, change.to_number = clean(fact.from_number), clean(fact.to_number)
        change.agent, change.tenant = clean(fact.agent), clean(fact.tenant)
        change.vertical, change.pod = clean(fact.vertical), clean(fact.pod)


def columns_of_changes(changes: Sequence[CallChange]) -> dict[str, list[object]]:
    """Changes as arrays, one value a call; each array is named after its field."""
    return {
        f"{field.name}s": [getattr(change, field.name) for change in changes]
        for field in fields(CallChange)
    }


def logged_call_of(record: Record) -> LoggedCall:
    """A row of `calls` with its count of facts; empty texts where its first fact is missing."""

    def text(name: str) -> str:
        return record[name] or ""

    def time(name: str) -> int | None:
        return None if record[name] is None else milliseconds(record[name])

    return LoggedCall(
        call=CallSid(record["call_sid"]),
        direction=text("direction"),
        from_number=text("from_number"),
        to_number=text("to_number"),
        agent=text("agent"),
        tenant=text("tenant"),
        vertical=text("vertical"),
        pod=text("pod"),
        started_at_ms=milliseconds(record["started_at"]),
        answered_at_ms=time("answered_at"),
        ended_at_ms=time("ended_at"),
        outcome=record["outcome"],
        reason=record["reason"],
        facts=record["facts"],
        erased_at_ms=time("erased_at"),
    )
