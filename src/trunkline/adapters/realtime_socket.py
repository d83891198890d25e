"""One WebSocket to a realtime model, by picows.

picows' own client function leaves a socket behind when it is cancelled between connect and
upgrade, so the connection is made here, with picows' protocol: no `await` below can leak one.
"""

import asyncio
import itertools
import logging
import ssl
from collections.abc import Callable
from typing import Final, Literal, Protocol, cast
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import aiofastnet
import picows
from picows import WSAutoPingStrategy, WSCloseCode, WSFrame, WSMsgType, WSTransport

from trunkline.adapters import realtime_reasons as reasons
from trunkline.errors import ModelError, ModelProtocolError, SettingsError
from trunkline.ports import FrameListener, LossListener
from trunkline.wire.realtime import server

HANDSHAKE_S_MAX: Final = 5.0
"""From look-up of the name to the answer 101; then "timeout"."""

SESSION_CREATED_S_MAX: Final = 5.0
"""From 101 to `session.created`; then "timeout"."""

PING_IDLE_S: Final = 5.0
"""So long without a byte from the model, and it is sent a ping."""

PONG_S_MAX: Final = 5.0
"""A ping unanswered for so long: the session is lost, "timeout"."""

CLOSE_S_MAX: Final = 1.0
"""From our close frame to the socket's end; then it is cut."""

AUDIO_BACKLOG_BYTES_MAX: Final = 64 * 1024
"""What the model has not read of the caller's audio (about 5 s): beyond it audio is dropped, for
late audio is worse than lost audio. It is the transports' high-water mark too: below it nobody
need measure."""

BACKLOG_BYTES_MAX: Final = 4 * 1024 * 1024
"""What the model has not read: beyond it the session is lost, "backlog". Audio is dropped long
before; this bound is for what may not be dropped."""

KEPT_MESSAGES_MAX: Final = 64
"""Messages between `session.created` and the first listener; at the next one the session is lost,
"unread". Their bytes are bounded by `server.MESSAGE_BYTES_MAX`."""

READ_BUFFER_BYTES: Final = 16 * 1024
"""What a session's reading begins with; it grows to its longest message."""

assert PONG_S_MAX <= PING_IDLE_S  # picows demands it.

# Asked for at every frame: a global costs a fifth of an enum's member (Python 3.11).
_TEXT: Final = WSMsgType.TEXT

Auth = Literal["bearer", "api-key"]


class _Upgrade(Protocol):
    """What is used of picows' WSProtocol, which its stubs do not declare."""

    transport: WSTransport | None
    listener: picows.WSListener | None

    async def wait_until_handshake_complete(self) -> None:
        """Return at 101 or at the socket's end, raise at any other answer."""
        ...


# What picows logs can hold the text of an exception that a listener let fall, hence words spoken;
# why a session was lost is told to its listener.
_SILENT: Final = logging.getLogger("trunkline.realtime_socket")
_SILENT.setLevel(logging.CRITICAL + 1)

_NUMBERS: Final = itertools.count(1)


