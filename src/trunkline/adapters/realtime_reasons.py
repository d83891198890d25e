"""Why a session could not be had, or was lost: a closed set of words.

They reach logs, metrics and the call log; so none is ever made of what the other end wrote.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
import picows
from picows.picows import WSCloseHandshake

from trunkline.errors import ModelError

CODES: Final = frozenset(
    {
        "account_deactivated",
        "beta_api_shape_disabled",
        "billing_hard_limit_reached",
        "insufficient_quota",
        "invalid_api_key",
        "model_load_error",
        "model_not_found",
        "server_error",
        "session_expired",
        "session_limit_reached",
    }
)
"""Codes of `error` events that are passed on as they are."""

RENAMED: Final[Mapping[str, str]] = {
    "rate_limit_exceeded": "rate_limited",
    "inference_rate_limit_exceeded": "rate_limited",
}

CLOSES: Final[Mapping[int, str]] = {
    1001: "going_away",
    1008: "refused",
    1011: "server_error",
    1012: "service_restart",
    1013: "try_again_later",
    3000: "invalid_api_key",
    4000: "beta_api_shape_disabled",
}
"""Close codes of the model's; any other is "closed"."""

OUR_CLOSES: Final[Mapping[int, str]] = {
    1001: "timeout",
    1002: "protocol",
    1007: "protocol",
    1009: "message_too_big",
    1011: "internal_error",
}
"""Close codes that picows sends of its own accord: 1001 when a ping is not answered, 1011 when a
listener of ours failed."""

REASONS: Final = (
    CODES
    | set(RENAMED.values())
    | set(CLOSES.values())
    | set(OUR_CLOSES.values())
    | {"backlog", "closed", "refused", "timeout", "unread", "unreachable"}
)
"""Every reason there is."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")


class _Detail(msgspec.Struct):
    code: str | None = None
    type: str | None = None


class _Refusal(msgspec.Struct):
    """The body that refuses an upgrade, where it is JSON and has arrived with its head."""

    error: _Detail


def of_error(code: str | None, kind: str | None) -> str:
    """What an `error` event means for a session that is not open yet, or idle."""
    for word in (code, kind):
        if word in CODES:
            return word
        if word is not None and word in RENAMED:
            return RENAMED[word]
    return "refused"


def of_status(status: int, body: bytes = b"") -> str:
    """What an HTTP status in place of 101 means."""
    try:
        detail = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        detail = _Detail()
    told = of_error(detail.code, detail.type)
    if told != "refused":
        return told
    if status in {401, 403}:
        return "invalid_api_key"
    if status == 404:  # noqa: PLR2004 - an HTTP status is its own name
        return "model_not_found"
    if status == 429:  # noqa: PLR2004 - as above
        return "rate_limited"
    return "server_error" if status >= 500 else "refused"  # noqa: PLR2004 - as above


def of_close(code: int) -> str:
    """What the model's close frame means; its text is not read."""
    return CLOSES.get(code, "closed")


def of_our_close(code: int) -> str:
    """Why picows closed the session."""
    return OUR_CLOSES.get(code, "closed")


def of_end(transport: picows.WSTransport) -> str:
    """Who said goodbye first gave the reason; a socket that just ends is "closed" too."""
    handshake: WSCloseHandshake | None = transport.close_handshake
    if handshake is None:
        return "closed"
    if handshake.sent is not None and not handshake.recv_then_sent:
        return of_our_close(handshake.sent.code.value)
    return "closed" if handshake.recv is None else of_close(handshake.recv.code.value)


def of_exception(error: Exception) -> str:
    """What a failure to connect means."""
    if isinstance(error, ModelError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, picows.WSHandshakeError):
        # picows knows the statuses of `http.HTTPStatus` only; servers know more.
        head = _STATUS_LINE.match(error.raw_header or b"")
        if head is not None and head[1] != b"101":
            return of_status(int(head[1]), error.raw_body or b"")
        return "protocol"
    return "unreachable"
