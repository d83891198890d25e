"""The second line of defence: what looks like a number, an address or a secret is masked.

The first is that nobody logs one: fields are allowed by name (`telemetry.logs`).
"""

import re
from functools import lru_cache
from typing import Final

NUMBER: Final = "[number]"
ADDRESS: Final = "[address]"
SECRET: Final = "[secret]"  # noqa: S105 - what stands in its place

TEXT_CHARS_MAX: Final = 8_000
"""A longer text is cut before it is looked at: expressions cost time, 5 ms at worst."""

KEPT_TEXTS_MAX: Final = 1024
KEPT_CHARS_MAX: Final = 64
"""Names, reasons and SIDs come again in line after line: of so many short texts the outcome is
kept."""

_PATTERNS: Final = (
    # Credentials in a URL.
    (re.compile(r"//[^/@\s]{1,256}@"), f"//{SECRET}@"),
    # Header values and key=value pairs, quoted or not.
    (re.compile(r"(?i)\b(?:bearer|basic)\s+[^\s,;\"']+"), SECRET),
    (
        re.compile(
            r"(?i)((?:password|passwd|secret|token|api[-_]?key|authorization|signature)"
            r"[\"']?\s*[:=]\s*[\"']?)[^\s,;&\"'}]+"
        ),
        rf"\g<1>{SECRET}",
    ),
    # Keys by their shape, signed tokens (JWT and ours).
    (re.compile(r"\b(?:sk|pk|rk|ek)[-_][\w-]{8,}"), SECRET),
    (re.compile(r"\b(?:eyJ[\w-]+|[tr]\d\.[\w-]{16,})(?:\.[\w-]+)+"), SECRET),
    # +1 555 010 0001, %2B15550100001; then 15550100001; then (555) 010-0001.
    (re.compile(r"(?:\+|(?i:%2b))\s?\(?\d(?:[\s().\-/]{0,2}\d){6,}"), NUMBER),
    (re.compile(r"(?<![\w-])\d{10,15}(?!\w)"), NUMBER),
    (re.compile(r"(?<![\w-])\(?\d{3}\)?[\s.-]\s?\d{3}[\s.-]\d{4}(?!\w)"), NUMBER),
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]+"), ADDRESS),
)


def scrub(text: str) -> str:
    """The text with numbers, addresses and secrets masked."""
    return _kept(text) if len(text) <= KEPT_CHARS_MAX else _masked(text)


def _masked(text: str) -> str:
    text = text[:TEXT_CHARS_MAX]
    for pattern, mask in _PATTERNS:
        text = pattern.sub(mask, text)
    return text


_kept: Final = lru_cache(maxsize=KEPT_TEXTS_MAX)(_masked)
