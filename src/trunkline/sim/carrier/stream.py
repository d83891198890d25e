"""One media stream as the carrier runs it: frames out on an absolute clock, a play queue in.

Order out: `connected`, `start`, then frames with `dtmf` and `mark` between them, then `stop`.
What comes in is judged as strictly as warnings 31950 and 31951 say; each is counted, the first
of a kind is written down.
"""

import math
import random
from binascii import a2b_base64
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from trunkline.errors import CarrierProtocolError
from trunkline.sim.caller import HungUp, Person
from trunkline.sim.carrier.events import (
    Action,
    CloseStream,
    ReadStream,
    ResetStream,
    SendFrame,
    SendMessage,
)
from trunkline.sim.carrier.faults import NO_FAULTS, Faults, bad_message
from trunkline.sim.carrier.firsts import FirstSounds
from trunkline.sim.carrier.frames import Frames
from trunkline.sim.carrier.playqueue import BYTES_PER_S, Played, PlayQueue
from trunkline.sim.carrier.report import Diary, Said, StreamReport
from trunkline.sim.ledger import Ledger
from trunkline.sim.tally import Marks
from trunkline.sim.usual import base64_of
from trunkline.wire import twilio as wire

PLAY_S: Final = 0.1
"""How often what was played is handed to the person, where no mark or end comes earlier."""

FRAMES_AT_ONCE_MAX: Final = 50
"""Late frames sent in one go: one second. What is still due follows at once, after the others."""

MALFORMED: Final = wire.MALFORMED
NOT_ACCEPTABLE: Final = wire.NOT_ACCEPTABLE
OVERFLOW: Final = 31930


