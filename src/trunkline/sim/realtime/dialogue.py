"""What a session's events mean: audio heard, items kept, responses begun and cut off.

`obey` raises `ModelProtocolError` for what the client did wrong; what was to be said by then
waits in `taken`.
"""

import base64
from collections import deque
from typing import Final, assert_never

from msgspec import UNSET
from msgspec.structs import replace

from trunkline.errors import ModelProtocolError
from trunkline.sim.realtime import settings as rules
from trunkline.sim.realtime.brain import Brain, Why
from trunkline.sim.realtime.conversation import Conversation, Entry, id_of
from trunkline.sim.realtime.faults import Faults
from trunkline.sim.realtime.hearing import BYTES_PER_MS, Hearing, SpeechBegan, SpeechEnded
from trunkline.sim.realtime.ids import Ids
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import Heard, SessionRecord
from trunkline.sim.realtime.responses import Responses
from trunkline.sim.speech import Speech
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputText,
    Item,
    Message,
    OutputText,
)
from trunkline.wire.realtime.responses import DurationUsage, ErrorDetail, TranscriptionError
from trunkline.wire.realtime.session import Pcmu, ServerVad, Session, effective

COMMIT_MS_MIN: Final = 100
"""Less audio can't be committed."""

PCM_BYTES_PER_ULAW_BYTE: Final = 6
"""16 bits at 24 kHz against 8 bits at 8 kHz: µ-law taken for PCM is six times shorter."""


