"""Every key of ours in Redis, spelt once."""

from typing import Final

from trunkline.core.ids import CallSid

PREFIX: Final = "trunkline:"


def call_key(call: CallSid) -> str:
    """A live call's hash: epoch, pod, incarnation, state, opened_at_ms, resumed_from, seq, head."""
    return f"{PREFIX}call:{call}"


def facts_key(call: CallSid) -> str:
    """A live call's list of entries, each the JSON of a `core.record.Entry`, in order."""
    return f"{PREFIX}facts:{call}"
