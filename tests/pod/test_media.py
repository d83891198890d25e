"""Media sockets: who gets a call, what a broken message costs, and how a stream ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from pod.edge import Op, Peer, Upgrade, counted, frame, until
from pod.hall import CONNECTED, SIGNED, STREAM, Guest, Open, media, open_house, start
from trunkline.pod.media import (
    BACKLOG_BYTES_MAX,
    FRAME_BYTES_MAX,
    REFUSED_MESSAGES_MAX,
    STRANGERS_MAX,
    MediaSocket,
)
from trunkline.pod.media_words import MediaLimits, Refusal
from trunkline.wire import twilio

pytestmark = pytest.mark.anyio

QUICK = MediaLimits(
    start_s_max=0.3, unsigned_start_s_max=0.05, slot_s_max=0.3, silence_s_max=0.2, close_s_max=0.1
)
AUDIO = twilio.SendMedia(STREAM, twilio.SendPayload("/" * 216))
BIG = twilio.MESSAGE_BYTES_MAX + 1


def padded(size: int) -> bytes:
    """A frame of the caller's with so many bytes in all."""
    empty = len(media(2, ""))
    return media(2, "/" * (size - empty))


# A stream as it should be.


async def test_a_stream_with_a_good_ticket_gets_its_call() -> None:
    """Its messages come in order, and ours go out as text."""
    async with open_house() as here, here.guest() as (peer, guest):
        for number in range(2, 12):
            peer.send(media(number))
        peer.send(twilio.encode(twilio.Stop(twilio.StopFields("AC1", "CA1"), STREAM, "12")))
        await guest.hears(11)
        sent = [m.sequence_number for m in guest.heard if isinstance(m, twilio.Media)]
        assert sent == [str(number) for number in range(2, 12)]
        guest.socket.send(AUDIO)
        came = await peer.receive()
        assert came is not None
        assert (came.op, twilio.decode_from_server(came.payload)) == (Op.TEXT, AUDIO)
        assert counted(here.metrics, "streams_total") == {"": 1}
        assert (here.hall.starts, here.refused(), here.broken()) == (1, {}, {})


async def test_frames_that_come_with_the_start_are_not_lost() -> None:
    """A busy loop reads many at once, while the socket is handed from protocol to protocol."""
    async with open_house() as here, here.stranger(SIGNED) as peer:
        frames = [CONNECTED, start(), *(media(number) for number in range(2, 3002))]
        peer.write(b"".join(frame(Op.TEXT, text) for text in frames))
        await until(lambda: len(here.hall.guests) == 1)
        (guest,) = here.hall.guests
        await guest.hears(3000)
        sent = [m.sequence_number for m in guest.heard if isinstance(m, twilio.Media)]
        assert sent == [str(number) for number in range(2, 3002)]


async def test_one_frame_in_so_many_is_timed() -> None:
    """The first from then on that a model is sent: the call says which."""
    async with open_house() as here, here.guest() as (peer, guest):
        watch = here.metrics.timed_to_model
        running: list[bool] = []

        def hear(message: twilio.FromCarrier) -> None:
            running.append(watch.running)
            if watch.running and message == written:
                watch.written()

        guest.on_message = hear
        written = twilio.decode(memoryview(media(2, "AAAA")))
        for _ in range(2 * watch.each):
            peer.send(media())
        peer.send(media(2, "AAAA"))
        peer.send(media())
        await guest.hears(2 * watch.each + 2)
        # `connected` and `start` were the first two of its messages.
        assert running.index(True) == watch.each - 3
        assert all(running[watch.each - 3 : -1])
        assert not running[-1]
        assert not watch.running


async def test_every_cut_of_the_bytes_reads_the_same() -> None:
    """Byte by byte, as a proxy might pass them on."""
    texts = [CONNECTED, start(), media(2), media(3)]
    data = b"".join(frame(Op.TEXT, text) for text in texts)
    async with open_house() as here, here.stranger(SIGNED) as peer:
        for byte in data:
            peer.write(bytes([byte]))
            await peer.drain()
        await until(lambda: len(here.hall.guests) == 1)
        await here.hall.guests[0].hears(2)
        assert here.broken() == {}


# Upgrades.


