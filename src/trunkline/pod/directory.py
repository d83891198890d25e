"""Which number leads to which agent, as the pod needs it: the config's meaning, not its form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from trunkline.call.plan import CallPlan
from trunkline.core.slots import HOLDING_S_MAX, NOBODYS, Bounds, ModelLimit
from trunkline.pod.tools.hook import ContextHook
from trunkline.pod.tools.specs import ToolSpec

OverflowAction = Literal["dial", "voicemail", "say", "hangup"]


@dataclass(frozen=True, slots=True)
class Overflow:
    """What a caller gets when no agent can be had.

    `detail` is the number to dial, or the text to say; unused for `hangup`.
    """

    action: OverflowAction = "say"
    detail: str = "All our lines are busy. Please call again in a few minutes."
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What a number leads to."""

    number: str
    agent: str
    tenant: str
    vertical: str
    overflow: Overflow
    variables: Mapping[str, str] = field(default_factory=dict)
    bounds: Bounds = NOBODYS
    """How many calls at once those may have who pay for it."""
    hold_s: float = HOLDING_S_MAX
    """So long an inbound caller holds where no slot is free; 0: not at all."""
    models: tuple[ModelLimit, ...] = ()
    """Its agent's models in the order they are asked, each by its door; none: no model binds."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a call needs from the config, variables filled in."""

    plan: CallPlan
    tools: Mapping[str, ToolSpec]
    models: tuple[str, ...]
    """Which of the pod's doors lead to its models, in the order they are asked."""


class Directory(Protocol):
    """The config file, read. A call asks one from its first webhook to its plan."""

    @property
    def hook(self) -> ContextHook | None:
        """Where a call's variables come from."""
        ...

    def line(self, number: str) -> Line | None:
        """What this number leads to; None if nobody answers it."""
        ...

    def prepare(self, line: Line, variables: Mapping[str, str]) -> Prepared:
        """The plan for one call; the context hook's variables win over the line's own."""
        ...
