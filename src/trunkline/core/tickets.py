"""Signed tickets and resume tokens.

A ticket lets one stream carry one call under one epoch; it travels in a `<Parameter>`. A resume
token lets a call that lost its stream go on; it travels in a URL's path. Both read

    KIND VERSION . BODY . MAC        t1.WyJDQ….kJ3v…

with BODY the base64 of a JSON array and MAC the base64 of HMAC-SHA256 over all before it, the
kind included: a ticket is no token. The same ticket has the same text, so a repeated webhook gets
the same answer. Nothing in it is secret, and nothing in it is personal.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName

TICKET_LIFE_MS: Final = 30_000
"""By Redis time, since clocks differ. A later `start` is refused; the redirect then resumes."""

TEXT_CHARS_MAX: Final = 480
"""Twilio refuses a `<Parameter>` whose name and value have 500 characters. Longer is not read."""

KEY_BYTES_MIN: Final = 16

VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A stream for `call` may open on this incarnation of `pod`, under `epoch`.

    `issued_at_ms` is when the epoch began, by Redis time. Empty names: on any pod, which then takes
    the call's slot.
    """

    call: CallSid
    epoch: Epoch
    pod: PodName
    incarnation: Incarnation
    issued_at_ms: int

    @property
    def pinned(self) -> bool:
        """Whether it names a pod."""
        return bool(self.pod)


@dataclass(frozen=True, slots=True)
class ResumeToken:
    """What `call` was when its stream was ordered: the resume goes on from this epoch.

    Empty names: the stream could come to any pod, and whoever has the call now is looked up.
    """

    call: CallSid
    epoch: Epoch
    pod: PodName
    incarnation: Incarnation

    @property
    def pinned(self) -> bool:
        """Whether it names a pod."""
        return bool(self.pod)


class TicketFault(StrEnum):
    """Why a text is not the ticket or the token that was asked for."""

    MALFORMED = "malformed"
    """Not a text of this kind at all."""
    UNKNOWN_VERSION = "unknown_version"
    """Of a kind of ours, in a form that this revision does not know."""
    FORGED = "forged"
    """Not signed with this key, or changed."""
    WRONG_KIND = "wrong_kind"
    """Ours and whole, but a token where a ticket is due, or the other way."""


_TICKET: Final = "t"
_RESUME: Final = "r"

_TicketBody = tuple[str, int, str, str, int]
_TokenBody = tuple[str, int, str, str]


def sign(ticket: Ticket | ResumeToken, key: bytes) -> str:
    """The text of a ticket or token: of `A-Z a-z 0-9 - _ .` only, within `TEXT_CHARS_MAX`."""
    body: _TicketBody | _TokenBody = (
        ticket.call,
        ticket.epoch,
        ticket.pod,
        ticket.incarnation,
    )
    kind = _RESUME
    if isinstance(ticket, Ticket):
        body = (*body[:4], ticket.issued_at_ms)
        kind = _TICKET
    signed = f"{kind}{VERSION}.{_base64(msgspec.json.encode(body))}"
    text = f"{signed}.{_mac(signed, key)}"
    assert len(text) <= TEXT_CHARS_MAX, "a call, pod or incarnation has too long a name"
    return text


def read_ticket(text: str, key: bytes) -> Ticket | TicketFault:
    """The ticket that `sign` wrote with this key. It may be expired: see `is_expired`."""
    body = _read(text, key, _TICKET)
    if isinstance(body, TicketFault):
        return body
    try:
        call, epoch, pod, incarnation, issued_at_ms = msgspec.json.decode(body, type=_TicketBody)
    except msgspec.DecodeError:
        return TicketFault.MALFORMED
    return Ticket(CallSid(call), Epoch(epoch), PodName(pod), Incarnation(incarnation), issued_at_ms)


def read_resume_token(text: str, key: bytes) -> ResumeToken | TicketFault:
    """The token that `sign` wrote with this key. It lives as long as its epoch."""
    body = _read(text, key, _RESUME)
    if isinstance(body, TicketFault):
        return body
    try:
        call, epoch, pod, incarnation = msgspec.json.decode(body, type=_TokenBody)
    except msgspec.DecodeError:
        return TicketFault.MALFORMED
    return ResumeToken(CallSid(call), Epoch(epoch), PodName(pod), Incarnation(incarnation))


def is_expired(ticket: Ticket, now_ms: int) -> bool:
    """Whether the ticket's life is over. `now_ms` by Redis time, as `issued_at_ms`."""
    # A ticket from beyond its life in the future comes from a clock that was put back: its epoch
    # can no longer be told from an old one.
    return abs(now_ms - ticket.issued_at_ms) > TICKET_LIFE_MS


def _read(text: str, key: bytes, kind: str) -> bytes | TicketFault:
    """The body of a whole text of this kind."""
    if len(text) > TEXT_CHARS_MAX or not text.isascii():
        return TicketFault.MALFORMED
    form, dot, rest = text.partition(".")
    body, second_dot, mac = rest.partition(".")
    if not dot or not second_dot or form[:1] not in {_TICKET, _RESUME}:
        return TicketFault.MALFORMED
    if form[1:] != VERSION:
        return TicketFault.UNKNOWN_VERSION if form[1:].isdigit() else TicketFault.MALFORMED
    # Compared as text: base64 has several spellings of the same bytes, and only ours is right.
    if not hmac.compare_digest(_mac(f"{form}.{body}", key), mac):
        return TicketFault.FORGED
    if form[0] != kind:
        return TicketFault.WRONG_KIND
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def _mac(signed: str, key: bytes) -> str:
    assert len(key) >= KEY_BYTES_MIN
    return _base64(hmac.digest(key, signed.encode(), hashlib.sha256))


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
