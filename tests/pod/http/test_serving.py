"""Servers on bound sockets: nobody holds a port by sending nothing, slowly, or never ending."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from fastapi import FastAPI, Request, Response

from pod.edge import Peer, Reply, Upgrade, Wire, ask, counted, get, post, served, serving, until
from trunkline.errors import SettingsError
from trunkline.pod.http.listening import bind
from trunkline.pod.http.serving import HEAD_BYTES_MAX, HttpServer, Limits
from trunkline.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

QUICK = Limits(request_s_max=0.1)


class Listener(asyncio.Protocol):
    """Answers an upgrade, and says back what it hears."""

    def __init__(self, **_uvicorn: object) -> None:
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        if data.startswith(b"GET "):
            data = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
        self.transport.write(data)


class App:
    """An application whose answers can be held back."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer = asyncio.Event()
        self.answer.set()
        self.metrics = Metrics()
        self.api = FastAPI()
        self.api.add_api_route("/", self.reply, methods=["GET", "POST"])
        self.api.add_api_route("/early", self.reply_early, methods=["POST"])

    async def reply(self, request: Request) -> Response:
        self.asked += 1
        await request.body()
        await self.answer.wait()
        return Response("well")

    async def reply_early(self) -> Response:
        """Before the body has come."""
        return Response("well")

    def cut(self) -> dict[str, int]:
        return counted(self.metrics, "webhooks_refused_total")


@asynccontextmanager
async def serving_app(
    limits: Limits, *, ws: type[asyncio.Protocol] | None = None
) -> AsyncIterator[tuple[App, int]]:
    app = App()
    async with served(app.api, ws, metrics=app.metrics, limits=limits) as port:
        yield app, port


async def well(wire: Wire) -> Reply:
    reply = await wire.read_reply()
    assert reply is not None
    assert (reply.status, reply.body) == (200, b"well")
    return reply


# Binding.


def test_a_port_in_use_names_its_setting_in_one_line() -> None:
    """And what to do; the socket that could not be bound is closed."""
    with bind("127.0.0.1", 0, "TRUNKLINE_PORT") as first:
        port = first.getsockname()[1]
        with pytest.raises(SettingsError) as caught:
            bind("127.0.0.1", port, "TRUNKLINE_INTERNAL_PORT")
    assert str(caught.value) == (
        f"TRUNKLINE_INTERNAL_PORT: cannot listen on 127.0.0.1:{port} (Address already in use); "
        "set TRUNKLINE_INTERNAL_PORT to a free port"
    )
    with bind("127.0.0.1", port, "TRUNKLINE_PORT") as again:  # Free as soon as it is closed.
        assert again.getsockname()[1] == port


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "2001:db8::1"])
def test_a_host_that_is_not_ours_names_the_setting(host: str) -> None:
    """One line, whatever the system calls it."""
    with pytest.raises(SettingsError) as caught:
        bind(host, 0, "TRUNKLINE_PORT")
    assert str(caught.value).startswith(f"TRUNKLINE_HOST: cannot listen on {host}")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not socket.has_ipv6, reason="a machine without IPv6")
def test_an_ipv6_address_is_bound() -> None:
    """By its form, not by a setting."""
    with bind("::1", 0, "TRUNKLINE_PORT") as bound:
        assert bound.family is socket.AF_INET6
        with socket.create_connection(("::1", bound.getsockname()[1]), 5):
            pass


# Deadlines and bounds.


async def test_a_connection_that_says_nothing_is_cut() -> None:
    """From its first moment it has a deadline."""
    async with serving_app(QUICK) as (app, port), Wire.to(port) as wire:
        assert await wire.is_over()
        assert app.cut() == {"slow": 1}