async def test_what_a_proxy_makes_of_an_upgrade() -> None:
    """More words in `Connection`, headers of its own, another case: still the same upgrade."""
    more = {"X-Forwarded-For": "192.0.2.7", "Via": "1.1 edge", "Accept-Encoding": "gzip"}
    async with open_house() as here:
        for connection in ("Upgrade", "upgrade", "keep-alive, Upgrade", "Upgrade,keep-alive"):
            upgrade = Upgrade(signature="good", connection=connection, more=more)
            async with here.guest(upgrade) as (peer, guest):
                assert peer.headers["connection"].lower() == "upgrade"
                peer.send(media())
                await guest.hears(1)


async def test_nothing_is_agreed_to_that_was_offered() -> None:
    """Neither compression nor a subprotocol: Twilio offers none, and a relay may not."""
    offers = {
        "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
        "Sec-WebSocket-Protocol": "audio.twilio.com",
        "Origin": "https://evil.example",
    }
    upgrade = Upgrade(signature="good", more=offers)
    async with open_house() as here, here.guest(upgrade) as (peer, guest):
        assert "sec-websocket-extensions" not in peer.headers
        assert "sec-websocket-protocol" not in peer.headers
        peer.write(frame(Op.TEXT, b"\xaaV*J-.NUR\x02", rsv1=True))  # Compressed all the same.
        peer.send(media())
        await guest.hears(1)
        assert here.broken() == {"code_31950": 1}


async def test_a_refused_upgrade_is_answered_and_counted() -> None:
    """404 for a path that is not ours, 403 for a wrong signature; then the connection ends."""
    refusals = {
        Upgrade(path="/media").path: 404,
        "/pods/pod-1/media": 404,
        "/pods/pod-0/media?x=1": 404,
        "/twilio/voice": 404,
    }
    async with open_house() as here:
        for path, status in refusals.items():
            async with Peer.upgraded(here.port, Upgrade(path=path)) as peer:
                assert peer.status == status
                assert await peer.is_over()
        async with Peer.upgraded(here.port, Upgrade(signature="bad")) as peer:
            assert peer.status == 403
            assert await peer.is_over()
        assert here.refused() == {"path": 4, "signature": 1}
        assert not here.house.open


@pytest.mark.parametrize(
    "upgrade",
    [
        Upgrade(key=""),
        Upgrade(key="c2hvcnQ="),
        Upgrade(key="é" * 24),
        Upgrade(more={"Content-Length": "5"}),
        Upgrade(more={"Transfer-Encoding": "chunked"}),
        Upgrade(more={"Sec-WebSocket-Version": "12"}),
        Upgrade(more={"X": "y" * 15_000}),
    ],
)
async def test_an_upgrade_against_the_protocol_leaves_nothing(upgrade: Upgrade) -> None:
    """Answered or not, its connection ends by itself."""
    async with open_house(QUICK) as here, Peer.to(here.port) as peer:
        peer.write(upgrade.encode())
        while not await peer.is_over():
            pass
        assert not here.house.open
        assert here.hall.starts == 0


# Strangers.


async def test_a_socket_has_so_long_to_bring_its_start() -> None:
    """One with a good signature longer than one without any."""
    limits = MediaLimits(unsigned_start_s_max=0.05, start_s_max=0.5)
    async with (
        open_house(limits) as here,
        here.stranger() as unsigned,
        here.stranger(SIGNED) as signed,
        here.stranger(SIGNED) as silent,
    ):
        unsigned.send(CONNECTED)
        assert await unsigned.closed() == 1008
        assert here.refused() == {"no_start": 1}
        signed.send(start())
        await until(lambda: len(here.hall.guests) == 1)
        assert await silent.closed() == 1008
        assert here.refused() == {"no_start": 2}


def test_the_limits_are_those_of_the_decision() -> None:
    """5 s, 1 s, and 2 s to go."""
    limits = MediaLimits()
    assert (limits.start_s_max, limits.unsigned_start_s_max, limits.close_s_max) == (5, 1, 2)


