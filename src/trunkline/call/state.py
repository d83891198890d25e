"""What a call knows between two events, and the answer to the present one as it grows."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from msgspec import UNSET

from trunkline.call.actions import Action, Note, NoteName, Record, ToModel
from trunkline.call.history import History
from trunkline.call.phases import LINE_NEXT, NEXT, Line, Phase
from trunkline.call.plan import Agent, CallPlan
from trunkline.call.recent import Recent
from trunkline.call.responses import Responses
from trunkline.call.so_far import Takeover
from trunkline.call.timers import Timers
from trunkline.call.tools import Tools
from trunkline.call.voice import Voice
from trunkline.core.facts import Fact, Outcome
from trunkline.core.ids import StreamSid
from trunkline.wire.g711 import frames
from trunkline.wire.realtime import client
from trunkline.wire.realtime.items import Item
from trunkline.wire.realtime.session import ServerVad, Session, TurnDetection

CALLER_ITEMS_REMEMBERED: Final = 64
"""Caller's items that were transcribed: each is recorded once."""

SERVERS_DEFAULT: Final = ServerVad()
"""What a server does that was told nothing of turn detection."""


@dataclass(frozen=True, slots=True)
class Closing:
    """How the call ends once the last words were played.

    `cancelable`: the caller may speak into it and the call goes on. `order` is what the model is
    told to say if the response `response_id` has said nothing; `number` is dialled afterwards.
    """

    outcome: Outcome
    reason: str
    order: str
    response_id: str = ""
    cancelable: bool = False
    number: str = ""


class Owed(StrEnum):
    """For what the caller is owed a sound; the cause of dead air."""

    ANSWER = "answer"
    TURN = "turn"
    RESUME = "resume"
    SESSION = "session"


@dataclass(slots=True)
class Away:
    """The call has no model: since when, why, and whether the fallback script was played."""

    since: float
    cause: str
    said: bool = False


class Relief(StrEnum):
    """The session that is to follow one that grows old."""

    NONE = "none"
    SOUGHT = "sought"
    READY = "ready"


# After every event these are asked for: a global costs a fifth of an enum's member (Python 3.11).
_TALKING: Final = Phase.TALKING
_CLOSING: Final = Phase.CLOSING


