"""From uvicorn to picows: a stranger's bytes are counted, a call's are not."""

import pytest

from pod.edge import Op, Peer, Upgrade, frame, until
from pod.hall import CONNECTED, SIGNED, media, open_house, start
from trunkline.pod.bridge import STRANGER_BYTES_MAX
from trunkline.pod.media import FRAME_BYTES_MAX
from trunkline.pod.media_words import MediaLimits

pytestmark = pytest.mark.anyio

PATIENT = MediaLimits(start_s_max=60, unsigned_start_s_max=60, close_s_max=60)
"""Who is cut in these tests is cut for its bytes."""

FLOODS = {
    "greetings": frame(Op.TEXT, CONNECTED) * 2000,
    "kinds to come": frame(Op.TEXT, b'{"event":"weather"}') * 3000,
    "pings": frame(Op.PING, b"x" * 125) * 1000,
    "pongs": frame(Op.PONG, b"x" * 125) * 1000,
    "empty fragments": frame(Op.TEXT, b"", fin=False) + frame(Op.CONTINUATION, fin=False) * 20_000,
    "fragments": frame(Op.TEXT, b" " * 100, fin=False)
    + frame(Op.CONTINUATION, b" " * 1000, fin=False) * 100,
    "one long message": frame(Op.TEXT, b" " * FRAME_BYTES_MAX),
    "garbage": b"\x81\xfe" * 100_000,
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("reads", [True, False])
async def test_a_stranger_who_sends_too_much_is_cut(flood: str, *, reads: bool) -> None:
    """At 64 KiB, whatever it sends and whether or not it reads; counted once."""
    async with open_house(PATIENT) as here, here.stranger() as peer:
        if not reads:
            peer.stop_reading()
        peer.write(FLOODS[flood])
        await until(lambda: not here.house.open)
        assert here.refused() == {"protocol": 1}
        assert here.hall.starts == 0


async def test_a_start_within_the_bound_is_heard() -> None:
    """Up to the last byte; one byte later it is not."""
    request = Upgrade(signature="good")
    head = len(request.encode())
    for over, starts in ((0, 1), (1, 0)):
        async with open_house(PATIENT) as here, here.stranger(request) as peer:
            start_bytes = frame(Op.TEXT, start())
            room = STRANGER_BYTES_MAX - head - len(start_bytes) + over
            greeting = frame(Op.PONG, b"x" * 100)
            many, rest = divmod(room - 6, len(greeting))
            peer.write(greeting * many + frame(Op.PONG, b"x" * rest) + start_bytes)
            await until(lambda: bool(here.hall.guests) or not here.house.open)
            assert here.hall.starts == starts


async def test_who_has_a_call_is_not_counted() -> None:
    """Many times the bound, in one write with the start and after it."""
    async with open_house(PATIENT) as here, here.stranger(SIGNED) as peer:
        many = 4 * STRANGER_BYTES_MAX // len(media())
        peer.write(frame(Op.TEXT, start()) + frame(Op.TEXT, media()) * many)
        await until(lambda: len(here.hall.guests) == 1)
        (guest,) = here.hall.guests
        await guest.hears(many)
        peer.write(frame(Op.TEXT, media()) * many)
        await guest.hears(2 * many)
        assert here.refused() == {}


async def test_who_does_not_wait_for_the_answer_is_not_heard() -> None:
    """Frames in the request's own segment are none yet, by RFC 6455: their sender has no start."""
    async with open_house(MediaLimits(start_s_max=0.1)) as here, Peer.to(here.port) as peer:
        peer.write(SIGNED.encode() + frame(Op.TEXT, start()))
        head = await peer.read_head()
        assert head is not None
        assert head[0] == 101
        assert await peer.closed() == 1008
        assert here.refused() == {"no_start": 1}


async def test_who_was_refused_may_say_no_more() -> None:
    """Its connection is closed with the answer; what it sends goes nowhere."""
    async with open_house(PATIENT) as here:
        for upgrade in (Upgrade(signature="bad"), Upgrade(path="/"), Upgrade(key="")):
            async with Peer.upgraded(here.port, upgrade) as peer:
                assert peer.status in {400, 403, 404}
                peer.write(frame(Op.TEXT, start()) + upgrade.encode() * 1000)
                while not await peer.is_over():
                    pass
        assert here.hall.starts == 0
        assert not here.house.open


async def test_a_dropped_connection_reaches_its_socket_in_either_hand() -> None:
    """Before the call, at the very start, and with the call."""
    async with open_house(PATIENT) as here:
        async with here.stranger():
            pass
        await until(lambda: not here.house.open)
        async with here.stranger(SIGNED) as peer:
            peer.send(start())
            await peer.drain()
        await until(lambda: not here.house.open)
        async with here.guest() as (_, guest):
            pass
        assert await guest.loses() == "dropped"
