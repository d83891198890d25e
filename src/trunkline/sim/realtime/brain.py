"""What the simulated model says and which tools it calls: rules over what it heard.

A brain is a function of an `Ask` and remembers nothing. What it says must have clips.

    DemoBrain       greets, echoes what it heard, calls tools by keywords
    ScriptedBrain   rules of a test's own, in Python or YAML; what no rule fits goes to the demo's
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from trunkline.sim.realtime.arguments import arguments_for
from trunkline.sim.speech import Speech, words_of
from trunkline.wire.realtime.items import FunctionCall, FunctionCallOutput, Item, Message
from trunkline.wire.realtime.session import FunctionTool


@dataclass(frozen=True, slots=True)
class Say:
    """One spoken message item."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One function call item; `arguments` is JSON text."""

    name: str
    arguments: str = "{}"


Reply = tuple[Say | Call, ...]
"""The items of one response, in order."""

Why = Literal["turn", "asked", "idle"]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a response is to answer.

    `why`: the caller's turn ended, the client asked, or nobody spoke for long. `heard` is what
    was heard since the last response, marks included; `asked` the instructions of this response
    alone; `instructions` those of the session; `items` the conversation.
    """

    why: Why
    heard: str = ""
    asked: str = ""
    instructions: str = ""
    tools: tuple[FunctionTool, ...] = ()
    items: tuple[Item, ...] = ()


class Brain(Protocol):
    """What decides an answer."""

    def answer(self, ask: Ask) -> Reply:
        """The items of the response; never empty."""
        ...


GREETING: Final = "hello thank you for calling how can i help you"
STORY: Final = (
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty"
    " sixty seventy eighty ninety hundred"
)
"""A long answer (about seven seconds), for callers who interrupt."""

_QUOTED: Final = re.compile(r"[\"“”«»]([^\"“”«»]+)[\"“”«»]")
_CLAUSES: Final = re.compile(r"\band\b")

KEYWORDS: Final = (
    ("goodbye", "end_call"),
    ("billing", "handoff"),
    ("stock", "check_stock"),
    ("book", "book_appointment"),
    ("appointment", "find_appointments"),
    ("appointments", "find_appointments"),
    ("prices", "find_prices"),
    ("price", "find_prices"),
    ("order", "find_order"),
    ("number", "send_digits"),
    ("transfer", "transfer_call"),
)
"""The first word of these that a clause holds, and whose tool the session has, calls it."""

CONFIRMED: Final = {
    "end_call": "goodbye",
    "handoff": "hello how can i help you",
    "check_stock": "it is in stock",
    "book_appointment": "you are booked",
    "find_appointments": "i found an appointment tomorrow",
    "find_prices": "the price is ninety dollars",
    "find_order": "i found your order",
    "transfer_call": "i am connecting you",
}
"""What is said when a tool has answered; of other tools: "done"."""

ANSWERS: Final = (
    ("are you still there", "yes i am"),
    ("story", STORY),
    ("everything", STORY),
    ("prices", "the price is ninety dollars"),
)
"""What is said to words that call no tool; to all others: "i heard ..."."""


class DemoBrain:
    """Both demo lines' model: it says what it heard, so that a crossed line is found out."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    def answer(self, ask: Ask) -> Reply:
        """An answer whose every word has a clip."""
        if text := self._told(ask.asked):
            return (Say(text),)
        last = ask.items[-1] if ask.items else None
        if isinstance(last, FunctionCallOutput):
            return (Say(self._confirmation(last, ask.items)),)
        if ask.why == "idle":
            return (Say("are you still there"),)
        if ask.why == "turn" or ask.heard:
            return self._to_caller(ask)
        if any(isinstance(item, Message) and item.role == "assistant" for item in ask.items):
            return (Say("where were we"),)
        return (Say(self._told(ask.instructions) or GREETING),)

    def _told(self, instructions: str) -> str:
        """The first quoted text that can be said."""
        quoted = (found.group(1) for found in _QUOTED.finditer(instructions))
        return next((text for text in quoted if self._speech.knows(text)), "")

    def _to_caller(self, ask: Ask) -> Reply:
        words = words_of(ask.heard)
        if not self._speech.knows(words):
            return (Say("sorry i did not understand"),)
        calls = self._calls(words, ask.tools)
        if any(call.name == "end_call" for call in calls):
            return (Say("thank you goodbye"), *calls)
        if calls:
            return tuple(calls)
        for phrase, answer in ANSWERS:
            if f" {phrase} " in f" {words} ":
                return (Say(answer),)
        if words != ask.heard:
            return (Say(f"i heard {words} the line is bad"),)
        return (Say(f"i heard {words}"),)

    def _calls(self, words: str, tools: Sequence[FunctionTool]) -> list[Call]:
        """One call for each clause between "and" that holds a keyword: in parallel."""
        by_name = {tool.name: tool for tool in tools}
        calls: list[Call] = []
        for clause in _CLAUSES.split(words):
            spoken = clause.split()
            for word, name in KEYWORDS:
                if word in spoken and name in by_name:
                    calls.append(Call(name, arguments_for(by_name[name], clause.strip())))
                    break
        return [call for index, call in enumerate(calls) if call not in calls[:index]]

    def _confirmation(self, output: FunctionCallOutput, items: Sequence[Item]) -> str:
        for item in reversed(items):
            if isinstance(item, FunctionCall) and item.call_id == output.call_id:
                if self._failed(output.output):
                    return "sorry nothing found"
                return CONFIRMED.get(item.name, "done")
        return "done"

    @staticmethod
    def _failed(output: str) -> bool:
        try:
            value = json.loads(output)
        except ValueError:
            return "error" in output.lower()
        return isinstance(value, dict) and "error" in value
