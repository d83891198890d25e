"""A tiny real server for the carrier's tests: answers webhooks, and talks over the stream."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypedDict

from aiohttp import WSMsgType, web

from trunkline.wire.webhooks import Form, parse_form

FRAME = 160


class ToyVoice:
    """Each word is 200 ms of a byte of its own: exact to speak, exact to hear."""

    WORD_BYTES = 1600

    def speak(self, text: str) -> bytes:
        return b"".join(bytes([self.code(word)]) * self.WORD_BYTES for word in text.split())

    def code(self, word: str) -> int:
        """A byte for the word; none is silence."""
        return sum(map(ord, word)) % 100 + 1

    def hear(self, audio: bytes) -> str:
        return " ".join(
            f"{audio[at]}" for at in range(0, len(audio), self.WORD_BYTES) if audio[at] != 0xFF
        )


class Seen(TypedDict):
    """One webhook as it came in."""

    path: str
    form: Form
    headers: dict[str, str]


class Bot:
    """What the server says is settable; what it saw is kept."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.upgrades: list[dict[str, str]] = []
        self.messages: list[dict[str, object]] = []
        self.binary: list[bytes] = []
        self.documents: dict[str, str | int | Callable[[], Awaitable[str | int]]] = {}
        self.talk: Callable[[web.WebSocketResponse, str], Awaitable[None]] | None = None
        self.refuse_with: int | None = None
        self.closes: list[int | None] = []
        self.open_sockets = 0

    @property
    def wss(self) -> str:
        return self.url.replace("http", "ws", 1) + "/media"

    def stream(self, after: str = "", parameters: str = "") -> str:
        """A document that opens a stream."""
        return (
            f'<Response><Connect><Stream url="{self.wss}" statusCallback="{self.url}/stream">'
            f"{parameters}</Stream></Connect>{after}</Response>"
        )

    async def webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        path = request.path
        self.seen.append({"path": path, "form": parse_form(body), "headers": dict(request.headers)})
        answer = self.documents.get(path, "<Response/>")
        if not isinstance(answer, str | int):
            answer = await answer()
        if isinstance(answer, int):
            return web.Response(status=answer)
        return web.Response(text=answer, content_type="text/xml")

    async def media(self, request: web.Request) -> web.StreamResponse:
        self.upgrades.append(dict(request.headers))
        if self.refuse_with is not None:
            return web.Response(status=self.refuse_with)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open_sockets += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    self.binary.append(message.data)
                    continue
                try:
                    parsed = json.loads(message.data)
                except ValueError:
                    parsed = {"event": "unreadable"}
                self.messages.append(parsed)
                if parsed["event"] == "start" and self.talk is not None:
                    await self.talk(socket, parsed["streamSid"])
        finally:
            self.open_sockets -= 1
            self.closes.append(socket.close_code)
        return socket

    def paths(self) -> list[str]:
        return [seen["path"] for seen in self.seen]

    def events(self) -> list[str]:
        return [str(message["event"]) for message in self.messages]


def media(sid: str, audio: bytes) -> str:
    payload = base64.b64encode(audio).decode()
    return json.dumps({"event": "media", "streamSid": sid, "media": {"payload": payload}})


def mark(sid: str, name: str) -> str:
    return json.dumps({"event": "mark", "streamSid": sid, "mark": {"name": name}})


def clear(sid: str) -> str:
    return json.dumps({"event": "clear", "streamSid": sid})


async def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something becomes true, at most 5 s."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is awaited lies in another's hands
            await asyncio.sleep(0.005)


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Bot]:
    """The bot on a port of this machine."""
    bot = Bot()
    app = web.Application()
    app.router.add_get("/media", bot.media)
    app.router.add_route("*", "/{tail:.*}", bot.webhook)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    assert runner.addresses
    bot.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield bot
    finally:
        await runner.cleanup()
