"""What may go wrong at the carrier, each a switch; all are off by default.

Where reality is not documented (`reference`: "unconfirmed"), both outcomes are switches too.
"""

import base64
import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from trunkline.wire import twilio as wire

OVERSIZED_BYTES: Final = wire.MESSAGE_BYTES_MAX + 1024
HUGE_BYTES: Final = 4 * wire.MESSAGE_BYTES_MAX
"""Beyond what a server need read of a frame to know that it is no message."""
DEPTH: Final = 10_000


class Signature(StrEnum):
    """How a request is signed."""

    VALID = "valid"
    WRONG = "wrong"
    MISSING = "missing"


class Duplicate(StrEnum):
    """What becomes of a voice webhook that is sent twice with one idempotency token."""

    OFF = "off"
    IGNORED = "ignored"
    """The second answer is thrown away."""
    OBEYED = "obeyed"
    """The second answer runs too: its stream replaces the first."""


class AfterLoss(StrEnum):
    """What follows a stream that broke (unconfirmed: both are offered)."""

    NEXT_VERB = "next-verb"
    HANG_UP = "hang-up"
    NOTHING = "nothing"
    """The caller hears silence until the Calls API gives the call a document."""


class Garbage(StrEnum):
    """Messages no carrier should send, to try a server with."""

    NOT_JSON = "not-json"
    BINARY = "binary"
    OVERSIZED = "oversized"
    HUGE = "huge"
    UNKNOWN = "unknown"
    WRONG_TYPES = "wrong-types"
    DEEP = "deep"
    BAD_UTF8 = "bad-utf8"
    SECOND_START = "second-start"
    OUT_OF_ORDER = "out-of-order"
    FOREIGN_SID = "foreign-sid"
    NOT_BASE64 = "not-base64"


@dataclass(frozen=True, slots=True)
class Faults:
    """Seconds and milliseconds as named; probabilities from 0 to 1; 0 or empty is off."""

    webhook_signature: Signature = Signature.VALID
    stream_signature: Signature = Signature.VALID
    duplicate_webhook: Duplicate = Duplicate.OFF
    duplicate_after_ms: int = 50
    refuse_streams: int = 0
    """So many streams of a call fail with 31920 before a byte is sent."""
    stream_delay_s: float = 0.0
    """The socket opens so much later than the TwiML asked for it: tickets grow stale."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Custom parameters that replace those of the TwiML: a foreign or forged ticket."""
    replay_after_s: float = 0.0
    """A stranger opens a second socket with the same parameters."""
    reset_after_s: float = 0.0
    """The stream's TCP connection is reset, without a close frame."""
    resets_max: int = 1
    """So many streams of a call are reset."""
    after_close_s: float = 0.0
    """From the server's own close to the next verb (1-2 s were reported)."""
    after_loss: AfterLoss = AfterLoss.NEXT_VERB
    after_loss_s: float = 1.0
    after_refusal: AfterLoss = AfterLoss.NEXT_VERB
    no_stop: bool = False
    """The stream ends without a `stop` message."""
    hang_up_during_resume: bool = False
    """The caller gives up as soon as a stream has ended under them."""
    slow_reader_after_s: float = 0.0
    slow_reader_for_s: float = 5.0
    """The carrier stops reading the server's messages for so long."""
    jitter_every_s: float = 0.0
    jitter_ms_max: int = 200
    """Frames stall for up to so long, then come in a burst."""
    garbage: tuple[Garbage, ...] = ()
    garbage_every_s: float = 0.5
    """One message of each kind in turn, so often."""
    clear_tail_ms: int = 0
    """Audio already on its way to the caller when a `clear` came: it still plays."""
    callback_loss: float = 0.0
    callback_double: float = 0.0
    callback_delay_s_max: float = 0.0
    """Each status callback is late by up to so long: they overtake one another."""


NO_FAULTS: Final = Faults()


@dataclass(frozen=True, slots=True)
class Bad:
    """A message to send as it is."""

    data: bytes = field(repr=False)
    binary: bool = False


_SILENCE: Final = base64.b64encode(b"\xff" * 160).decode()


def bad_message(
    kind: Garbage, stream_sid: str, sequence: int, start: bytes, rng: random.Random
) -> Bad:
    """A message of this kind; `start` is the stream's own first message."""
    match kind:
        case Garbage.NOT_JSON:
            return Bad(b'{"event":"media",')
        case Garbage.BINARY:
            return Bad(rng.randbytes(160), binary=True)
        case Garbage.OVERSIZED:
            return Bad(b'{"event":"media","pad":"' + b"A" * OVERSIZED_BYTES + b'"}')
        case Garbage.HUGE:
            return Bad(b'{"event":"media","pad":"' + b"A" * HUGE_BYTES + b'"}')
        case Garbage.UNKNOWN:
            return Bad(b'{"event":"weather","streamSid":"%s"}' % stream_sid.encode())
        case Garbage.WRONG_TYPES:
            return Bad(b'{"event":"media","streamSid":7,"sequenceNumber":[],"media":"x"}')
        case Garbage.DEEP:
            return Bad(b'{"event":"media","media":' + b"[" * DEPTH + b"]" * DEPTH + b"}")
        case Garbage.BAD_UTF8:
            return Bad(b'{"event":"mark","mark":{"name":"\xff\xfe"}}')
        case Garbage.SECOND_START:
            return Bad(start)
        case Garbage.OUT_OF_ORDER:
            earlier = max(1, sequence - rng.randint(2, 50))
            return Bad(_frame(stream_sid, earlier, _SILENCE))
        case Garbage.FOREIGN_SID:
            return Bad(_frame(f"MZ{rng.getrandbits(128):032x}", sequence, _SILENCE))
        case Garbage.NOT_BASE64:
            return Bad(_frame(stream_sid, sequence, '"}},!'))


def _frame(stream_sid: str, sequence: int, payload: str) -> bytes:
    fields = wire.MediaFields(payload, "inbound", str(sequence), str(sequence * wire.FRAME_MS))
    return wire.encode(wire.Media(fields, stream_sid, str(sequence)))
