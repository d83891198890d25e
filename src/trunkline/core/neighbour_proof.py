"""How a pod shows another, by each request, that both have the same key.

Addresses of pods come from a store, so the key itself is never sent: each request carries a code
of its moment, method, path and body. A code serves one request only; one that is sent again says
what was said before, and every order of one pod to another may come twice.
"""

import hashlib
import hmac
import re
from typing import Final

HEADER: Final = "X-Trunkline-Neighbour"
"""The request's header: the moment in ms since 1970, a dot, the code."""

APART_MS_MAX: Final = 120_000
"""Clocks of pods differ, by half a minute at worst; what is older was kept by somebody."""

_KIND: Final = b"trunkline neighbour 1"
"""Begins what is signed, and what the key is made of: no ticket and no proof does."""

_SIGNED: Final = re.compile(r"(\d{13})\.([0-9a-f]{64})")


def key_of(ticket_key: bytes) -> bytes:
    """The key between pods, made of the one that all pods have."""
    return hmac.digest(ticket_key, _KIND, hashlib.sha256)


def sign(key: bytes, at_ms: int, method: str, path: str, body: bytes) -> str:
    """The header of a request."""
    return f"{at_ms}.{_code(key, at_ms, method, path, body)}"


def is_signed(key: bytes, header: str, now_ms: int, method: str, path: str, body: bytes) -> bool:
    """Whether a pod with our key made this request, and not long ago."""
    found = _SIGNED.fullmatch(header)
    if found is None:
        return False
    at_ms = int(found[1])
    code = _code(key, at_ms, method, path, body)
    return hmac.compare_digest(code, found[2]) and abs(now_ms - at_ms) <= APART_MS_MAX


def _code(key: bytes, at_ms: int, method: str, path: str, body: bytes) -> str:
    head = f"{at_ms}\n{method}\n{path}\n".encode()
    return hmac.new(key, _KIND + b"\n" + head + body, hashlib.sha256).hexdigest()