BEFORE_START = {
    "media": media(),
    "mark": twilio.encode(twilio.Mark(twilio.MarkFields("m"), STREAM, "2")),
    "no JSON": b'{"event":"media",',
    "no UTF-8": b'{"event":"mark","mark":{"name":"\xff"}}',
    "nothing": b"",
    "no object": b"[]",
    "a start without its fields": b'{"event":"start","start":{}}',
    "a ticket that is no string": start().replace(b'"good"', b'{"a":1}'),
    "deep": b"[" * 10_000,
}


async def test_a_stranger_who_says_anything_else_is_closed() -> None:
    """At once and counted once, whatever it goes on to say; nobody is asked for a call."""
    async with open_house() as here:
        for number, (name, text) in enumerate(BEFORE_START.items(), 1):
            async with here.stranger() as peer:
                peer.send(text)
                peer.send(text)
                peer.send(start())
                assert await peer.closed() == 1008, name
            await until(lambda: not here.house.open)
            assert here.refused() == {"protocol": number}, name
        async with here.stranger() as peer:
            peer.send(b"\x00", Op.BINARY)
            assert await peer.closed() == 1008
        assert here.hall.starts == 0


async def test_a_stranger_may_greet_and_ping_before_its_start() -> None:
    """`connected`, kinds of messages to come, pings, fragments: a start is still a start."""
    text = start()
    async with open_house() as here, here.stranger() as peer:
        peer.send(CONNECTED)
        peer.send(b'{"event":"weather"}')
        peer.send(b"are you there", Op.PING)
        peer.send(text[:20], fin=False)
        peer.send(b"", Op.PING)
        peer.send(text[20:40], Op.CONTINUATION, fin=False)
        peer.send(text[40:], Op.CONTINUATION)
        first, second = await peer.receive(), await peer.receive()
        assert first is not None
        assert second is not None
        assert (first.op, first.payload) == (Op.PONG, b"are you there")
        assert (second.op, second.payload) == (Op.PONG, b"")
        await until(lambda: len(here.hall.guests) == 1)


@pytest.mark.parametrize("refusal", [r for r in Refusal if r.endswith(("_ticket", "_call"))])
async def test_a_start_without_a_good_ticket_is_closed(refusal: Refusal) -> None:
    """With 1008, and counted by its reason; a second try on the same socket is not heard."""
    async with open_house() as here, here.stranger(SIGNED) as peer:
        peer.send(start("" if refusal is Refusal.NO_TICKET else refusal))
        peer.send(start())
        peer.send(media())
        assert await peer.closed() == 1008
        assert here.refused() == {refusal: 1}
        assert here.hall.starts == 1


async def test_a_stranger_who_leaves_is_counted() -> None:
    """By closing or by dropping: no socket comes and goes unseen."""
    async with open_house() as here:
        async with here.stranger() as peer:
            peer.send_close()
            assert await peer.closed() == 1000
        async with here.stranger(SIGNED):
            pass
        async with here.stranger() as peer:
            peer.half_close()
            assert await peer.is_over()
        await until(lambda: not here.house.open)
        assert here.refused() == {"no_start": 3}


async def test_a_stranger_with_an_oversized_frame_is_closed() -> None:
    """By its announced length, before it is read."""
    async with open_house() as here, here.stranger() as peer:
        peer.write(
            frame(Op.TEXT, b"x" * FRAME_BYTES_MAX)[:14].replace(b"\x04\x00\x00", b"\xff" * 3)
        )
        assert await peer.closed() == 1009
        await until(lambda: not here.house.open)
        assert here.refused() == {"protocol": 1}


async def test_one_stranger_too_many_is_refused() -> None:
    """503 for the next; whom Twilio has signed is let in all the same, and as many of those."""
    async with open_house(MediaLimits(unsigned_start_s_max=30)) as here:
        async with AsyncExitStack() as crowd:
            for _ in range(STRANGERS_MAX):
                await crowd.enter_async_context(here.stranger())
            async with Peer.upgraded(here.port) as peer:
                assert peer.status == 503
            assert here.refused() == {"crowded": 1}
            async with here.guest() as (signed, guest):
                signed.send(media())
                await guest.hears(1)
        await until(lambda: not here.house.open)
        async with here.guest(Upgrade()) as (peer, guest):
            peer.send(media())
            await guest.hears(1)


# Broken messages of a stream that has its call.

