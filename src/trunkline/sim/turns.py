"""What a person on the line lived through, turn by turn.

A turn begins with an utterance (or with the greeting, or a resume) and owns the reply to it.
Audio belongs to the turn before as long as that reply still plays: an interruption's turn gets
its first byte only after the line fell silent.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

PLAYED_BYTES_MAX: Final = 2_000_000
"""Audio kept of one call: about 4 minutes. Beyond it only the digests and counts go on."""

TURNS_MAX: Final = 500
"""Turns kept of one call; what comes later is added to the last."""

GAPS_MAX: Final = 1_000
"""Gaps kept of one call; what comes later is counted only."""

GAP_S_MIN: Final = 0.001
"""A shorter silence between two pieces of audio is the clock's grain, no gap."""

HOLE_MS_MAX: Final = 1_000
"""A longer silence is a pause between two utterances of the agent, not a hole in one."""


class Kind(StrEnum):
    """What a turn began with."""

    GREETING = "greeting"
    SAID = "said"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Gap:
    """The line fell silent at `at` and the same turn's audio went on `ms` later."""

    at: float
    ms: float


@dataclass(slots=True)
class Turn:
    """Times are seconds of the carrier's clock."""

    kind: Kind
    said: str = field(repr=False)
    began_at: float
    ended_at: float | None = None
    """When the person had finished; for the greeting and a resume, when the line was there."""
    interrupted: bool = False
    """Whether the agent was speaking when the turn began."""
    silence_ms: float | None = None
    """From the first frame of the interruption to silence on the line."""
    reply_at: float | None = None
    """When the first byte of the reply was played."""
    last_at: float | None = None
    """When its last byte was."""
    bytes_played: int = 0
    played: bytearray = field(default_factory=bytearray, repr=False)
    gaps: list[Gap] = field(default_factory=list)
    unanswered: bool = False
    """The person gave up waiting for a reply."""
    heard: str | None = field(default=None, repr=False)
    heard_bytes: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256, repr=False)

    @property
    def latency_ms(self) -> float | None:
        """From the end of the utterance to the first byte of the reply."""
        if self.reply_at is None or self.ended_at is None:
            return None
        return (self.reply_at - self.ended_at) * 1000

    @property
    def digest(self) -> str:
        """SHA-256 of all that was played in this turn, kept or not."""
        return self._digest.hexdigest()

    @property
    def holes(self) -> tuple[Gap, ...]:
        """Gaps too short to be pauses between two utterances."""
        return tuple(gap for gap in self.gaps if gap.ms <= HOLE_MS_MAX)

    def add(self, audio: bytes, keep: int) -> None:
        """Count the audio, and keep its first `keep` bytes."""
        self._digest.update(audio)
        self.bytes_played += len(audio)
        if keep > 0:
            self.played += audio if keep >= len(audio) else audio[:keep]


class TurnBook:
    """The turns of one person on one call."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.changes = 0
        """Moves whenever the line begins to sound or falls silent, or a turn begins or ends."""
        self.gaps_uncounted = 0
        self._replying: Turn | None = None
        self._playing_since: float | None = None
        self._silent_since: float | None = None
        self._pause_was_meant = False
        self._kept = 0

    @property
    def is_playing(self) -> bool:
        """Whether audio is being played."""
        return self._playing_since is not None

    @property
    def bytes_played(self) -> int:
        """All audio of the call."""
        return sum(turn.bytes_played for turn in self.turns)

    def open(self, kind: Kind, said: str, at: float) -> None:
        """A turn begins."""
        self.changes += 1
        if len(self.turns) < TURNS_MAX:
            self.turns.append(Turn(kind, said, at, interrupted=self.is_playing))

    def finish(self, at: float) -> None:
        """The newest turn's utterance is over: what is played next is its reply."""
        turn = self.turns[-1]
        self.changes += 1
        if turn.ended_at is None:
            turn.ended_at = at
        if not self.is_playing:
            self._replying = turn

    def hears(self, audio: bytes, began: float, ended: float) -> None:
        """Audio was played."""
        turn = self._replying
        if turn is None:
            return
        if self._playing_since is None:
            self._playing_since = began
            self.changes += 1
            self._note_gap(turn, began)
        if turn.reply_at is None:
            turn.reply_at = began
            self.changes += 1
        turn.add(audio, PLAYED_BYTES_MAX - self._kept)
        self._kept = min(PLAYED_BYTES_MAX, self._kept + len(audio))
        turn.last_at = ended

    def _note_gap(self, turn: Turn, began: float) -> None:
        meant, self._pause_was_meant = self._pause_was_meant, False
        if meant or turn.reply_at is None or self._silent_since is None:
            return
        silence_s = began - self._silent_since
        if silence_s < GAP_S_MIN:
            return
        if sum(len(turn.gaps) for turn in self.turns) < GAPS_MAX:
            turn.gaps.append(Gap(self._silent_since, silence_s * 1000))
        else:
            self.gaps_uncounted += 1

    def falls_silent(self, at: float, *, meant: bool = False) -> None:
        """Nothing is left to play; `meant` where the carrier itself had spoken: no gap follows."""
        if self._playing_since is None:
            return
        self._pause_was_meant = meant
        self.changes += 1
        self._playing_since = None
        self._silent_since = at
        newest = self.turns[-1]
        if newest is not self._replying and (newest.interrupted or newest.ended_at is not None):
            if newest.interrupted and newest.silence_ms is None:
                newest.silence_ms = (at - newest.began_at) * 1000
            self._replying = newest

    def note_unanswered(self) -> None:
        """The person waited for a reply in vain."""
        if self._replying is not None and self._replying.reply_at is None:
            self._replying.unanswered = True

    def playing_ms(self, at: float) -> float:
        """For how long audio has now been playing without a break; 0 in silence."""
        return 0.0 if self._playing_since is None else (at - self._playing_since) * 1000

    def silent_ms(self, at: float) -> float | None:
        """For how long it has been silent since the reply; None while it plays or is awaited."""
        newest = self.turns[-1] if self.turns else None
        if newest is not self._replying or newest is None or newest.reply_at is None:
            return None
        if self._playing_since is not None or self._silent_since is None:
            return None
        return (at - self._silent_since) * 1000
