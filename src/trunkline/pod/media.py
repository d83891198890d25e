"""The media socket: Twilio's WebSocket, handled by picows without ASGI in the audio path.

Uvicorn accepts the connection and reads the request's head; `pod.bridge` hands an upgrade to
picows. From `start` on a frame goes: transport, picows, `MediaSocket.on_ws_frame`, the call.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final, Protocol

import picows
from picows import WSCloseCode, WSFrame, WSMsgType, WSTransport

from trunkline.errors import CarrierProtocolError
from trunkline.pod.media_words import AS_SAID, MediaLimits, Refusal
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import twilio

STRANGERS_MAX: Final = 256
"""Sockets without a call, of those whose upgrade was signed and of the others each: a flood of
the others keeps Twilio's own out of nothing. One more is refused with 503."""

REFUSED_MESSAGES_MAX: Final = 100
"""Messages of one socket that were no messages; at the next the socket is closed (1008)."""

FRAME_BYTES_MAX: Final = 256 * 1024
"""A longer WebSocket frame ends its socket (1009) unread; one between this and
`twilio.MESSAGE_BYTES_MAX` is counted and dropped, and the call goes on."""

BACKLOG_BYTES_MAX: Final = 2 * 1024 * 1024
"""What Twilio has not read of what we sent (about 3 minutes of audio): then the stream is given
up, for it has stopped reading."""

# Asked for at every frame: a global costs a fifth of an enum's member (Python 3.11).
_TEXT: Final = WSMsgType.TEXT
_CLOSE: Final = WSMsgType.CLOSE


class Receiver(Protocol):
    """What a socket that was given a call speaks to."""

    def from_carrier(self, socket: "MediaSocket", message: twilio.FromCarrier) -> None:
        """A message of the stream that is this call's present one."""
        ...

    def stream_lost(self, socket: "MediaSocket", reason: str) -> None:
        """The socket is gone; said once, and not when we closed it."""
        ...


class Admission(Protocol):
    """Who says which socket gets which call."""

    def knock(self, request: picows.WSUpgradeRequest) -> bool | Refusal:
        """Before the upgrade: whether it was signed, or why it is refused."""
        ...

    def admit(self, start: twilio.Start, socket: "MediaSocket") -> Receiver | Refusal | None:
        """The first `start` of a socket: the call that its ticket names, or why not.

        None: the call is on its way to this pod, and `MediaSocket.settle` will be told.
        """
        ...


