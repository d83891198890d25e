"""The media streams of one call: one at a time, one after another, and strangers' probes.

A stream is never opened twice; when one breaks, the document decides whether another comes.
"""

import math
import random
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from trunkline.sim.caller import Person
from trunkline.sim.carrier.account import (
    STREAM_USER_AGENT,
    Account,
    new_sid,
    stream_url_fault,
)
from trunkline.sim.carrier.events import (
    Action,
    OpenStream,
    SendFrame,
    StreamBinary,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    StreamStalled,
    StreamText,
)
from trunkline.sim.carrier.faults import AfterLoss, Faults
from trunkline.sim.carrier.forms import stream_form
from trunkline.sim.carrier.outbox import Outbox, signature_header
from trunkline.sim.carrier.report import Diary, Said, StreamReport
from trunkline.sim.carrier.stream import MediaStream, StreamPhase
from trunkline.sim.ledger import Ledger
from trunkline.sim.tally import Marks
from trunkline.wire.twiml_reading import StreamNoun
from trunkline.wire.webhooks import Form

STREAMS_MAX: Final = 100
"""Streams of one call. Beyond it a stream is refused (31920): the document runs in a circle."""

CLEAN_CODES: Final = frozenset({1000, 1001, 1005})
"""A server that closes with one of these meant to."""

StreamEvent = (
    StreamOpened | StreamRefused | StreamText | StreamBinary | StreamClosed | StreamStalled
)


class Outcome(StrEnum):
    """What became of the stream that the document waits for."""

    GOES_ON = "goes-on"
    CLOSED = "closed"
    LOST = "lost"
    REFUSED = "refused"


REFUSED_END_S: Final = 1.0
"""From a refused stream to the end of the call, where no verb follows (secondary)."""


def aftermath(outcome: Outcome, faults: Faults, *, has_more: bool) -> tuple[AfterLoss, float]:
    """What follows the end of the document's stream, and after how many seconds."""
    if outcome is Outcome.CLOSED:
        return AfterLoss.NEXT_VERB, faults.after_close_s
    if outcome is Outcome.LOST:
        never = faults.after_loss is AfterLoss.NOTHING
        return faults.after_loss, math.inf if never else faults.after_loss_s
    return faults.after_refusal, 0.0 if has_more else REFUSED_END_S


