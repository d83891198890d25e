"""What a call's journal says of it: all that another pod needs to go on. Pure.

The journal of a pod that was killed may end anywhere: in the middle of a word, of a tool, of an
end. Facts that this revision does not know, or can't read, are passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from trunkline.call.voice import heard_part
from trunkline.core import facts
from trunkline.core.facts import Direction, Fact, ResumeCause
from trunkline.core.ids import Epoch
from trunkline.core.record import Entry

_READER: Final = msgspec.json.Decoder(Fact)

_CONVERSATION: Final = (
    facts.CallerSaid
    | facts.AgentSaid
    | facts.DigitsPressed
    | facts.HandedOff
    | facts.ToolCalled
    | facts.ToolFinished
)
"""What a session is told that follows another."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A tool that was called and of which nothing came. Its call id is its idempotency key."""

    call_id: str
    name: str
    arguments: str
    """As the journal has them: without what may not be kept."""
    called_at_ms: int


@dataclass(frozen=True, slots=True)
class CallSoFar:
    """One call, up to the last fact that its journal has. Times are wall time of whoever wrote."""

    received: facts.CallReceived | None = None
    agent: str = ""
    """Who has the call now, handoffs included; empty where nothing says so."""
    told: tuple[Fact, ...] = ()
    """The conversation, in its order, as far as it was written down whole."""
    half_heard: tuple[facts.AgentSaid, ...] = ()
    """What the agent was saying: its words as far as they are known, and as far as heard."""
    in_flight: tuple[InFlight, ...] = ()
    ordered: facts.EndOrdered | None = None
    """How the call was about to end, unless the caller took it back."""
    transfer: facts.TransferOrdered | None = None
    """The announcement of a transfer is over: nothing is left but to dial."""
    ended: facts.CallEnded | None = None
    conversed: bool = False
    """The caller heard the agent, or said or pressed something."""
    turns: int = 0
    streams: int = 0
    moves: tuple[tuple[Epoch, Epoch], ...] = ()
    """Epochs whose tickets named no pod, and under which epoch the call went on with each."""
    resumed_at_ms: tuple[int, ...] = ()
    """When it was resumed, moves of our own choice aside: what bounds resumes counts these."""
    answered_at_ms: int | None = None
    last_at_ms: int = 0

    @property
    def direction(self) -> Direction:
        """Who called whom; a journal that lost its beginning is taken for a caller's."""
        return "inbound" if self.received is None else self.received.direction


@dataclass(frozen=True, slots=True)
class Takeover:
    """How a call comes to another pod: what was, the fact that says so, and the present time.

    `at_ms` is wall time. Where clocks differ by half a minute, so does the longest duration.
    """

    so_far: CallSoFar
    resumed: facts.CallResumed
    at_ms: int

    @property
    def age_s(self) -> float:
        """Since the first stream."""
        answered_at_ms = self.so_far.answered_at_ms
        return 0.0 if answered_at_ms is None else self._since_ms(answered_at_ms) / 1000

    def took_ms(self, tool: InFlight) -> int:
        """Since a tool was called."""
        return self._since_ms(tool.called_at_ms)

    def _since_ms(self, at_ms: int) -> int:
        return max(self.at_ms - at_ms, 0)


def read(entries: Iterable[Entry]) -> CallSoFar:
    """What the entries of a call's journal say, in their order."""
    reading = _Reading()
    for entry in entries:
        reading.last_at_ms = max(reading.last_at_ms, entry.at_ms)
        try:
            fact = _READER.decode(entry.payload)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            continue  # A neighbour revision's, or erased.
        reading.add(fact, entry.at_ms)
    return reading.result()


@dataclass(slots=True)
class _Reading:
    """What is known after some of the facts."""

    received: facts.CallReceived | None = None
    agent: str = ""
    told: list[Fact] = field(default_factory=list)
    heard: dict[str, facts.AgentHeard] = field(default_factory=dict)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    ordered: facts.EndOrdered | None = None
    transfer: facts.TransferOrdered | None = None
    ended: facts.CallEnded | None = None
    turns: int = 0
    streams: int = 0
    moves: list[tuple[Epoch, Epoch]] = field(default_factory=list)
    resumed_at_ms: list[int] = field(default_factory=list)
    answered_at_ms: int | None = None
    last_at_ms: int = 0

    def add(self, fact: Fact, at_ms: int) -> None:
        if isinstance(fact, _CONVERSATION):
            self.told.append(fact)
            self._of_conversation(fact, at_ms)
            return
        match fact:
            case facts.CallReceived():
                self.received, self.agent = fact, self.agent or fact.agent
            case facts.StreamOpened():
                self.streams += 1
                if self.answered_at_ms is None:
                    self.answered_at_ms = at_ms
            case facts.CallResumed():
                self._resumed(fact, at_ms)
            case facts.SlotMoved():
                self.moves.append((Epoch(fact.from_epoch), Epoch(fact.epoch)))
            case facts.AgentHeard():
                before = self.heard.pop(fact.item_id, None)  # The newest is the last of all.
                text = fact.text or ("" if before is None else before.text)
                self.heard[fact.item_id] = msgspec.structs.replace(fact, text=text)
            case facts.EndOrdered():
                self.ordered = fact
            case facts.EndTakenBack():
                self.ordered = None
            case facts.TransferOrdered():
                self.transfer = fact
            case facts.CallEnded():
                self.ended = fact
            case _:
                pass

    def _of_conversation(self, fact: Fact, at_ms: int) -> None:
        match fact:
            case facts.CallerSaid():
                self.turns += 1
            case facts.AgentSaid():
                self.heard.pop(fact.item_id, None)
            case facts.HandedOff():
                self.agent = fact.to_agent
            case facts.ToolCalled():
                self.in_flight[fact.call_id] = InFlight(
                    fact.call_id, fact.name, fact.arguments, at_ms
                )
            case facts.ToolFinished():
                self.in_flight.pop(fact.call_id, None)
            case _:
                pass

    def _resumed(self, fact: facts.CallResumed, at_ms: int) -> None:
        if fact.to_pod:
            self.told.append(fact)
        if fact.cause != ResumeCause.MIGRATED:
            self.resumed_at_ms.append(at_ms)

    def result(self) -> CallSoFar:
        half_heard = tuple(
            facts.AgentSaid(
                heard.item_id,
                heard.agent,
                heard.text,
                heard_part(heard.text, heard.heard_ms, heard.audio_ms),
                heard.audio_ms,
                heard.heard_ms,
            )
            for heard in self.heard.values()
        )
        return CallSoFar(
            received=self.received,
            agent=self.agent,
            told=tuple(self.told),
            half_heard=half_heard,
            in_flight=tuple(self.in_flight.values()),
            ordered=self.ordered,
            transfer=self.transfer,
            ended=self.ended,
            conversed=any(map(_is_heard, (*self.told, *half_heard))),
            turns=self.turns,
            streams=self.streams,
            moves=tuple(self.moves),
            resumed_at_ms=tuple(self.resumed_at_ms),
            answered_at_ms=self.answered_at_ms,
            last_at_ms=self.last_at_ms,
        )


def _is_heard(fact: Fact) -> bool:
    match fact:
        case facts.CallResumed():
            return False
        case facts.AgentSaid():
            return fact.heard_ms > 0
        case _:
            return True
