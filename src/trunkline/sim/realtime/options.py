"""What a simulated model can be told, each option with its help text."""

from dataclasses import dataclass, field, fields
from typing import Final

from trunkline.sim.realtime.faults import Fault

MODELS: Final = (
    "gpt-realtime-2.1",
    "gpt-realtime-2.1-mini",
    "gpt-realtime-2",
    "gpt-realtime-1.5",
    "gpt-realtime",
    "gpt-realtime-2025-08-28",
    "gpt-realtime-mini",
    "gpt-realtime-mini-2025-12-15",
)
REASONING_MODELS: Final = frozenset({"gpt-realtime-2.1", "gpt-realtime-2.1-mini", "gpt-realtime-2"})
"""Only these take `reasoning` and `parallel_tool_calls`."""

SESSION_S_MAX: Final = 3600.0
"""The real API's longest session."""


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True, slots=True)
class RealtimeSimOptions:
    """Options of the realtime simulator; `help_of` gives each one's text."""

    keys: tuple[str, ...] = field(
        default=(), metadata=_help("API keys accepted; none given: any that is not empty")
    )
    models: tuple[str, ...] = field(
        default=MODELS, metadata=_help("models served; a session for another is refused with 404")
    )
    speed: float = field(
        default=4.0, metadata=_help("how much faster than real time answers stream (2 to 10)")
    )
    delta_ms: int = field(default=200, metadata=_help("audio in one delta, a multiple of 20 ms"))
    think_ms: int = field(
        default=300, metadata=_help("from the start of a response to its first item")
    )
    transcription_delay_ms: int = field(
        default=400, metadata=_help("from a turn's end to its transcription")
    )
    late_delta: bool = field(
        default=True,
        metadata=_help("one delta of a response still comes after the speech that cancelled it"),
    )
    session_s_max: float = field(
        default=SESSION_S_MAX, metadata=_help("seconds until a session expires")
    )
    tokens_per_minute: int = field(
        default=40_000_000, metadata=_help("limit that rate_limits.updated reports")
    )
    keep_audio: bool = field(
        default=True, metadata=_help("keep what was heard and said, for tests to compare")
    )
    marks: bool = field(
        default=False,
        metadata=_help("mark each delta with its time of sending, and read the caller's marks"),
    )
    brain: str = field(
        default="", metadata=_help("YAML file with rules of what to say; none: the demo's")
    )
    faults: tuple[Fault, ...] = field(
        default=(), metadata=_help("what goes wrong: kind[=value][*times][@from[-until]]")
    )

    def __post_init__(self) -> None:
        if self.speed <= 0 or self.think_ms < 0 or self.transcription_delay_ms < 0:
            raise ValueError("speed must be above 0, think_ms and transcription_delay_ms not below")
        if self.delta_ms <= 0 or self.delta_ms % 20:
            raise ValueError("delta_ms must be a multiple of 20")
        if self.session_s_max <= 0:
            raise ValueError("session_s_max must be above 0")


def help_of() -> dict[str, str]:
    """Each option's help text, by its name."""
    return {each.name: each.metadata["help"] for each in fields(RealtimeSimOptions)}
