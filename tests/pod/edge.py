"""The pod's edge served on loopback, and clients that may break every rule."""

import asyncio
import base64
import os
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self

from fastapi import FastAPI

from trunkline.pod.http.listening import bind
from trunkline.pod.http.serving import HttpServer, Limits
from trunkline.telemetry.metrics import Metrics

SOON_S: Final = 10.0
"""A test that waits longer has failed."""


@asynccontextmanager
async def served(
    app: FastAPI,
    ws: type[asyncio.Protocol] | None = None,
    *,
    metrics: Metrics | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> AsyncIterator[int]:
    """The application on a port of its own, which is given."""
    bound = bind("127.0.0.1", 0, "TEST_PORT")
    cut = (metrics or Metrics()).webhook_refused
    async with serving(HttpServer(app, bound, ws=ws, cut=cut, limits=limits)) as server:
        yield server.port


@asynccontextmanager
async def serving(server: HttpServer) -> AsyncIterator[HttpServer]:
    """The server at work, until the block ends."""
    async with asyncio.timeout(3 * SOON_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run())
        try:
            yield server
        finally:
            server.stop()


def counted(metrics: Metrics, name: str) -> dict[str, int]:
    """A counter's values by their one label, zeros left out."""
    values: dict[str, int] = {}
    for line in metrics.render().decode().splitlines():
        if line.startswith(f"{name}{{"):
            label, _, value = line.partition(" ")
            values[label.split('"')[1]] = int(float(value))
        elif line.startswith(f"{name} "):
            values[""] = int(float(line.split()[1]))
    return {label: value for label, value in values.items() if value}


async def until(fact: Callable[[], bool]) -> None:
    """Turn the loop until something is so."""
    async with asyncio.timeout(SOON_S):
        while not fact():  # noqa: ASYNC110 - counts and sets tell nobody when they change
            await asyncio.sleep(0.001)


@dataclass
class Reply:
    """An HTTP answer. `closed` once the server has closed the connection after it."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool


class Wire:
    """A TCP connection to a server, written to and read from by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Self]:
        """Connected; cut at the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        """What was written has left for the kernel, more or less."""
        async with asyncio.timeout(SOON_S):
            await self._writer.drain()

    def half_close(self) -> None:
        """Say that nothing more comes, and go on reading."""
        self._writer.write_eof()

    def stop_reading(self) -> None:
        """Read nothing any more: the server's bytes pile up on its side."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a ReadTransport

    async def read_exactly(self, count: int) -> bytes | None:
        """So many bytes; None if the connection ended before."""
        try:
            async with asyncio.timeout(SOON_S):
                return await self._reader.readexactly(count)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def read_head(self) -> tuple[int, dict[str, str]] | None:
        """Status and headers of an answer; None if the connection ended without."""
        try:
            async with asyncio.timeout(SOON_S):
                head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        return int(first.split()[1]), {name.lower(): value.strip() for name, value in pairs}

    async def read_reply(self) -> Reply | None:
        """A whole answer; whether the server closed is found out for those that announce it."""
        head = await self.read_head()
        if head is None:
            return None
        status, headers = head
        body = await self.read_exactly(int(headers.get("content-length", 0))) or b""
        closed = headers.get("connection") == "close" and await self.is_over()
        return Reply(status, headers, body, closed)

    async def is_over(self) -> bool:
        """Wait until the server has closed; bytes that come before are no end."""
        return await self.read_exactly(1) is None


async def ask(port: int, request: bytes) -> Reply:
    """The answer to one request, written as it is."""
    async with Wire.to(port) as wire:
        wire.write(request)
        reply = await wire.read_reply()
    assert reply is not None, "the server closed without an answer"
    return reply


def post(path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a form's POST; a header given as "" is left out."""
    all_headers = {
        "Host": "pod.example",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
    } | dict(headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items() if value)
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: pod.example\r\n\r\n".encode()


# WebSockets.


class Op(IntEnum):
    """Opcodes of RFC 6455."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True)
class Frame:
    """One frame as it came."""

    op: Op
    payload: bytes
    rsv1: bool = False

    @property
    def code(self) -> int | None:
        """A close frame's code."""
        return struct.unpack("!H", self.payload[:2])[0] if len(self.payload) > 1 else None


def frame(
    op: Op, payload: bytes = b"", *, fin: bool = True, masked: bool = True, rsv1: bool = False
) -> bytes:
    """The bytes of a frame of the client's."""
    first = (0x80 if fin else 0) | (0x40 if rsv1 else 0) | op
    bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    key = (mask * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return head + mask + mixed.to_bytes(size, "big")


@dataclass
class Upgrade:
    """An upgrade request, its defaults as Twilio sends them."""

    path: str = "/pods/pod-0/media"
    signature: str | None = None
    connection: str = "Upgrade"
    more: Mapping[str, str] = field(default_factory=dict)
    key: str = field(default_factory=lambda: base64.b64encode(os.urandom(16)).decode())

    def encode(self) -> bytes:
        headers = {
            "Host": "pod.example",
            "Upgrade": "websocket",
            "Connection": self.connection,
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": self.key,
            **({} if self.signature is None else {"X-Twilio-Signature": self.signature}),
            **self.more,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"GET {self.path} HTTP/1.1\r\n{lines}\r\n".encode()


class Peer(Wire):
    """A WebSocket client."""

    status = 0
    headers: Mapping[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def upgraded(cls, port: int, upgrade: Upgrade | None = None) -> AsyncIterator[Self]:
        """Connected, and the upgrade answered: `status` says how."""
        async with cls.to(port) as peer:
            peer.write((upgrade or Upgrade()).encode())
            head = await peer.read_head()
            assert head is not None, "the upgrade was not answered"
            peer.status, peer.headers = head
            yield peer

    def send(self, payload: bytes | str, op: Op = Op.TEXT, *, fin: bool = True) -> None:
        self.write(frame(op, payload.encode() if isinstance(payload, str) else payload, fin=fin))

    def send_close(self, code: int = 1000) -> None:
        self.send(struct.pack("!H", code), Op.CLOSE)

    async def receive(self) -> Frame | None:
        """The next frame; None once the connection is over."""
        head = await self.read_exactly(2)
        if head is None:
            return None
        size = head[1] & 0x7F
        if size > 125:
            width = 2 if size == 126 else 8
            size = int.from_bytes(await self.read_exactly(width) or b"", "big")
        payload = await self.read_exactly(size)
        return None if payload is None else Frame(Op(head[0] & 0xF), payload, bool(head[0] & 0x40))

    async def closed(self) -> int | None:
        """Read on to the end: the server's close code, answered; None where there is none."""
        code = None
        while (came := await self.receive()) is not None:
            if came.op is Op.CLOSE:
                code = came.code
                self.send(came.payload, Op.CLOSE)
        return code
