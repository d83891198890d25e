"""Twilio's webhooks at this pod: whichever pod a call is on, or goes to, one of them answers."""

import asyncio
from collections.abc import Callable
from typing import Final

from trunkline.call import so_far
from trunkline.core.facts import ResumeCause
from trunkline.core.fleet_states import Claim, Life, Placed, Target
from trunkline.core.ids import CallSid, Epoch, PodName
from trunkline.core.neighbour_words import Answer, Receive, Take, Told, Word
from trunkline.core.slots import Full, FullReason
from trunkline.core.tickets import ResumeToken
from trunkline.errors import StoreError
from trunkline.pod import documents
from trunkline.pod.asked import Asked
from trunkline.pod.calls import Identity
from trunkline.pod.carrier_facts import CarrierFacts
from trunkline.pod.clock import RedisClock
from trunkline.pod.desk import Desk
from trunkline.pod.directory import Directory, Line
from trunkline.pod.passes import Passes
from trunkline.pod.peers import Peers
from trunkline.pod.recorder import NO_EPOCH
from trunkline.pod.redirects import Redirects
from trunkline.pod.rescue import Rescue
from trunkline.pod.rooms import Rooms
from trunkline.pod.takeovers import Takeovers
from trunkline.ports import (
    Journal,
    JournalIndex,
    Neighbours,
    PodAt,
    ResumeRefused,
    Resumption,
    Slots,
)
from trunkline.telemetry.logs import Log, LogName
from trunkline.wire import webhooks

