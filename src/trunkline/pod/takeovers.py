"""Calls that another pod carried, and that go on here: read from the journal, under a new epoch."""

import asyncio
from collections.abc import Callable
from typing import Final

from trunkline.call.so_far import CallSoFar, Takeover, read
from trunkline.core.facts import CallEnded, CallResumed, Outcome, ResumeCause
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.neighbour_words import Answer, Take
from trunkline.core.record import Head
from trunkline.core.slots import FullReason, PodSlots
from trunkline.errors import StoreError
from trunkline.pod import documents
from trunkline.pod.asked import Asked
from trunkline.pod.calls import RESUMES_MAX, RESUMES_WINDOW_S, Calls, Identity, LiveCall
from trunkline.pod.clock import RedisClock
from trunkline.pod.desk import Desk
from trunkline.pod.directory import Directory, Line, Overflow
from trunkline.pod.passes import Passes
from trunkline.pod.recorder import Recorder
from trunkline.pod.redirects import stream_document
from trunkline.ports import Journal
from trunkline.telemetry.logs import Log, LogName

STALE: Final = "stale"
"""Why an order is refused: a later epoch has the call here."""

JOURNAL_AWAY: Final = "journal_away"

NO_ROOM: Final = "no_room"
"""Why a call ended that no pod had a slot for after its own was gone."""

NUMBER_GONE: Final = "number_gone"
"""The config here leads this number nowhere."""

FIRST_STREAM: Final = "first_stream"
"""Why a call is taken that no stream was lost of: its first came here."""

NOBODY: Final = Overflow("hangup")


