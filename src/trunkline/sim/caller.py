"""Who is on the line: a person who follows a script of speech, pauses, interruptions and keys.

The carrier's machine takes from the person what they say, frame by frame, and gives them what
is played, byte for byte. The person keeps a turn for each of their utterances: what was said,
what was heard in reply, when, and with which gaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from trunkline.sim.turns import Kind, Turn, TurnBook

PRESS_MS: Final = 250
"""From one key to the next."""

LISTEN_MS_MAX: Final = 30_000
"""So long a person waits for an answer before the script goes on."""

MISSED_MS: Final = 1_500
"""So long after a reply that was too short to interrupt, the person speaks all the same."""

CAREFUL_MS: Final = 1
"""A step is looked at so much before it can be done: clocks are read and rounded."""

SILENCE: Final = 0xFF


class Voice(Protocol):
    """Words to sound and back; `sim.speech.Speech` is one."""

    def speak(self, text: str) -> bytes:
        """µ-law audio of the text, in whole 20 ms frames."""
        ...

    def hear(self, audio: bytes) -> str:
        """The words in the audio."""
        ...


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait until the agent has spoken and was then silent for so long."""

    until_silence_ms: int = 700
    max_ms: int = LISTEN_MS_MAX


@dataclass(frozen=True, slots=True)
class Say:
    """Speak, whether or not the agent does."""

    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Say nothing for so long."""

    ms: int


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Speak into the agent's reply once so much of it was heard."""

    after_heard_ms: int
    text: str
    max_ms: int = LISTEN_MS_MAX


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys, one after another."""

    digits: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Put the phone down. The end of the script does so, too."""


@dataclass(frozen=True, slots=True)
class WaitForHangUp:
    """Let the agent end the call; put the phone down after so long."""

    max_s: float = 60.0


Step = Listen | Say | Pause | Interrupt | Press | HangUp | WaitForHangUp
Script = Sequence[Step]


@dataclass(frozen=True, slots=True)
class Pressed:
    """The person presses a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The person puts the phone down."""


Order = Pressed | HungUp


