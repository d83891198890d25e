"""A brain with rules of a test's own, in Python or from a YAML file.

    - hears: is it in stock          # these words, as a whole, in what was heard
      calls: [{name: check_stock, arguments: {part: "seven"}}]
    - output_of: check_stock         # this tool has answered
      says: [it is in stock]
    - asked: true                    # the client asked, and nobody had spoken
      says: [hello, how can i help you]     # two message items
    - idle: true
      says: [are you still there]

The first rule that fits answers; `says` come before `calls`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from trunkline.sim.realtime.brain import Ask, Brain, Call, DemoBrain, Reply, Say
from trunkline.sim.speech import Speech, words_of
from trunkline.wire.realtime.items import FunctionCall, FunctionCallOutput


class ScriptError(ValueError):
    """A script can't be played: the text names the rule and why."""


class ScriptedCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool to be called."""

    name: str
    arguments: dict[str, object] = {}


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When it fits (exactly one of the four), and what is answered then."""

    hears: str = ""
    output_of: str = ""
    asked: bool = False
    idle: bool = False
    says: list[str] = []
    calls: list[ScriptedCall] = []

    def fits(self, ask: Ask) -> bool:
        """Whether this rule answers."""
        last = ask.items[-1] if ask.items else None
        if isinstance(last, FunctionCallOutput):
            return bool(self.output_of) and any(
                isinstance(item, FunctionCall)
                and item.call_id == last.call_id
                and item.name == self.output_of
                for item in ask.items
            )
        if self.hears:
            return f" {self.hears} " in f" {words_of(ask.heard)} "
        if self.idle:
            return ask.why == "idle"
        return self.asked and ask.why == "asked" and not ask.heard

    def reply(self) -> Reply:
        """The items of the answer."""
        return (
            *(Say(text) for text in self.says),
            *(Call(call.name, json.dumps(call.arguments)) for call in self.calls),
        )


class ScriptedBrain:
    """Rules in order; what none of them fits goes to `otherwise`, the demo's brain by default.

    Raises `ScriptError` for a rule that can't be played.
    """

    def __init__(
        self, rules: Sequence[Rule], speech: Speech, otherwise: Brain | None = None
    ) -> None:
        for number, rule in enumerate(rules, 1):
            matchers = [bool(rule.hears), bool(rule.output_of), rule.asked, rule.idle]
            if matchers.count(True) != 1:
                raise ScriptError(f"rule {number}: one of hears, output_of, asked, idle")
            if not rule.says and not rule.calls:
                raise ScriptError(f"rule {number}: it neither says nor calls anything")
            for text in (*rule.says, *([rule.hears] if rule.hears else [])):
                if not speech.knows(text):
                    raise ScriptError(f"rule {number}: no clips for {text!r}")
        self._rules = tuple(rules)
        self._otherwise = otherwise or DemoBrain(speech)

    def answer(self, ask: Ask) -> Reply:
        """The first rule's answer that fits."""
        for rule in self._rules:
            if rule.fits(ask):
                return rule.reply()
        return self._otherwise.answer(ask)


def load(path: Path, speech: Speech) -> ScriptedBrain:
    """Read a script. Raises `ScriptError`, or `OSError` where the file can't be read."""
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text())
        rules = msgspec.convert(document, list[Rule])
    except (YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path.name}: {error}") from error
    return ScriptedBrain(rules, speech)