@pytest.mark.parametrize(
    "begun",
    [
        b"G",
        b"\r\n",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
        b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
async def test_a_request_that_does_not_end_is_cut(begun: bytes) -> None:
    """Wherever in it its sender rests: no application is kept waiting for it."""
    async with serving_app(QUICK) as (app, port), Wire.to(port) as wire:
        wire.write(begun)
        assert await wire.is_over()
        assert app.cut() == {"slow": 1}


async def test_each_further_byte_prolongs_nothing() -> None:
    """A deadline is for a request, not for its next byte."""
    async with serving_app(QUICK) as (app, port), Wire.to(port) as wire:
        wire.write(b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")

        async def trickle() -> None:
            while not app.cut():
                wire.write(b"x")
                await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(trickle())
            assert await wire.is_over()
        assert app.cut() == {"slow": 1}


async def test_a_body_that_follows_its_answer_has_the_same_deadline() -> None:
    """Answered before its end: the connection ends with the body, or at the deadline."""
    async with serving_app(QUICK) as (app, port):
        for rest, cuts in ((b"x" * 90, 0), (b"x", 1)):
            async with Wire.to(port) as wire:
                wire.write(post("/early", b"x" * 10, {"Content-Length": "100"}))
                await well(wire)
                wire.write(rest)
                assert await wire.is_over()
                assert app.cut().get("slow", 0) == cuts


async def test_an_answered_connection_is_kept_and_its_next_request_timed_anew() -> None:
    """Between requests nothing is due; the next one has the whole time, and no more."""
    async with serving_app(QUICK) as (app, port), Wire.to(port) as wire:
        for _ in range(3):
            wire.write(get("/"))
            await well(wire)
            await asyncio.sleep(QUICK.request_s_max)  # A pause is what is tested.
        wire.write(get("/") + get("/"))
        await well(wire)
        await well(wire)
        assert app.cut() == {}
        wire.write(b"\r\n")
        assert await wire.is_over()
        assert app.cut() == {"slow": 1}


async def test_an_answer_may_take_longer_than_a_request() -> None:
    """The deadline is for who asks: the application has its own."""
    async with serving_app(QUICK) as (app, port), Wire.to(port) as wire:
        app.answer.clear()
        wire.write(get("/"))
        await until(lambda: app.asked == 1)
        await asyncio.sleep(2 * QUICK.request_s_max)
        app.answer.set()
        await well(wire)
        assert app.cut() == {}


async def test_a_head_without_end_is_cut() -> None:
    """In one header or in many; a long body is no head."""
    async with serving_app(Limits()) as (app, port):
        for piece in (b"x" * 1024, b"x: y\r\n" * 200):
            async with Wire.to(port) as wire:
                wire.write(b"GET / HTTP/1.1\r\nX: ")
                for _ in range(HEAD_BYTES_MAX // len(piece) + 2):
                    wire.write(piece)
                assert await wire.is_over()
        assert app.cut() == {"too_big": 2}
        async with Wire.to(port) as wire:
            for _ in range(3):
                wire.write(post("/", b"x" * 3 * HEAD_BYTES_MAX))
                await well(wire)
        assert app.cut() == {"too_big": 2}


async def test_one_connection_too_many_is_cut() -> None:
    """At once and counted; who was there before goes on, and a free place is given again."""
    async with serving_app(Limits(connections_max=3)) as (app, port):
        async with Wire.to(port) as first, Wire.to(port) as second, Wire.to(port) as third:
            for wire in (first, second, third):
                wire.write(get("/"))
                await well(wire)
            async with Wire.to(port) as fourth:
                assert await fourth.is_over()
            assert app.cut() == {"crowded": 1}
            for wire in (first, second, third):
                wire.write(get("/"))
                await well(wire)

        async def free() -> int:
            async with Wire.to(port) as wire:
                wire.write(get("/"))
                return int(await wire.read_reply() is not None)

        while not await free():
            pass


async def test_what_is_no_http_is_answered_400_and_counted() -> None:
    """TLS to the plain port, for one."""
    async with serving_app(Limits()) as (app, port):
        for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"HELO a\r\n\r\n"):
            assert (await ask(port, noise)).status == 400
        assert app.cut() == {"malformed": 2}


# Upgrades.


async def test_an_upgrade_has_no_deadline_here() -> None:
    """The media socket has its own; also behind a request on the same connection."""
    async with serving_app(QUICK, ws=Listener) as (app, port):
        async with Peer.upgraded(port) as peer:
            assert peer.status == 101
            await asyncio.sleep(2 * QUICK.request_s_max)
            peer.write(b"hello")
            assert await peer.read_exactly(5) == b"hello"
        async with Wire.to(port) as wire:
            wire.write(get("/"))
            await well(wire)
            wire.write(Upgrade().encode())
            assert (await wire.read_head() or (0,))[0] == 101
            await asyncio.sleep(2 * QUICK.request_s_max)
            wire.write(b"hello")
            assert await wire.read_exactly(5) == b"hello"
        assert app.cut() == {}


async def test_an_upgrade_behind_an_open_request_is_cut() -> None:
    """Its answer would be written into the stream's midst."""
    async with serving_app(Limits(), ws=Listener) as (app, port), Wire.to(port) as wire:
        app.answer.clear()
        wire.write(get("/"))
        await until(lambda: app.asked == 1)
        wire.write(Upgrade(path="/").encode())
        assert await wire.is_over()
        app.answer.set()


async def test_without_a_listener_an_upgrade_is_a_request_like_any_other() -> None:
    """The internal port has no media."""
    async with serving_app(Limits()) as (_, port):
        assert (await ask(port, Upgrade(path="/").encode())).status == 200
        assert (await ask(port, Upgrade(path="/pods/pod-0/media").encode())).status == 404


# The end.


async def test_stopping_lets_open_requests_end() -> None:
    """Who is being answered gets the answer, then the connection is closed; the idle go at once."""
    app = App()
    app.answer.clear()
    server = HttpServer(app.api, bind("127.0.0.1", 0, "TEST_PORT"))
    async with serving(server), Wire.to(server.port) as idle, Wire.to(server.port) as asking:
        asking.write(get("/"))
        await until(lambda: app.asked == 1)
        server.stop()
        assert await idle.is_over()
        app.answer.set()
        assert (await well(asking)).headers["connection"] == "close"
        assert await asking.is_over()


async def test_a_server_that_is_cancelled_leaves_nothing() -> None:
    """Neither its connections nor its listener."""
    app = App()
    server = HttpServer(app.api, bind("127.0.0.1", 0, "TEST_PORT"))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.run())
        async with Wire.to(server.port) as idle:
            idle.write(get("/"))
            await well(idle)
            running.cancel()
            assert await idle.is_over()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
