"""One session of the simulated model: client events and the time in, server events out.

    start(now)            the first events: session.created, or the error in its place
    receive(event, now)   a client's event, as text or as a record
    tick(now)             all that is due by now
    deadline()            when `tick` must come next

A stalled session takes everything and answers nothing.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from msgspec import Struct

from trunkline.errors import ModelProtocolError
from trunkline.sim.realtime import settings as rules
from trunkline.sim.realtime.brain import Brain
from trunkline.sim.realtime.dialogue import Dialogue
from trunkline.sim.realtime.faults import Faults
from trunkline.sim.realtime.handshake import Accepted
from trunkline.sim.realtime.ids import Ids
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.speech import FRAME_BYTES, Speech
from trunkline.sim.tally import Marks
from trunkline.sim.timemark import ORIGIN_MAX
from trunkline.sim.usual import appended, base64_of
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.responses import ErrorDetail

WAITING_MAX: Final = 10
"""So many frames of a load test that change nothing (silence that goes on, speech that goes on)
are taken in together: 200 ms. Then, or when anything else comes, each counts as of its time."""

EARLY_EVENTS_MAX: Final = 1000
"""Client events kept before session.created is out; more close the session."""

CLOSE_GOING_AWAY: Final = 1001
CLOSE_POLICY: Final = 1008
CLOSE_BETA: Final = 4000


class Send(Struct, frozen=True):
    """Write an event to the client."""

    event: server.ToClient


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket with this code, after what was sent."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the TCP connection: no close frame, nothing flushed."""


Output = Send | Close | Reset

NOTHING: Final[list[Output]] = []
"""What follows almost every append: never changed."""