TERMINAL: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""`CallStatus` values after which nothing comes."""

STREAM_OVER: Final = frozenset({"stream-error", "stream-stopped"})
"""Stream events after which the next verb runs."""

PLACES_MAX: Final = 3
"""Pods that are asked to take a call, one after the other; then the caller hears that none can."""


class Front:
    """Answers them."""

    def __init__(
        self,
        me: Identity,
        desk: Desk,
        redirects: Redirects,
        takeovers: Takeovers,
        rooms: Rooms,
        *,
        passes: Passes,
        directory: Callable[[], Directory],
        journal: Journal,
        index: JournalIndex,
        slots: Slots,
        peers: Peers,
        neighbours: Neighbours,
        carrier: CarrierFacts,
        rescue: Rescue,
        clock: RedisClock,
        log: Log,
    ) -> None:
        self._life = Life(me.pod, me.incarnation)
        self._desk = desk
        self._redirects = redirects
        self._takeovers = takeovers
        self._rooms = rooms
        self._passes = passes
        self._directory = directory
        self._journal = journal
        self._index = index
        self._slots = slots
        self._peers = peers
        self._neighbours = neighbours
        self._carrier = carrier
        self._clock = clock
        self._log = log
        self._rescue = rescue
        self._telling: set[asyncio.Task[None]] = set()
        """Ends that other pods are being told."""

    async def voice(self, request: webhooks.VoiceRequest) -> str:
        """A call's webhook; a repeated one gets the same answer."""
        if request.recording_url is not None:
            return documents.hangup()  # A voicemail of ours was taken: Twilio asks what follows.
        asked = Asked.by(request)
        if (document := await self._desk.known(asked.call)) is not None:
            return document
        line = self._directory().line(asked.number)
        if line is None:
            return self._desk.reject(asked.call)
        return await self._place(asked, line)

    async def resume(self, token: str, request: webhooks.VoiceRequest) -> str | None:
        """The redirect behind a stream: its call goes on, or is over."""
        read = self._passes.read(token, request.call)
        if read is None:
            return None
        if request.recording_url is not None:
            return documents.hangup()  # As in `voice`.
        asked = Asked.by(request)
        if self._desk.has(read):
            return await self._redirects.answer(asked, read, token)
        try:
            return await self._elsewhere(asked, read, token)
        except StoreError as error:
            self._log.warning(LogName.JOURNAL_AWAY, call=asked.call, reason=str(error))
            return self._redirects.without_journal(asked, read, token)

    def status(self, callback: webhooks.StatusCallback) -> None:
        """The carrier says what became of a call; only its end matters here."""
        self._carrier.status_told(callback)
        if callback.status not in TERMINAL:
            return
        call = CallSid(callback.call)
        if not self._desk.hung_up(call, callback.status):
            task = asyncio.get_running_loop().create_task(self._tell(call, callback.status))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def stream_status(self, callback: webhooks.StreamStatus) -> None:
        """The carrier says what became of a stream; the socket says it sooner."""
        if callback.event == "stream-error":
            self._log.warning(LogName.STREAM_ERROR, call=callback.call, stream=callback.stream)
            self._carrier.stream_failed(callback)
        if callback.event in STREAM_OVER:
            self._rescue.watch(CallSid(callback.call))

    def amd(self, verdict: webhooks.MachineVerdict) -> None:
        """The carrier says who answered; until a dialer of ours dials, it is only kept."""
        self._carrier.answered_by(verdict)

    # A new call.

    async def _place(self, asked: Asked, line: Line) -> str:
        """A slot on some pod, whose desk then answers; without the store, this one's."""
        exclude: list[PodName] = []
        refused: FullReason | None = None
        while len(exclude) < PLACES_MAX:
            try:
                found = await self._slots.reserve(
                    asked.call,
                    direction=asked.direction,
                    bounds=line.bounds,
                    models=self._rooms.models(line),
                    exclude=exclude,
                    holding=asked.direction == "inbound" and line.hold_s > 0,
                )
            except StoreError as error:
                self._log.warning(LogName.FLEET_AWAY, call=asked.call, reason=str(error))
                return await self._here(asked)
            if isinstance(found, Full):
                if found.reason is FullReason.NO_POD and self._life.pod not in exclude:
                    return await self._here(asked)  # The fleet forgot: this pod lives.
                return await self._without_slot(asked, line, refused or found.reason, found.held_ms)
            begun = await self._begin_at(found, asked)
            if isinstance(begun, str):
                return begun
            refused = refused if begun is None else begun.reason
            exclude.append(found.life.pod)
        return await self._desk.overflow(asked, refused or FullReason.CAP)

    async def _here(self, asked: Asked) -> str:
        """Nobody knows of other pods: this one's own cap binds."""
        answer = await self._desk.receive(asked)
        if isinstance(answer, Full):
            return await self._desk.overflow(asked, answer.reason)
        return answer

    async def _begin_at(self, found: Placed, asked: Asked) -> str | Full | None:
        """The document of the pod that has the slot, or why it refuses; None: it is away."""
        if found.life == self._life:
            return await self._desk.receive(asked, found.model)
        order = Receive(asked.caller, found.model)
        at = PodAt(found.life, found.address)
        said = await self._neighbours.receive(at, asked.call, order)
        if said is None:
            return None
        if said.document:
            return said.document
        known = said.refused in set(FullReason)
        return Full(FullReason(said.refused) if known else FullReason.CAP)

    async def _without_slot(
        self, asked: Asked, line: Line, reason: FullReason, held_ms: int
    ) -> str:
        """The caller holds, within the line's time; then the overflow action."""
        if may_hold(asked, line, reason) and held_ms < line.hold_s * 1000:
            return documents.hold(self._passes.voice_url())
        await self._forget_holder(asked.call)
        return await self._desk.overflow(asked, reason)

    async def _forget_holder(self, call: CallSid) -> None:
        """Who holds no longer stands in nobody's way; without this word, for 6 s."""
        try:
            await self._slots.release(call, self._life, NO_EPOCH)
        except StoreError as error:
            self._log.warning(LogName.FLEET_AWAY, call=call, reason=str(error))

    # A call that another pod carries, or carried.

    async def _elsewhere(self, asked: Asked, read: ResumeToken, token: str) -> str | None:
        """Alive is asked, not inferred: the holder says so, or is taken for dead."""
        if not read.pinned:
            read = await self._present(read)
        holder = Life(read.pod, read.incarnation)
        exclude: list[PodName] = []
        if holder != self._life and (at := await self._peers.at(holder)) is not None:
            word = await self._neighbours.word(at, asked.call)
            if word is None:
                exclude.append(holder.pod)
            elif word.state == "ended":
                return word.document
            elif word.state == "live":
                return await self._back_at(asked, read, token, word)
        return await self._take_over(asked, read, token, exclude)

    async def _back_at(self, asked: Asked, read: ResumeToken, token: str, word: Word) -> str | None:
        """The holder lives: one more stream to it. It is asked again where the journal lost it."""
        call, pod, incarnation = asked.call, read.pod, read.incarnation
        resumed = await self._journal.resume_call(call, read.epoch, pod, incarnation)
        if resumed is ResumeRefused.STALE and word.former == read.epoch:
            there = Target(Life(pod, incarnation), asked_from=read.epoch)
            claim = self._claim(asked)
            found = await self._slots.resume(call, Epoch(word.epoch), there, claim)
            assert not isinstance(found, Full), "a pod that is named is not asked for room"
            resumed = found
        if resumed is ResumeRefused.UNKNOWN:
            return self._redirects.wait(asked, token)  # It tells the journal within seconds.
        if not isinstance(resumed, Resumption):
            return await self._redirects.refused(asked, resumed)
        self._redirects.answered(call)
        return self._stream_at(call, resumed)

    async def _present(self, read: ResumeToken) -> ResumeToken:
        """Who has a call whose stream could come to any pod, and under which epoch it came."""
        held = await self._index.holder(read.call)
        if held is None:
            return read
        holder, epoch = held.holder, read.epoch
        if holder.epoch != epoch:
            moves = dict(so_far.read(await self._journal.read(read.call)).moves)
            epoch = moves.get(epoch, epoch)
        return ResumeToken(read.call, epoch, holder.pod, holder.incarnation)

    async def _take_over(
        self, asked: Asked, read: ResumeToken, token: str, exclude: list[PodName]
    ) -> str | None:
        epoch = read.epoch
        claim = self._claim(asked)
        for _ in range(PLACES_MAX):
            asked_from = None if epoch == read.epoch else read.epoch
            target = Target(exclude=tuple(exclude), asked_from=asked_from)
            resumed = await self._slots.resume(asked.call, epoch, target, claim)
            match resumed:
                case Full():
                    again = self._redirects.waits(asked.call, token)
                    return again or await self._give_up(asked, read, epoch)
                case ResumeRefused():
                    return await self._redirects.refused(asked, resumed)
                case Resumption():
                    self._clock.set(resumed.now_ms)
            answer = await self._go_on_at(
                PodAt(resumed.life, resumed.address), asked, _order(asked, resumed, read)
            )
            if answer is not None and answer.document:
                self._redirects.answered(asked.call)
                return answer.document
            exclude.append(resumed.life.pod)
            epoch = resumed.epoch
        return self._redirects.wait(asked, token)

    async def _go_on_at(self, at: PodAt, asked: Asked, order: Take) -> Answer | None:
        if at.life == self._life:
            return await self._takeovers.take(asked, order)
        return await self._neighbours.take(at, asked.call, order)

    async def _give_up(self, asked: Asked, read: ResumeToken, epoch: Epoch) -> str | None:
        """No pod has room: its record is closed here, so that nobody asks for the caller again."""
        asked_from = None if epoch == read.epoch else read.epoch
        here = Target(self._life, closes=True, asked_from=asked_from)
        resumed = await self._slots.resume(asked.call, epoch, here, self._claim(asked))
        match resumed:
            case Full():
                raise AssertionError("a pod that is named is not asked for room")
            case ResumeRefused():
                return await self._redirects.refused(asked, resumed)
            case Resumption():
                return self._takeovers.give_up(asked, _order(asked, resumed, read))

    def _stream_at(self, call: CallSid, resumed: Resumption) -> str:
        life = resumed.life
        return self._passes.stream(
            call, resumed.epoch, life.pod, life.incarnation, resumed.opened_at_ms
        )

    def _claim(self, asked: Asked) -> Claim:
        line = self._directory().line(asked.number)
        if line is None:
            return Claim(asked.direction)
        return Claim(asked.direction, line.tenant, line.vertical)

    async def _tell(self, call: CallSid, status: str) -> None:
        """The end of a call that is on another pod, if one has it."""
        try:
            held = await self._index.holder(call)
            if held is None:
                return
            at = await self._peers.at(Life(held.holder.pod, held.holder.incarnation))
        except StoreError:
            return  # Its socket says it too.
        if at is not None and at.life != self._life:
            await self._neighbours.tell(at, call, Told(status))


def _order(asked: Asked, resumed: Resumption, read: ResumeToken) -> Take:
    """Go on with this call, from where its journal ends."""
    return Take(
        asked.caller,
        resumed.epoch,
        resumed.head.seq,
        resumed.head.hash,
        resumed.opened_at_ms,
        resumed.now_ms,
        cause=ResumeCause.POD_LOST,
        from_pod=read.pod,
    )


def may_hold(asked: Asked, line: Line, reason: FullReason) -> bool:
    """Whether a caller may hope for a slot.

    Not where every pod drains, for nobody may be left to be asked again; nor where a limit lets
    nobody in at all.
    """
    limits = (line.bounds.tenant_calls_max, line.bounds.vertical_calls_max)
    hopeless = reason is FullReason.DRAINING or 0 in limits
    return asked.direction == "inbound" and not hopeless