class MediaSocket(picows.WSListener):
    """One stream's socket."""

    def __init__(self, house: "MediaHouse", *, signed: bool) -> None:
        super().__init__()
        self.signed = signed
        self._house = house
        self._transport: WSTransport | None = None
        self._receiver: Receiver | None = None
        self._unfinished: bytearray | None = None
        """What has come of a message in fragments."""
        self._refused_messages = 0
        self._until_timed = house.metrics.timed_to_model.each
        self._heard = False
        """Whether anything came since `_watch` looked last."""
        self._waits = False
        """Its ticket was good, and its call is on its way here."""
        self._closed_by_us = False
        self._congested = False
        self._timer: asyncio.TimerHandle | None = None
        self._gone = asyncio.Event()

    @property
    def has_call(self) -> bool:
        """Whether its `start` was good: no stranger any more."""
        return self._receiver is not None

    @property
    def waits(self) -> bool:
        """Whether it is open and waits for its call."""
        return self._waits and not self._closed_by_us and not self._gone.is_set()

    # What the call does with its stream.

    def send(self, message: twilio.ToCarrier) -> None:
        """Write a message; never waits. A socket that is gone swallows it."""
        self._write(_TEXT, twilio.encode(message))

    def close(self, code: WSCloseCode = WSCloseCode.OK) -> None:
        """Close the stream: Twilio goes on with the next verb. A second close does nothing."""
        transport = self._transport
        if self._closed_by_us or transport is None or self._gone.is_set():
            return
        self._closed_by_us = True
        transport.send_close(code)
        self._cut_soon(transport)

    def backlog_bytes(self) -> int:
        """What was written and has not left the process yet."""
        transport = self._transport
        return 0 if transport is None else transport.underlying_transport.get_write_buffer_size()

    async def wait_gone(self) -> None:
        """Return when the socket is gone: `CLOSE_S_MAX` after `close` at the latest."""
        await self._gone.wait()

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade was answered: `start` has its deadline from now."""
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=BACKLOG_BYTES_MAX)
        self._house.strangers[self.signed].add(self)
        self._house.open.add(self)
        limits = self._house.limits
        wait_s = limits.start_s_max if self.signed else limits.unsigned_start_s_max
        self._arm(wait_s, partial(self.refuse, Refusal.NO_START))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """The hot path: a whole text frame is one message."""
        self._heard = True
        if frame.msg_type is _TEXT and frame.fin and self._unfinished is None:
            if transport.is_close_frame_sent:
                return
            self._until_timed -= 1
            if self._until_timed > 0:
                self._read(frame.get_payload_as_memoryview())
            else:
                self._read_timed(frame.get_payload_as_memoryview())
        elif frame.msg_type is _CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            # What was written before leaves first, and a peer that reads none of it keeps us.
            self._cut_soon(transport)
        elif not transport.is_close_frame_sent:
            self._read_rarity(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone, whoever closed it."""
        self._disarm()
        self._house.strangers[self.signed].discard(self)
        self._house.open.discard(self)
        self._gone.set()
        receiver, self._receiver = self._receiver, None
        if self._closed_by_us:
            return
        why = self._why_gone(transport)
        if receiver is not None:
            receiver.stream_lost(self, why)
        else:
            quiet = Refusal.NO_CALL if self._waits else Refusal.NO_START
            self._house.metrics.stream_refused(Refusal.PROTOCOL if why == "frame" else quiet)

    def _why_gone(self, transport: WSTransport) -> str:
        handshake = transport.close_handshake
        if handshake is None:
            return "dropped"
        if handshake.recv is not None and handshake.recv_then_sent:
            return "closed"
        # picows closed it: a frame beyond the limit, or one against RFC 6455.
        self._house.metrics.carrier_message_refused("frame")
        return "frame"

    def pause_writing(self) -> None:
        """The transport holds more than `BACKLOG_BYTES_MAX`: the next write gives the stream up."""
        self._congested = True

    def resume_writing(self) -> None:
        """The other end has read after all."""
        self._congested = False

    # Reading.

    def _read_timed(self, text: memoryview) -> None:
        """As `_read`, with a stopwatch; the next message too, until one is written to a model."""
        watch = self._house.metrics.timed_to_model
        watch.start()
        try:
            self._read(text)
        finally:
            if watch.stop():
                self._until_timed = watch.each

    def _read(self, text: memoryview) -> None:
        try:
            message = twilio.decode(text)
        except CarrierProtocolError as error:
            self._refuse_message(f"code_{error.code}")
            return
        if self._receiver is not None:
            self._receiver.from_carrier(self, message)
        elif self._waits:
            if isinstance(message, twilio.Stop):
                self.refuse(Refusal.NO_CALL)  # The caller has hung up.
        elif isinstance(message, twilio.Start):
            self._begin(message)
        elif not isinstance(message, twilio.Connected | twilio.Unknown):
            self.refuse(Refusal.PROTOCOL)

    def _read_rarity(self, frame: WSFrame) -> None:
        """Fragments are joined up to the limit; binary frames are counted; pings answered."""
        match frame.msg_type:
            case WSMsgType.TEXT:
                self._drop_unfinished()  # By RFC 6455 its end had to come first.
                if frame.fin:
                    self._read(frame.get_payload_as_memoryview())
                else:
                    self._unfinished = bytearray(frame.get_payload_as_memoryview())
            case WSMsgType.CONTINUATION:
                self._join(frame)
            case WSMsgType.BINARY:
                self._drop_unfinished()
                self._refuse_message("binary")
            case WSMsgType.PING:
                self._write(WSMsgType.PONG, frame.get_payload_as_bytes())
            case _:
                pass  # A pong needs nothing.

    def _join(self, frame: WSFrame) -> None:
        begun = self._unfinished
        if begun is None:
            self._refuse_message("continuation")
            return
        begun += frame.get_payload_as_memoryview()
        if len(begun) > FRAME_BYTES_MAX:
            self._unfinished = None
            self._lose("message_too_big", WSCloseCode.MESSAGE_TOO_BIG)
        elif frame.fin:
            self._unfinished = None
            self._read(memoryview(begun))

    def _drop_unfinished(self) -> None:
        if self._unfinished is not None:
            self._unfinished = None
            self._refuse_message("continuation")

    def _begin(self, start: twilio.Start) -> None:
        admitted = self._house.admission.admit(start, self)
        if admitted is not None:
            self.settle(admitted)
            return
        self._waits = True
        self._house.strangers[self.signed].discard(self)
        self._arm(self._house.limits.slot_s_max, partial(self.refuse, Refusal.LATE))

    def settle(self, admitted: Receiver | Refusal) -> None:
        """Whose stream it is, or why nobody's: said once, after `start`."""
        self._waits = False
        if isinstance(admitted, Refusal):
            self.refuse(admitted)
            return
        self._house.strangers[self.signed].discard(self)
        if self._closed_by_us:
            return  # The call was over before its stream was told.
        self._receiver = admitted
        self._house.metrics.stream_opened()
        self._heard = True
        self._watch()

    def _watch(self) -> None:
        """Give the stream up if it has been silent since the last look."""
        heard, self._heard = self._heard, False
        if heard:
            self._arm(self._house.limits.silence_s_max, self._watch)
        else:
            self._lose("silence", WSCloseCode.GOING_AWAY)

    def _refuse_message(self, reason: str) -> None:
        self._house.metrics.carrier_message_refused(reason)
        self._refused_messages += 1
        if self._receiver is None:
            self.refuse(Refusal.PROTOCOL)
        elif self._refused_messages > REFUSED_MESSAGES_MAX:
            self._lose("refused_messages")

    def refuse(self, refusal: Refusal) -> None:
        """Close a socket that has no call, and count why, once."""
        if not self._closed_by_us:
            self._house.metrics.stream_refused(refusal)
        self.close(WSCloseCode.POLICY_VIOLATION)

    def _lose(self, reason: str, code: WSCloseCode = WSCloseCode.POLICY_VIOLATION) -> None:
        """Give up a stream that its other end has broken."""
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            self.refuse(Refusal.PROTOCOL)
            return
        self._house.metrics.carrier_message_refused(reason)
        self.close(code)
        receiver.stream_lost(self, reason)

    # Writing and waiting.

    def _write(self, kind: WSMsgType, payload: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_close_frame_sent:
            return
        transport.send(kind, payload)
        if self._congested and self._receiver is not None:
            self._lose("backlog")

    def _cut_soon(self, transport: WSTransport) -> None:
        """A peer that does not let the socket go is cut."""
        self._arm(self._house.limits.close_s_max, transport.underlying_transport.abort)

    def _arm(self, wait_s: float, then: Callable[[], None]) -> None:
        """Set the one timer of this socket."""
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(wait_s, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class MediaHouse:
    """What all media sockets of a pod share."""

    def __init__(
        self,
        admission: Admission,
        metrics: Metrics,
        limits: MediaLimits = AS_SAID,
    ) -> None:
        self.admission = admission
        self.metrics = metrics
        self.limits = limits
        self.strangers: dict[bool, set[MediaSocket]] = {True: set(), False: set()}
        """Sockets without a call, by whether they were signed; at most `STRANGERS_MAX` each."""
        self.open: set[MediaSocket] = set()
        self._closed = False

    def answer(
        self, request: picows.WSUpgradeRequest
    ) -> picows.WSListener | picows.WSUpgradeResponseWithListener:
        """Answer an upgrade request: a listener, or a response that says no."""
        knocked = self.admission.knock(request)
        if not isinstance(knocked, Refusal):
            if not self._closed and len(self.strangers[knocked]) < STRANGERS_MAX:
                # Uvicorn has found "upgrade" among what a proxy may have made of this header, and
                # picows takes it alone only.
                request.headers["Connection"] = "Upgrade"
                return MediaSocket(self, signed=knocked)
            knocked = Refusal.CROWDED
        self.metrics.stream_refused(knocked)
        status = {
            Refusal.PATH: HTTPStatus.NOT_FOUND,
            Refusal.CROWDED: HTTPStatus.SERVICE_UNAVAILABLE,
        }.get(knocked, HTTPStatus.FORBIDDEN)
        response = picows.WSUpgradeResponse.create_error_response(status, b"")
        return picows.WSUpgradeResponseWithListener(response, None)

    async def close(self) -> None:
        """Close every socket and let none in. Returns when all are gone: in `CLOSE_S_MAX`."""
        self._closed = True
        for socket in list(self.open):
            socket.close(WSCloseCode.GOING_AWAY)
        for socket in list(self.open):
            await socket.wait_gone()
