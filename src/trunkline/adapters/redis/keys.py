"""Every key of ours in Redis, spelt once."""

from typing import Final

from trunkline.core.ids import CallSid

PREFIX: Final = "trunkline:"

CALL_PREFIX: Final = f"{PREFIX}call:"


def call_key(call: CallSid) -> str:
    """A call's hash: whose it is, its state, the head of its chain."""
    return f"{CALL_PREFIX}{call}"


def facts_key(call: CallSid) -> str:
    """A live call's list of entries, each the JSON of a `core.record.Entry`, in order."""
    return f"{PREFIX}facts:{call}"


FLEET_PREFIX: Final = f"{PREFIX}fleet:"

FLEET_KEYS: Final = tuple(
    f"{FLEET_PREFIX}{name}"
    for name in (
        *("slots", "by_pod", "expiring", "pods", "order", "leases", "counts", "limits"),
        *("state", "names", "past", "holders", "holding", "kin", "absent"),
    )
)
"""What the fleet's scripts touch, in the order of `fleet.lua`, which says what each holds."""