class Takeovers:
    """Begins them."""

    def __init__(
        self,
        me: Identity,
        calls: Calls,
        slots: PodSlots,
        desk: Desk,
        *,
        passes: Passes,
        directory: Callable[[], Directory],
        journal: Journal,
        recorder: Recorder,
        clock: RedisClock,
        log: Log,
        wall_ms: Callable[[], int],
        now: Callable[[], float] | None = None,
    ) -> None:
        """`now` is the loop's clock, `wall_ms` the machine's."""
        self._me = me
        self._calls = calls
        self._slots = slots
        self._desk = desk
        self._passes = passes
        self._directory = directory
        self._journal = journal
        self._recorder = recorder
        self._clock = clock
        self._log = log
        self._wall_ms = wall_ms
        self._now = now or asyncio.get_running_loop().time
        self._taking: dict[CallSid, asyncio.Event] = {}
        """Calls that are being read, and when that is over."""

    async def take(self, asked: Asked, order: Take) -> Answer:
        """Go on with a call under an epoch that names this pod; a repetition gets the same."""
        call = asked.call
        while (taking := self._taking.get(call)) is not None:
            await taking.wait()
        if (answer := self._known(asked, order)) is not None:
            return answer
        self._taking[call] = done = asyncio.Event()
        try:
            return await self._take(asked, order)
        except StoreError as error:
            self._log.warning(LogName.JOURNAL_AWAY, call=call, reason=str(error))
            return Answer(refused=JOURNAL_AWAY)
        finally:
            del self._taking[call]
            done.set()

    def give_up(self, asked: Asked, order: Take) -> str:
        """No pod has had room for too long: the call's end, and what its caller gets instead."""
        return self._closed(asked, order, NO_ROOM).document

    def _known(self, asked: Asked, order: Take) -> Answer | None:
        """The answer where the call is here already: whoever asked did not hear from us."""
        if (live := self._calls.get(asked.call)) is None:
            return None
        if live.epoch > order.epoch:
            return Answer(refused=STALE)
        if live.epoch == order.epoch:
            live.document = stream_document(self._passes, live, self._me)
            return Answer(self._calls.answer_again(live))
        if not self._recorder.is_at(asked.call, Head(order.seq, order.head)):
            # Another pod wrote its record meanwhile: what is here is a past of it.
            self._calls.let_go(asked.call)
            return None
        if live.runner is not None and live.runner.ended is not None:
            return Answer(self._calls.ended(asked.call) or "", JOURNAL_AWAY)
        self._calls.advance(live, Epoch(order.epoch), order.opened_at_ms)
        live.document = stream_document(self._passes, live, self._me)
        return Answer(live.document)

    async def _take(self, asked: Asked, order: Take) -> Answer:
        call = asked.call
        if self._calls.is_cut:  # It would be begun to be ended.
            return Answer(refused=FullReason.DRAINING)
        self._clock.set(order.now_ms)
        if self._recorder.is_closing(call):  # Nobody had asked for it, and then somebody did.
            return Answer(documents.overflow(self._overflow_of(asked)))
        entries = await self._journal.read(call)
        so_far = read(entries)
        directory = self._directory()
        line = directory.line(asked.number)
        if so_far.ended is not None:
            return Answer(documents.after_record(entries, self._overflow_of(asked)))
        moved = order.cause == ResumeCause.MIGRATED
        if line is None:  # Who moves it can go on with it.
            return Answer(refused=NUMBER_GONE) if moved else self._closed(asked, order, NUMBER_GONE)
        if not moved and self._is_too_often(so_far):
            return self._closed(asked, order, "resumes_max")
        variables = await self._desk.context(asked, directory.hook, line)
        if self._calls.is_cut:
            return Answer(refused=FullReason.DRAINING)
        if (live := self._calls.get(call)) is not None:  # Its first webhook came once more.
            return Answer(self._calls.answer_again(live))
        return Answer(self._begin(asked, order, so_far, directory, line, variables))

    def _begin(
        self,
        asked: Asked,
        order: Take,
        so_far: CallSoFar,
        directory: Directory,
        line: Line,
        variables: dict[str, str],
    ) -> str:
        call, epoch, me = asked.call, Epoch(order.epoch), self._me
        self._slots.take(
            call,
            epoch,
            self._now(),
            direction=asked.direction,
            bounds=line.bounds,
            model=order.model,
        )
        taken_over = None
        if so_far.streams or order.cause != ResumeCause.STREAM_LOST:  # Else its first is to come.
            resumed = CallResumed(order.cause, None, order.from_pod, me.pod, epoch)
            taken_over = Takeover(so_far, resumed, self._wall_ms())
        live = LiveCall(
            call,
            epoch,
            asked.caller,
            line,
            directory.prepare(line, variables),
            order.opened_at_ms,
            since=self._now(),
            model=order.model,
            taken_over=taken_over,
            moves=dict(so_far.moves),
            resumes=self._resumes_of(so_far, order, first=taken_over is None),
        )
        live.document = stream_document(self._passes, live, me)
        self._calls.add(live)
        self._recorder.begin(call, epoch, Head(order.seq, order.head))
        reason = order.cause if taken_over is not None else FIRST_STREAM
        self._log.info(LogName.CALL_TAKEN, call=call, reason=reason, detail=order.from_pod)
        return live.document

    def _closed(self, asked: Asked, order: Take, reason: str) -> Answer:
        """The call can't go on: its record gets its end, and the caller the overflow action."""
        ended = CallEnded(Outcome.FAILED, reason)
        document = documents.overflow(self._overflow_of(asked))
        head = Head(order.seq, order.head)
        if self._recorder.adopt(asked.call, Epoch(order.epoch), head, ended):
            self._calls.tell_end(asked.call, asked.direction, ended)
        self._calls.remember(asked.call, document, Epoch(order.epoch))
        self._calls.decline(asked.call, Epoch(order.epoch))
        return Answer(document)

    def _overflow_of(self, asked: Asked) -> Overflow:
        line = self._directory().line(asked.number)
        return NOBODY if line is None else line.overflow

    def _resumes_of(self, so_far: CallSoFar, order: Take, *, first: bool) -> list[float]:
        """Those that still count, by the loop's clock; this one too, unless it is a move, or the
        call's first stream.
        """
        now, wall_ms = self._now(), self._wall_ms()
        before = [now - (wall_ms - at_ms) / 1000 for at_ms in so_far.resumed_at_ms]
        moved = order.cause == ResumeCause.MIGRATED
        return before if first or moved else [*before, now]

    def _is_too_often(self, so_far: CallSoFar) -> bool:
        """By wall time of whoever wrote: the last resume's is the present, or nearly."""
        since_ms = self._wall_ms() - int(RESUMES_WINDOW_S * 1000)
        return sum(at_ms > since_ms for at_ms in so_far.resumed_at_ms) >= RESUMES_MAX
