"""The redirects behind streams: a call goes on, or is over."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from trunkline.core.fleet_states import UNKNOWN_CLAIM, Life, Target
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.slots import Full
from trunkline.core.tickets import ResumeToken
from trunkline.errors import StoreError
from trunkline.pod import documents
from trunkline.pod.asked import Asked
from trunkline.pod.calls import Calls, Identity, LiveCall
from trunkline.pod.clock import RedisClock
from trunkline.pod.directory import Directory, Overflow
from trunkline.pod.passes import Passes
from trunkline.pod.recorder import Recorder
from trunkline.ports import CallState, Journal, Opening, ResumeRefused, Resumption, Slots
from trunkline.telemetry.logs import Log, LogName

WAIT_S_MAX: Final = 10.0
"""So long a redirect waits for a journal that is away, as long as a session for its stream; then
the caller gets the overflow action."""

WAIT_FORGOTTEN_S: Final = 60.0
"""A wait that began before this was another: a pod does not hear what others answer."""

WAITING_MAX: Final = 1_000
"""Redirects of calls that nobody here carries, waiting for the journal; the oldest is forgotten,
and then waits anew."""


class Redirects:
    """Answers them for this pod."""

    def __init__(
        self,
        me: Identity,
        calls: Calls,
        *,
        passes: Passes,
        directory: Callable[[], Directory],
        journal: Journal,
        slots: Slots,
        recorder: Recorder,
        clock: RedisClock,
        log: Log,
        now: Callable[[], float] | None = None,
    ) -> None:
        """`now` is the loop's clock."""
        self._me = me
        self._calls = calls
        self._passes = passes
        self._directory = directory
        self._journal = journal
        self._slots = slots
        self._recorder = recorder
        self._clock = clock
        self._log = log
        self._now = now or asyncio.get_running_loop().time
        self._waiting: OrderedDict[CallSid, float] = OrderedDict()
        """Since when a redirect comes again and again because the journal is away."""

    @property
    def waiting(self) -> int:
        """Calls whose redirects come again because the journal is away."""
        return len(self._waiting)

    async def answer(self, asked: Asked, read: ResumeToken, token: str) -> str | None:
        """The next document of a call that has this token; None: the token is not good."""
        call = asked.call
        live = self._calls.get(call)
        if live is not None:  # Its stream may have moved it on since.
            read = replace(read, epoch=live.moves.get(read.epoch, read.epoch))
        if (document := self._calls.ended(call)) is None:
            try:
                resumed = await self._next_epoch(call, read.epoch)
                # It may have ended while the journal was asked.
                if (document := self._calls.ended(call)) is None:
                    document = await self._resumed(asked, resumed)
                self.answered(call)
            except StoreError as error:
                self._log.warning(LogName.JOURNAL_AWAY, call=call, reason=str(error))
                document = self.without_journal(asked, read, token)
        self._calls.redirected(call)
        return document

    async def _next_epoch(self, call: CallSid, epoch: Epoch) -> Resumption | ResumeRefused:
        """Compare-and-set from the token's epoch; `StoreError` as the journal.

        Our newest token for a call that we carry is good whatever the journal remembers: it may
        have lost the call, or its answer to this very question may have got lost long ago.
        """
        me = self._me
        resumed = await self._journal.resume_call(call, epoch, me.pod, me.incarnation)
        live = self._calls.get(call)
        confused = resumed in {ResumeRefused.UNKNOWN, ResumeRefused.STALE}
        if not confused or live is None or epoch not in {live.epoch, live.former}:
            return resumed
        opening = await self._journal.open_call(call, me.pod, me.incarnation)
        if not is_new(opening, me):
            return resumed
        here = Target(Life(me.pod, me.incarnation), asked_from=epoch)
        found = await self._slots.resume(call, opening.epoch, here, UNKNOWN_CLAIM)
        assert not isinstance(found, Full), "a pod that is named is not asked for room"
        return found

    async def refused(self, asked: Asked, why: ResumeRefused) -> str | None:
        """What a redirect gets whose call does not go on; None: its token is not good."""
        self.answered(asked.call)
        if why is not ResumeRefused.ENDED:
            return None
        entries = await self._journal.read(asked.call)
        return documents.after_record(entries, self._overflow_of(asked))

    async def _resumed(self, asked: Asked, resumed: Resumption | ResumeRefused) -> str | None:
        if isinstance(resumed, ResumeRefused):
            return await self.refused(asked, resumed)
        self._clock.set(resumed.now_ms)
        live = self._calls.get(asked.call)
        if live is None:  # It ended, and its end is on its way to the journal.
            return self._calls.ended(asked.call)
        life = resumed.life
        if (life.pod, life.incarnation) != (self._me.pod, self._me.incarnation):
            # Repeated: the answer had been another pod, whose call it is since.
            self._calls.let_go(live.call)
            return self._passes.stream(
                live.call, resumed.epoch, life.pod, life.incarnation, resumed.opened_at_ms
            )
        self._recorder.begin(live.call, resumed.epoch, resumed.head)
        if not resumed.first and live.epoch == resumed.epoch:
            # Another pod may have given the epoch, and the document with it.
            live.document = stream_document(self._passes, live, self._me)
            return self._calls.answer_again(live)
        if resumed.first and not self._calls.may_resume(live):
            live.epoch = resumed.epoch  # Its slot has it, and is released under it.
            self._calls.give_up(live, "resumes_max")
            return self._calls.ended(live.call)
        return self._next_stream(live, resumed.epoch, resumed.opened_at_ms)

    def _next_stream(self, live: LiveCall, epoch: Epoch, opened_at_ms: int) -> str:
        self._calls.advance(live, epoch, opened_at_ms)
        live.document = stream_document(self._passes, live, self._me)
        return live.document

    def without_journal(self, asked: Asked, read: ResumeToken, token: str) -> str:
        """The journal is away. A call that we carry goes on under its epoch: we hold it.

        Another's redirect comes again for a while: its end, or its epoch, is in the journal.
        """
        call = asked.call
        live = self._calls.get(call)
        if live is not None and live.epoch == read.epoch:
            if self._calls.may_resume(live):
                return self._next_stream(live, live.epoch, self._clock.now_ms())
            self._calls.give_up(live, "resumes_max")
        if (document := self._calls.ended(call)) is not None:
            return document
        return self.wait(asked, token)

    def wait(self, asked: Asked, token: str) -> str:
        """Nobody can say yet how the call goes on: its redirect comes again, for a while."""
        return self.waits(asked.call, token) or documents.overflow(self._overflow_of(asked))

    def waits(self, call: CallSid, token: str) -> str | None:
        """The document that has the redirect come again; None if it has come for long enough."""
        now = self._now()
        since = self._waiting.setdefault(call, now)
        if now - since > WAIT_FORGOTTEN_S:  # Answered elsewhere, long ago.
            since = self._waiting[call] = now
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popitem(last=False)
        if now - since < WAIT_S_MAX:
            return documents.wait_and_redirect(self._passes.again_url(token))
        self._waiting.pop(call, None)
        return None

    def answered(self, call: CallSid) -> None:
        """A redirect that waited has its answer."""
        self._waiting.pop(call, None)

    def _overflow_of(self, asked: Asked) -> Overflow:
        line = self._directory().line(asked.number)
        return line.overflow if line is not None else Overflow("hangup")


def is_new(opening: Opening, me: Identity) -> bool:
    """Whether nobody but this request has opened the call.

    A call that this very incarnation opened and does not know was opened by this request: the
    store's first answer was lost on its way, and the request was sent again.
    """
    mine = (opening.pod, opening.incarnation) == (me.pod, me.incarnation)
    return opening.first or (mine and opening.state is CallState.LIVE)


def stream_document(passes: Passes, live: LiveCall, me: Identity) -> str:
    """The document of a call of this pod under its present epoch."""
    return passes.stream(live.call, live.epoch, me.pod, me.incarnation, live.opened_at_ms)