class Streams:
    """Opens streams, hands events to them, and says what became of the present one."""

    def __init__(
        self,
        call_sid: str,
        account: Account,
        person: Person,
        rng: random.Random,
        diary: Diary,
        ledger: Ledger,
        outbox: Outbox,
        marks: Marks | None = None,
    ) -> None:
        self.current: MediaStream | None = None
        self.only: MediaStream | None = None
        """The only stream there ever was: the usual case."""
        self.first_start_at: float | None = None
        self._call_sid = call_sid
        self._account = account
        self._person = person
        self._rng = rng
        self._diary = diary
        self._ledger = ledger
        self._outbox = outbox
        self._marks = marks
        self._all: list[MediaStream] = []
        self._codes: dict[int, int] = {}
        self._noun: StreamNoun | None = None
        self._url = ""
        self._refused = 0
        self._resets = 0

    @property
    def is_up(self) -> bool:
        """Whether a stream carries sound."""
        return self.current is not None and self.current.phase is StreamPhase.OPEN

    @property
    def are_gone(self) -> bool:
        """Whether no socket is left."""
        return all(stream.phase is StreamPhase.CLOSED for stream in self._all)

    def count(self, code: int, now: float, reason: str = "") -> None:
        """Count a warning or an error of the call's."""
        self._codes[code] = self._codes.get(code, 0) + 1
        self._diary.note(now, Said.WARNING, f"{code} {reason}".rstrip())

    def open(self, noun: StreamNoun, url: str, now: float) -> list[Action]:
        """Open the document's stream; an empty list where it is refused at once."""
        self._noun, self._url = noun, url
        fault = stream_url_fault(url)
        if noun.track != "inbound_track":
            fault = 31941, "only inbound_track under <Connect>"
        if len(self._all) >= STREAMS_MAX:
            fault = 31920, "too many streams on one call"
        if self._refused < self._account.faults.refuse_streams:
            self._refused += 1
            fault = 31920, "refused by a fault"
        if fault is not None:
            self._refuse(*fault, now)
            return []
        parameters = dict(noun.parameters) | dict(self._account.faults.parameters)
        self.current, action = self._add(parameters, probe=False)
        faults = self._account.faults
        if faults.reset_after_s and self._resets < faults.resets_max:
            self._resets += 1
            self.current.resets = True
        self._diary.note(now, Said.STREAM_OPENING, self.current.sid)
        return [action]

    def probe(self, now: float) -> list[Action]:
        """A stranger replays what the document's stream was opened with."""
        if self._noun is None or len(self._all) >= STREAMS_MAX:
            return []
        stream, action = self._add(self._noun.parameters, probe=True)
        self._diary.note(now, Said.FAULT, f"probe {stream.sid}")
        return [action]

    def _add(self, parameters: Mapping[str, str], *, probe: bool) -> tuple[MediaStream, OpenStream]:
        account = self._account
        stream = MediaStream(
            len(self._all), new_sid("MZ", self._rng), self._call_sid, account.sid, parameters,
            self._person, account.faults, account.frame_ms, self._rng, self._diary,
            None if probe else self._ledger, None if probe else self._marks, probe=probe,
        )  # fmt: skip
        self._all.append(stream)
        self.only = stream if len(self._all) == 1 else None
        headers = (
            ("User-Agent", STREAM_USER_AGENT),
            *signature_header(
                account.auth_token, self._url, Form(), account.faults.stream_signature
            ),
        )
        return stream, OpenStream(stream.number, self._url, headers)

    def receive(self, event: StreamEvent, now: float) -> tuple[list[Action], Outcome]:
        """Something happened to a stream; the outcome is that of the document's stream."""
        stream = self._all[event.stream]
        match event:
            case StreamText():
                return stream.received(event.text, now), Outcome.GOES_ON
            case StreamBinary():
                stream.received_binary(now)
            case StreamStalled():
                stream.stalled(event.stalled)
            case StreamOpened():
                return self._opened(stream, now), Outcome.GOES_ON
            case StreamRefused():
                was_opening = stream.phase is StreamPhase.OPENING
                stream.closed(None, now)
                if stream is self.current:
                    self.current = None
                    if was_opening:
                        self._refuse(event.code, event.reason, now)
                        return [], Outcome.REFUSED
            case StreamClosed():
                return [], self._closed(stream, event, now)
        return [], Outcome.GOES_ON

    def _opened(self, stream: MediaStream, now: float) -> list[Action]:
        if stream.phase is not StreamPhase.OPENING:
            return []  # Stopped while it was being opened: its close is already ordered.
        actions = stream.opened(now)
        if stream is self.current:
            if self.first_start_at is None:
                self.first_start_at = now
            self._diary.note(now, Said.STREAM_STARTED, stream.sid)
            self._tell("stream-started", stream.sid, now)
        return actions

    def _closed(self, stream: MediaStream, event: StreamClosed, now: float) -> Outcome:
        code = event.code
        stream.closed(code, now)
        if stream is not self.current:  # Replaced, stopped by us, or a stranger's.
            return Outcome.GOES_ON
        self.current = None
        self._diary.note(now, Said.STREAM_ENDED, f"{stream.sid} {code}")
        if code in CLEAN_CODES:
            self._tell("stream-stopped", stream.sid, now)
            return Outcome.CLOSED
        number = 31924 if event.violation else 31921
        self.count(number, now, f"closed by the server ({code})")
        self._tell("stream-error", stream.sid, now, f"{number} - closed by the server ({code})")
        return Outcome.LOST if code is None else Outcome.CLOSED

    def _refuse(self, code: int, reason: str, now: float) -> None:
        self.count(code, now, reason)
        self._diary.note(now, Said.STREAM_REFUSED, reason)
        self._tell("stream-error", new_sid("MZ", self._rng), now, f"{code} - {reason}")

    def _tell(self, event: str, sid: str, now: float, error: str | None = None) -> None:
        noun = self._noun
        if noun is not None and noun.status_callback is not None:
            form = stream_form(self._call_sid, self._account, sid, event, now, error)
            self._outbox.callback(noun.status_callback, noun.status_callback_method, form, now)

    def calm(self, now: float) -> SendFrame | None:
        """The only stream's frame, where nothing else is due."""
        if self.only is None or (text := self.only.frames.calm(now)) is None:
            return None
        return SendFrame(self.only.number, text)

    def calm_at(self) -> float | None:
        """When such a frame is due, if one is next."""
        frames = None if self.only is None else self.only.frames
        return frames.due if frames is not None and frames.due < frames.calm_until else None

    def calm_until(self, until: float) -> None:
        """Something else may have to be done at this time, or has been done: 0."""
        if self.only is not None and until < self.only.frames.calm_until:
            self.only.frames.calm_until = until

    def tick(self, now: float) -> list[Action]:
        """Play and send what is due on every stream."""
        if self.only is not None:
            return self.only.tick(now)
        actions: list[Action] = []
        for stream in self._all:
            actions += stream.tick(now)
        return actions

    def deadline(self) -> float | None:
        """When `tick` must come."""
        if self.only is not None:
            return self.only.deadline()
        times = [at for stream in self._all if (at := stream.deadline()) is not None]
        return min(times, default=None)

    def stop(self, now: float) -> list[Action]:
        """End the present stream from the carrier's side."""
        stream, self.current = self.current, None
        if stream is None:
            return []
        was_open = stream.phase is StreamPhase.OPEN
        actions = stream.stop(now)
        self._diary.note(now, Said.STREAM_ENDED, f"{stream.sid} by the carrier")
        if was_open:
            self._tell("stream-stopped", stream.sid, now)
        return actions

    def stop_all(self, now: float) -> list[Action]:
        """The call is over: every socket is closed."""
        actions = self.stop(now)
        for stream in self._all:
            if not stream.is_over:
                actions += stream.stop(now)
        return actions

    @property
    def warnings(self) -> dict[int, int]:
        """Codes of the call and of its streams, counted."""
        counted = dict(self._codes)
        for stream in self._all:
            if not stream.probe:
                for code, count in stream.warnings.items():
                    counted[code] = counted.get(code, 0) + count
        return counted

    @property
    def late_ms_max(self) -> float:
        """How late a frame of ours was at worst."""
        return max((stream.frames.late_s_max for stream in self._all), default=0.0) * 1000

    def reports(self) -> tuple[StreamReport, ...]:
        """What each stream was like."""
        return tuple(stream.report() for stream in self._all)