class RealtimeSession(picows.WSListener):
    """One session. Its owner closes it, also when it was lost."""

    _connection: WSTransport

    def __init__(self) -> None:
        super().__init__()
        self.id = f"session-{next(_NUMBERS)}"
        self.created: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: WSTransport | None = None
        self._on_message: Callable[[memoryview], None] = self._first
        self._on_lost: LossListener | None = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._parts: bytearray | None = None
        self._lost: str | None = None
        self._closing = False
        self._congested = False

    # The port.

    def listen(self, on_frame: FrameListener, on_lost: LossListener) -> None:
        """Deliver what was kept now, what comes later when it comes, then the reason of the loss.

        A message lies in the socket's buffer: it is valid until `on_frame` returns.
        A second call replaces the listeners. Who listens to a session that is lost already is
        told so in the loop's next turn. A session that its owner closes reports no loss.
        """
        if self._closing:
            return
        kept, self._kept, self._kept_bytes = self._kept, [], 0
        if self._lost is not None:
            asyncio.get_running_loop().call_soon(self._tell, on_lost, self._lost)
        else:
            self._on_message, self._on_lost = on_frame, on_lost
        for message in kept:
            on_frame(memoryview(message))

    def send(self, text: bytes) -> None:
        """Write a text message; never waits. A lost or closed session swallows it."""
        if self._transport is None:
            return
        self._transport.send(_TEXT, text)
        if self._congested and self.backlog_bytes() > BACKLOG_BYTES_MAX:
            # Not now: the caller may be in the midst of another event's actions.
            asyncio.get_running_loop().call_soon(self._break, "backlog")

    def send_audio(self, text: bytes) -> bool:
        """The same for audio, unless `AUDIO_BACKLOG_BYTES_MAX` is reached: then it is dropped."""
        transport = self._transport
        if transport is None:
            return True
        if self._congested and self.backlog_bytes() > AUDIO_BACKLOG_BYTES_MAX:
            return False
        transport.send(_TEXT, text)
        return True

    def backlog_bytes(self) -> int:
        """What was written and has not left the process yet; 0 once the session is gone."""
        if self._transport is None:
            return 0
        return self._transport.underlying_transport.get_write_buffer_size()

    async def close(self) -> None:
        """Say goodbye, wait `CLOSE_S_MAX` at most, cut. A second close does nothing."""
        if self._closing:
            return
        self._closing = True
        self._on_message, self._on_lost = _ignore, None
        self._kept.clear()
        connection = self._connection
        if self._transport is not None:
            self._transport = None
            connection.send_close(WSCloseCode.OK)
        await _farewell(connection)

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade was answered; the session is good only after `session.created`."""
        self._transport = self._connection = transport
        transport.underlying_transport.set_write_buffer_limits(high=AUDIO_BACKLOG_BYTES_MAX)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """The hot path: a whole text frame is one message, handed on where it lies."""
        if frame.payload_size > server.MESSAGE_BYTES_MAX:
            # picows closes for its length, and yet delivers it if the rest comes at once.
            self._break("message_too_big", WSCloseCode.MESSAGE_TOO_BIG)
            return
        if frame.msg_type is _TEXT and frame.fin and self._parts is None:
            self._on_message(frame.get_payload_as_memoryview())
            return
        match frame.msg_type:
            case WSMsgType.TEXT | WSMsgType.CONTINUATION:
                self._join(frame)
            case WSMsgType.CLOSE:
                self._lose(reasons.of_end(transport))
                transport.send_close(WSCloseCode.OK)
                transport.disconnect()
            case WSMsgType.BINARY:
                self._break("protocol", WSCloseCode.UNSUPPORTED_DATA)
            case _:
                pass  # picows answers pings; a late pong needs nothing.

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone: its own doing, picows' after a violation, or ours."""
        self._lose(reasons.of_end(transport))

    def pause_writing(self) -> None:
        """The transport holds more than its high-water mark: from now on `send` measures."""
        self._congested = True

    def resume_writing(self) -> None:
        """The transport is below its low-water mark again."""
        self._congested = False

    # Reading.

    def _join(self, frame: WSFrame) -> None:
        """Join what picows does not: joined fragments have the bound of whole messages."""
        begins = frame.msg_type is _TEXT
        if begins is (self._parts is not None):
            self._break("protocol", WSCloseCode.PROTOCOL_ERROR)
            return
        if self._parts is None:
            self._parts = bytearray()
        if len(self._parts) + frame.payload_size > server.MESSAGE_BYTES_MAX:
            self._break("message_too_big", WSCloseCode.MESSAGE_TOO_BIG)
            return
        self._parts += frame.get_payload_as_memoryview()
        if frame.fin:
            whole, self._parts = self._parts, None
            self._on_message(memoryview(whole))

    def _first(self, text: memoryview) -> None:
        """Until `session.created`: anything else but an error is not ours to judge."""
        try:
            event = server.decode(text)
        except ModelProtocolError:
            self._break("protocol", WSCloseCode.PROTOCOL_ERROR)
            return
        if isinstance(event, server.SessionCreated):
            self._on_message = self._keep
            self.created.set_result(None)
        elif isinstance(event, server.Error):
            self._break(reasons.of_error(event.error.code, event.error.type))
        else:
            self._keep(text)

    def _keep(self, text: memoryview) -> None:
        self._kept_bytes += len(text)
        if len(self._kept) == KEPT_MESSAGES_MAX or self._kept_bytes > server.MESSAGE_BYTES_MAX:
            self._break("unread", WSCloseCode.POLICY_VIOLATION)
        else:
            self._kept.append(bytes(text))

    # The end.

    def _break(self, reason: str, code: WSCloseCode = WSCloseCode.OK) -> None:
        """The session is of no use any more: say so, and cut it."""
        if self._lost is None and not self._closing:
            self._connection.send_close(code)
            self._connection.disconnect(graceful=False)
            self._lose(reason)

    def _lose(self, reason: str) -> None:
        """Once: later reasons follow from the first."""
        if self._lost is not None:
            return
        self._lost = reason
        self._transport = None
        on_lost, self._on_message, self._on_lost = self._on_lost, _ignore, None
        if not self.created.done():
            self.created.set_exception(ModelError(reason))
            self.created.exception()  # Nobody may be waiting any more.
        if on_lost is not None:
            on_lost(reason)

    def _tell(self, on_lost: LossListener, reason: str) -> None:
        if not self._closing:
            on_lost(reason)


