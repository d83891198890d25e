"""What was said and done in a call, as a new session is told it.

A session that is gone takes its conversation with it. What the next one is told is made of the
call's facts: what was transcribed, what was heard, which tools ran and what came of them.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from trunkline.call import wording
from trunkline.core import facts
from trunkline.core.facts import Fact
from trunkline.wire.realtime.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Item,
    Message,
    OutputText,
)

ENTRIES_MAX: Final = 60
"""Turns and tools that a new session is told. Beyond, the oldest are left out, and it says so."""

CHARS_MAX: Final = 12_000
"""Characters of them all (about 3,000 tokens): a long text makes an audio model slow and stiff."""


@dataclass(frozen=True, slots=True)
class _Said:
    role: Literal["system", "user", "assistant"]
    text: str

    def size(self) -> int:
        return len(self.text)


@dataclass(frozen=True, slots=True)
class _Ran:
    """A tool: `output` None while it runs."""

    call_id: str
    name: str
    arguments: str
    output: str | None = None

    def size(self) -> int:
        return len(self.arguments) + len(self.output or "")


class History:
    """The newest part of a call's conversation, bounded in entries and characters."""

    __slots__ = ("_chars", "_entries", "_left_out")

    def __init__(self, told: Iterable[Fact] = ()) -> None:
        self._entries: deque[_Said | _Ran] = deque()
        self._chars = 0
        self._left_out = False
        for fact in told:
            self.add(fact)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, fact: Fact) -> None:
        """Take note of a fact; most are no part of the conversation."""
        match fact:
            case facts.CallerSaid(text=text) if text:
                self._put(_Said("user", text))
            case facts.AgentSaid(heard_text=text) if text:
                self._put(_Said("assistant", text))
            case facts.DigitsPressed():
                self._put(_Said("user", wording.keys_pressed(fact.digits)))
            case facts.HandedOff():
                self._put(_Said("system", wording.handed_over(fact.from_agent, fact.to_agent)))
            case facts.CallResumed() if fact.to_pod:
                self._put(_Said("system", wording.LINE_BROKE))
            case facts.ToolCalled():
                self._put(_Ran(fact.call_id, fact.name, fact.arguments))
            case facts.ToolFinished():
                self._finish(fact)
            case _:
                pass

    def seed(
        self,
        name: Callable[[], str],
        *,
        running: Collection[str] = (),
        saying: Iterable[str] = (),
        note: str = "",
    ) -> list[Item]:
        """Items for a new session, in order; `name` gives each an id.

        `running`: calls of tools that still run; others without an output have been lost.
        `saying`: words of the agent that are still being played. `note` is said last.
        """
        items: list[Item] = []
        if self._left_out:
            items.append(_message(_Said("system", wording.LEFT_OUT), name()))
        for entry in self._entries:
            if isinstance(entry, _Said):
                items.append(_message(entry, name()))
                continue
            lost = wording.STILL_RUNNING if entry.call_id in running else wording.OUTCOME_UNKNOWN
            output = lost if entry.output is None else entry.output
            items += [
                FunctionCall(entry.name, entry.arguments, entry.call_id, name()),
                FunctionCallOutput(entry.call_id, output, name()),
            ]
        items += [_message(_Said("assistant", text), name()) for text in saying if text]
        if note:
            items.append(_message(_Said("system", note), name()))
        return items

    def _put(self, entry: _Said | _Ran) -> None:
        self._entries.append(entry)
        self._chars += entry.size()
        while len(self._entries) > ENTRIES_MAX or self._chars > CHARS_MAX:
            self._chars -= self._entries.popleft().size()
            self._left_out = True

    def _finish(self, fact: facts.ToolFinished) -> None:
        for place in range(len(self._entries) - 1, -1, -1):
            entry = self._entries[place]
            if isinstance(entry, _Ran) and entry.call_id == fact.call_id:
                self._entries[place] = replace(entry, output=fact.output)
                self._chars += len(fact.output) - len(entry.output or "")
                break
        while self._chars > CHARS_MAX:
            self._chars -= self._entries.popleft().size()
            self._left_out = True


def _message(said: _Said, item_id: str) -> Message:
    if said.role == "assistant":
        return Message("assistant", [OutputText(said.text)], item_id)
    return Message(said.role, [InputText(said.text)], item_id)
