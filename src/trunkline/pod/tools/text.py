"""What foreign code said, fit for the model and the call log."""

from dataclasses import dataclass
from typing import Final, Literal

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Said:
    """What a tool answered, as text."""

    text: str


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Why there is no output, in words for the model."""

    outcome: Literal["failed", "timeout", "bad_arguments", "too_big"]
    text: str


def fit(text: str) -> str:
    """Replace what JSON or Postgres would refuse: NUL, and halves of characters."""
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(REPLACEMENT if "\ud800" <= char <= "\udfff" else char for char in text)
    return text