BROKEN = {
    "no JSON": (b'{"event":"media",', "code_31950"),
    "nothing": (b"", "code_31950"),
    "no UTF-8": (b'{"event":"mark","mark":{"name":"\xff\xfe"}}', "code_31950"),
    "deep": (b'{"event":"media","media":' + b"[" * 10_000, "code_31950"),
    "no object": (b'"media"', "code_31951"),
    "no event": (b"{}", "code_31951"),
    "wrong types": (b'{"event":"media","streamSid":7,"media":"x"}', "code_31951"),
    "oversized": (padded(BIG), "code_31950"),
    "oversized most": (padded(FRAME_BYTES_MAX), "code_31950"),
}


async def test_a_broken_message_is_counted_and_the_stream_goes_on() -> None:
    """Whatever it is, the next good one is heard; the largest good one is heard too."""
    async with open_house() as here, here.guest() as (peer, guest):
        for heard, (text, reason) in enumerate(BROKEN.values(), 1):
            before = here.broken().get(reason, 0)
            peer.send(text)
            peer.send(media())
            await guest.hears(heard)
            assert here.broken()[reason] == before + 1
        peer.send(padded(BIG - 1))
        await guest.hears(len(BROKEN) + 1)
        assert sum(here.broken().values()) == len(BROKEN)
        assert guest.lost == []


async def test_unknown_messages_are_the_calls_business() -> None:
    """A kind to come is passed on as such: it is no fault of the stream's."""
    async with open_house() as here, here.guest() as (peer, guest):
        peer.send(b'{"event":"weather","streamSid":"MZ1"}')
        peer.send(start())
        peer.send(CONNECTED)
        await guest.hears(3)
        assert [type(m).__name__ for m in guest.heard] == ["Unknown", "Start", "Connected"]
        assert here.broken() == {}
        assert here.hall.starts == 1


async def test_binary_frames_are_counted() -> None:
    """Whole or in pieces."""
    async with open_house() as here, here.guest() as (peer, guest):
        peer.send(b"\x00" * 160, Op.BINARY)
        peer.send(b"\x00" * 160, Op.BINARY, fin=False)
        peer.send(b"\x00" * 160, Op.CONTINUATION)
        peer.send(media())
        await guest.hears(1)
        assert here.broken() == {"binary": 2, "continuation": 1}


async def test_fragments_are_joined() -> None:
    """Into what was sent, pings between them answered, empty ones costing nothing."""
    text = media()
    async with open_house() as here, here.guest() as (peer, guest):
        peer.send(text[:1], fin=False)
        for byte in text[1:-1]:
            peer.send(bytes([byte]), Op.CONTINUATION, fin=False)
        peer.send(b"now", Op.PING)
        peer.write(frame(Op.CONTINUATION, b"", fin=False) * 20_000)
        peer.send(text[-1:], Op.CONTINUATION)
        await guest.hears(1)
        assert guest.heard == [twilio.decode(text)]
        came = await peer.receive()
        assert came is not None
        assert (came.op, came.payload) == (Op.PONG, b"now")
        assert here.broken() == {}


async def test_fragments_out_of_order_are_dropped() -> None:
    """An end without a beginning, a beginning without its end: the next message is heard."""
    async with open_house() as here, here.guest() as (peer, guest):
        peer.send(b"{}", Op.CONTINUATION)
        peer.send(b'{"event":"me', fin=False)
        peer.send(media(2))
        peer.send(b'{"event":"me', fin=False)
        peer.send(media(3)[:9], fin=False)
        peer.send(media(3)[9:], Op.CONTINUATION)
        await guest.hears(2)
        assert guest.heard == [twilio.decode(media(2)), twilio.decode(media(3))]
        assert here.broken() == {"continuation": 3}


async def test_fragments_are_bounded_like_messages() -> None:
    """Joined over 64 KiB they are dropped; over 256 KiB the socket ends with 1009."""
    piece = b"x" * (32 * 1024)
    async with open_house() as here, here.guest() as (peer, guest):
        peer.send(piece, fin=False)
        peer.send(piece, Op.CONTINUATION, fin=False)
        peer.send(b"x", Op.CONTINUATION)
        peer.send(media())
        await guest.hears(1)
        assert here.broken() == {"code_31950": 1}
        peer.send(piece, fin=False)
        for _ in range(8):
            peer.send(piece, Op.CONTINUATION, fin=False)
        assert await peer.closed() == 1009
        assert await guest.loses() == "message_too_big"
        assert here.broken() == {"code_31950": 1, "message_too_big": 1}


