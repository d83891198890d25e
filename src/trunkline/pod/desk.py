"""The front desk: what Twilio's webhooks are answered.

A new call gets a slot and a stream, or the number's overflow action; a redirect behind a stream
gets the next stream, or what follows the call's end.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trunkline.core import tickets
from trunkline.core.facts import CallEnded, CallOverflowed, CallReceived, Direction, Outcome
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.slots import Full, PodSlots
from trunkline.core.tickets import ResumeToken, Ticket
from trunkline.errors import StoreError
from trunkline.pod import documents
from trunkline.pod.calls import Calls, Identity, LiveCall
from trunkline.pod.clock import RedisClock
from trunkline.pod.directory import Directory, Line, Overflow
from trunkline.pod.recorder import Recorder
from trunkline.pod.tools.hook import ContextHook
from trunkline.ports import CallState, Journal, Opening, ResumeRefused
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import webhooks

TERMINAL: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""`CallStatus` values after which nothing comes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A webhook in our words. `number` is ours: the called one, or the one we call from."""

    call: CallSid
    direction: Direction
    from_number: str
    to_number: str

    @classmethod
    def by(cls, request: webhooks.VoiceRequest) -> "Asked":
        """Twilio's directions are `inbound`, `outbound-api` and their like."""
        direction: Direction = "outbound" if request.direction.startswith("out") else "inbound"
        return cls(CallSid(request.call), direction, request.from_number, request.to_number)

    @property
    def number(self) -> str:
        """Which line is meant."""
        return self.to_number if self.direction == "inbound" else self.from_number