class RealtimeServer:
    """The model's end of one WebSocket."""

    def __init__(
        self,
        accepted: Accepted,
        options: RealtimeSimOptions,
        brain: Brain,
        speech: Speech,
        faults: Faults,
        name: str,
        now: float,
        epoch_s: float,
    ) -> None:
        marks = Marks(origin=crc32(name.encode()) & ORIGIN_MAX) if options.marks else None
        self.record = SessionRecord(name, accepted.model, now, options.keep_audio, marks=marks)
        self._accepted, self._options, self._faults = accepted, options, faults
        self._ids = Ids(name)
        expires_at = round(epoch_s + options.session_s_max)
        self.dialogue = Dialogue(options, brain, speech, faults, self._ids, self.record, expires_at)
        self._out: list[Output] = []
        self._early: deque[bytes | str | client.FromClient] | None = deque()
        self._create_at: float | None = None
        self._expire_at: float | None = None
        self._reset_at: float | None = None
        self._stall_at: float | None = None
        self._closed = False
        self._may_wait = False
        """Whether frames that change nothing wait in `_waiting`."""
        self._waiting: list[bytes] = []
        self._waiting_at: list[float] = []
        self._changes_nothing = self.dialogue.hearing.changes_nothing

    @property
    def closed(self) -> bool:
        """Whether this end closed or reset the connection."""
        return self._closed

    def start(self, now: float) -> list[Output]:
        """What follows the handshake."""
        delay_s = self._faults.take_number("session_delay", now)
        if self._accepted.beta:
            message = "The beta API shape is gone: send no OpenAI-Beta header."
            self._end("beta_api_shape_disabled", message, CLOSE_BETA)
        elif (code := self._faults.take("session_error", now)) is not None:
            self._end(code, f"No session: {code}.", CLOSE_POLICY)
        elif delay_s:
            self._create_at = now + delay_s
        else:
            self._create(now)
        return self._taken()

    def receive(
        self, event: bytes | bytearray | memoryview | str | client.FromClient, now: float
    ) -> list[Output]:
        """Take a client's event; whatever is wrong with it is answered and counted."""
        audio = appended(event) if isinstance(event, bytes) and self._early is None else None
        if audio is not None and self._may_wait and self._waits(audio, now):
            return NOTHING  # The usual case.
        self._catch_up()
        if self._closed or (self._stall_at is not None and self._stalled(now)):
            return []
        if audio is not None:
            return self._hear(audio, now)
        if isinstance(event, bytearray | memoryview):
            event = bytes(event)
        if self._early is None:
            self._take(event, now)
        elif len(self._early) < EARLY_EVENTS_MAX:
            self._early.append(event)
        else:
            self._close(CLOSE_POLICY, "too many events before session.created")
        self._look_again()
        return self._taken()

    def _hear(self, audio: bytes, now: float) -> list[Output]:
        self.record.events["AppendAudio"] += 1
        if self.record.marks is None:
            self.record.ledger.came(base64_of(audio), now)
        said = self.dialogue.hear(audio, now)
        if len(audio) != FRAME_BYTES:
            self._look_again()
        if not said:
            return NOTHING
        self._send(now)
        return self._taken()

    def _waits(self, audio: bytes, now: float) -> bool:
        """Whether the audio changes nothing: then it is kept for `_catch_up`."""
        if len(audio) != FRAME_BYTES or not self._changes_nothing(audio):
            return False
        self._waiting.append(audio)
        self._waiting_at.append(now)
        if len(self._waiting) >= WAITING_MAX:
            self._catch_up()
        return True

    def _look_again(self) -> None:
        """Look whether frames may wait from now on; only a load test's do."""
        self._may_wait = (
            self.record.marks is not None
            and self._early is None
            and self._stall_at is None
            and not self._closed
            and self.dialogue.may_wait
        )

    def _catch_up(self) -> None:
        """Take in the frames that wait."""
        if self._waiting:
            self.record.events["AppendAudio"] += len(self._waiting)
            self.dialogue.hear_all(self._waiting, self._waiting_at)
            self._waiting, self._waiting_at = [], []

    def tick(self, now: float) -> list[Output]:
        """Do all that is due."""
        if self._closed:
            return []
        if _due(self._reset_at, now):
            self._catch_up()
            self._closed, self._may_wait = True, False
            return [Reset()]
        if _due(self._create_at, now):
            self._create_at = None
            self._create(now)
        if not self._stalled(now):
            self.dialogue.advance(now)
            self._send(now)
        if _due(self._expire_at, now):
            self._expire()
        return self._taken()

    def deadline(self) -> float | None:
        """When `tick` must come; None if nothing is due by itself."""
        if self._closed:
            return None
        soonest = None if self._stall_at == NOW else self.dialogue.deadline()
        for due in (self._create_at, self._expire_at, self._reset_at):
            if due is not None and (soonest is None or due < soonest):
                soonest = due
        return soonest

    def expire(self) -> list[Output]:
        """The session's time is over."""
        if not self._closed:
            self._expire()
        return self._taken()

    def stall(self) -> None:
        """From now on nothing is answered, and the socket stays open."""
        self._catch_up()
        self._may_wait = False
        self._stall_at = NOW

    def lost(self, now: float, code: int | None = None, reason: str = "") -> None:
        """The socket is gone, whoever closed it."""
        self._catch_up()
        self._closed, self._may_wait = True, False
        record = self.record
        if record.closed_at is None:
            record.closed_at = now
        if record.close_code is None:
            record.close_code, record.close_reason = code, reason

    def _expire(self) -> None:
        message = "Your session hit the maximum duration of 60 minutes."
        self._end("session_expired", message, CLOSE_GOING_AWAY)

    def _stalled(self, now: float) -> bool:
        if _due(self._stall_at, now):
            self._stall_at = NOW
        return self._stall_at == NOW

    def _create(self, now: float) -> None:
        event = server.SessionCreated(self.dialogue.session, self._ids.event())
        self._out.append(Send(event))
        expire_s = self._faults.take_number("expire", now)
        self._expire_at = now + (self._options.session_s_max if expire_s is None else expire_s)
        if (reset_s := self._faults.take_number("reset", now)) is not None:
            self._reset_at = now + reset_s
        if (stall_s := self._faults.take_number("stall", now)) is not None:
            self._stall_at = now + stall_s
        early, self._early = self._early or deque(), None
        for each in early:
            if not self._stalled(now):
                self._take(each, now)

    def _take(self, event: bytes | str | client.FromClient, now: float) -> None:
        if isinstance(event, bytes | str):
            text = event
            try:
                event = client.decode(text)
            except ModelProtocolError as error:
                self._refuse(rules.explained(error), client.event_id_of(text))
                return
        event_id = event.event_id if isinstance(event.event_id, str) else None
        if isinstance(event, client.AppendAudio) and self.record.marks is None:
            self.record.ledger.came(event.audio, now)
        self.record.events[type(event).__name__] += 1
        try:
            self.dialogue.obey(event, now)
            self._send(now)
        except ModelProtocolError as error:
            self._send(now)
            self._refuse(error, event_id)

    def _refuse(self, error: ModelProtocolError, event_id: str | None) -> None:
        self.record.errors[error.code] += 1
        detail = ErrorDetail(str(error), "invalid_request_error", error.code, error.param, event_id)
        self._out.append(Send(server.Error(detail, self._ids.event())))

    def _send(self, now: float) -> None:
        for event in self.dialogue.taken():
            if isinstance(event, server.AudioDelta):
                if self.record.marks is None:
                    self.record.ledger.left(event.delta, now)
            elif isinstance(event, server.SpeechStarted):
                self.record.ledger.interrupted(now)
            self._out.append(Send(event))

    def _end(self, code: str, message: str, close_code: int) -> None:
        detail = ErrorDetail(message, "invalid_request_error", code)
        self._out.append(Send(server.Error(detail, self._ids.event())))
        self._close(close_code, message)

    def _close(self, code: int, reason: str) -> None:
        self._catch_up()
        self._closed, self._may_wait = True, False
        self.record.close_code, self.record.close_reason = code, reason
        self._out.append(Close(code, reason))

    def _taken(self) -> list[Output]:
        out, self._out = self._out, []
        return out


NOW: Final = float("-inf")
"""A moment that has come already."""


def _due(at: float | None, now: float) -> bool:
    return at is not None and at <= now