async def test_one_broken_message_too_many_ends_the_stream() -> None:
    """A hundred are borne; the next closes with 1008, and nothing after it is heard."""
    async with open_house() as here, here.guest() as (peer, guest):
        for _ in range(REFUSED_MESSAGES_MAX):
            peer.send(b"garbage")
        peer.send(media())
        await guest.hears(1)
        assert guest.lost == []
        for _ in range(20):
            peer.send(b"garbage")
            peer.send(media())
        assert await peer.closed() == 1008
        assert await guest.loses() == "refused_messages"
        assert len(guest.heard) == 1
        assert here.broken() == {"code_31950": REFUSED_MESSAGES_MAX + 1, "refused_messages": 1}


AGAINST_RFC_6455 = {
    "too big": (frame(Op.TEXT, b"x" * (FRAME_BYTES_MAX + 1)), 1009),
    "announced too big": (b"\x81\xff\x00\x00\x01" + b"\x00" * 9, 1009),
    "length with its highest bit": (b"\x81\xff\xff" + b"\xff" * 11, 1002),
    "unmasked": (frame(Op.TEXT, b"{}", masked=False), 1002),
    "opcode": (b"\x83\x80\x00\x00\x00\x00", 1002),
    "ping in pieces": (frame(Op.PING, b"", fin=False), 1002),
    "long ping": (frame(Op.PING, b"x" * 126), 1002),
    "close with one byte": (frame(Op.CLOSE, b"\x03"), 1002),
    "close with a false code": (frame(Op.CLOSE, b"\x03\xed"), 1002),
    "close with no UTF-8": (frame(Op.CLOSE, b"\x03\xe8\xff"), 1007),
}


@pytest.mark.parametrize("name", AGAINST_RFC_6455)
async def test_a_frame_against_the_protocol_ends_the_stream(name: str) -> None:
    """With the code that RFC 6455 names; the call hears of it once, and of no frame after it."""
    data, code = AGAINST_RFC_6455[name]
    async with open_house() as here, here.guest() as (peer, guest):
        peer.write(data + frame(Op.TEXT, media()))
        assert await peer.closed() == code
        assert await guest.loses() == "frame"
        assert here.broken() == {"frame": 1}
        assert guest.heard == []
        assert not here.house.open


# The end.


async def test_we_close_and_the_carrier_answers() -> None:
    """The call knows that it closed: nothing is lost, nothing is heard or sent after."""
    async with open_house() as here, here.guest() as (peer, guest):
        guest.socket.send(AUDIO)
        guest.socket.close()
        guest.socket.close()
        guest.socket.send(AUDIO)
        peer.send(media())
        audio, close = await peer.receive(), await peer.receive()
        assert audio is not None
        assert close is not None
        assert (audio.op, close.op, close.code) == (Op.TEXT, Op.CLOSE, 1000)
        assert here.house.open
        peer.send(close.payload, Op.CLOSE)
        assert await peer.is_over()
        await guest.socket.wait_gone()
        guest.socket.close()
        assert (guest.heard, guest.lost) == ([], [])
        assert not here.house.open


@pytest.mark.parametrize("talks", [True, False])
async def test_we_close_and_the_carrier_does_not_answer(talks: bool) -> None:  # noqa: FBT001
    """It is cut, though it goes on talking."""
    async with open_house(QUICK) as here, here.guest() as (peer, guest):
        guest.socket.close()
        if talks:
            peer.write(frame(Op.TEXT, media()) * 100 + frame(Op.PING, b"x") * 100)
        await guest.socket.wait_gone()
        assert (guest.heard, guest.lost) == ([], [])
        assert here.broken() == {}


