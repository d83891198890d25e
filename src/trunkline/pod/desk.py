"""The desk of this pod: its own calls begin here, each with a slot and a stream, or overflow.

Which pod's desk a webhook is for, `pod.front` decides.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from trunkline.core.facts import CallEnded, CallOverflowed, CallReceived, Outcome
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.slots import Full, FullReason
from trunkline.core.tickets import ResumeToken
from trunkline.errors import StoreError
from trunkline.pod import documents
from trunkline.pod.asked import Asked
from trunkline.pod.calls import Calls, Identity, LiveCall
from trunkline.pod.clock import RedisClock
from trunkline.pod.directory import Directory, Line
from trunkline.pod.passes import Passes
from trunkline.pod.recorder import NO_EPOCH, Recorder
from trunkline.pod.redirects import is_new, stream_document
from trunkline.pod.rooms import Rooms
from trunkline.pod.tools.hook import ContextHook
from trunkline.ports import Journal, Opening
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics

JOURNAL_AWAY: Final = "journal_away"
"""Why a call overflowed that no journal could be begun for."""


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
        rooms: Rooms,
        *,
        passes: Passes,
        directory: Callable[[], Directory],
        journal: Journal,
        recorder: Recorder,
        clock: RedisClock,
        log: Log,
        metrics: Metrics,
        now: Callable[[], float] | None = None,
    ) -> None:
        """`now` is the loop's clock."""
        self._me = me
        self._calls = calls
        self._rooms = rooms
        self._passes = passes
        self._directory = directory
        self._journal = journal
        self._recorder = recorder
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._now = now or asyncio.get_running_loop().time
        self._openings: dict[CallSid, _Opening] = {}
        """Calls whose first webhook is being answered."""

    async def known(self, call: CallSid) -> str | None:
        """What a repeated webhook of a call gets that is here, or was; None: it is new here."""
        while True:
            if (document := self._calls.ended(call)) is not None:
                return document
            if (live := self._calls.get(call)) is not None:
                return self._calls.answer_again(live)
            if (opening := self._openings.get(call)) is None:
                return None
            await opening.done.wait()

    def has(self, read: ResumeToken) -> bool:
        """Whether a call is here, or was not long ago; not if another pod had it later."""
        call = read.call
        if (read.pod, read.incarnation) != (self._me.pod, self._me.incarnation):
            self._calls.let_go_of_past(call, read.epoch)
        return self._calls.get(call) is not None or self._calls.ended(call) is not None

    def is_answering(self, call: CallSid) -> bool:
        """Whether a call's first webhook is being answered here."""
        return call in self._openings

    async def receive(self, asked: Asked, model: str | None = None) -> str | Full:
        """The document of a new call, or why it has no slot here; a repetition gets the same.

        `model` is the one whose room it was given elsewhere; None: it is found here.
        """
        if (document := await self.known(asked.call)) is not None:
            return document
        with self._alone(asked.call) as state:
            return await self._open(asked, state, model)

    async def overflow(self, asked: Asked, reason: str) -> str:
        """The number's overflow action for a call that has no slot anywhere."""
        call = asked.call
        if (document := await self.known(call)) is not None:
            return document
        line = self._directory().line(asked.number)
        if line is None:
            return self.reject(call)
        with self._alone(call):
            try:
                opening = await self._journal.open_call(call, self._me.pod, self._me.incarnation)
            except StoreError as error:
                return self._unrecorded(asked, line, error)
            self._clock.set(opening.now_ms)
            if not is_new(opening, self._me):
                return self._opened_before(asked, opening)
            return self._overflow(asked, line, reason, opening.epoch)

    def hung_up(self, call: CallSid, status: str) -> bool:
        """The carrier says that the call is over; False if it is not here."""
        if (live := self._calls.get(call)) is not None:
            self._hung_up(live, status)
        elif (opening := self._openings.get(call)) is not None:
            opening.hung_up = status
        else:
            return False
        return True

    def _hung_up(self, live: LiveCall, status: str) -> None:
        if live.runner is not None:
            live.runner.hung_up(status)
        else:
            outcome = Outcome.CALLER_ENDED if live.was_answered else Outcome.ABANDONED
            self._calls.drop_reserved(live, outcome, status.replace("-", "_"))

    @contextmanager
    def _alone(self, call: CallSid) -> Iterator[_Opening]:
        """One answer to a call at a time: whoever asks meanwhile waits for it."""
        self._openings[call] = opening = _Opening()
        try:
            yield opening
        finally:
            del self._openings[call]
            opening.done.set()

    async def _open(self, asked: Asked, state: _Opening, model: str | None) -> str | Full:
        call = asked.call
        directory = self._directory()  # One for all of it: the file may be read again meanwhile.
        line = directory.line(asked.number)
        if line is None:
            return self.reject(call)
        reserved = self._rooms.reserve(asked, line, Epoch(0), self._now(), model)
        if isinstance(reserved, Full):
            return reserved
        try:
            opening = await self._journal.open_call(call, self._me.pod, self._me.incarnation)
            self._clock.set(opening.now_ms)
            if not is_new(opening, self._me):
                return self._opened_before(asked, opening)
            return await self._begin(asked, directory, line, opening, state)
        except StoreError as error:
            return self._unrecorded(asked, line, error)
        finally:
            if self._calls.get(call) is None:
                self._calls.free(call)

    def reject(self, call: CallSid) -> str:
        """Nobody answers this number."""
        self._log.warning(LogName.NUMBER_UNKNOWN, call=call)
        self._metrics.webhook_refused("number")
        return documents.reject()

    def _unrecorded(self, asked: Asked, line: Line, error: StoreError) -> str:
        """A call that can't be recorded is not begun; that it came is told the journal later."""
        self._log.error(LogName.JOURNAL_AWAY, call=asked.call, reason=str(error))
        return self._overflow(asked, line, JOURNAL_AWAY)

    async def _begin(
        self, asked: Asked, directory: Directory, line: Line, opening: Opening, state: _Opening
    ) -> str:
        """The call has a slot: it gets a stream."""
        call = asked.call
        reserved = self._rooms.reserve(asked, line, opening.epoch, self._now())
        if isinstance(reserved, Full):  # The journal took so long that the slot was gone.
            return self._overflow(asked, line, reserved.reason, opening.epoch)
        variables = await self.context(asked, directory.hook, line)
        if self._calls.is_cut:
            return self._overflow(asked, line, FullReason.DRAINING, opening.epoch)
        if (known := self._calls.get(call)) is not None:  # Taken over from a former life meanwhile.
            return self._calls.answer_again(known)
        live = LiveCall(
            call,
            opening.epoch,
            asked.caller,
            line,
            directory.prepare(line, variables),
            opening.opened_at_ms,
            since=self._now(),
            model=reserved.model,
        )
        live.document = stream_document(self._passes, live, self._me)
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
        self._calls.remember(call, documents.overflow(line.overflow), epoch or NO_EPOCH)
        return documents.overflow(line.overflow)

    def _opened_before(self, asked: Asked, opening: Opening) -> str:
        """A webhook repeated to another life of this pod, or to another pod: as a redirect is."""
        token = ResumeToken(asked.call, opening.epoch, opening.pod, opening.incarnation)
        return documents.redirect(self._passes.resume_url(token))

    async def context(self, asked: Asked, hook: ContextHook | None, line: Line) -> dict[str, str]:
        """What the user's own system says of this call, within the hook's deadline."""
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