class Dialogue:
    """The session's settings, what it hears, and what it answers."""

    def __init__(
        self,
        options: RealtimeSimOptions,
        brain: Brain,
        speech: Speech,
        faults: Faults,
        ids: Ids,
        record: SessionRecord,
        expires_at: int,
    ) -> None:
        self.conversation = Conversation()
        self.responses = Responses(options, brain, speech, faults, ids, self.conversation, record)
        self._options, self._speech, self._faults = options, speech, faults
        self._ids, self._record, self._expires_at = ids, record, expires_at
        self.hearing = Hearing()
        self._turn_item = ""
        self._out: list[server.ToClient] = []
        self._transcriptions: deque[tuple[float, Entry]] = deque()
        self._idle_at: float | None = None
        self._set(Session())

    def taken(self) -> list[server.ToClient]:
        """What is to be said, once."""
        out, self._out = self._out, []
        return out

    def deadline(self) -> float | None:
        """When `advance` must come."""
        soonest = self.responses.deadline()
        later = self._transcriptions[0][0] if self._transcriptions else None
        for due in (self._idle_at, later):
            if due is not None and (soonest is None or due < soonest):
                soonest = due
        return soonest

    def advance(self, now: float) -> None:
        """All that is due: deltas, transcriptions, the idle timeout."""
        while self._transcriptions and self._transcriptions[0][0] <= now:
            _, entry = self._transcriptions.popleft()
            self._transcribe(entry, now)
        self._say(self.responses.advance(now), now)
        if self._idle_at is not None and self._idle_at <= now:
            self._idle(now)

    def obey(self, event: client.FromClient, now: float) -> None:
        """Do what a client asks for, or raise."""
        match event:
            case client.AppendAudio(audio=audio):
                self.hear(base64.b64decode(audio), now)
            case client.SessionUpdate(session=update):
                self._update(update)
            case client.CommitAudio():
                self._commit_by_hand(now)
            case client.ClearAudio():
                self.hearing.clear()
                self._out.append(server.AudioCleared(self._ids.event()))
            case client.CreateItem():
                self._create_item(event)
            case client.RetrieveItem(item_id=item_id):
                item = self.conversation.retrieved(item_id)
                self._out.append(server.ItemRetrieved(item, self._ids.event()))
            case client.TruncateItem():
                self._truncate(event)
            case client.DeleteItem(item_id=item_id):
                self.conversation.delete(item_id)
                self.responses.forget_cache()
                self._out.append(server.ItemDeleted(item_id, self._ids.event()))
            case client.CreateResponse(response=wish):
                given = wish or client.ResponseOptions()
                self._say(self.responses.start("asked", self.session, given, now), now)
            case client.CancelResponse(response_id=response_id):
                self._say(self.responses.cancel("client_cancelled", now, response_id), now)
            case _:
                assert_never(event)

    def _say(self, events: list[server.ToClient], now: float) -> None:
        self._out += events
        for event in events:
            if isinstance(event, server.ResponseCreated):
                self._idle_at = None
            elif isinstance(event, server.ResponseDone) and event.response.conversation_id:
                self._arm_idle(now)

    # --- settings

    def _set(self, settings: Session) -> None:
        self._settings = settings
        self.session = effective(
            settings,
            session_id=self._ids.session,
            model=self._record.model,
            expires_at=self._expires_at,
        )
        self._is_pcmu = isinstance(self.session.audio.input.format, Pcmu)
        detection = self.session.audio.input.turn_detection
        self.hearing.tune(detection)
        self._creates = detection is not None and bool(detection.create_response)
        self._interrupts = detection is not None and bool(detection.interrupt_response)
        self._idle_ms = detection.idle_timeout_ms if isinstance(detection, ServerVad) else None

    def _update(self, update: Session) -> None:
        rules.check(
            update,
            self._settings,
            self._record.model,
            spoken=self.responses.spoken,
            responding=self.responses.active is not None,
        )
        before = self.session
        self._set(rules.merged(self._settings, update))
        if before.audio.input.format != self.session.audio.input.format:
            self.hearing.realign()
        if before.instructions != self.session.instructions or before.tools != self.session.tools:
            self.responses.forget_cache()
        if not self._idle_ms:
            self._idle_at = None
        self._record.updates += 1
        self._out.append(server.SessionUpdated(self.session, self._ids.event()))

    # --- audio in

    def hear(self, ulaw: bytes, now: float) -> bool:
        """Audio of the caller's; whether anything is said of it."""
        self._record.bytes_heard += len(ulaw)
        if self._record.marks is not None:
            self._record.marks.take(now, ulaw)
        if not self._is_pcmu:
            self._record.format_mismatch += 1
            ulaw = ulaw[::PCM_BYTES_PER_ULAW_BYTE]
        found = self.hearing.append(ulaw)
        if not found:  # The usual case.
            return False
        for event in found:
            match event:
                case SpeechBegan(at_ms=at_ms):
                    self._speech_began(at_ms, now)
                case SpeechEnded(at_ms=at_ms, audio=turn):
                    item_id = self._turn_item
                    self._out.append(server.SpeechStopped(at_ms, item_id, self._ids.event()))
                    self._commit(item_id, turn, now)
                    if self._creates:
                        self._respond("turn", now)
                case _:
                    assert_never(event)
        return True

    @property
    def may_wait(self) -> bool:
        """Whether frames that change nothing may wait for one another."""
        return self._is_pcmu and not self._idle_ms and self.hearing.can_skip

    def hear_all(self, frames: list[bytes], times: list[float]) -> None:
        """Frames that changed nothing, and when each came."""
        audio = b"".join(frames)
        self._record.bytes_heard += len(audio)
        self.hearing.skip(audio)
        if (marks := self._record.marks) is not None:
            marks.take_all(times, audio)

    def _speech_began(self, at_ms: int, now: float) -> None:
        self._idle_at = None
        self._turn_item = self._ids.item()
        self._out.append(server.SpeechStarted(at_ms, self._turn_item, self._ids.event()))
        if self._interrupts and self.responses.active is not None:
            late = self._options.late_delta
            self._say(self.responses.cancel("turn_detected", now, late_delta=late), now)

    def _commit_by_hand(self, now: float) -> None:
        if self.hearing.buffered_ms < COMMIT_MS_MIN:
            raise ModelProtocolError(
                f"Error committing input audio buffer: buffer too small. Expected at least "
                f"{COMMIT_MS_MIN}ms of audio, but buffer only has {self.hearing.buffered_ms}ms.",
                "input_audio_buffer_commit_empty",
            )
        item_id = self._turn_item if self.hearing.speaking else self._ids.item()
        self._commit(item_id, self.hearing.commit(), now)

    def _commit(self, item_id: str, audio: bytes, now: float) -> None:
        text = self._speech.hear(audio)
        keep = self._options.keep_audio
        item = Message("user", [InputAudio(transcript=None)], item_id, "completed", "realtime.item")
        entry = Entry(item, len(audio) // BYTES_PER_MS, bytearray(audio if keep else b""), text)
        self._record.heard.append(Heard(item_id, text, entry.audio_ms, audio if keep else b""))
        behind = self.conversation.add(entry)
        self._out += (
            server.AudioCommitted(item_id, behind, self._ids.event()),
            server.ItemAdded(item, behind, self._ids.event()),
            server.ItemDone(item, behind, self._ids.event()),
        )
        if self.session.audio.input.transcription is not None:
            due = now + self._options.transcription_delay_ms / 1000
            self._transcriptions.append((due, entry))

    def _transcribe(self, entry: Entry, now: float) -> None:
        if self._faults.take("transcription_missing", now) is not None:
            return
        item_id = id_of(entry.item)
        if self._faults.take("transcription_failed", now) is not None:
            detail = TranscriptionError(
                "transcription_error", "audio_unintelligible", "a fault switch"
            )
            self._out.append(server.TranscriptionFailed(item_id, 0, detail, self._ids.event()))
            return
        assert isinstance(entry.item, Message)
        entry.item = replace(entry.item, content=[InputAudio(transcript=entry.text)])
        usage = DurationUsage(entry.audio_ms / 1000)
        if entry.text:
            self._out.append(server.TranscriptionDelta(item_id, 0, entry.text, self._ids.event()))
        self._out.append(
            server.TranscriptionCompleted(item_id, 0, entry.text, usage, self._ids.event())
        )

    # --- answers

    def _respond(self, why: Why, now: float) -> None:
        """Begin a response by ourselves: that it can't be is said, and is no client's error."""
        try:
            self._say(self.responses.start(why, self.session, client.ResponseOptions(), now), now)
        except ModelProtocolError as error:
            detail = ErrorDetail(str(error), "invalid_request_error", error.code)
            self._out.append(server.Error(detail, self._ids.event()))

    def _arm_idle(self, now: float) -> None:
        if self._idle_ms and not self.hearing.speaking:
            self._idle_at = now + (self.responses.last_audio_ms + self._idle_ms) / 1000

    def _idle(self, now: float) -> None:
        """Nobody spoke for long: the silence is committed, and answered."""
        self._idle_at = None
        if self.hearing.speaking or self.responses.active is not None:
            return
        item_id, end_ms = self._ids.item(), self.hearing.written_ms
        start_ms = end_ms - self.hearing.buffered_ms
        self._out.append(server.IdleTimeout(start_ms, end_ms, item_id, self._ids.event()))
        self._commit(item_id, self.hearing.commit(), now)
        self._respond("idle", now)

    # --- items

    def _create_item(self, event: client.CreateItem) -> None:
        item = event.item
        self.conversation.check_new(item, event.previous_item_id)
        entry = self._entry_of(item)
        if isinstance(item, FunctionCallOutput):
            self._record.outputs.append((item.call_id, item.output))
        elif isinstance(item, Message):
            words = [part.text for part in item.content if isinstance(part, InputText | OutputText)]
            self._record.given.append((item.role, " ".join(words)))
        if event.previous_item_id is not UNSET:
            self.responses.forget_cache()
        behind = self.conversation.add(entry, event.previous_item_id)
        self._out += (
            server.ItemAdded(entry.item, behind, self._ids.event()),
            server.ItemDone(entry.item, behind, self._ids.event()),
        )

    def _entry_of(self, item: Item) -> Entry:
        """A client's item with what the server fills in, and its audio heard."""
        item = replace(
            item, id=item.id or self._ids.item(), status="completed", object="realtime.item"
        )
        if isinstance(item, FunctionCall) and not item.call_id:
            item = replace(item, call_id=self._ids.call())
        match item:
            case Message(content=[InputAudio(audio=str(audio))]):
                ulaw = base64.b64decode(audio)
                text = self._speech.hear(ulaw)
                item = replace(item, content=[InputAudio(transcript=text)])
                return Entry(item, len(ulaw) // BYTES_PER_MS, bytearray(ulaw), text)
            case _:
                return Entry(item)

    def _truncate(self, event: client.TruncateItem) -> None:
        item_id, end_ms = event.item_id, event.audio_end_ms
        self.conversation.truncate(item_id, event.content_index, end_ms)
        self.responses.forget_cache()
        for said in self._record.said:
            if said.item_id == item_id:
                said.heard_ms = end_ms
        self._out.append(
            server.ItemTruncated(item_id, event.content_index, end_ms, self._ids.event())
        )
