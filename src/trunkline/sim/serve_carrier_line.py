"""One simulated call with its sockets: the machine decides, here its actions are performed."""

import asyncio
import math
import ssl
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Final, Protocol, assert_never

from picows import WSMsgType

from trunkline.sim.carrier.call import CarrierCall
from trunkline.sim.carrier.events import (
    Action,
    CloseStream,
    Event,
    Finished,
    OpenStream,
    ReadStream,
    Request,
    ResetStream,
    SendFrame,
    SendMessage,
    WebhookAnswered,
    WebhookFailed,
)
from trunkline.sim.carrier.frames import Frames
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.pacer import Pacer
from trunkline.sim.serve_carrier_media import MediaSocket, carry

HEARD_CHARS_MAX: Final = 60

_TEXT: Final = WSMsgType.TEXT


class Exchange(Protocol):
    """What a line needs of the carrier it belongs to."""

    pacer: Pacer
    tls: ssl.SSLContext

    def spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run the work as a task of the carrier's."""
        ...

    async def fetch(self, request: Request) -> WebhookAnswered | WebhookFailed:
        """Make an HTTP request; whatever happens is the answer."""
        ...

    def finished(self, line: "Line") -> None:
        """The call is over, with all about it."""
        ...


@dataclass(frozen=True, slots=True)
class CallView:
    """One live call, for a table."""

    sid: str
    direction: str
    to_number: str = field(repr=False)
    phase: str
    doing: str
    seconds: float
    turns: int
    heard: str = field(repr=False)


class Line:
    """One call with its sockets."""

    def __init__(self, carrier: Exchange, call: CarrierCall) -> None:
        self.call = call
        self.armed_at = math.inf
        self.ended: asyncio.Future[CallReport] = asyncio.get_running_loop().create_future()
        self._carrier = carrier
        self._sockets: dict[int, MediaSocket] = {}
        self._frames: Frames | None = None
        """The only stream's, where there was but one: the usual case."""
        self._socket: MediaSocket | None = None
        """That stream's."""

    def place(self) -> None:
        """The call begins."""
        self.perform(self.call.place(time.monotonic()))
        self._carrier.pacer.arm(self)

    def deadline(self) -> float | None:
        """When `tick` must come."""
        frames = self._frames
        if frames is not None and frames.due < frames.calm_until:  # The usual case.
            return frames.due
        return self.call.deadline()

    def tick(self, now: float) -> None:
        """Do what is due."""
        frames, socket = self._frames, self._socket
        if frames is None or socket is None or (text := frames.calm(now)) is None:
            self.perform(self.call.tick(now))
        elif socket.transport is not None:  # The usual case.
            socket.transport.send(_TEXT, text)

    def happened(self, event: Event) -> None:
        """Tell the machine, and do what it wants."""
        self.perform(self.call.receive(event, time.monotonic()))
        self._carrier.pacer.arm(self)

    def perform(self, actions: list[Action]) -> None:
        """Do what the machine wants."""
        for action in actions:
            match action:
                case SendFrame():  # The hot case first.
                    transport = self._sockets[action.stream].transport
                    if transport is not None:
                        transport.send(_TEXT, action.text)
                    if action.payload is not None:
                        self.call.ledger.left(action.payload, time.monotonic())
                case SendMessage():
                    kind = WSMsgType.BINARY if action.binary else WSMsgType.TEXT
                    self._send(action.stream, action.data, kind)
                case Request():
                    self._carrier.spawn(self._request(action), f"webhook {self.call.plan.sid}")
                case OpenStream():
                    self._open(action)
                case CloseStream():
                    self._close(action)
                case ResetStream():
                    self._sockets[action.stream].reset()
                case ReadStream():
                    self._sockets[action.stream].read(reading=action.reading)
                case Finished():
                    self._carrier.finished(self)
                case _:
                    assert_never(action)

    def _send(self, stream: int, data: bytes, kind: WSMsgType) -> None:
        transport = self._sockets[stream].transport
        if transport is not None:
            transport.send(kind, data)

    def _close(self, action: CloseStream) -> None:
        socket = self._sockets.get(action.stream)
        if socket is None:
            return
        if socket.transport is None:  # Still being opened, or gone: nobody waits for it any more.
            asyncio.get_running_loop().call_soon(socket.gone)
        else:
            socket.close(action.code)

    def _open(self, action: OpenStream) -> None:
        socket = MediaSocket(action.stream, self.happened)
        self._sockets[action.stream] = self._socket = socket
        only = self.call.streams.only
        self._frames = None if only is None else only.frames
        work = carry(socket, action.url, action.headers, self._carrier.tls)
        self._carrier.spawn(work, f"stream {self.call.plan.sid}")

    async def _request(self, request: Request) -> None:
        event = await self._carrier.fetch(request)
        if request.wants_answer:
            self.happened(event)

    def drop(self) -> None:
        """The simulator goes: close whatever is open."""
        for socket in self._sockets.values():
            socket.gone()
            socket.close(1001)
        if not self.ended.done():
            self.ended.cancel()

    def view(self, now: float) -> CallView:
        """The call as a row of a table."""
        call = self.call
        return CallView(
            sid=call.plan.sid,
            direction=call.plan.direction,
            to_number=call.plan.to_number,
            phase=call.leg.phase,
            doing=call.run.verb,
            seconds=now - call.leg.began_at,
            turns=len(call.person.book.turns),
            heard=call.person.last_words()[-HEARD_CHARS_MAX:],
        )
