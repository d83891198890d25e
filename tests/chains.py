"""Chains of facts for tests of what keeps them."""

from collections.abc import Sequence

from trunkline.core.facts import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallReceived,
    Fact,
    Outcome,
    StreamOpened,
)
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.record import SALT_BYTES, Entry, Head, after, link

CALL = CallSid("CA" + "1" * 32)
OTHER_CALL = CallSid("CA" + "2" * 32)
BEGUN_MS = 1_767_225_600_123

RECEIVED = CallReceived(
    direction="inbound",
    from_number="+15550100001",
    to_number="+15550100002",
    agent="reception",
    tenant="clinic",
    vertical="healthcare",
    pod="pod-0",
)
OPENED = StreamOpened("MZ" + "1" * 32)
SAID = CallerSaid("item_1", "Good morning")
ANSWERED = AgentSaid("item_2", "reception", "Good morning!", "Good", 1000, 400)
ENDED = CallEnded(Outcome.CALLER_ENDED, "stop", turns=1)
WHOLE_CALL: Sequence[Fact] = (RECEIVED, OPENED, SAID, ANSWERED, ENDED)


def chain(
    call: CallSid,
    *facts: Fact,
    head: Head | None = None,
    epoch: int = BEGUN_MS,
    begun_ms: int = BEGUN_MS,
    salt: int = 0,
) -> list[Entry]:
    """Entries that follow `head`, a second apart; another `salt` makes other hashes."""
    entries = []
    head = head or Head()
    for fact in facts:
        entry = link(
            call,
            head,
            fact,
            at_ms=begun_ms + head.seq * 1000,
            epoch=Epoch(epoch),
            salt=(head.seq + salt * 1000).to_bytes(SALT_BYTES),
        )
        entries.append(entry)
        head = after(entry)
    return entries
