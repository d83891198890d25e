"""What is taken out of a fact before it is chained, stored or said again.

Pure: a `Redactor` is made of the kinds that a tenant wants out, and gives back the very fact that
it was given where there is nothing to take out. See docs/howto/privacy.md for what is found.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

import msgspec

from trunkline.core import personal
from trunkline.core.facts import (
    AgentHeard,
    AgentSaid,
    CallerSaid,
    DigitsPressed,
    DigitsSent,
    Fact,
    ToolCalled,
    ToolFinished,
)
from trunkline.core.kinds import KINDS, Kind

TEXT_CHARS_MAX: Final = 65_536
"""Longer texts are not looked through: a marker stands for the whole. Tools' outputs and arguments
are bounded at a quarter of it, and nobody speaks so long in one turn."""

TOO_LONG: Final = "[too long]"

KEYS: Final = "[digits]"
SENDING_TOOL: Final = "send_digits"
"""The built-in tool whose arguments are keys."""

MARKER: Final = re.compile(r"\[[a-z ]+\]")

TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|-?\d++(?:\.\d++)?+(?:[eE][+-]?\d++)?+', re.DOTALL)
"""A string or a number in JSON."""

WHOLE_NUMBER: Final = re.compile(r"-?(\d++)(?:\.0++)?+")


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes kinds of personal data out of facts. Redacting twice is redacting once."""

    kinds: frozenset[Kind]

    def __post_init__(self) -> None:
        assert self.kinds <= KINDS

    def redact(self, fact: Fact) -> Fact:
        """The fact without what shall be out of it; the same object if nothing was in it."""
        match fact:
            case CallerSaid() | AgentHeard():
                changes = {"text": self.text(fact.text)}
            case AgentSaid():
                text = self.text(fact.text)
                changes = {"text": text, "heard_text": self._heard(fact, text)}
            case ToolCalled():
                changes = {"arguments": self._arguments(fact)}
            case ToolFinished():
                changes = {"output": self.text_or_json(fact.output)}
            case DigitsPressed() | DigitsSent():
                changes = {"digits": self._keys(fact.digits)}
            case _:
                return fact
        changed = any(getattr(fact, name) != value for name, value in changes.items())
        return msgspec.structs.replace(fact, **changes) if changed else fact

    def text(self, text: str) -> str:
        """Words, with markers in them."""
        return TOO_LONG if len(text) > TEXT_CHARS_MAX else personal.mark(text, self.kinds)

    def text_or_json(self, text: str) -> str:
        """What was JSON stays JSON: its strings are redacted one by one, and so are its numbers."""
        if len(text) > TEXT_CHARS_MAX:
            return _too_long(text)
        if personal.ANYTHING.search(text) is None:
            return text
        if not _is_json(text):
            return self.text(text)
        if not text.lstrip().startswith(("{", "[", '"')):  # A number alone, perhaps one in words.
            said = self.text(text)
            return text if said == text else json.dumps(said)
        return TOKEN.sub(self._token, text)

    def _token(self, token: re.Match[str]) -> str:
        written = token[0]
        if written.startswith('"'):
            said = json.loads(written, strict=False)
            kept = self.text(said)
            return written if kept == said else json.dumps(kept)
        number = WHOLE_NUMBER.fullmatch(written)
        kind = None if number is None else personal.is_one(number[1], self.kinds)
        return written if kind is None else f'"[{kind}]"'

    def _heard(self, fact: AgentSaid, text: str) -> str:
        """A number that was cut off while it was said is out of the heard part too."""
        heard = self.text(fact.heard_text)
        if not fact.text.startswith(fact.heard_text):
            return heard
        common = _common(heard, text)
        cut = MARKER.match(text, len(common))
        return heard if common == heard or cut is None else common + cut[0]

    def _arguments(self, fact: ToolCalled) -> str:
        if "digits" in self.kinds and fact.name == SENDING_TOOL:
            return json.dumps({"digits": KEYS})
        return self.text_or_json(fact.arguments)

    def _keys(self, digits: str) -> str:
        if "digits" in self.kinds:
            return KEYS if digits else digits
        return self.text(digits)


def sure_part(growing: str) -> str:
    """Of words that still come: what can be redacted as well now as when all are there.

    The last word may become another, and what looks like a number or an address at the end may be
    the beginning of one.
    """
    words = growing.split(" ")[:-1]
    while words and _may_go_on(words[-1]):
        words.pop()
    return " ".join(words)


def _may_go_on(word: str) -> bool:
    said = word.strip(".,;:!?()-").lower()
    in_words = said in personal.DIGIT_WORDS or said in personal.REPEATS
    return not said or in_words or word.isupper() or personal.ANYTHING.search(word) is not None


def _common(one: str, other: str) -> str:
    """What both begin with."""
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    return one[:at]


def _is_json(text: str) -> bool:
    try:
        # Numbers are not made: one of 5,000 digits would be refused, and is still JSON.
        json.loads(text, strict=False, parse_int=str, parse_float=str)
    except ValueError:
        return False
    except RecursionError:
        return True  # Brackets in brackets: if it is none, markers in its strings do no harm.
    return True


def _too_long(text: str) -> str:
    match text.lstrip()[:1]:
        case "{":
            return json.dumps({TOO_LONG: True})
        case "[":
            return json.dumps([TOO_LONG])
        case '"':
            return json.dumps(TOO_LONG)
        case _:
            return TOO_LONG
