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


class ResumeCause(StrEnum):
    """Why another pod goes on with a call."""

    POD_LOST = "pod_lost"
    """The pod that carried it is gone, or does not answer."""
    STREAM_LOST = "stream_lost"
    """Its stream broke, and it could not come back to the pod that carried it."""
    MIGRATED = "migrated"
    """The pod that carried it drains: it was moved at a moment of our choice."""


class CallResumed(
    msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="call_resumed"
):
    """The call goes on with a new stream. `gap_ms` from the loss to its `start`; None: not known.

    With the session that it had, on the same pod, `cause` is what broke the last stream. Taken over
    by another pod (or another life of the same) it has a new session: `cause` is a `ResumeCause`,
    and `from_pod`, `to_pod` and `epoch` say whose it was, whose it is, and since which epoch. Else
    these are left out.
    """

    cause: str
    gap_ms: int | None
    from_pod: str = ""
    to_pod: str = ""
    epoch: int = 0


class SlotMoved(msgspec.Struct, frozen=True, tag_field="kind", tag="slot_moved"):
    """A stream whose ticket names no pod came to `pod`, which took the call's slot from `from_pod`.

    The call goes on under `epoch`. What its caller was sent with the stream names `from_epoch`, and
    nothing was ever sent that names `epoch`: a resume token of the one is good for the other.
    """

    from_pod: str
    pod: str
    from_epoch: int
    epoch: int


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


class AgentHeard(msgspec.Struct, frozen=True, tag_field="kind", tag="agent_heard"):
    """How far an item was heard that is still being played: what is known if its pod dies.

    `text` is what the agent means to say, as far as that is known for sure, and empty where nothing
    was added since the item's last such fact. The item's `agent_said` says more, and stands for
    all of them.
    """

    item_id: str
    agent: str
    text: str
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


class EndOrdered(msgspec.Struct, frozen=True, tag_field="kind", tag="end_ordered"):
    """The call ends so once the last words were played; `number` is dialled after a transfer."""

    outcome: Outcome
    reason: str
    number: str = ""


class EndTakenBack(msgspec.Struct, frozen=True, tag_field="kind", tag="end_taken_back"):
    """The caller spoke into the goodbye: the call goes on."""


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
    | SlotMoved
    | SessionOpened
    | SessionLost
    | FallbackPlayed
    | DeadAir
    | CallerSaid
    | AgentSaid
    | AgentHeard
    | BargedIn
    | DigitsPressed
    | DigitsSent
    | ToolCalled
    | ToolFinished
    | HandedOff
    | EndOrdered
    | EndTakenBack
    | TransferOrdered
    | CallEnded
)
