"""The chain of a call's facts.

Each entry holds a digest of its payload under a salt of its own, and a hash over the previous
hash, the call, the sequence number, the kind, the time, the epoch and that digest. So a
payload and its salt can be erased and the chain still verifies; a changed, missing, doubled or
moved entry does not.
"""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from trunkline.core.facts import Fact
from trunkline.core.ids import CallSid, Epoch

GENESIS: Final = "0" * 64
"""The hash before a call's first entry."""

SALT_BYTES: Final = 16

PAYLOAD_BYTES_MAX: Final = 64 * 1024
"""A longer payload is quarantined: the call log keeps it aside, in its place of the chain."""


class Entry(msgspec.Struct, frozen=True):
    """One fact in its place: what the journal holds and the call log keeps.

    `seq` counts from 1 without gaps; `at_ms` is wall time, ms since 1970; `payload` is the
    fact's JSON text; `salt`, `digest` and `hash` are lower-case hex.
    """

    seq: int
    at_ms: int
    epoch: int
    kind: str
    payload: str
    salt: str
    digest: str
    hash: str


class Why(StrEnum):
    """Why a fact is kept aside and not in its call's chain."""

    CONTRADICTS = "contradicts"
    """The log holds another fact in its place: two writers, or a changed past. An alarm."""
    FENCED = "fenced"
    """Its writer had lost the call to a higher epoch."""
    NUL = "nul"
    """A text of it can't be stored as it is: it is cleaned, so its digest does not fit."""
    TOO_BIG = "too_big"
    """Its payload is over `PAYLOAD_BYTES_MAX`."""


QUARANTINED: Final = frozenset({Why.NUL, Why.TOO_BIG})
"""Such a fact is the call's own, in its own place of the chain: it is only kept elsewhere."""


class Aside(NamedTuple):
    """A fact that is kept aside."""

    call: CallSid
    entry: Entry
    why: Why


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a call's chain: how many entries, and the last one's hash."""

    seq: int = 0
    hash: str = GENESIS


def link(call: CallSid, head: Head, fact: Fact, *, at_ms: int, epoch: Epoch, salt: bytes) -> Entry:
    """Make the entry that follows `head`. `salt` is `SALT_BYTES` of fresh randomness."""
    assert len(salt) == SALT_BYTES
    payload = msgspec.json.encode(fact).decode()
    kind = str(fact.__struct_config__.tag)
    digest = hashlib.sha256(salt + payload.encode()).hexdigest()
    seq = head.seq + 1
    return Entry(
        seq=seq,
        at_ms=at_ms,
        epoch=epoch,
        kind=kind,
        payload=payload,
        salt=salt.hex(),
        digest=digest,
        hash=chain_hash(call, head.hash, seq, kind, at_ms, epoch, digest),
    )


def chain_hash(
    call: CallSid, previous: str, seq: int, kind: str, at_ms: int, epoch: int, digest: str
) -> str:
    """The hash of an entry; of its payload only the salted digest goes in."""
    text = json.dumps([previous, call, seq, kind, at_ms, epoch, digest], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def hangs_on(call: CallSid, head: Head, entry: Entry) -> bool:
    """Whether this is an entry of this call that follows this head."""
    made = chain_hash(
        call, head.hash, head.seq + 1, entry.kind, entry.at_ms, entry.epoch, entry.digest
    )
    return entry.seq == head.seq + 1 and entry.hash == made


def after(entry: Entry) -> Head:
    """The head of a chain that ends with this entry."""
    return Head(entry.seq, entry.hash)
