"""A user's server, on loopback: real HTTP, with the faults that such servers have."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class TinyServer:
    """What was asked, and how many requests are under way."""

    answer: Answer
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        try:
            self.bodies.append(await request.read())
            self.headers.append(dict(request.headers))
            self.paths.append(request.path_qs)
            self.changed.set()
            return await self.answer(request)
        finally:
            self.under_way -= 1
            self.changed.set()

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait for something to become true at the server."""
        async with asyncio.timeout(5.0):
            while not fact():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[TinyServer]:
    """Serve; at the end no request may be under way."""
    tiny = TinyServer(answer)
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", tiny.handle)
    runner = web.AppRunner(
        application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        (address,) = runner.addresses
        tiny.url = f"http://127.0.0.1:{address[1]}"
        yield tiny
        await tiny.until(lambda: tiny.under_way == 0)
    finally:
        await runner.cleanup()


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def silence(request: web.Request) -> web.Response:  # noqa: ARG001 - a handler
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def saying(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Always the same answer."""

    async def answer(request: web.Request) -> web.Response:  # noqa: ARG001 - a handler
        return web.Response(
            body=body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return answer


def is_signed(key: str, body: bytes, header: str) -> bool:
    """What a user's server does with `Trunkline-Signature`."""
    at_s, _, given = header.removeprefix("t=").partition(",v1=")
    wanted = hmac.new(key.encode(), at_s.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, given)