class StreamPhase(StrEnum):
    """A stream is opened once and never again."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class MediaStream:
    """The carrier's end of one WebSocket."""

    def __init__(
        self,
        number: int,
        sid: str,
        call_sid: str,
        account_sid: str,
        parameters: Mapping[str, str],
        person: Person,
        faults: Faults,
        frame_ms: int,
        rng: random.Random,
        diary: Diary,
        ledger: Ledger | None,
        marks: Marks | None = None,
        *,
        probe: bool = False,
    ) -> None:
        self.number = number
        self.sid = sid
        self.phase = StreamPhase.OPENING
        self.warnings: dict[int, int] = {}
        self.frames = Frames(sid, frame_ms, marks)
        self.opened_at: float | None = None
        self.probe = probe
        self.resets = False
        """Whether the reset fault strikes this stream."""
        self._ended_at: float | None = None
        self._close_code: int | None = None
        self._call_sid, self._account_sid = call_sid, account_sid
        self._parameters = dict(parameters)
        self._person = person
        self._faults = faults
        self._rng = rng
        self._diary = diary
        self._ledger, self._marks = ledger, marks
        self._queue = PlayQueue()
        self._firsts = FirstSounds(marked=marks is not None)
        self._play_at = math.inf  # When a mark comes due or the queue runs empty.
        self._look_at = math.inf  # When a frame that is sent anyway looks at the queue too.
        self._misbehaves = faults != NO_FAULTS
        self._stalled = False
        self._stalled_until = self._next_stall = self._next_garbage = 0.0
        self._garbage_sent = 0
        self._reading = True
        self._bytes_received = self._bytes_played = 0
        self._bytes_cleared = self._bytes_dropped = 0
        self._marks_echoed = 0
        self._clears = 0
        self._start = b""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent or heard on it."""
        return self.phase in {StreamPhase.CLOSING, StreamPhase.CLOSED}

    def deadline(self) -> float | None:
        """When `tick` must come."""
        if self.phase is not StreamPhase.OPEN:
            return None
        due = self.frames.due
        if due < self._stalled_until:  # noqa: PLR1730 - once a frame: a call costs more
            due = self._stalled_until
        return due if due < self._play_at else self._play_at  # noqa: FURB136 - as above

    def opened(self, now: float) -> list[Action]:
        """The server answered 101: the stream begins."""
        assert self.phase is StreamPhase.OPENING
        self.phase = StreamPhase.OPEN
        self.opened_at = now
        self.frames.begin(now)
        faults = self._faults
        self._next_stall = now + faults.jitter_every_s
        self._next_garbage = now + faults.garbage_every_s
        if not self.probe:
            self._person.line_up(now)
        fields = wire.StartFields(
            self._account_sid,
            self.sid,
            self._call_sid,
            ["inbound"],
            wire.MediaFormat("audio/x-mulaw", 8000, 1),
            self._parameters,
        )
        self._start = wire.encode(wire.Start(fields, self.sid, "1"))
        connected = wire.encode(wire.Connected())
        return [SendMessage(self.number, connected), SendMessage(self.number, self._start)]

    def tick(self, now: float) -> list[Action]:
        """Play and send what is due."""
        if self.phase is not StreamPhase.OPEN:
            return []
        actions: list[Action] = []
        if now >= self._play_at or now >= self._look_at:
            self._play(now, actions)
        if self._misbehaves:
            self._misbehave(now, actions)
            if now < self._stalled_until or self.is_over:
                return actions
        frames, sent = self.frames, 0
        while frames.due <= now and sent < FRAMES_AT_ONCE_MAX:
            sent += 1
            if frames.notes_lateness(now, meant=frames.due < self._stalled_until):
                frames.skipped += 1
                self.warn(OVERFLOW, now)
            else:
                frames.chunk += 1
                self._send_frame(now, actions)
            frames.moves_on()
        frames.calm_until = self._calm_until()
        return actions

    def _calm_until(self) -> float:
        """Until when nothing but the next frame is to be done, unless an event comes."""
        if self._misbehaves or self._stalled or self.probe:
            return 0.0
        person = self._person
        speaks = person.is_speaking and self._marks is not None  # Else the ledger wants it.
        self.frames.speaks = person.frame if speaks else None
        until = person.speaks_until(self.frames.size) if speaks else person.silent_until()
        return min(self._play_at, self._look_at, until)

    def _send_frame(self, now: float, actions: list[Action]) -> None:
        audio, frames = None, self.frames
        if not self.probe:
            audio = self._person.frame(frames.due, frames.size)
            if self._person.orders:
                self._press(actions)
        if self._stalled:  # The server reads too slowly: Twilio drops what it can't deliver.
            self.warn(OVERFLOW, now)
            return
        payload = None if audio is None or self._marks is not None else base64_of(audio)
        actions.append(SendFrame(self.number, frames.text(audio, now), payload))

    def _press(self, actions: list[Action]) -> None:
        """Send the keys pressed; a hang-up is left for the call."""
        left = []
        for order in self._person.orders:
            if isinstance(order, HungUp):
                left.append(order)
                continue
            dtmf = wire.Dtmf(wire.DtmfFields(order.digit), self.sid, self.frames.next_sequence())
            actions.append(SendMessage(self.number, wire.encode(dtmf)))
        self._person.orders[:] = left

    def _play(self, now: float, actions: list[Action]) -> None:
        played = self._queue.advance(now)
        if played.ended:
            self._heard(played, actions)
        self._rest(now + PLAY_S)

    def _rest(self, look_at: float) -> None:
        """Until the queue must be looked at, and until it may be."""
        due = self._queue.deadline()
        if due is None:
            self._play_at = self._look_at = math.inf
        else:
            self._play_at, self._look_at = due, look_at

    def _heard(self, played: Played, actions: list[Action]) -> None:
        self._bytes_played += len(played.audio)
        if not self.probe:
            self._person.hears(played.audio, played.began, played.ended)
            if played.emptied:
                self._person.falls_silent(played.ended)
        for name in played.echoes:
            self._echo(name, actions)

    def _echo(self, name: str, actions: list[Action]) -> None:
        self._marks_echoed += 1
        mark = wire.Mark(wire.MarkFields(name), self.sid, self.frames.next_sequence())
        actions.append(SendMessage(self.number, wire.encode(mark)))

    def received(self, text: bytes, now: float) -> list[Action]:
        """The server sent a text message."""
        if self.phase is not StreamPhase.OPEN:
            return []
        self.frames.calm_until = 0.0
        actions: list[Action] = []
        self._play(now, actions)
        audio = self.frames.read(text)
        if audio is not None:  # The usual case.
            self._queued(audio, now)
            return actions
        try:
            message = wire.decode_from_server(text)
        except CarrierProtocolError as error:
            self.warn(error.code, now)
            return actions
        if message.stream_sid != self.sid:
            self.warn(NOT_ACCEPTABLE, now)
            return actions
        match message:
            case wire.SendMedia():
                self._queued(a2b_base64(message.media.payload), now)
            case wire.SendMark():
                name = message.mark.name
                if self._queue.is_full_of_marks:
                    self.warn(NOT_ACCEPTABLE, now)
                elif self._queue.mark(name):
                    self._echo(name, actions)
                self._rest(self._look_at)
            case wire.SendClear():
                self._clear(now, actions)
        return actions

    def _queued(self, audio: bytes, now: float) -> None:
        """The server sent audio."""
        if self._marks is not None:
            self._marks.take(now, audio)
        elif self._ledger is not None:
            self._ledger.came(base64_of(audio), now)
        self._bytes_received += len(audio)
        if not self._firsts.is_done:
            self._firsts.came(audio, self._queue.queued_bytes, now)
        if not self._queue.add(audio, now):
            self._bytes_dropped += len(audio)
        self._rest(now)  # The next frame tells the person that it plays.

    def _clear(self, now: float, actions: list[Action]) -> None:
        self._clears += 1
        if self._marks is not None:
            self._marks.came.interrupted()
        if self._ledger is not None:
            self._ledger.interrupted(now)
        tail = self._faults.clear_tail_ms * BYTES_PER_S // 1000
        dropped, echoes = self._queue.clear(tail)
        self._firsts.cleared(now)
        self._bytes_cleared += dropped
        if not self._queue.queued_bytes and not self.probe:
            self._person.falls_silent(now)
        for name in echoes:
            self._echo(name, actions)
        self._rest(now)

    def received_binary(self, now: float) -> None:
        """The server sent a binary message: Twilio drops it."""
        if self.phase is StreamPhase.OPEN:
            self.warn(MALFORMED, now)

    def stalled(self, stalled: bool) -> None:  # noqa: FBT001 - it is the event's one field
        """The server reads too slowly, or reads again."""
        self._stalled = stalled
        self.frames.calm_until = 0.0

    def warn(self, code: int, now: float) -> None:
        """Count a warning; Twilio logs each kind once per stream."""
        if code not in self.warnings:
            self._diary.note(now, Said.WARNING, str(code))
        self.warnings[code] = self.warnings.get(code, 0) + 1

    def _misbehave(self, now: float, actions: list[Action]) -> None:
        """What the faults demand of this stream."""
        faults = self._faults
        assert self.opened_at is not None
        if faults.jitter_every_s and now >= self._next_stall:
            self._stalled_until = now + self._rng.uniform(0, faults.jitter_ms_max) / 1000
            self._next_stall = self._stalled_until + faults.jitter_every_s
        if faults.garbage and now >= self._next_garbage:
            kind = faults.garbage[self._garbage_sent % len(faults.garbage)]
            self._garbage_sent += 1
            self._next_garbage = now + faults.garbage_every_s
            bad = bad_message(kind, self.sid, self.frames.sequence, self._start, self._rng)
            actions.append(SendMessage(self.number, bad.data, bad.binary))
        if faults.slow_reader_after_s:
            begins = self.opened_at + faults.slow_reader_after_s
            reading = not begins <= now < begins + faults.slow_reader_for_s
            if reading is not self._reading:
                self._reading = reading
                actions.append(ReadStream(self.number, reading))
        if self.resets and now >= self.opened_at + faults.reset_after_s:
            self._diary.note(now, Said.FAULT, "reset")
            actions.extend(self.reset(now))

    def reset(self, now: float) -> list[Action]:
        """Drop the connection; `closed` follows when the socket is gone."""
        self._play(now, [])  # Its echoes have nowhere to go.
        self._leave(now)
        return [ResetStream(self.number)]

    def stop(self, now: float) -> list[Action]:
        """End the stream from the carrier's side."""
        if self.phase is StreamPhase.OPENING:
            self._leave(now)
            return [CloseStream(self.number)]
        if self.phase is not StreamPhase.OPEN:
            return []
        actions: list[Action] = []
        self._play(now, actions)
        self._leave(now)
        if not self._faults.no_stop:
            fields = wire.StopFields(self._account_sid, self._call_sid)
            message = wire.Stop(fields, self.sid, self.frames.next_sequence())
            actions.append(SendMessage(self.number, wire.encode(message)))
        actions.append(CloseStream(self.number))
        return actions

    def _leave(self, now: float) -> None:
        self.frames.calm_until = 0.0
        self._bytes_dropped += self._queue.queued_bytes
        self._queue.clear()
        self.phase = StreamPhase.CLOSING
        if self._ended_at is None:
            self._ended_at = now
        if not self.probe:
            self._person.line_down(now)

    def closed(self, code: int | None, now: float) -> None:
        """The socket is gone."""
        if self.phase is StreamPhase.CLOSED:
            return
        if not self.is_over:
            self._play(now, [])  # Its echoes have nowhere to go.
            self._leave(now)
        self.phase = StreamPhase.CLOSED
        self._close_code = code

    def report(self) -> StreamReport:
        """What the stream was like."""
        return StreamReport(
            sid=self.sid,
            opened_at=self.opened_at,
            ended_at=self._ended_at,
            close_code=self._close_code,
            frames_sent=self.frames.chunk,
            bytes_received=self._bytes_received,
            bytes_played=self._bytes_played,
            bytes_cleared=self._bytes_cleared,
            bytes_dropped=self._bytes_dropped,
            marks_echoed=self._marks_echoed,
            clears=self._clears,
            probe=self.probe,
            sound_at=self._firsts.sound_at,
            agent_at=self._firsts.agent_at,
        )
