"""What the carrier tells of a call outside its chain: late, twice, out of order, or not at all."""

import hashlib
from typing import Literal

import msgspec

from trunkline.core.ids import CallSid

CarrierKind = Literal["status", "stream_error", "amd"]


class CarrierFact(msgspec.Struct, frozen=True):
    """One thing that the carrier told. `at_ms` is when it came here, ms since 1970.

    `payload` is JSON: the carrier's own words, without numbers dialled.
    """

    call: CallSid
    kind: CarrierKind
    at_ms: int
    payload: str

    @property
    def digest(self) -> str:
        """Equal for the same words about the same call, whenever they came: a doubled callback."""
        text = f"{self.kind}\0{self.payload}".encode("utf-8", "replace")
        return hashlib.sha256(text).hexdigest()


class StatusTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """A status callback. `sequence` counts the carrier's own callbacks of this call."""

    status: str
    sequence: int | None = None
    duration_s: int | None = None
    sip_code: int | None = None
    answered_by: str | None = None
    at: str | None = None
    """When it happened, as the carrier writes it (RFC 2822)."""


class StreamErrorTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stream failed, says the carrier."""

    stream_sid: str
    error: str | None = None
    at: str | None = None


class AmdTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who answered an outbound call: a person, a machine, a fax."""

    answered_by: str
    took_ms: int | None = None


TEXT_CHARS_MAX = 500
"""A longer text of the carrier's is cut: it is kept for people to read."""


def told(call: CallSid, what: StatusTold | StreamErrorTold | AmdTold, *, at_ms: int) -> CarrierFact:
    """Make a fact of it; texts are bounded."""
    kinds: dict[type, CarrierKind] = {
        StatusTold: "status",
        StreamErrorTold: "stream_error",
        AmdTold: "amd",
    }
    bounded = {
        name: value[:TEXT_CHARS_MAX].replace("\0", "\ufffd")
        for name, value in msgspec.structs.asdict(what).items()
        if isinstance(value, str)
    }
    payload = msgspec.json.encode(msgspec.structs.replace(what, **bounded)).decode()
    return CarrierFact(call, kinds[type(what)], at_ms, payload)
