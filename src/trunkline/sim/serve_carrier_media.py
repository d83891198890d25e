"""The sockets of the simulated carrier's streams."""

import asyncio
import logging
import socket as sockets
import ssl
import struct
from collections.abc import Callable
from typing import Final

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from trunkline.sim.carrier.events import (
    Event,
    StreamBinary,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    StreamStalled,
    StreamText,
)

MESSAGE_BYTES_MAX: Final = 1024 * 1024
"""A longer message of the server's ends the stream (31924); over 64 KiB it is dropped (31950)."""

OPEN_S_MAX: Final = 5.0
"""A stream's socket that is not open by then is refused (31901)."""

CLOSE_S_MAX: Final = 2.0
"""So long what is written may still flow after a close; then the connection is dropped."""

_QUIET: Final = logging.getLogger("trunkline.sim.carrier")
"""What goes wrong on a socket stands in the call's report, not in a log."""
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False

_TEXT: Final = WSMsgType.TEXT

_REFUSED_HEADERS: Final = ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions")


class MediaSocket(WSListener):
    """One WebSocket: hands what happens to it to its call."""

    def __init__(self, number: int, happened: Callable[[Event], None]) -> None:
        self.transport: WSTransport | None = None
        self._number = number
        self._happened = happened
        self._code: int | None = None
        self._parts: list[bytes] = []
        self._was_opened = False
        self._refused = False
        self._gone = False
        self._abort: asyncio.TimerHandle | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The server answered 101."""
        if self._gone:  # The call ended while the socket was being opened.
            transport.disconnect(graceful=False)
            return
        self.transport = transport
        self._was_opened = True
        for name in _REFUSED_HEADERS:
            if transport.response.headers.get(name) is not None:
                self.refuse(f"{name} was not offered")
                transport.disconnect(graceful=False)
                return
        self._happened(StreamOpened(self._number))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """The server sent a frame."""
        if self._refused or frame.payload_size > MESSAGE_BYTES_MAX:
            return
        kind = frame.msg_type
        if kind is _TEXT and frame.fin:  # The usual case.
            self._happened(StreamText(self._number, frame.get_payload_as_bytes()))
        elif kind is WSMsgType.CLOSE:
            self._code = _code_of(frame)
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif kind in {WSMsgType.TEXT, WSMsgType.CONTINUATION}:
            self._join(transport, frame)
        elif kind is WSMsgType.BINARY:
            self._happened(StreamBinary(self._number))

    def _join(self, transport: WSTransport, frame: WSFrame) -> None:
        """A message may come in pieces, as long as all of them stay below the limit."""
        self._parts.append(frame.get_payload_as_bytes())
        if sum(map(len, self._parts)) > MESSAGE_BYTES_MAX:
            self._parts.clear()
            transport.disconnect(graceful=False)
        elif frame.fin:
            text = b"".join(self._parts)
            self._parts.clear()
            self._happened(StreamText(self._number, text))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone: `carry` says so."""
        del transport
        self.transport = None
        if self._abort is not None:
            self._abort.cancel()
            self._abort = None

    @property
    def was_opened(self) -> bool:
        """Whether the server ever answered 101."""
        return self._was_opened

    def refuse(self, reason: str, code: int = 31920) -> None:
        """There will be no stream."""
        if not self._gone and not self._refused:
            self._refused = True
            self._happened(StreamRefused(self._number, reason, code))

    def gone(self, *, violation: bool = False) -> None:
        """Say once that nothing more comes."""
        if not self._gone and not self._refused:
            self._gone = True
            code = None if violation else self._code
            self._happened(StreamClosed(self._number, code, violation))

    def pause_writing(self) -> None:
        """The server reads too slowly."""
        self._happened(StreamStalled(self._number, stalled=True))

    def resume_writing(self) -> None:
        """The server reads again."""
        self._happened(StreamStalled(self._number, stalled=False))

    def close(self, code: int) -> None:
        """Close with a close frame; the socket is gone soon, whatever the server does."""
        if self.transport is not None:
            self.transport.send_close(WSCloseCode(code))
            self.transport.disconnect()
            loop = asyncio.get_running_loop()
            self._abort = loop.call_later(CLOSE_S_MAX, self.transport.disconnect, False)

    def reset(self) -> None:
        """Drop the connection: the server sees a reset, no close frame."""
        if self.transport is None:
            return
        below = self.transport.underlying_transport
        plain: sockets.socket | None = below.get_extra_info("socket")
        if plain is not None:
            plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        below.abort()

    def read(self, *, reading: bool) -> None:
        """Stop reading, or go on."""
        if self.transport is not None:
            below = self.transport.underlying_transport
            if reading:
                below.resume_reading()
            else:
                below.pause_reading()


def _code_of(frame: WSFrame) -> int:
    """The close code; 1005 where the frame names none."""
    payload = frame.get_payload_as_bytes()
    return int.from_bytes(payload[:2], "big") if len(payload) > 1 else 1005


async def carry(
    socket: MediaSocket, url: str, headers: tuple[tuple[str, str], ...], tls: ssl.SSLContext
) -> None:
    """Open the socket and come back when it is gone; each outcome is told to its call."""
    transport = await _connect(socket, url, headers, tls)
    if transport is None:
        return
    if not socket.was_opened:  # The server left in the middle of the handshake.
        socket.refuse("closed in the handshake")
    violation = False
    try:
        await transport.wait_disconnected()
    except WSError:  # The server's fault; ours (a failed assertion) is raised.
        violation = True
    finally:
        socket.gone(violation=violation)


async def _connect(
    socket: MediaSocket, url: str, headers: tuple[tuple[str, str], ...], tls: ssl.SSLContext
) -> WSTransport | None:
    """The open socket's transport; None where the call was told why there is none."""
    try:
        async with asyncio.timeout(OPEN_S_MAX):
            transport, _ = await ws_connect(
                lambda: socket,
                url,
                ssl_context=tls if url.startswith("wss:") else None,
                websocket_handshake_timeout=OPEN_S_MAX,
                max_frame_size=MESSAGE_BYTES_MAX,
                max_redirects=0,
                extra_headers=headers,
                logger_name=_QUIET,
            )
    except TimeoutError:
        socket.refuse("not in time", 31901)
    except WSError as error:
        socket.refuse(str(error).partition("\n")[0])
    except ssl.SSLError as error:
        socket.refuse(str(error), 31910)
    except OSError as error:
        socket.refuse(str(error), 31901)
    else:
        return transport
    return None
