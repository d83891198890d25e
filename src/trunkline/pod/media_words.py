"""How long a media socket waits, and why it may be refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

START_S_MAX: Final = 5.0
"""A socket whose upgrade was signed has so long to send its `start`; then it is closed."""

UNSIGNED_START_S_MAX: Final = 1.0
"""The same for a socket without a signature: Twilio may leave it out, a stranger will."""

SILENCE_S_MAX: Final = 10.0
"""A stream that sends nothing for so long is given up, within twice that time: frames come every
20 ms, in silence too, so the other end is gone and has not said so."""

SLOT_S_MAX: Final = 3.0
"""A stream that may come to any pod waits so long for its call's slot to come here; frames are
dropped meanwhile. Then it is closed, and the redirect behind it tries again."""

CLOSE_S_MAX: Final = 2.0
"""So long a closed socket may take to go; then it is cut."""


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """The waits of a media socket, in seconds."""

    start_s_max: float = START_S_MAX
    unsigned_start_s_max: float = UNSIGNED_START_S_MAX
    slot_s_max: float = SLOT_S_MAX
    silence_s_max: float = SILENCE_S_MAX
    close_s_max: float = CLOSE_S_MAX


AS_SAID: Final = MediaLimits()


class Refusal(StrEnum):
    """Why a socket was not given a call. Names of a metric's label."""

    PATH = "path"
    SIGNATURE = "signature"
    CROWDED = "crowded"
    NO_START = "no_start"
    PROTOCOL = "protocol"
    NO_TICKET = "no_ticket"
    FORGED_TICKET = "forged_ticket"
    EXPIRED_TICKET = "expired_ticket"
    FOREIGN_TICKET = "foreign_ticket"
    STALE_TICKET = "stale_ticket"
    NO_CALL = "no_call"
    FULL = "full"
    DRAINING = "draining"
    STORE_AWAY = "store_away"
    LATE = "late"
