"""The carrier's customer: account, keys, URLs, and how the simulated world answers them."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from trunkline.sim.caller import Script, WaitForHangUp
from trunkline.sim.carrier.faults import NO_FAULTS, Faults

USER_AGENT: Final = "TwilioProxy/1.1"
STREAM_USER_AGENT: Final = "Twilio.TmeWs/1.0"
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

ACCOUNT_SID: Final = "AC" + "0" * 31 + "1"
AUTH_TOKEN: Final = "sim-auth-token"  # noqa: S105 - the simulator's own, known to all


@dataclass(frozen=True, slots=True)
class Dialled:
    """What becomes of a `<Dial>`: the callee's side is told, not played."""

    status: Literal["completed", "answered", "busy", "no-answer", "failed", "canceled"] = (
        "completed"
    )
    ring_s: float = 1.0
    talk_s: float = 1.0
    ends_call: bool = False
    """The caller hangs up while they talk to the dialled person."""


PATIENT: Final[Script] = (WaitForHangUp(60.0),)


@dataclass(frozen=True, slots=True)
class Callee:
    """Who is called by an outbound call, and what they do."""

    result: Literal["answered", "busy", "no-answer", "failed"] = "answered"
    ring_s: float = 1.0
    script: Script = PATIENT
    answered_by: str = "human"
    """The machine detection's verdict."""
    verdict_s: float = 3.5


USUAL_CALLEE: Final = Callee()


@dataclass(frozen=True, slots=True)
class Account:
    """One customer's account, as far as one simulator plays it.

    `wall_s` is what must be added to the machine's clock to get seconds since 1970.
    """

    sid: str = ACCOUNT_SID
    auth_token: str = field(default=AUTH_TOKEN, repr=False)
    api_key: str | None = None
    api_secret: str | None = field(default=None, repr=False)
    wall_s: float = 0.0
    frame_ms: int = 20
    dialled: Dialled = Dialled()
    enqueue_wait_s: float = 2.0
    """An `<Enqueue>` leaves its queue after so long, bridged to a person."""
    play_s: float = 2.0
    """A `<Play url>` lasts so long: its recording is not fetched."""
    record_s: float = 3.0
    """A `<Record>` lasts so long."""
    faults: Faults = NO_FAULTS

    def rfc2822(self, now: float) -> str:
        """The time as in status callbacks and the Calls API."""
        return format_datetime(datetime.fromtimestamp(now + self.wall_s, UTC))

    def iso8601(self, now: float) -> str:
        """The time as in stream status callbacks."""
        when = datetime.fromtimestamp(now + self.wall_s, UTC)
        return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_sid(prefix: str, rng: random.Random) -> str:
    """An identifier as Twilio makes them: two letters and 32 hex digits."""
    return f"{prefix}{rng.getrandbits(128):032x}"


def stream_url_fault(url: str) -> tuple[int, str] | None:
    """Why Twilio would not open this URL: code and reason; None where it would.

    Plain `ws` is allowed to this machine only: Twilio itself never opens it.
    """
    parts = urlsplit(url)
    if parts.scheme != "wss" and not (parts.scheme == "ws" and parts.hostname in LOOPBACK):
        return 31922, "the stream's URL must begin with wss://"
    if not parts.hostname:
        return 31920, "the stream's URL names no host"
    if "?" in url:
        return 31920, "a query string is not supported in the stream's URL"
    return None
