"""A realtime model of a few lines on a real socket, with a switch for every fault."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import picows
from picows import WSCloseCode, WSFrame, WSMsgType, WSTransport

CERTIFICATE = Path(__file__).with_name("tiny_model.pem")
"""A sham, with its key, for 127.0.0.1."""

CREATED = json.dumps(
    {"type": "session.created", "event_id": "event_1", "session": {"id": "sess_1", "model": "m"}}
).encode()

Script = Callable[["TinySession"], None]


def welcome(session: "TinySession") -> None:
    """What a well server does first."""
    session.say(CREATED)


def error(code: str, message: str = "no") -> bytes:
    """An error event."""
    detail = {"type": "invalid_request_error", "code": code, "message": message}
    return json.dumps({"type": "error", "event_id": "event_2", "error": detail}).encode()


class TinySession(picows.WSListener):
    """One connection, seen from the model."""

    def __init__(self, model: "TinyModel", request: picows.WSUpgradeRequest) -> None:
        super().__init__()
        self.model = model
        self.path = request.path.decode()
        self.headers = dict(request.headers)
        self.heard: list[bytes] = []
        self.close_code: int | None = None
        self.transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.model.live.append(self)
        self.model.changed.set()
        self.model.script(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            self.close_code = frame.get_close_code().value
            if self.model.answers_close:
                transport.send_close(WSCloseCode.OK)
                transport.disconnect()
        elif frame.msg_type is WSMsgType.TEXT:
            self.heard.append(frame.get_payload_as_bytes())
        self.model.changed.set()

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' signature
        self.model.live.remove(self)
        self.model.changed.set()

    def say(self, *texts: bytes) -> None:
        for text in texts:
            self.transport.send(WSMsgType.TEXT, text)

    def say_in_parts(self, text: bytes, size: int) -> None:
        """One message in fragments, with a ping between them."""
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        for number, part in enumerate(parts):
            kind = WSMsgType.CONTINUATION if number else WSMsgType.TEXT
            self.transport.send(kind, part, fin=number == len(parts) - 1)
            self.transport.send_ping(b"still there?")

    def leave(self, code: int) -> None:
        """Close as a server does."""
        self.transport.send_close(WSCloseCode(code))
        self.transport.disconnect()

    def reset(self) -> None:
        """Send a TCP reset."""
        peer = self.transport.underlying_transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.disconnect(graceful=False)


@dataclass
class TinyModel:
    """The server: `script` runs at each connection; `status` other than 101 refuses it."""

    script: Script = welcome
    status: int = 101
    body: bytes = b""
    answers_pings: bool = True
    answers_close: bool = True
    url: str = ""
    seen: list[TinySession] = field(default_factory=list)
    live: list[TinySession] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(
        self, request: picows.WSUpgradeRequest
    ) -> picows.WSListener | picows.WSUpgradeResponseWithListener:
        session = TinySession(self, request)
        self.seen.append(session)
        if self.status == 101:
            return session
        response = picows.WSUpgradeResponse.create_error_response(self.status, self.body)
        return picows.WSUpgradeResponseWithListener(response, None)

    async def until(self, fact: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait for something to become true at the model."""
        async with asyncio.timeout(seconds):
            while not fact():
                self.changed.clear()
                await self.changed.wait()

    async def until_left(self) -> None:
        """Wait for the last connection to be gone."""
        await self.until(lambda: not self.live)


@asynccontextmanager
async def serving(model: TinyModel, *, tls: bool = False) -> AsyncIterator[TinyModel]:
    """Serve on loopback; at the end no connection may be left."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
    server = await picows.ws_create_server(
        model.answer,
        "127.0.0.1",
        0,
        ssl=context,
        enable_auto_pong=model.answers_pings,
        max_frame_size=64 * 1024 * 1024,
    )
    try:
        port = server.sockets[0].getsockname()[1]
        model.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/v1/realtime"
        yield model
        await model.until_left()
    finally:
        for session in list(model.live):
            session.transport.disconnect(graceful=False)
        server.close()
        await server.wait_closed()
