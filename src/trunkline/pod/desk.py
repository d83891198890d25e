"""The front desk: what Twilio's webhooks are answered.

A new call gets a slot and a stream, or the number's overflow action; a redirect behind a stream
gets the next stream, or what follows the call's end.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from trunkline.core import tickets
from trunkline.core.facts import CallEnded, CallOverflowed, CallReceived, Outcome
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.slots import Full, FullReason, PodSlots, Reserved
from trunkline.core.tickets import ResumeToken, Ticket
from trunkline.errors import StoreError
from trunkline.pod import documents
from trunkline.pod.asked import Asked
from trunkline.pod.calls import Calls, Identity, LiveCall
from trunkline.pod.carrier_facts import CarrierFacts
from trunkline.pod.clock import RedisClock
from trunkline.pod.directory import Directory, Line, Overflow
from trunkline.pod.orphans import POD_LOST
from trunkline.pod.recorder import Recorder
from trunkline.pod.rooms import Rooms
from trunkline.pod.surroundings import SessionDoor
from trunkline.pod.tools.hook import ContextHook
from trunkline.ports import CallState, Journal, Opening, ResumeRefused, Resumption
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import webhooks

TERMINAL: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""`CallStatus` values after which nothing comes."""

JOURNAL_AWAY: Final = "journal_away"
"""Why a call overflowed that no journal could be begun for."""

WAIT_S_MAX: Final = 10.0
"""So long a redirect waits for a journal that is away, as long as a session for its stream; then
the caller gets the overflow action."""

WAITING_MAX: Final = 1_000
"""Redirects of calls that nobody here carries, waiting for the journal; the oldest is forgotten,
and then waits anew."""


@dataclass(slots=True)
class _Opening:
    """A first webhook that is being answered."""

    done: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: str | None = None
    """The carrier's word for the call's end, if it came before our answer."""


