"""What is done to a server's event that is not quite of the shape we know.

A newer server may send states and kinds of items that have no record here, another server null
where this one leaves a field out. Neither may cost us the event.
"""

from typing import Final

import msgspec

from trunkline.wire.realtime.items import Item
from trunkline.wire.realtime.responses import ResponseStatus, Usage

NULLS_DEPTH: Final = 8
"""So deep nulls are taken for absent; no event that is read is nested deeper."""


def readable(event: object) -> object:
    """The event without nulls, and without what can't be read of a response."""
    event = _without_nulls(event, NULLS_DEPTH)
    _leave_out_unreadable(event)
    return event


def _without_nulls(value: object, depth: int) -> object:
    """The value without its nulls: where a field may be absent, null says the same."""
    if depth and isinstance(value, dict):
        return {
            key: _without_nulls(inner, depth - 1)
            for key, inner in value.items()
            if inner is not None
        }
    if depth and isinstance(value, list):
        return [_without_nulls(inner, depth - 1) for inner in value]
    return value


def _leave_out_unreadable(event: object) -> None:
    """Make a response readable whose items or final state are of kinds we do not know.

    That a response is done must not be missed for the sake of what it holds: the call would
    wait for it for ever.
    """
    response = event.get("response") if isinstance(event, dict) else None
    if not isinstance(response, dict):
        return
    output = response.get("output")
    if isinstance(output, list):
        response["output"] = [item for item in output if _is(item, Item)]
    if "usage" in response and not _is(response["usage"], Usage):
        del response["usage"]
    if not _is(response.get("status"), ResponseStatus):
        response["status"] = "incomplete"


def _is(value: object, kind: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True
