"""The media socket: Twilio's WebSocket, handled by picows without ASGI in the audio path.

Uvicorn accepts the connection and reads the request's head; `media_protocol` makes the class
that it hands an upgrade to, which gives the transport to picows and is gone. From then on a
frame goes: transport, picows, `MediaSocket.on_ws_frame`, the call.
"""

import asyncio
import logging
from enum import StrEnum
from http import HTTPStatus
from typing import Final, Protocol, cast

import picows
from picows import WSCloseCode, WSFrame, WSMsgType, WSTransport

from trunkline.errors import CarrierProtocolError
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import twilio

START_S_MAX: Final = 5.0
"""A socket whose upgrade was signed has so long to send its `start`; then it is closed."""

UNSIGNED_START_S_MAX: Final = 1.0
"""The same for a socket without a signature: Twilio may leave it out, a stranger will."""

SOCKETS_WAITING_MAX: Final = 256
"""Sockets that have not sent a valid `start`; one more is refused with 503."""

REFUSED_MESSAGES_MAX: Final = 100
"""Messages of one socket that were no messages; at the next the socket is closed (1008)."""

FRAME_BYTES_MAX: Final = 256 * 1024
"""A longer WebSocket frame ends its socket (1009) unread; one between this and
`twilio.MESSAGE_BYTES_MAX` is counted and dropped, and the call goes on."""

BACKLOG_BYTES_MAX: Final = 2 * 1024 * 1024
"""What Twilio has not read of what we sent (about 3 minutes of audio): then the stream is given
up, for it has stopped reading."""

CLOSE_S_MAX: Final = 2.0
"""So long a closed socket may take to go; then it is cut."""


class Refusal(StrEnum):
    """Why a socket was not given a call. Names of a metric's label."""

    PATH = "path"
    SIGNATURE = "signature"
    CROWDED = "crowded"
    NO_START = "no_start"
    PROTOCOL = "protocol"
    NO_TICKET = "no_ticket"
    FORGED_TICKET = "forged_ticket"
    EXPIRED_TICKET = "expired_ticket"
    FOREIGN_TICKET = "foreign_ticket"
    STALE_TICKET = "stale_ticket"
    NO_CALL = "no_call"


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

    def admit(self, start: twilio.Start, socket: "MediaSocket") -> Receiver | Refusal:
        """The first `start` of a socket: the call that its ticket names, or why not."""
        ...


