"""What can happen in a call, as the journal and the call log keep it.

Each fact is a frozen record whose tag is its kind; its JSON is the payload that is chained,
stored and exported. A fact may hold numbers dialled and words spoken: it goes to the journal and
the call log and nowhere else.
"""

from enum import StrEnum
from typing import Literal

import msgspec

Direction = Literal["inbound", "outbound"]


class Outcome(StrEnum):
    """How a call ended; exactly one for each call."""

    CALLER_ENDED = "caller_ended"
    """The caller hung up."""
    AGENT_ENDED = "agent_ended"
    """The agent said goodbye and hung up."""
    TRANSFERRED = "transferred"
    """The call went on to a person."""
    OVERFLOWED = "overflowed"
    """No slot was free: the caller got the number's overflow action."""
    ABANDONED = "abandoned"
    """A slot was reserved and no stream came."""
    TIMED_OUT = "timed_out"
    """Nobody spoke, or the call reached its longest duration."""
    FAILED = "failed"
    """Something of ours, the model's or the carrier's broke; `reason` says what."""


class CallReceived(msgspec.Struct, frozen=True, tag_field="kind", tag="call_received"):
    """A webhook brought a new call. `from_number` and `to_number` are as the carrier gave them."""

    direction: Direction
    from_number: str
    to_number: str
    agent: str
    tenant: str
    vertical: str
    pod: str


class CallOverflowed(msgspec.Struct, frozen=True, tag_field="kind", tag="call_overflowed"):
    """No slot: `action` is what the caller got instead (dial, voicemail, say, hangup)."""

    reason: str
    action: str


class StreamOpened(msgspec.Struct, frozen=True, tag_field="kind", tag="stream_opened"):
    stream_sid: str


class StreamLost(msgspec.Struct, frozen=True, tag_field="kind", tag="stream_lost"):
    """The stream's socket is gone and the carrier did not say `stop`."""

    stream_sid: str
    reason: str


class CallResumed(msgspec.Struct, frozen=True, tag_field="kind", tag="call_resumed"):
    """A new stream came for a live session. `gap_ms` from loss to the new `start`."""

    cause: str
    gap_ms: int


class SessionOpened(msgspec.Struct, frozen=True, tag_field="kind", tag="session_opened"):
    """A session took the call. `waited_ms` from wish to session."""

    source: Literal["pool", "new"]
    model: str
    waited_ms: int


class SessionLost(msgspec.Struct, frozen=True, tag_field="kind", tag="session_lost"):
    """The call's session is gone, or was given up; `rollover`: for its age, by us."""

    reason: str


class FallbackPlayed(msgspec.Struct, frozen=True, tag_field="kind", tag="fallback_played"):
    """No model could be had: the caller heard the agent's fallback script."""

    cause: str


class DeadAir(msgspec.Struct, frozen=True, tag_field="kind", tag="dead_air"):
    """The caller was owed a sound and heard none for two seconds; `cause` is what it was owed for:
    answer, turn, resume, session.
    """

    cause: str


class CallerSaid(msgspec.Struct, frozen=True, tag_field="kind", tag="caller_said"):
    """One turn of the caller, as transcribed. `text` is empty where transcription failed."""

    item_id: str
    text: str


class AgentSaid(msgspec.Struct, frozen=True, tag_field="kind", tag="agent_said"):
    """One item of the agent: what it meant to say, and how much of it was heard.

    `heard_ms` ≤ `audio_ms`; `heard_text` is cut pro rata when the caller broke in.
    """

    item_id: str
    agent: str
    text: str
    heard_text: str
    audio_ms: int
    heard_ms: int


class BargedIn(msgspec.Struct, frozen=True, tag_field="kind", tag="barged_in"):
    """The caller spoke while audio was unplayed: `unplayed_ms` of it was dropped."""

    item_id: str
    heard_ms: int
    unplayed_ms: int


class DigitsPressed(msgspec.Struct, frozen=True, tag_field="kind", tag="digits_pressed"):
    digits: str


class DigitsSent(msgspec.Struct, frozen=True, tag_field="kind", tag="digits_sent"):
    digits: str


class ToolCalled(msgspec.Struct, frozen=True, tag_field="kind", tag="tool_called"):
    call_id: str
    name: str
    arguments: str


class ToolFinished(msgspec.Struct, frozen=True, tag_field="kind", tag="tool_finished"):
    """`output` is what the model was told, an error's text included."""

    call_id: str
    name: str
    ok: bool
    output: str
    took_ms: int


class HandedOff(msgspec.Struct, frozen=True, tag_field="kind", tag="handed_off"):
    from_agent: str
    to_agent: str


class TransferOrdered(msgspec.Struct, frozen=True, tag_field="kind", tag="transfer_ordered"):
    target: str
    number: str


class CallEnded(msgspec.Struct, frozen=True, tag_field="kind", tag="call_ended"):
    """The last fact of a call."""

    outcome: Outcome
    reason: str
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


Fact = (
    CallReceived
    | CallOverflowed
    | StreamOpened
    | StreamLost
    | CallResumed
    | SessionOpened
    | SessionLost
    | FallbackPlayed
    | DeadAir
    | CallerSaid
    | AgentSaid
    | BargedIn
    | DigitsPressed
    | DigitsSent
    | ToolCalled
    | ToolFinished
    | HandedOff
    | TransferOrdered
    | CallEnded
)
