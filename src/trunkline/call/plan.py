"""What a call was set up with, complete before its first event. Nothing here changes later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from trunkline.core.facts import Fact
from trunkline.wire.realtime.session import Session


class ToolKind(StrEnum):
    HTTP = "http"
    PYTHON = "python"
    END_CALL = "end_call"
    TRANSFER_CALL = "transfer_call"
    HANDOFF = "handoff"
    SEND_DIGITS = "send_digits"


@dataclass(frozen=True, slots=True)
class Tool:
    """What the call must know of a tool; how it is run is the pod's business.

    `filler_after_ms`: with no result by then and nothing playing, a filler is played; None: never.
    """

    name: str
    kind: ToolKind
    filler_after_ms: int | None = 1500
    idempotent: bool = False
    """It knows a repetition by its key: it is asked again if its pod dies while it runs."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Audio of our own: base64 µ-law at 8 kHz, and what it says."""

    name: str
    payload: str
    text: str


@dataclass(frozen=True, slots=True)
class Agent:
    """What the model is told, variables filled in.

    `session` is the full `session.update` for the first agent of a call; at a handoff the
    machine sends only what may change (instructions, tools). `greeting` is what the model is
    told to open with; empty: the agent waits for the caller. `transfer_numbers` maps what the
    model may name to the number that is dialled.
    """

    name: str
    session: Session
    greeting: str = ""
    tools: Mapping[str, Tool] = field(default_factory=dict)
    handoffs: frozenset[str] = frozenset()
    transfer_numbers: Mapping[str, str] = field(default_factory=dict)
    fallback: Clip | None = None
    """What the caller hears when no model can be had."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Every wait of a call, in seconds."""

    model_away_s_max: float = 45.0
    """Without a model for so long the call fails. Who never had a conversation waits no longer
    than the fallback script."""
    rollover_s: float = 3300.0
    """A session of this age is replaced at the next quiet moment: providers end it at an hour."""
    probe_s: float | None = None
    """Without any event of the model's for so long it is asked for a sign of life; None: never."""
    idle_s: float = 20.0
    """Nobody speaks and nothing plays: the agent asks whether the caller is there."""
    idle_prompts_max: int = 2
    """So often it asks; the next silence ends the call."""
    call_s_max: float = 3600.0
    """The longest call: then the agent says goodbye."""
    goodbye_s_max: float = 15.0
    """A goodbye that was not played by then is cut."""
    stream_wait_s_max: float = 10.0
    """A lost stream: so long the session waits for the next one."""
    digits_pause_s: float = 2.0
    """Keys pressed within this time are one message to the model."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """The agents by name, the one who answers, the limits, and our own audio."""

    agents: Mapping[str, Agent]
    first_agent: str
    limits: Limits
    fillers: tuple[Clip, ...] = ()
    models: int = 1
    """How many models the first agent's list has."""
    redact: Callable[[Fact], Fact] | None = None
    """Takes out of a fact what may not be kept; a later session is told no more than that."""