class MediaSocket(picows.WSListener):
    """One stream's socket."""

    def __init__(self, house: "MediaHouse", *, signed: bool) -> None:
        super().__init__()
        self._house = house
        self._signed = signed
        self._transport: WSTransport | None = None
        self._receiver: Receiver | None = None
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._refused_messages = 0
        self._closed_by_us = False
        self._timer: asyncio.TimerHandle | None = None
        self._gone = asyncio.Event()

    # What the call does with its stream.

    def send(self, message: twilio.ToCarrier) -> None:
        """Write a message; never waits. A socket that is gone swallows it."""
        transport = self._transport
        if transport is None or self._closed_by_us:
            return
        transport.send(WSMsgType.TEXT, twilio.encode(message))
        if transport.underlying_transport.get_write_buffer_size() > BACKLOG_BYTES_MAX:
            self._lose("backlog")

    def close(self, code: WSCloseCode = WSCloseCode.OK) -> None:
        """Close the stream: Twilio goes on with the next verb. A second close does nothing."""
        transport = self._transport
        if self._closed_by_us or transport is None:
            return
        self._closed_by_us = True
        self._disarm()
        transport.send_close(code)
        # Twilio answers with a close frame of its own; a peer that does not is cut.
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(CLOSE_S_MAX, transport.underlying_transport.abort)

    async def wait_gone(self) -> None:
        """Return when the socket is gone: `CLOSE_S_MAX` after `close` at the latest."""
        await self._gone.wait()

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade was answered: `start` has its deadline from now."""
        self._transport = transport
        self._house.waiting.add(self)
        self._house.open.add(self)
        wait_s = START_S_MAX if self._signed else UNSIGNED_START_S_MAX
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(wait_s, self._refuse, Refusal.NO_START)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """The hot path: a whole text frame is one message."""
        if frame.msg_type is WSMsgType.TEXT and frame.fin and not self._parts:
            if not self._closed_by_us:
                self._read(frame.get_payload_as_memoryview())
        elif frame.msg_type is WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif not self._closed_by_us:
            self._read_rarity(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone, whoever closed it."""
        self._disarm()
        self._house.waiting.discard(self)
        self._house.open.discard(self)
        self._gone.set()
        receiver, self._receiver = self._receiver, None
        if receiver is not None and not self._closed_by_us:
            receiver.stream_lost(self, self._why_gone(transport))

    def _why_gone(self, transport: WSTransport) -> str:
        handshake = transport.close_handshake
        if handshake is None:
            return "dropped"
        if handshake.recv is not None:
            return "closed"
        # picows closed it: a frame beyond the limit, or one against RFC 6455.
        self._house.metrics.carrier_message_refused("frame")
        return "frame"

    def pause_writing(self) -> None:
        """What we send is bounded by `BACKLOG_BYTES_MAX`, not by the transport's water marks."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    # Reading.

    def _read(self, text: memoryview) -> None:
        try:
            message = twilio.decode(text)
        except CarrierProtocolError as error:
            self._refuse_message(f"code_{error.code}")
            return
        if self._receiver is not None:
            self._receiver.from_carrier(self, message)
        elif isinstance(message, twilio.Start):
            self._begin(message)
        elif not isinstance(message, twilio.Connected | twilio.Unknown):
            self._refuse(Refusal.PROTOCOL)

    def _read_rarity(self, frame: WSFrame) -> None:
        """Fragments are joined up to the limit; binary frames are counted."""
        match frame.msg_type:
            case WSMsgType.TEXT | WSMsgType.CONTINUATION:
                if frame.msg_type is WSMsgType.CONTINUATION and not self._parts:
                    self._refuse_message("continuation")
                    return
                self._parts.append(frame.get_payload_as_bytes())
                self._parts_bytes += frame.payload_size
                if self._parts_bytes > FRAME_BYTES_MAX:
                    self._lose("message_too_big")
                elif frame.fin:
                    text = b"".join(self._parts)
                    self._parts.clear()
                    self._parts_bytes = 0
                    self._read(memoryview(text))
            case WSMsgType.BINARY:
                self._refuse_message("binary")
            case _:
                pass  # picows answers pings; pongs need nothing.

    def _begin(self, start: twilio.Start) -> None:
        admitted = self._house.admission.admit(start, self)
        if isinstance(admitted, Refusal):
            self._refuse(admitted)
            return
        self._receiver = admitted
        self._disarm()
        self._house.waiting.discard(self)

    def _refuse_message(self, reason: str) -> None:
        self._house.metrics.carrier_message_refused(reason)
        self._refused_messages += 1
        if self._receiver is None:
            self._refuse(Refusal.PROTOCOL)
        elif self._refused_messages > REFUSED_MESSAGES_MAX:
            self._lose("refused_messages")

    def _refuse(self, refusal: Refusal) -> None:
        """Close a socket that has no call, and count why."""
        self._house.metrics.stream_refused(refusal)
        self.close(WSCloseCode.POLICY_VIOLATION)

    def _lose(self, reason: str) -> None:
        """Give up a stream that its other end has broken."""
        self._house.metrics.carrier_message_refused(reason)
        receiver, self._receiver = self._receiver, None
        self.close(WSCloseCode.POLICY_VIOLATION)
        if receiver is not None:
            receiver.stream_lost(self, reason)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class MediaHouse:
    """What all media sockets of a pod share."""

    def __init__(self, admission: Admission, metrics: Metrics) -> None:
        self.admission = admission
        self.metrics = metrics
        self.waiting: set[MediaSocket] = set()
        """Sockets without a call, at most `SOCKETS_WAITING_MAX`."""
        self.open: set[MediaSocket] = set()

    def answer(
        self, request: picows.WSUpgradeRequest
    ) -> picows.WSListener | picows.WSUpgradeResponseWithListener:
        """Answer an upgrade request: a listener, or a response that says no."""
        knocked = self.admission.knock(request)
        if not isinstance(knocked, Refusal) and len(self.waiting) >= SOCKETS_WAITING_MAX:
            knocked = Refusal.CROWDED
        if isinstance(knocked, Refusal):
            self.metrics.stream_refused(knocked)
            status = {
                Refusal.PATH: HTTPStatus.NOT_FOUND,
                Refusal.CROWDED: HTTPStatus.SERVICE_UNAVAILABLE,
            }.get(knocked, HTTPStatus.FORBIDDEN)
            response = picows.WSUpgradeResponse.create_error_response(status, b"")
            return picows.WSUpgradeResponseWithListener(response, None)
        return MediaSocket(self, signed=knocked)


class _MakesProtocol(Protocol):
    """picows' own protocol class, which its stubs leave out."""

    def __call__(self, *settings: object) -> asyncio.BufferedProtocol: ...


def media_protocol(house: MediaHouse) -> type[asyncio.Protocol]:
    """Make the class that uvicorn's `ws` setting takes: it bridges an upgrade to picows.

    Uvicorn makes an instance for each upgrade, hands it the transport and the request's head
    again, and sets it as the transport's protocol; one loop turn later picows has taken over.
    """
    make = cast("_MakesProtocol", picows.picows.WSProtocol)  # type: ignore[attr-defined]  # no stub
    log = logging.getLogger("picows.media")

    class MediaProtocol(asyncio.Protocol):
        def __init__(self, **_uvicorn: object) -> None:
            self._picows = make(
                None,  # host and port: a client's
                None,  # path: a client's
                False,
                house.answer,
                log,
                True,  # disconnect on an exception of ours
                START_S_MAX,
                False,  # no pings of ours: frames flow every 20 ms
                20.0,
                20.0,
                picows.WSAutoPingStrategy.PING_WHEN_IDLE,
                True,  # answer pings
                FRAME_BYTES_MAX,
                None,
                16 * 1024,
            )

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._picows.connection_made(transport)
            # Uvicorn sets this object as the protocol after it has fed us the head.
            loop = asyncio.get_running_loop()
            loop.call_soon(cast("asyncio.Transport", transport).set_protocol, self._picows)

        def data_received(self, data: bytes) -> None:
            view = memoryview(data)
            while view:
                buffer = memoryview(self._picows.get_buffer(len(view))).cast("B")
                taken = min(len(buffer), len(view))
                buffer[:taken] = view[:taken]
                self._picows.buffer_updated(taken)
                view = view[taken:]

        def connection_lost(self, exc: Exception | None) -> None:
            self._picows.connection_lost(exc)

    return MediaProtocol
