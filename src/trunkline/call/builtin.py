"""What the built-in tools ask for, read from the model's arguments. Decides; changes nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from trunkline.call import wording
from trunkline.call.plan import Agent, ToolKind

DIGITS_SENT_MAX: Final = 64
"""Tones of one `send_digits`: about thirteen seconds."""

_DIGITS: Final = re.compile(rf"[0-9*#A-Dw]{{1,{DIGITS_SENT_MAX}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SayGoodbye:
    """End the call when the goodbye was played."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Send the caller on when the announcement was played."""

    target: str
    number: str


@dataclass(frozen=True, slots=True)
class HandOff:
    """Let another agent go on in this session."""

    agent: str


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Play these keys as tones."""

    digits: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is done; the model is told why."""

    text: str


Order = SayGoodbye | Transfer | HandOff | SendDigits | Refusal

KINDS: Final = frozenset(ToolKind) - {ToolKind.HTTP, ToolKind.PYTHON}


def read_order(kind: ToolKind, arguments: Mapping[str, object], agent: Agent) -> Order:
    """What a built-in tool is asked to do; a refusal where this agent may not, or names nothing."""
    match kind:
        case ToolKind.END_CALL:
            return SayGoodbye()
        case ToolKind.TRANSFER_CALL:
            target = _text(arguments, "target")
            number = agent.transfer_numbers.get(target)
            if number is None:
                return Refusal(wording.unknown_choice("target", agent.transfer_numbers))
            return Transfer(target, number)
        case ToolKind.HANDOFF:
            name = _text(arguments, "agent")
            if name not in agent.handoffs:
                return Refusal(wording.unknown_choice("agent", agent.handoffs))
            return HandOff(name)
        case ToolKind.SEND_DIGITS:
            digits = re.sub(r"[\s-]", "", _text(arguments, "digits"))
            if not _DIGITS.fullmatch(digits):
                return Refusal(wording.bad_digits(DIGITS_SENT_MAX))
            return SendDigits(digits)
        case ToolKind.HTTP | ToolKind.PYTHON:
            raise AssertionError(f"{kind} is run by the pod")
        case _:
            assert_never(kind)


def _text(arguments: Mapping[str, object], name: str) -> str:
    value = arguments.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)
