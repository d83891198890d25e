"""What one call was like, for whoever made it: a test, a load test, a person at the terminal."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from trunkline.sim.ledger import Ledger
from trunkline.sim.tally import Marks
from trunkline.sim.turns import Turn

EVENTS_MAX: Final = 400
"""Events kept of one call; what comes later is counted only."""


class Said(StrEnum):
    """What is written down of a call, each with a detail. Never a number or a word spoken."""

    REQUESTED = "requested"
    ANSWERED_WEBHOOK = "webhook-answered"
    VERB = "verb"
    PHASE = "phase"
    STREAM_OPENING = "stream-opening"
    STREAM_STARTED = "stream-started"
    STREAM_ENDED = "stream-ended"
    STREAM_REFUSED = "stream-refused"
    WARNING = "warning"
    UPDATED = "updated"
    HUNG_UP = "hung-up"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a call, at a second of the carrier's clock."""

    at: float
    said: Said
    detail: str = ""


class Diary:
    """The events of one call, bounded."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.uncounted = 0

    def note(self, at: float, said: Said, detail: str = "") -> None:
        """Write an event down."""
        if len(self.entries) < EVENTS_MAX:
            self.entries.append(Entry(at, said, detail))
        else:
            self.uncounted += 1


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One media stream."""

    sid: str
    opened_at: float | None
    ended_at: float | None
    close_code: int | None
    frames_sent: int
    bytes_received: int
    bytes_played: int
    bytes_cleared: int
    bytes_dropped: int
    marks_echoed: int
    clears: int
    probe: bool = False
    """A stranger's socket, opened by a fault."""
    sound_at: float | None = None
    """When the first sound of it was played."""
    agent_at: float | None = None
    """When the model's own voice was first heard on it; told only where its audio has marks."""

    @property
    def lasted_ms(self) -> float | None:
        """From 101 to close."""
        if self.opened_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.opened_at) * 1000


@dataclass(frozen=True, slots=True)
class CallReport:
    """The whole call. Times in seconds of the carrier's clock, durations in ms."""

    sid: str
    direction: str
    status: str
    """Twilio's final status: completed, busy, failed, no-answer, canceled."""
    ended_by: str
    """caller, agent (the document ended the call), api, carrier."""
    began_at: float
    answered_at: float | None
    ended_at: float
    setup_ms: float | None
    """From the webhook's request to its answer."""
    answer_ms: float | None
    """From the first `start` to the first sound."""
    turns: tuple[Turn, ...] = field(repr=False)
    transcript: tuple[tuple[str, str], ...] = field(repr=False)
    """(caller | agent | carrier, words), in order, as the caller knows them."""
    streams: tuple[StreamReport, ...]
    frames_sent: int
    frame_late_ms_max: float
    """How late our own frames were at worst: beyond a few ms the simulator is overloaded."""
    bytes_played: int
    warnings: dict[int, int]
    """Twilio's warning codes, counted."""
    dialled: tuple[str, ...] = field(repr=False)
    """Numbers and queues the document handed the caller to."""
    events: tuple[Entry, ...] = field(repr=False)
    events_uncounted: int
    callbacks_sent: int
    copies_differed: int
    """Doubled webhooks whose answers were not the same."""
    ledger: Ledger = field(repr=False)
    marks: Marks | None = field(default=None, repr=False)
    """Marks of time in the audio both ways, where they were asked for."""

    @property
    def latencies_ms(self) -> list[float]:
        """Turn latencies: end of the caller's speech to first sound of the answer."""
        return [
            turn.latency_ms
            for turn in self.turns
            if turn.kind == "said" and turn.latency_ms is not None
        ]

    @property
    def barge_ins_ms(self) -> list[float]:
        """From each interruption's first frame to silence."""
        return [turn.silence_ms for turn in self.turns if turn.silence_ms is not None]

    @property
    def holes_ms(self) -> list[float]:
        """Silences within replies."""
        return [gap.ms for turn in self.turns for gap in turn.holes]