@dataclass(slots=True)
class State:
    """One call's knowledge. Who handles an event changes it and says with `do` what follows."""

    plan: CallPlan
    agent: Agent
    now: float = 0.0
    out: list[Action] = field(default_factory=list)

    takeover: Takeover | None = None
    """The call comes from another pod, and its stream has not started here yet."""
    due: Closing | None = None
    """The other pod's call was about to end so: the next session says the last words."""
    interrupted: bool = False
    """The line was interrupted with the other pod, and nothing was answered since."""

    phase: Phase = Phase.EXPECTED
    line: Line = Line.ABSENT
    closing: Closing | None = None
    hearing: bool = False
    """The model hears the caller: frames are passed on."""
    conversed: bool = False
    """A session had taken its settings: there was a conversation."""
    history: History = field(default_factory=History)

    settings: Agent | None = None
    """Whose settings the present session was made with; handoffs change only a part of them."""
    has_model: bool = False
    """There is a session and it took its settings: its events count."""
    away: Away | None = None
    relief: Relief = Relief.NONE
    losses: int = 0
    """Sessions lost in a row, without a response that was completed in between."""
    refusals: int = 0
    """Sessions in a row that did not take their settings."""
    debt: bool = False
    """The next session must speak: something was asked for, or promised."""
    session_made_at: float = 0.0
    model_heard_at: float = 0.0
    probing: bool = False
    """The session was asked for a sign of life."""
    owed: Owed | None = None
    owed_since: float = 0.0
    answered: bool = False
    """Since then a response was completed."""

    voice: Voice = field(default_factory=Voice)
    responses: Responses = field(default_factory=Responses)
    tools: Tools = field(default_factory=Tools)
    timers: Timers = field(default_factory=Timers)

    lost_at: float = 0.0
    lost_reason: str = ""
    lost_sid: StreamSid | None = None
    promised_until: float = 0.0
    """Until then a repeated webhook may bring another stream of the same ticket."""
    backlog: deque[str] = field(default_factory=deque)
    """Payloads of a caller whom no model hears yet."""
    backlog_bytes: int = 0
    backlog_dropped_bytes: int = 0
    """Of a caller whom no model has heard; not noted yet."""
    sequence: int = 0
    """Of the stream's newest frame."""
    frames_ignored: int = 0
    frames_out_of_order: int = 0
    foreign_noted: bool = False

    speaking: bool = False
    """The caller speaks, as the model's voice detection has it."""
    spoke_until: float | None = None
    """When the caller's turn ended that no sound has answered yet."""
    transcribed: Recent = field(default_factory=lambda: Recent(CALLER_ITEMS_REMEMBERED))
    digits: str = ""
    """Keys pressed that the model was not told of yet."""
    idle_prompts: int = 0
    fillers_played: int = 0
    items_made: int = 0
    handing: tuple[str, str] | None = None
    """The latest handoff's event id, and the agent who handed over, until the model confirms."""

    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    used_at: float | None = None
    """When the session's last response was over that said what it took."""

    def do(self, *actions: Action) -> None:
        """Answer the present event with these, after those before."""
        for action in actions:
            if isinstance(action, Record):
                self.record(action.fact)
            else:
                self.out.append(action)

    def record(self, fact: Fact) -> None:
        """Write a fact to the journal, without what may not be kept, and remember it."""
        redact = self.plan.redact
        kept = fact if redact is None else redact(fact)
        self.history.add(kept)
        self.out.append(Record(kept))

    def tell(self, event: client.FromClient) -> None:
        """Send to the model."""
        self.out.append(ToModel(event))

    def note(self, name: NoteName, detail: str = "", value: float = 0.0) -> None:
        """Write a log line, with words of a closed set only."""
        self.out.append(Note(name, detail, value))

    def unexpected(self, what: str) -> None:
        """The protocol allows it and this moment does not: ignored and counted."""
        self.note(NoteName.UNEXPECTED, what)

    def note_dropped(self) -> None:
        """Note what was dropped of the caller's audio since this was asked last."""
        dropped, self.backlog_dropped_bytes = self.backlog_dropped_bytes, 0
        if dropped:
            self.note(NoteName.DROPPED, "model", float(frames(dropped)))

    def to(self, phase: Phase) -> None:
        """Go to another phase: the one place where that happens."""
        assert phase in NEXT[self.phase], f"{self.phase} to {phase}"
        self.phase = phase
        closing = self.closing
        self.hearing = phase is Phase.TALKING or (
            phase is Phase.CLOSING and closing is not None and closing.cancelable
        )
        self.has_model = self.has_model and phase is not Phase.ENDED
        self.note(NoteName.PHASE, phase)

    def to_line(self, line: Line) -> None:
        """The stream came or went: the one place where that is kept."""
        assert line in LINE_NEXT[self.line], f"{self.line} to {line}"
        self.line = line
        self.foreign_noted = False

    def create_item(self, item: Item) -> None:
        """Add an item of ours to the conversation; `item.id` came from `item_id`."""
        assert item.id is not UNSET
        self.responses.sent_item(item.id)
        self.tell(client.CreateItem(item))

    def item_id(self) -> str:
        """A name for an item of ours."""
        self.items_made += 1
        return f"ours_{self.items_made}"

    def size(self) -> int:
        """How many entries all tables hold together, for tests that nothing grows."""
        tables = self.voice.size() + self.responses.size() + self.tools.size()
        tables += len(self.transcribed) + len(self.history)
        return tables + len(self.backlog) + len(self.digits)

    @property
    def conversing(self) -> bool:
        """There is, or was a moment ago, a session that took its settings."""
        return self.phase is _TALKING or self.phase is _CLOSING

    @property
    def turn_unanswered(self) -> bool:
        """The caller's last turn had no answer yet, not even one without a sound."""
        return self.spoke_until is not None and not self.answered

    @property
    def closing_for_good(self) -> bool:
        """The call ends, and nothing the caller says changes it."""
        return self.closing is not None and not self.closing.cancelable

    @property
    def detection(self) -> TurnDetection | None:
        """How the model finds the caller's turns, as the session was set up. None: not at all."""
        return detection_of((self.settings or self.agent).session)


def detection_of(session: Session) -> TurnDetection | None:
    """A session's turn detection; left out, the server's own default stands for it."""
    if session.audio is UNSET or session.audio.input is UNSET:
        return SERVERS_DEFAULT
    detection = session.audio.input.turn_detection
    return SERVERS_DEFAULT if detection is UNSET else detection
