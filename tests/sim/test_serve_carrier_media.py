"""The carrier's media sockets."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from picows import WSMsgType

from sim.carrier_bot import serving, wait_for
from trunkline.sim.carrier.events import (
    Event,
    StreamBinary,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    StreamText,
)
from trunkline.sim.serve_carrier_media import MESSAGE_BYTES_MAX, MediaSocket, carry

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def heard_from(url: str) -> AsyncIterator[tuple[MediaSocket, list[Event]]]:
    """A socket to the server, and what it told its call; all is over at the end."""
    events: list[Event] = []
    socket = MediaSocket(3, events.append)
    async with asyncio.TaskGroup() as group:
        group.create_task(carry(socket, url, (), ssl.create_default_context()))
        await wait_for(lambda: bool(events))
        if socket.transport is not None:
            socket.transport.send(WSMsgType.TEXT, b'{"event":"start","streamSid":"MZ1"}')
        yield socket, events


async def test_text_binary_and_close_come_through() -> None:
    """With the close frame's code; a message in pieces is one message."""

    async def talk(server: web.WebSocketResponse, sid: str) -> None:
        await server.send_str(sid)
        await server.send_bytes(b"\x00")
        await server.close(code=1013)

    async with serving() as bot:
        bot.talk = talk
        async with heard_from(bot.wss) as (_, events):
            pass
    assert events == [
        StreamOpened(3),
        StreamText(3, b"MZ1"),
        StreamBinary(3),
        StreamClosed(3, 1013),
    ]


async def test_a_close_of_ours_has_a_code() -> None:
    """The server sees it, and our call is told once."""
    async with serving() as bot:
        async with heard_from(bot.wss) as (socket, events):
            await wait_for(lambda: "start" in bot.events())
            socket.close(1000)
            socket.close(1000)
        await wait_for(lambda: bot.closes == [1000])
        socket.gone()
        socket.reset()
        socket.read(reading=False)
    assert sum(isinstance(event, StreamClosed) for event in events) == 1


async def test_a_reset_has_none() -> None:
    """The server sees the connection break."""
    async with serving() as bot:
        async with heard_from(bot.wss) as (socket, events):
            await wait_for(lambda: "start" in bot.events())
            socket.reset()
        await wait_for(lambda: bot.closes == [1006])
    assert events[-1] == StreamClosed(3, None)


async def test_a_message_over_a_megabyte_ends_the_stream() -> None:
    """A violation (31924). Our own bound: Twilio's is not documented."""

    async def talk(server: web.WebSocketResponse, sid: str) -> None:
        await server.send_str(sid + "x" * (MESSAGE_BYTES_MAX + 1))

    async with serving() as bot:
        bot.talk = talk
        async with heard_from(bot.wss) as (_, events):
            pass
    assert events == [StreamOpened(3), StreamClosed(3, None, violation=True)]


async def test_a_reader_that_stops_hears_nothing_until_it_goes_on() -> None:
    """What was sent meanwhile comes then."""

    async def talk(server: web.WebSocketResponse, sid: str) -> None:
        await server.receive()
        await server.send_str(sid)

    async with serving() as bot:
        bot.talk = talk
        async with heard_from(bot.wss) as (socket, events):
            await wait_for(lambda: "start" in bot.events())
            socket.read(reading=False)
            assert socket.transport is not None
            socket.transport.send(WSMsgType.TEXT, b"{}")
            await asyncio.sleep(0.1)
            assert events == [StreamOpened(3)]
            socket.read(reading=True)
            await wait_for(lambda: StreamText(3, b"MZ1") in events)
            socket.close(1000)


async def answering(head: bytes) -> asyncio.Server:
    """A server that upgrades by hand, and says this besides."""

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.split(": ", 1) for line in asked.splitlines() if ": " in line)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + _accept(lines["Sec-WebSocket-Key"]) + b"\r\n" + head
        )
        await reader.read()
        writer.close()

    return await asyncio.start_server(upgrade, "127.0.0.1", 0)


def _accept(key: str) -> bytes:
    magic = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(key.encode() + magic).digest())


async def test_a_subprotocol_that_was_not_offered_is_refused() -> None:
    """Twilio offers none: an answer with one is a wrong handshake."""
    async with await answering(b"Sec-WebSocket-Protocol: audio.twilio.com\r\n\r\n") as server:
        port = server.sockets[0].getsockname()[1]
        async with heard_from(f"ws://127.0.0.1:{port}/") as (_, events):
            pass
    (refused,) = events
    assert isinstance(refused, StreamRefused)
    assert refused.code == 31920


async def test_messages_in_pieces_are_joined_and_violations_told() -> None:
    """Two fragments make one text; a reserved opcode ends the stream (31924)."""
    fragments = b"\r\n\x01\x03one\x80\x03two" + b"\x83\x00"
    async with await answering(fragments) as server:
        port = server.sockets[0].getsockname()[1]
        async with heard_from(f"ws://127.0.0.1:{port}/") as (_, events):
            pass
    assert events == [
        StreamOpened(3),
        StreamText(3, b"onetwo"),
        StreamClosed(3, None, violation=True),
    ]


async def test_pieces_are_bounded_too() -> None:
    """A message that never ends is dropped with its stream."""
    piece = b"\x00\x7f" + (600_000).to_bytes(8, "big") + b"x" * 600_000
    first = b"\x01" + piece[1:]
    async with await answering(b"\r\n" + first + piece) as server:
        port = server.sockets[0].getsockname()[1]
        async with heard_from(f"ws://127.0.0.1:{port}/") as (_, events):
            pass
    assert events == [StreamOpened(3), StreamClosed(3, None)]


async def test_a_server_that_leaves_in_the_handshake_has_refused() -> None:
    """Neither 101 nor another code: 31920 all the same."""

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with heard_from(f"ws://127.0.0.1:{port}/") as (_, events):
            pass
    (refused,) = events
    assert isinstance(refused, StreamRefused)
    assert refused.code == 31920