async def test_we_close_and_the_carrier_reads_nothing() -> None:
    """What is unsent does not keep the socket."""
    async with open_house(QUICK) as here, here.guest() as (peer, guest):
        peer.stop_reading()
        fill(guest, BACKLOG_BYTES_MAX // 2)
        guest.socket.close()
        await guest.socket.wait_gone()
        assert guest.lost == []
        assert not here.house.open


def fill(guest: Guest, unsent: int) -> None:
    """Send until so much has not left the process."""
    while guest.socket.backlog_bytes() < unsent and not guest.lost:
        guest.socket.send(AUDIO)


async def test_both_close_at_once() -> None:
    """The close frames cross: one each, and the end was ours."""
    async with open_house(QUICK) as here, here.guest() as (peer, guest):
        peer.send_close()
        guest.socket.close()
        codes = []
        while (came := await peer.receive()) is not None:
            codes.append((came.op, came.code))
        assert codes == [(Op.CLOSE, 1000)]
        await guest.socket.wait_gone()
        assert guest.lost == []


async def test_the_carrier_closes() -> None:
    """It is answered, and the call hears of it once; closing again does nothing."""
    async with open_house() as here, here.guest() as (peer, guest):
        peer.send_close(1001)
        peer.send(media())
        assert await peer.closed() == 1000
        assert await guest.loses() == "closed"
        guest.socket.close()
        guest.socket.send(AUDIO)
        await guest.socket.wait_gone()
        assert guest.heard == []
        assert here.broken() == {}


async def test_the_carrier_closes_and_reads_nothing_of_what_is_unsent() -> None:
    """A graceful end would wait for it for ever: it is cut."""
    async with open_house(QUICK) as here, here.guest() as (peer, guest):
        peer.stop_reading()
        fill(guest, BACKLOG_BYTES_MAX // 2)
        peer.send_close()
        assert await guest.loses() == "closed"
        assert not here.house.open


@pytest.mark.parametrize("how", ["dropped", "half closed"])
async def test_the_carrier_is_gone_without_a_word(how: str) -> None:
    """No close frame: the stream is lost, and the call may live."""
    async with open_house() as here:
        async with here.guest() as (peer, guest):
            if how == "half closed":
                peer.half_close()
                assert await guest.loses() == "dropped"
        assert await guest.loses() == "dropped"
        assert here.broken() == {}


async def test_a_stream_that_falls_silent_is_given_up() -> None:
    """A half-open connection says nothing, not even that it is gone."""
    async with open_house(QUICK) as here, here.guest() as (peer, guest):
        for _ in range(10):
            peer.send(media())
            await asyncio.sleep(QUICK.silence_s_max / 4)
        assert guest.lost == []
        assert await peer.closed() == 1001
        assert await guest.loses() == "silence"
        assert here.broken() == {"silence": 1}


async def test_a_broken_frame_of_one_who_reads_nothing_ends_all_the_same() -> None:
    """What is unsent would be waited for without end; silence is not."""
    async with open_house(QUICK) as here, here.guest() as (peer, guest):
        peer.stop_reading()
        fill(guest, BACKLOG_BYTES_MAX // 2)
        peer.write(frame(Op.TEXT, b"{}", masked=False))
        assert await guest.loses() == "silence"
        await guest.socket.wait_gone()
        assert not here.house.open


async def test_a_carrier_that_stops_reading_is_given_up() -> None:
    """At the bound of what is unsent, pongs included; then the socket is cut."""
    async with open_house(QUICK) as here:
        async with here.guest() as (peer, guest):
            peer.stop_reading()
            fill(guest, 2 * BACKLOG_BYTES_MAX)
            assert guest.lost == ["backlog"]
            await guest.socket.wait_gone()
        async with here.guest() as (peer, guest):
            peer.stop_reading()
            pings = frame(Op.PING, b"x" * 125) * 1000

            async def flood() -> None:
                while not guest.lost:
                    peer.write(pings)
                    await peer.drain()

            async with asyncio.TaskGroup() as tasks:
                flooding = tasks.create_task(flood())
                assert await guest.loses() == "backlog"
                await guest.socket.wait_gone()
                flooding.cancel()
        assert here.broken() == {"backlog": 2}


async def test_a_call_that_breaks_costs_its_own_stream_only() -> None:
    """An error in a receiver closes with 1011; the neighbour's stream goes on."""
    async with open_house() as here, here.guest() as (peer, guest):
        async with here.guest() as (other, broken):
            broken.broken = True
            other.send(media())
            assert await other.closed() == 1011
            await broken.loses()
        peer.send(media())
        await guest.hears(1)


async def test_a_house_that_closes_waits_for_its_last_guest() -> None:
    """All are closed with 1001, the deaf are cut, and nobody comes in any more."""
    async with open_house(QUICK) as here, here.guest() as (peer, guest), here.stranger(SIGNED):
        closing = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(here.house.close())
            assert await peer.closed() == 1001
            async with Peer.upgraded(here.port, SIGNED) as late:
                assert late.status == 503
        assert asyncio.get_running_loop().time() - closing < 10
        assert not here.house.open
        assert guest.lost == []


async def test_a_hundred_sockets_are_each_counted_once() -> None:
    """As a stream or as a refusal, whichever way they end; and none is left."""
    async with open_house() as here:
        async with asyncio.TaskGroup() as tasks:
            for number in range(100):
                tasks.create_task(_come_and_go(here, number))
        await until(lambda: not here.house.open)
        assert not any(here.house.strangers.values())
        streams = counted(here.metrics, "streams_total")[""]
        assert 40 <= streams <= 60  # picows drops what stands before a broken frame.
        assert streams + sum(here.refused().values()) == 100


async def _come_and_go(here: Open, number: int) -> None:
    async with here.stranger(SIGNED) as peer:
        match number % 5:
            case 0:
                peer.send(start())
                peer.send_close()
                await peer.closed()
            case 1:
                peer.send(start())
                peer.write(frame(Op.TEXT, b"{}", masked=False))
                await peer.closed()
            case 2:
                peer.send(start("no_call"))
                await peer.closed()
            case 3:
                peer.send(start())
                peer.send(b"x" * FRAME_BYTES_MAX, fin=False)
                peer.send(b"x", Op.CONTINUATION)
                await peer.closed()
            case _:
                peer.send(CONNECTED)
                await peer.drain()


# A stream whose call is on its way.


@asynccontextmanager
async def a_waiting(here: Open) -> AsyncIterator[tuple[Peer, MediaSocket]]:
    """Its ticket was good, and nobody has it yet."""
    async with here.stranger() as peer:
        peer.send(CONNECTED)
        peer.send(start("soon"))
        await until(lambda: len(here.hall.waiting) == 1)
        yield peer, here.hall.waiting[0]


async def test_a_stream_that_waits_for_its_call_is_no_stranger() -> None:
    """What it sends meanwhile is dropped; then it is the call's like any other."""
    async with open_house(QUICK) as here, a_waiting(here) as (peer, socket):
        assert socket.waits
        assert not socket.has_call
        assert not any(here.house.strangers.values())
        peer.send(media(2))
        guest = Guest(socket)
        socket.settle(guest)
        assert socket.has_call
        assert not socket.waits
        peer.send(media(4))
        await until(lambda: bool(guest.heard))
        assert counted(here.metrics, "streams_total") == {"": 1}
        assert here.refused() == {}


@pytest.mark.parametrize("why", [Refusal.FULL, Refusal.STORE_AWAY])
async def test_a_stream_whose_call_does_not_come_is_closed(why: Refusal) -> None:
    """And counted; the redirect behind it tries again."""
    async with open_house() as here, a_waiting(here) as (peer, socket):
        socket.settle(why)
        assert await peer.closed() == 1008
        assert here.refused() == {why: 1}


async def test_a_stream_does_not_wait_for_ever() -> None:
    """Nobody says anything for so long."""
    async with open_house(QUICK) as here, a_waiting(here) as (peer, socket):
        assert await peer.closed() == 1008
        assert here.refused() == {"late": 1}
        assert not socket.waits


async def test_a_caller_who_hangs_up_meanwhile_is_let_go() -> None:
    """By a `stop`, or without a word."""
    async with open_house() as here:
        async with a_waiting(here) as (peer, socket):
            peer.send(twilio.encode(twilio.Stop(twilio.StopFields("AC1", "CA1"), STREAM, "2")))
            assert await peer.closed() == 1008
            assert not socket.waits
        here.hall.waiting.clear()
        async with a_waiting(here) as (peer, socket):
            peer.send_close()
            await peer.closed()
            await until(lambda: not socket.waits)
        assert here.refused() == {"no_call": 2}