class Person:
    """One person on one call. `at` is always the carrier's clock in seconds."""

    def __init__(self, script: Script, voice: Voice, frame_ms: int = 20) -> None:
        self.orders: list[Order] = []
        self.book = TurnBook()
        self._script = tuple(script)
        self._voice = voice
        self._frame_s = frame_ms / 1000
        self._step = -1
        self._step_began = 0.0
        self._pressed = 0
        self._speech = b""
        self._spoken = 0
        self._last_frame = 0.0
        self._idle_until = 0.0  # Before then no step can be done, unless `book.changes` has moved.
        self._idle_changes = -1
        self._line_is_up = False
        self._lost_at: float | None = None
        self._gone = False

    def __repr__(self) -> str:
        """No words: they are a person's."""
        return f"<Person step={self._step}/{len(self._script)} turns={len(self.book.turns)}>"

    @property
    def is_speaking(self) -> bool:
        """Whether an utterance is under way."""
        return self._spoken < len(self._speech)

    @property
    def has_hung_up(self) -> bool:
        """Whether the person put the phone down."""
        return self._gone

    def answered(self, at: float) -> None:
        """The line is open: the script begins."""
        if self._step < 0:
            self.book.open(Kind.GREETING, "", at)
            self.book.finish(at)
            self._next(at)

    def line_up(self, at: float) -> None:
        """A stream carries sound now. After a lost one, the person waits for a sound first."""
        self._line_is_up = True
        self._idle_until = at
        if self._lost_at is not None:
            if not self.is_speaking:
                self.book.open(Kind.RESUME, "", self._lost_at)
                self.book.finish(at)
            self._lost_at = None

    def line_down(self, at: float) -> None:
        """No stream carries sound any more."""
        if self._line_is_up:
            self._line_is_up = False
            self._lost_at = at
            self.falls_silent(at)

    def hears(self, audio: bytes, began: float, ended: float) -> None:
        """Audio was played to the person from `began` to `ended`."""
        self.book.hears(audio, began, ended)

    def falls_silent(self, at: float) -> None:
        """The last queued byte was played, or the queue was cleared."""
        self.book.falls_silent(at)

    def is_told(self, began: float, ended: float) -> None:
        """The carrier's own voice spoke."""
        self.book.hears(b"", began, ended)
        self.book.falls_silent(ended, meant=True)

    def frame(self, at: float, size: int) -> bytes | None:
        """What the person says in the frame that ends at `at`; None for silence."""
        if not self._speech:
            if at < self._idle_until and self.book.changes == self._idle_changes:
                return None  # The usual case.
            self.advance(at)
            if not self._speech:
                self._rest(at)
                return None
        missed = round((at - self._last_frame) / self._frame_s) - 1 if self._spoken else 0
        self._spoken += max(0, missed) * size  # Said while no stream was there to carry it.
        piece = self._speech[self._spoken : self._spoken + size]
        self._spoken += size
        self._last_frame = at
        if self._spoken >= len(self._speech):
            self._speech = b""
            self._spoken = 0
            self.book.finish(at)
            self._next(at)
        if not piece:
            return None
        return piece if len(piece) == size else piece + bytes([SILENCE]) * (size - len(piece))

    def speaks_until(self, size: int) -> float:
        """Until then the person does nothing but speak: the last frame is more."""
        left = -(-(len(self._speech) - self._spoken) // size)
        return self._last_frame + (left - 0.5) * self._frame_s

    def silent_until(self) -> float:
        """Until then the person says and does nothing, if nothing else happens on the line."""
        if self._speech or self.orders or self.book.changes != self._idle_changes:
            return 0.0
        return self._idle_until

    def _rest(self, at: float) -> None:
        """Work out until when the present step surely is not done, if nothing changes."""
        self._idle_until, self._idle_changes = at, self.book.changes
        if self._gone or not 0 <= self._step < len(self._script):
            return
        step, waited_ms = self._script[self._step], (at - self._step_began) * 1000
        match step:
            case Listen():
                silent_ms = self.book.silent_ms(at)
                left_ms = step.max_ms - waited_ms
                if silent_ms is not None:
                    left_ms = min(left_ms, step.until_silence_ms - silent_ms)
            case Interrupt():
                left_ms = step.max_ms - waited_ms
                silent_ms = self.book.silent_ms(at)
                if self.book.is_playing:
                    left_ms = min(left_ms, step.after_heard_ms - self.book.playing_ms(at))
                if silent_ms is not None:
                    left_ms = min(left_ms, MISSED_MS - silent_ms)
            case Pause():
                left_ms = step.ms - waited_ms
            case WaitForHangUp():
                left_ms = step.max_s * 1000 - waited_ms
            case _:
                return
        self._idle_until = at + (left_ms - CAREFUL_MS) / 1000

    def advance(self, at: float) -> None:
        """Follow the script as far as it goes without a frame."""
        while not self._gone and not self._speech and self._step >= 0:
            if self._step >= len(self._script):
                self.hang_up()
            elif not self._is_done(self._script[self._step], at):
                return

    def hang_up(self) -> None:
        """Put the phone down, whatever the script says."""
        if not self._gone:
            self._gone = True
            self._speech = b""
            self.orders.append(HungUp())

    def _next(self, at: float) -> None:
        self._step += 1
        self._step_began = at
        self._pressed = 0

    def _is_done(self, step: Step, at: float) -> bool:
        """Do what the step asks for now; whether the script can go on at once."""
        waited_ms = (at - self._step_began) * 1000 + 0.001
        match step:
            case Listen():
                return self._listen(step, at, waited_ms)
            case Say():
                if not self._line_is_up:
                    return False
                self._speak(step.text, at)
            case Interrupt():
                heard = self.book.playing_ms(at) >= step.after_heard_ms
                if not self._line_is_up or not (
                    heard or self._reply_is_over(at) or waited_ms >= step.max_ms
                ):
                    return False
                self._speak(step.text, at)
            case Pause():
                if waited_ms < step.ms:
                    return False
                self._next(at)
            case Press():
                return self._press(step, at, waited_ms)
            case HangUp():
                self.hang_up()
            case WaitForHangUp():
                if waited_ms < step.max_s * 1000:
                    return False
                self.hang_up()
        return True

    def _listen(self, step: Listen, at: float, waited_ms: float) -> bool:
        silent_ms = self.book.silent_ms(at)
        if silent_ms is None or silent_ms < step.until_silence_ms:
            if waited_ms < step.max_ms:
                return False
            self.book.note_unanswered()
        self._next(at)
        return True

    def _reply_is_over(self, at: float) -> bool:
        """Whether a reply shorter than the person wanted to hear has ended."""
        silent_ms = self.book.silent_ms(at)
        return silent_ms is not None and silent_ms >= MISSED_MS

    def _press(self, step: Press, at: float, waited_ms: float) -> bool:
        if self._pressed >= len(step.digits):
            self._next(at)
            return True
        if waited_ms < self._pressed * PRESS_MS:
            return False
        self.orders.append(Pressed(step.digits[self._pressed]))
        self._pressed += 1
        return True

    def _speak(self, text: str, at: float) -> None:
        self._speech = self._voice.speak(text)
        self._spoken = 0
        self._last_frame = at
        self.book.open(Kind.SAID, text, at)
        if not self._speech:
            self.book.finish(at)
            self._next(at)

    def turns(self) -> tuple[Turn, ...]:
        """All turns so far, each with the words that were heard in it."""
        return tuple(self.book.turns)

    def last_words(self) -> str:
        """What was understood last. Cheap: nothing is heard again while the agent speaks."""
        for turn in reversed(self.book.turns):
            if turn.bytes_played and not self.book.is_playing:
                return self.words_heard(turn)
            if turn.heard:
                return turn.heard
        return ""

    def words_heard(self, turn: Turn) -> str:
        """What the agent said in a turn, as the person understood it."""
        if turn.heard is None or turn.heard_bytes != turn.bytes_played:
            turn.heard = self._voice.hear(bytes(turn.played)) if turn.played else ""
            turn.heard_bytes = turn.bytes_played
        return turn.heard
