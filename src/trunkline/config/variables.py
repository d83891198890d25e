"""Variables in an agent's texts: `{{name}}` is filled in for each call; `{{{{` is a plain `{{`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

VALUE_CHARS_MAX: Final = 4000
"""A longer value is cut: it becomes part of what the model is told, in every turn."""

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

_PLACE: Final = re.compile(rf"\{{\{{\{{\{{|\{{\{{\s*({NAME.pattern})\s*\}}\}}")


@dataclass(frozen=True, slots=True)
class Filled:
    """A text without places, and the names in it that nobody gave a value, each once."""

    text: str
    unknown: tuple[str, ...]


def fill(text: str, variables: Mapping[str, str]) -> Filled:
    """Put each variable's value in its place; one that is unknown leaves nothing.

    A value is text: what looks like a place in it stays as it is.
    """
    unknown: dict[str, None] = {}

    def value(place: re.Match[str]) -> str:
        name = place.group(1)
        if name is None:
            return "{{"
        if name not in variables:
            unknown[name] = None
            return ""
        return variables[name][:VALUE_CHARS_MAX]

    return Filled(_PLACE.sub(value, text), tuple(unknown))


def names(text: str) -> tuple[str, ...]:
    """The variables of a text, each once, in order."""
    return fill(text, {}).unknown


def strays(text: str) -> bool:
    """Whether the text holds a `{{` that is no place and not escaped: likely a typing error."""
    return "{{" in _PLACE.sub("", text)