class Desk:
    """Answers for this pod."""

    def __init__(
        self,
        me: Identity,
        calls: Calls,
        slots: PodSlots,
        *,
        key: bytes,
        directory: Callable[[], Directory],
        journal: Journal,
        recorder: Recorder,
        hook: ContextHook | None,
        clock: RedisClock,
        log: Log,
        metrics: Metrics,
    ) -> None:
        self._me = me
        self._calls = calls
        self._slots = slots
        self._key = key
        self._directory = directory
        self._journal = journal
        self._recorder = recorder
        self._hook = hook
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._openings: dict[CallSid, asyncio.Future[str]] = {}

    # Webhooks.

    async def voice(self, request: webhooks.VoiceRequest) -> str:
        """A call's webhook; a repeated one gets the same answer."""
        asked = Asked.by(request)
        call = asked.call
        if request.recording_url is not None:
            return documents.hangup()  # A voicemail of ours was taken: Twilio asks what follows.
        if (live := self._calls.get(call)) is not None:
            return live.document
        if (document := self._calls.ended(call)) is not None:
            return document
        if (opening := self._openings.get(call)) is not None:
            return await asyncio.shield(opening)
        self._openings[call] = opening = self._loop.create_future()
        try:
            document = await self._open(asked)
            opening.set_result(document)
        finally:
            opening.cancel()
            del self._openings[call]
        return document

    async def resume(self, token: str, request: webhooks.VoiceRequest) -> str | None:
        """The redirect behind a stream: its call goes on, or is over."""
        read = tickets.read_resume_token(token, self._key)
        if not isinstance(read, ResumeToken) or read.call != request.call:
            return None
        if request.recording_url is not None:
            return documents.hangup()  # As in `voice`.
        asked = Asked.by(request)
        call = asked.call
        if (document := self._calls.ended(call)) is not None:
            return document
        try:
            resumed = await self._journal.resume_call(
                call, read.epoch, self._me.pod, self._me.incarnation
            )
        except StoreError as error:
            self._log.warning(LogName.JOURNAL_AWAY, call=call, reason=str(error))
            return documents.wait_and_redirect(self._me.url(f"/twilio/resume/{token}"))
        match resumed:
            case ResumeRefused.ENDED:
                return await self._after_end(asked)
            case ResumeRefused.UNKNOWN | ResumeRefused.STALE:
                return None
            case _:
                self._recorder.begin(call, resumed.epoch, resumed.head)
        self._clock.set(resumed.now_ms)
        live = self._calls.get(call)
        if live is None:
            return self._take_over_the_dead(asked)
        if resumed.first and not self._calls.may_resume(live):
            self._calls.give_up(live, "resumes_max")
            return self._calls.ended(call)
        self._slots.reserve(call, resumed.epoch, self._loop.time())
        live.epoch, live.opened_at_ms = resumed.epoch, resumed.opened_at_ms
        live.document = self._stream_document(live)
        return live.document

    def status(self, callback: webhooks.StatusCallback) -> None:
        """The carrier says what became of a call; only its end matters here."""
        live = self._calls.get(CallSid(callback.call))
        if live is None or callback.status not in TERMINAL:
            return
        if live.runner is not None:
            live.runner.hung_up(callback.status)
        else:
            self._calls.drop_reserved(live, Outcome.ABANDONED, callback.status.replace("-", "_"))

    def stream_status(self, callback: webhooks.StreamStatus) -> None:
        """The carrier says what became of a stream; the socket says it sooner."""
        if callback.event == "stream-error":
            self._log.warning(LogName.STREAM_ERROR, call=callback.call, stream=callback.stream)

    # A new call.

    async def _open(self, asked: Asked) -> str:
        call = asked.call
        line = self._directory().line(asked.number)
        if line is None:
            self._log.warning(LogName.NUMBER_UNKNOWN, call=call)
            self._metrics.webhook_refused("number")
            return documents.reject()
        reserved = self._slots.reserve(call, Epoch(0), self._loop.time())
        if isinstance(reserved, Full):
            return await self._overflow(asked, line, reserved.reason)
        try:
            opening = await self._journal.open_call(call, self._me.pod, self._me.incarnation)
        except StoreError as error:
            self._slots.release(call)
            self._log.error(LogName.JOURNAL_AWAY, call=call, reason=str(error))
            self._metrics.call_ended(asked.direction, Outcome.OVERFLOWED)
            return documents.overflow(line.overflow)
        self._clock.set(opening.now_ms)
        if not self._is_new(opening):
            self._slots.release(call)
            return await self._opened_before(asked, opening)
        self._slots.reserve(call, opening.epoch, self._loop.time())
        variables = await self._context(asked, line)
        prepared = self._directory().prepare(line, variables)
        live = LiveCall(
            call,
            opening.epoch,
            asked.direction,
            line,
            prepared,
            opening.opened_at_ms,
            since=self._loop.time(),
        )
        live.document = self._stream_document(live)
        self._calls.add(live)
        self._recorder.begin(call, opening.epoch)
        self._recorder.record(call, self._received(asked, line))
        return live.document

    async def _overflow(self, asked: Asked, line: Line, reason: str) -> str:
        """No slot: the caller gets the number's overflow action, and the log has the call."""
        document = documents.overflow(line.overflow)
        call = asked.call
        self._metrics.call_ended(asked.direction, Outcome.OVERFLOWED)
        try:
            opening = await self._journal.open_call(call, self._me.pod, self._me.incarnation)
        except StoreError as error:
            self._log.error(LogName.JOURNAL_AWAY, call=call, reason=str(error))
            return document
        if not self._is_new(opening):
            return await self._opened_before(asked, opening)
        self._recorder.begin(call, opening.epoch)
        self._recorder.record(call, self._received(asked, line))
        self._recorder.record(call, CallOverflowed(reason, line.overflow.action))
        self._recorder.record(call, CallEnded(Outcome.OVERFLOWED, reason))
        self._calls.remember(call, document)
        return document

    def _is_new(self, opening: Opening) -> bool:
        """Whether nobody but this request has opened the call.

        A call that this very incarnation opened and does not know was opened by this request: the
        store's first answer was lost on its way, and the request was sent again.
        """
        mine = (opening.pod, opening.incarnation) == (self._me.pod, self._me.incarnation)
        return opening.first or (mine and opening.state is CallState.LIVE)

    async def _opened_before(self, asked: Asked, opening: Opening) -> str:
        """A webhook repeated to another life of this pod, or to another pod."""
        if opening.state is CallState.ENDED:
            return await self._after_end(asked)
        token = ResumeToken(asked.call, opening.epoch, opening.pod, opening.incarnation)
        return documents.redirect(self._resume_url(token))

    async def _context(self, asked: Asked, line: Line) -> dict[str, str]:
        if self._hook is None:
            return {}
        found = await self._hook.ask(
            call=asked.call,
            from_number=asked.from_number,
            to_number=asked.to_number,
            agent=line.agent,
        )
        if found.failure is not None:
            self._metrics.hook_failed(found.failure)
            self._log.warning(LogName.HOOK_FAILED, call=asked.call, reason=found.failure)
        return dict(found.variables)

    def _received(self, asked: Asked, line: Line) -> CallReceived:
        return CallReceived(
            direction=asked.direction,
            from_number=asked.from_number,
            to_number=asked.to_number,
            agent=line.agent,
            tenant=line.tenant,
            vertical=line.vertical,
            pod=self._me.pod,
        )

    def _stream_document(self, live: LiveCall) -> str:
        me = self._me
        ticket = Ticket(live.call, live.epoch, me.pod, me.incarnation, live.opened_at_ms)
        token = ResumeToken(live.call, live.epoch, me.pod, me.incarnation)
        return documents.stream(
            url=me.media_url(),
            status_callback=me.url("/twilio/stream-status"),
            ticket=tickets.sign(ticket, self._key),
            resume_url=self._resume_url(token),
        )

    def _resume_url(self, token: ResumeToken) -> str:
        return self._me.url(f"/twilio/resume/{tickets.sign(token, self._key)}")

    # Redirects.

    async def _after_end(self, asked: Asked) -> str:
        """What follows an end that only the journal remembers."""
        try:
            entries = await self._journal.read(asked.call)
        except StoreError as error:
            self._log.warning(LogName.JOURNAL_AWAY, call=asked.call, reason=str(error))
            return documents.hangup()
        return documents.after_record(entries, self._overflow_of(asked))

    def _take_over_the_dead(self, asked: Asked) -> str:
        """Its pod is gone: the record is closed, and the caller gets the overflow action."""
        call = asked.call
        if self._calls.ended(call) is None:
            self._recorder.record(call, CallEnded(Outcome.FAILED, "pod_lost"))
            self._metrics.call_ended(asked.direction, Outcome.FAILED)
            self._calls.remember(call, documents.overflow(self._overflow_of(asked)))
        document = self._calls.ended(call)
        assert document is not None
        return document

    def _overflow_of(self, asked: Asked) -> Overflow:
        line = self._directory().line(asked.number)
        return line.overflow if line is not None else Overflow("hangup")
