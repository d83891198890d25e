"""The tools under way: who runs, for which response, and what the model is told at the end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from trunkline.call.plan import Tool
from trunkline.call.recent import Recent

RUNNING_MAX: Final = 16
"""Tools of one call at once; the model is told so for one more."""

CALLS_REMEMBERED: Final = 256
"""Ids of function calls that were taken: each is run once."""

ARGUMENTS_CHARS_MAX: Final = 16_384
"""Longer arguments are refused: the model is told so."""

OUTPUT_CHARS_MAX: Final = 16_384
"""Longer outputs are cut, and say so."""


@dataclass(slots=True)
class Running:
    """One tool of the pod's that was ordered and has not returned."""

    call_id: str
    name: str
    response_id: str
    started_at: float
    filler_at: float | None
    """When the caller shall hear a filler; None: never, or he did."""
    detached: bool = False
    """The session that called it is gone."""


def bounded(output: str) -> str:
    """What the model is told of an output: all of it, or its beginning and how much is missing."""
    if len(output) <= OUTPUT_CHARS_MAX:
        return output
    missing = len(output) - OUTPUT_CHARS_MAX
    return f"{output[:OUTPUT_CHARS_MAX]}\n[cut here: {missing} more characters]"


def read_arguments(text: str) -> dict[str, object] | None:
    """The arguments of a function call; None if they are not one JSON object of bounded size."""
    if len(text) > ARGUMENTS_CHARS_MAX:
        return None
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, object])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


class Tools:
    """The ledger of a call's function calls."""

    __slots__ = ("_answered", "_running", "_taken")

    def __init__(self) -> None:
        self._running: dict[str, Running] = {}
        self._taken = Recent(CALLS_REMEMBERED)
        self._answered: dict[str, None] = {}

    @property
    def running(self) -> bool:
        """Whether any tool is under way."""
        return bool(self._running)

    @property
    def full(self) -> bool:
        """Whether no more may run."""
        return len(self._running) >= RUNNING_MAX

    def take(self, call_id: str) -> bool:
        """Take a function call; False if it was taken before."""
        return self._taken.add(call_id)

    def start(self, call_id: str, tool: Tool, response_id: str, now: float) -> None:
        """A tool was ordered."""
        after_ms = tool.filler_after_ms
        filler_at = None if after_ms is None else now + after_ms / 1000
        self._running[call_id] = Running(call_id, tool.name, response_id, now, filler_at)

    def returned(self, call_id: str) -> Running | None:
        """A tool has finished; None if nobody waits for it."""
        return self._running.pop(call_id, None)

    def detach(self) -> None:
        """The session is gone: what still runs is answered to the next one."""
        for tool in self._running.values():
            tool.detached = True
        self._answered.clear()

    @property
    def detached(self) -> list[str]:
        """Calls of tools that still run, and whose session is gone."""
        return [call_id for call_id, tool in self._running.items() if tool.detached]

    @property
    def unanswered(self) -> bool:
        """Whether the model owes an answer to outputs that it was given."""
        return bool(self._answered)

    def stop_all(self) -> list[Running]:
        """Wait for no tool any more."""
        stopped = list(self._running.values())
        self._running.clear()
        return stopped

    def answered(self, response_id: str) -> None:
        """The model was given an output for a call of this response: it owes an answer."""
        self._answered[response_id] = None

    def pop_complete(self, is_over: Callable[[str], bool]) -> bool:
        """Whether a response's calls have all been answered and itself is over; once for each."""
        if not self._answered:
            return False
        waiting = {tool.response_id for tool in self._running.values()}
        complete = [r for r in self._answered if r not in waiting and is_over(r)]
        for response_id in complete:
            del self._answered[response_id]
        return bool(complete)

    @property
    def filler_at(self) -> float | None:
        """When the next filler is due, if one is."""
        if not self._running:
            return None
        due = (tool.filler_at for tool in self._running.values() if tool.filler_at is not None)
        return min(due, default=None)

    def filled(self, now: float) -> None:
        """A filler was played for every tool that was due: once is enough for each."""
        for tool in self._running.values():
            if tool.filler_at is not None and tool.filler_at <= now:
                tool.filler_at = None

    def size(self) -> int:
        """How many entries all tables hold together, for tests that nothing grows."""
        return len(self._running) + len(self._taken) + len(self._answered)