class RealtimeDoor:
    """Opens sessions at one URL, for one model, with one key."""

    def __init__(
        self,
        url: str,
        model: str,
        key: str,
        *,
        auth: Auth = "bearer",
        ssl_context: ssl.SSLContext | None = None,
        handshake_s_max: float = HANDSHAKE_S_MAX,
        session_created_s_max: float = SESSION_CREATED_S_MAX,
        ping_idle_s: float = PING_IDLE_S,
    ) -> None:
        """An empty `key` sends no key, an empty `model` no model: some servers want none.

        Raises:
            SettingsError: the URL or the key can't be used.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname or parts.username is not None:
            raise SettingsError("the realtime URL must look like wss://HOST/PATH, without a user")
        if not key.isprintable() or not key.isascii() or " " in key:
            raise SettingsError("the realtime API key holds a space or a line break: copy it again")
        query = [(name, value) for name, value in parse_qsl(parts.query) if name != "model"]
        if model:
            query.append(("model", model))
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "wss" else 80)
        self._netloc = parts.netloc
        self._target = (parts.path or "/") + (
            "?" + urlencode(query, quote_via=quote) if query else ""
        )
        self._headers = _headers(key, auth)
        # Made once: to load the system's certificates takes 20 ms of the loop's time.
        secure = parts.scheme == "wss"
        self._ssl = (ssl_context or ssl.create_default_context()) if secure else None
        self._handshake_s_max = handshake_s_max
        self._session_created_s_max = session_created_s_max
        self._ping_idle_s = ping_idle_s

    async def open(self) -> RealtimeSession:
        """A session that has sent `session.created`.

        Raises:
            ModelError: one of `realtime_reasons`, without address, query or key.
        """
        session = RealtimeSession()
        upgrade = self._upgrade(session)
        opened = False
        try:
            async with asyncio.timeout(self._handshake_s_max):
                await self._connect(upgrade)
            async with asyncio.timeout(self._session_created_s_max):
                await session.created
            opened = True
        except (ModelError, picows.WSError, OSError, ValueError) as error:
            raise ModelError(reasons.of_exception(error)) from None
        finally:
            if not opened and upgrade.transport is not None:
                upgrade.transport.disconnect(graceful=False)
                await _farewell(upgrade.transport)
        return session

    def _upgrade(self, session: RealtimeSession) -> _Upgrade:
        make = cast("Callable[..., _Upgrade]", picows.picows.WSProtocol)  # type: ignore[attr-defined] # its stubs leave it out
        return make(
            self._netloc,
            self._target,
            True,  # The client's side.
            lambda _request, _response: session,
            _SILENT,
            True,  # A listener that fails loses its session.
            None,  # The deadline is ours.
            True,
            self._ping_idle_s,
            min(PONG_S_MAX, self._ping_idle_s),
            WSAutoPingStrategy.PING_WHEN_IDLE,
            True,  # Answer the model's pings.
            server.MESSAGE_BYTES_MAX,
            self._headers,
            READ_BUFFER_BYTES,
        )

    async def _connect(self, upgrade: _Upgrade) -> None:
        loop = asyncio.get_running_loop()
        protocol = cast("asyncio.BufferedProtocol", upgrade)
        if self._ssl is None:
            await loop.create_connection(lambda: protocol, self._host, self._port)
        else:
            # picows' own transport: with TLS it costs less of the processor than uvloop's.
            await aiofastnet.create_connection(
                loop,
                lambda: protocol,
                self._host,
                self._port,
                ssl=self._ssl,
                ssl_handshake_timeout=self._handshake_s_max,
                ssl_shutdown_timeout=CLOSE_S_MAX,
            )
        await upgrade.wait_until_handshake_complete()
        if upgrade.listener is None:  # Gone before it answered: for picows this is no error.
            raise ModelError("closed")


def _headers(key: str, auth: Auth) -> dict[str, str]:
    """The key's header. Never `OpenAI-Beta`: it asks for a protocol that is no more."""
    if not key:
        return {}
    return {"Authorization": f"Bearer {key}"} if auth == "bearer" else {"api-key": key}


def _ignore(text: memoryview) -> None:
    """A session that is over has no listener."""


async def _farewell(connection: WSTransport) -> None:
    """Wait `CLOSE_S_MAX` for the socket's end, then cut it."""
    try:
        async with asyncio.timeout(CLOSE_S_MAX):
            await _end_of(connection)
    except TimeoutError:
        connection.disconnect(graceful=False)
        await _end_of(connection)
    finally:
        connection.disconnect(graceful=False)


async def _end_of(connection: WSTransport) -> None:
    """Wait for the socket's end. Violations were reported; a bug of a listener goes to the loop."""
    (outcome,) = await asyncio.gather(connection.wait_disconnected(), return_exceptions=True)
    if isinstance(outcome, Exception) and not isinstance(outcome, picows.WSError):
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a listener of a realtime session failed", "exception": outcome}
        )
