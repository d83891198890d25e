"""What a simulated session remembers for those who test against it."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from trunkline.sim.ledger import Ledger
from trunkline.sim.tally import Marks

TURNS_MAX: Final = 2000
"""Turns, answers and cuts kept per session; then the oldest is forgotten."""


@dataclass(slots=True)
class Heard:
    """One turn of the caller: its item, what `Speech.hear` made of it, and the audio."""

    item_id: str
    text: str
    audio_ms: int
    audio: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Said:
    """One spoken item of an answer: exactly the bytes that were sent, as far as they were."""

    response_id: str
    item_id: str
    text: str
    status: str = "in_progress"
    audio_ms: int = 0
    heard_ms: int | None = None
    """Where the client cut it; None if it did not."""
    audio: bytearray = field(default_factory=bytearray, repr=False)


@dataclass(slots=True)
class SessionRecord:
    """One session from handshake to close."""

    name: str
    model: str
    opened_at: float
    keeps_audio: bool = True
    closed_at: float | None = None
    close_code: int | None = None
    close_reason: str = ""
    updates: int = 0
    bytes_heard: int = 0
    """µ-law bytes appended, silence included."""
    format_mismatch: int = 0
    """Appends that came before the session was told of µ-law: the model hears noise."""
    responses: Counter[str] = field(default_factory=Counter)
    """Responses by final status."""
    errors: Counter[str] = field(default_factory=Counter)
    """Errors sent to the client, by code: what it did wrong."""
    events: Counter[str] = field(default_factory=Counter)
    """Client events by type."""
    heard: deque[Heard] = field(default_factory=lambda: deque(maxlen=TURNS_MAX))
    said: deque[Said] = field(default_factory=lambda: deque(maxlen=TURNS_MAX))
    calls: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=TURNS_MAX))
    """Tools called: name and arguments."""
    outputs: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=TURNS_MAX))
    """What tools answered: call id and output."""
    given: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=TURNS_MAX))
    """Messages that the client put into the conversation: whose they are, and their words."""
    ledger: Ledger = field(default_factory=Ledger)
    """When each append came and each delta left, at the socket; with marks, none of them."""
    marks: Marks | None = None
    """Marks of time in the audio both ways, where they were asked for; `marks.call` says whose."""

    def heard_text(self) -> str:
        """Everything the caller said in this session."""
        return " ".join(turn.text for turn in self.heard if turn.text)

    def said_text(self) -> str:
        """Everything that was answered."""
        return " ".join(item.text for item in self.said if item.text)
