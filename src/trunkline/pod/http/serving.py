"""Uvicorn servers inside a loop that is not theirs: sockets bound first, signals left alone.

Uvicorn gives a connection no deadline before its first answer, and a head no size. Here a request
has both, so that nobody can hold the port by sending nothing, or never ending.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from trunkline.pod.http.listening import BACKLOG

SHUTDOWN_S_MAX: Final = 3
"""So long open requests may take when the server goes; then their connections are cut."""

REQUEST_S_MAX: Final = 10.0
"""From a connection's first moment, or the first byte of its next request, to that request's last
byte. Then the connection is cut: 15 s is the longest that Twilio waits for an answer."""

IDLE_S_MAX: Final = 75
"""A connection without a request is kept so long: longer than an ingress keeps its own."""

HEAD_BYTES_MAX: Final = 16 * 1024
"""A request whose head is longer and has not ended is cut; Twilio's have some 1 KiB."""

CONNECTIONS_MAX: Final = 512
"""Connections of one port that have not become media sockets; one more is cut at once."""

Cut = Callable[[str], None]
"""Told why a connection was cut: `slow`, `too_big`, `crowded`, or `malformed` if it was no HTTP."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may take."""

    request_s_max: float = REQUEST_S_MAX
    connections_max: int = CONNECTIONS_MAX


class _Config(uvicorn.Config):
    """Uvicorn's settings and ours: its protocols are given them when they are made."""

    limits: Limits
    cut: Cut


class _Bounded(HttpToolsProtocol):
    """Uvicorn's HTTP protocol with a deadline, a longest head, and a most of connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config, _Config)
        self._limits = config.limits
        self._tell = config.cut
        self._head_bytes = 0
        self._in_head = True
        self._asked = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections_max:
            self._cut("crowded")
        else:
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if self._deadline is None:
                self._arm()
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES_MAX:  # And this data has not ended it.
            self._cut("too_big")

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()
        # An upgrade is no request to the application.
        self._asked = not (self.parser.should_upgrade() and self._should_upgrade())

    def on_message_complete(self) -> None:
        self._in_head = True
        self._disarm()
        super().on_message_complete()
        if self._asked and self.cycle.response_complete:
            # Refused before its body's end. Uvicorn has no deadline left for such a one.
            self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        self._disarm()
        earlier = cast("RequestResponseCycle | None", self.cycle)
        if earlier is not None and not earlier.response_complete:
            # An answer is under way: it would be written into the stream's midst.
            self.transport.abort()
            return
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        self._tell("malformed")
        super().send_400_response(msg)

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self._limits.request_s_max, self._cut, "slow")

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self, why: str) -> None:
        self._disarm()
        if not self.transport.is_closing():
            self._tell(why)
        self.transport.abort()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The process's signals are its compose's business."""
        yield


class HttpServer:
    """One application on one bound socket."""

    def __init__(
        self,
        app: FastAPI,
        bound: socket.socket,
        *,
        ws: type[asyncio.Protocol] | None = None,
        cut: Cut = lambda _why: None,
        limits: Limits = Limits(),
    ) -> None:
        self.port: int = bound.getsockname()[1]
        self._socket = bound
        config = _Config(
            app,
            loop="none",
            http=_Bounded,
            ws=ws or "none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=IDLE_S_MAX,
            timeout_graceful_shutdown=SHUTDOWN_S_MAX,
            limit_concurrency=None,
        )
        config.limits, config.cut = limits, cut
        self._server = _Server(config)

    async def run(self) -> None:
        """Serve until `stop`, and leave no connection behind; media sockets are their pod's."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            for server in self._server.servers:
                server.close()
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()

    def stop(self) -> None:
        """Stop accepting; `run` returns when open requests are done or `SHUTDOWN_S_MAX` is over."""
        self._server.should_exit = True
