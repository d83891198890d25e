"""What is done to a server's event that is not quite of the shape we know.

A newer server may send states and kinds of items that have no record here, another server null
where this one leaves a field out. Neither may cost us the event.
"""

from typing import Final

import msgspec

from trunkline.wire.realtime.items import Item
from trunkline.wire.realtime.responses import (
    DurationUsage,
    ErrorDetail,
    ResponseStatus,
    StatusDetails,
    TokensUsage,
    Usage,
)
from trunkline.wire.realtime.session import SessionView

BYTES_MAX: Final = 256 * 1024
"""A longer event is not looked into twice, but `Unknown`: it would hold up every call."""

NULLS_DEPTH: Final = 8
"""So deep nulls are taken for absent; no event that is read is nested deeper."""

_PARTICULARS: Final = (
    ("usage", Usage),
    ("status_details", StatusDetails),
    ("metadata", dict[str, str]),
    ("conversation_id", str),
)


def readable(event: dict[str, object]) -> dict[str, object]:
    """The event without nulls, and without the parts that can't be read and are not its point."""
    read = {
        key: _without_nulls(value, NULLS_DEPTH) for key, value in event.items() if value is not None
    }
    _leave_out_unreadable(read)
    # That there is a session, or that there was an error, counts without its particulars.
    if "session" in read and not _is(read["session"], SessionView):
        read["session"] = {}
    if "error" in read and not _is(read["error"], ErrorDetail):
        read["error"] = {}
    if "usage" in read and not _is(read["usage"], DurationUsage | TokensUsage):
        del read["usage"]
    return read


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


def _leave_out_unreadable(event: dict[str, object]) -> None:
    """Make a response readable whose items or final state are of kinds we do not know.

    That a response is done must not be missed for the sake of what it holds: the call would
    wait for it for ever.
    """
    response = event.get("response")
    if not isinstance(response, dict):
        return
    output = response.get("output")
    if isinstance(output, list):
        response["output"] = [item for item in output if _is(item, Item)]
    for name, kind in _PARTICULARS:
        if name in response and not _is(response[name], kind):
            del response[name]
    if not _is(response.get("status"), ResponseStatus):
        is_done = event.get("type") == "response.done"
        response["status"] = "incomplete" if is_done else "in_progress"


def _is(value: object, kind: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True