class Desk:
    """Answers for this pod."""

    def __init__(
        self,
        me: Identity,
        calls: Calls,
        slots: PodSlots,
        *,
        doors: Mapping[str, SessionDoor],
        key: bytes,
        directory: Callable[[], Directory],
        journal: Journal,
        recorder: Recorder,
        carrier: CarrierFacts,
        clock: RedisClock,
        log: Log,
        metrics: Metrics,
        now: Callable[[], float] | None = None,
    ) -> None:
        """`now` is the loop's clock."""
        self._me = me
        self._calls = calls
        self._slots = slots
        self._rooms = Rooms(slots, doors)
        self._key = key
        self._directory = directory
        self._journal = journal
        self._recorder = recorder
        self._carrier = carrier
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._now = now or asyncio.get_running_loop().time
        self._openings: dict[CallSid, _Opening] = {}
        """Calls whose first webhook is being answered."""
        self._waiting: OrderedDict[CallSid, float] = OrderedDict()
        """Since when a redirect comes again and again because the journal is away."""

    @property
    def redirects_waiting(self) -> int:
        """Calls whose redirects come again because the journal is away."""
        return len(self._waiting)

    # Webhooks.

    async def voice(self, request: webhooks.VoiceRequest) -> str:
        """A call's webhook; a repeated one gets the same answer."""
        asked = Asked.by(request)
        call = asked.call
        if request.recording_url is not None:
            return documents.hangup()  # A voicemail of ours was taken: Twilio asks what follows.
        while True:
            if (document := self._calls.ended(call)) is not None:
                return document
            if (live := self._calls.get(call)) is not None:
                return self._calls.answer_again(live)
            if (opening := self._openings.get(call)) is None:
                break
            await opening.done.wait()
        self._openings[call] = opening = _Opening()
        try:
            return await self._open(asked, opening)
        finally:
            del self._openings[call]
            opening.done.set()

    async def resume(self, token: str, request: webhooks.VoiceRequest) -> str | None:
        """The redirect behind a stream: its call goes on, or is over."""
        read = tickets.read_resume_token(token, self._key)
        if not isinstance(read, ResumeToken) or read.call != request.call:
            return None
        if request.recording_url is not None:
            return documents.hangup()  # As in `voice`.
        asked = Asked.by(request)
        call = asked.call
        if (document := self._calls.ended(call)) is None:
            try:
                resumed = await self._next_epoch(call, read.epoch)
                # It may have ended while the journal was asked.
                if (document := self._calls.ended(call)) is None:
                    document = await self._resumed(asked, resumed)
                self._waiting.pop(call, None)
            except StoreError as error:
                self._log.warning(LogName.JOURNAL_AWAY, call=call, reason=str(error))
                document = self._without_journal(asked, read, token)
        self._calls.redirected(call)
        return document

    def status(self, callback: webhooks.StatusCallback) -> None:
        """The carrier says what became of a call; only its end matters here."""
        call = CallSid(callback.call)
        self._carrier.status_told(callback)
        if callback.status not in TERMINAL:
            return
        if (live := self._calls.get(call)) is not None:
            self._hung_up(live, callback.status)
        elif (opening := self._openings.get(call)) is not None:
            opening.hung_up = callback.status

    def stream_status(self, callback: webhooks.StreamStatus) -> None:
        """The carrier says what became of a stream; the socket says it sooner."""
        if callback.event == "stream-error":
            self._log.warning(LogName.STREAM_ERROR, call=callback.call, stream=callback.stream)
            self._carrier.stream_failed(callback)

    def amd(self, verdict: webhooks.MachineVerdict) -> None:
        """The carrier says who answered; until a dialer of ours dials, it is only kept."""
        self._carrier.answered_by(verdict)

    def _hung_up(self, live: LiveCall, status: str) -> None:
        if live.runner is not None:
            live.runner.hung_up(status)
        else:
            self._calls.drop_reserved(live, Outcome.ABANDONED, status.replace("-", "_"))

    # A new call.

    async def _open(self, asked: Asked, state: _Opening) -> str:
        call = asked.call
        directory = self._directory()  # One for all of it: the file may be read again meanwhile.
        line = directory.line(asked.number)
        if line is None:
            self._log.warning(LogName.NUMBER_UNKNOWN, call=call)
            self._metrics.webhook_refused("number")
            return documents.reject()
        reserved = self._reserve(asked, line, Epoch(0))
        try:
            opening = await self._journal.open_call(call, self._me.pod, self._me.incarnation)
            self._clock.set(opening.now_ms)
            if not self._is_new(opening):
                return self._opened_before(asked, opening)
            if isinstance(reserved, Full):
                return self._overflow(asked, line, reserved.reason, opening.epoch)
            return await self._begin(asked, directory, line, opening, state)
        except StoreError as error:
            # A call that can't be recorded is not begun; that it came is told the journal later.
            self._log.error(LogName.JOURNAL_AWAY, call=call, reason=str(error))
            return self._overflow(asked, line, JOURNAL_AWAY)
        finally:
            if self._calls.get(call) is None:
                self._calls.free(call)

    def _reserve(self, asked: Asked, line: Line, epoch: Epoch) -> Reserved | Full:
        return self._rooms.reserve(asked, line, epoch, self._now())

    async def _begin(
        self, asked: Asked, directory: Directory, line: Line, opening: Opening, state: _Opening
    ) -> str:
        """The call has a slot: it gets a stream."""
        call = asked.call
        reserved = self._reserve(asked, line, opening.epoch)
        if isinstance(reserved, Full):  # The journal took so long that the slot was gone.
            return self._overflow(asked, line, reserved.reason, opening.epoch)
        variables = await self._context(asked, directory.hook, line)
        if self._calls.is_cut:
            return self._overflow(asked, line, FullReason.DRAINING, opening.epoch)
        live = LiveCall(
            call,
            opening.epoch,
            asked.direction,
            line,
            directory.prepare(line, variables),
            opening.opened_at_ms,
            since=self._now(),
            model=reserved.model,
        )
        live.document = self._stream_document(live)
        self._calls.add(live)
        self._recorder.begin(call, opening.epoch)
        self._receive(asked, line)
        if state.hung_up is not None:
            self._hung_up(live, state.hung_up)
        return live.document

    def _receive(self, asked: Asked, line: Line) -> None:
        """The call's record begins."""
        received = CallReceived(
            direction=asked.direction,
            from_number=asked.from_number,
            to_number=asked.to_number,
            agent=line.agent,
            tenant=line.tenant,
            vertical=line.vertical,
            pod=self._me.pod,
        )
        self._recorder.record(asked.call, received)
        self._log.info(
            LogName.CALL_RECEIVED,
            call=asked.call,
            direction=asked.direction,
            agent=line.agent,
            tenant=line.tenant,
            vertical=line.vertical,
        )

    def _overflow(self, asked: Asked, line: Line, reason: str, epoch: Epoch | None = None) -> str:
        """The caller gets the number's overflow action, and the log has the call.

        Without an epoch the journal was away: what happened is kept here until it is back.
        """
        call, action = asked.call, line.overflow.action
        ended = CallEnded(Outcome.OVERFLOWED, reason)
        if epoch is not None:
            self._recorder.begin(call, epoch)
        if epoch is not None or self._recorder.begin_unopened(call):
            self._receive(asked, line)
            self._recorder.record(call, CallOverflowed(reason, action))
            self._recorder.record(call, ended)
        self._log.warning(LogName.CALL_OVERFLOWED, call=call, reason=reason, detail=action)
        self._metrics.call_overflowed(asked.direction, reason)
        self._calls.tell_end(call, asked.direction, ended)
        self._calls.remember(call, documents.overflow(line.overflow))
        return documents.overflow(line.overflow)

    def _is_new(self, opening: Opening) -> bool:
        """Whether nobody but this request has opened the call.

        A call that this very incarnation opened and does not know was opened by this request: the
        store's first answer was lost on its way, and the request was sent again.
        """
        mine = (opening.pod, opening.incarnation) == (self._me.pod, self._me.incarnation)
        return opening.first or (mine and opening.state is CallState.LIVE)

    def _opened_before(self, asked: Asked, opening: Opening) -> str:
        """A webhook repeated to another life of this pod, or to another pod: as a redirect is."""
        token = ResumeToken(asked.call, opening.epoch, opening.pod, opening.incarnation)
        return documents.redirect(self._resume_url(token))

    async def _context(self, asked: Asked, hook: ContextHook | None, line: Line) -> dict[str, str]:
        if hook is None:
            return {}
        found = await hook.ask(
            call=asked.call,
            from_number=asked.from_number,
            to_number=asked.to_number,
            agent=line.agent,
        )
        if found.failure is not None:
            self._metrics.hook_failed(found.failure)
            self._log.warning(LogName.HOOK_FAILED, call=asked.call, reason=found.failure)
        return dict(found.variables)

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

    async def _next_epoch(self, call: CallSid, epoch: Epoch) -> Resumption | ResumeRefused:
        """Compare-and-set from the token's epoch; `StoreError` as the journal.

        Our newest token for a call that we carry is good whatever the journal remembers: it may
        have lost the call, or its answer to this very question may have got lost long ago.
        """
        me = self._me
        resumed = await self._journal.resume_call(call, epoch, me.pod, me.incarnation)
        live = self._calls.get(call)
        confused = resumed in {ResumeRefused.UNKNOWN, ResumeRefused.STALE}
        if not confused or live is None or live.epoch != epoch:
            return resumed
        opening = await self._journal.open_call(call, me.pod, me.incarnation)
        if not self._is_new(opening):
            return resumed
        return await self._journal.resume_call(call, opening.epoch, me.pod, me.incarnation)

    async def _resumed(self, asked: Asked, resumed: Resumption | ResumeRefused) -> str | None:
        call = asked.call
        match resumed:
            case ResumeRefused.ENDED:
                entries = await self._journal.read(call)
                return documents.after_record(entries, self._overflow_of(asked))
            case ResumeRefused.UNKNOWN | ResumeRefused.STALE:
                return None
            case Resumption():
                self._clock.set(resumed.now_ms)
        live = self._calls.get(call)
        if live is None:
            return self._take_over_the_dead(asked, resumed)
        self._recorder.begin(call, resumed.epoch, resumed.head)
        if not resumed.first and live.epoch == resumed.epoch:
            return self._calls.answer_again(live)
        if resumed.first and not self._calls.may_resume(live):
            self._calls.give_up(live, "resumes_max")
            return self._calls.ended(call)
        return self._next_stream(live, resumed.epoch, resumed.opened_at_ms)

    def _next_stream(self, live: LiveCall, epoch: Epoch, opened_at_ms: int) -> str:
        self._slots.reserve(
            live.call, epoch, self._now(), direction=live.direction, bounds=live.line.bounds
        )
        live.epoch, live.opened_at_ms = epoch, opened_at_ms
        live.document = self._stream_document(live)
        return live.document

    def _without_journal(self, asked: Asked, read: ResumeToken, token: str) -> str:
        """The journal is away. A call that we carry goes on under its epoch: we hold it.

        Another's redirect comes again for a while: its end, or its epoch, is in the journal.
        """
        call, now = asked.call, self._now()
        live = self._calls.get(call)
        if live is not None and live.epoch == read.epoch:
            if self._calls.may_resume(live):
                return self._next_stream(live, live.epoch, self._clock.now_ms())
            self._calls.give_up(live, "resumes_max")
        if (document := self._calls.ended(call)) is not None:
            return document
        since = self._waiting.setdefault(call, now)
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popitem(last=False)
        if now - since < WAIT_S_MAX:
            return documents.wait_and_redirect(self._me.url(f"/twilio/resume/{token}"))
        self._waiting.pop(call, None)
        return documents.overflow(self._overflow_of(asked))

    def _take_over_the_dead(self, asked: Asked, resumed: Resumption) -> str:
        """Its pod is gone: the record is closed, and the caller gets the overflow action."""
        ended = CallEnded(Outcome.FAILED, POD_LOST)
        document = documents.overflow(self._overflow_of(asked))
        if self._recorder.adopt(asked.call, resumed.epoch, resumed.head, ended):
            self._calls.tell_end(asked.call, asked.direction, ended)
        self._calls.remember(asked.call, document)
        return document

    def _overflow_of(self, asked: Asked) -> Overflow:
        line = self._directory().line(asked.number)
        return line.overflow if line is not None else Overflow("hangup")
