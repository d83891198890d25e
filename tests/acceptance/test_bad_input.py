"""Whatever comes to the public port: who is not our carrier costs nothing, and what the carrier
sends amiss costs at most a moment.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from acceptance.played import Played, counted, play, seen
from acceptance.played import Role as Caller
from acceptance.scene import CALLER, OUR_NUMBER, Scene, conversation, scene
from pod.edge import Op, Peer, Upgrade, ask, frame, get, post
from pod.hall import CONNECTED, media, start
from trunkline.core import tickets
from trunkline.core.facts import CallEnded, CallResumed, Outcome, StreamLost
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.tickets import TICKET_LIFE_MS, Ticket
from trunkline.sim.caller import HangUp, Listen, WaitForHangUp
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN
from trunkline.sim.carrier.faults import Faults, Garbage, Signature
from trunkline.wire import twiml, webhooks
from trunkline.wire.webhooks import Form

pytestmark = pytest.mark.anyio

WORDS = "this is caller seven"
MEDIA_PATH = "/pods/pod-0/media"


async def counts(here: Scene, name: str) -> dict[str, int]:
    """A counter's values by reason, zeros left out."""
    text = await here.get("/metrics")
    values: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith(f'{name}{{reason="'):
            values[line.split('"')[1]] = int(float(line.rpartition(" ")[2]))
    return {reason: value for reason, value in values.items() if value}


async def with_faults(here: Scene, faults: Faults, number: int = 0) -> Played:
    """One call with one turn, whose carrier misbehaves."""
    report = await here.carrier.place_call(
        to=OUR_NUMBER,
        from_=f"+155501001{number:02}",
        script=conversation(WORDS),
        faults=faults,
        give_up_s=60,
    )
    return await seen(here, report)


# Messages that are none.

EVERY_S = 0.1
"""A message of one kind so often: within one call some eighty, so that no stream is closed."""

HARMLESS = (
    Garbage.NOT_JSON, Garbage.BINARY, Garbage.OVERSIZED, Garbage.UNKNOWN, Garbage.WRONG_TYPES,
    Garbage.DEEP, Garbage.BAD_UTF8, Garbage.SECOND_START, Garbage.FOREIGN_SID,
)  # fmt: skip
"""Those that are not taken for a frame of this stream."""

FALSE_FRAMES = (Garbage.OUT_OF_ORDER, Garbage.NOT_BASE64)
"""Those that are: what the model makes of them is its own affair."""

CARRIERS = {
    **{kind.value: Faults(garbage=(kind,), garbage_every_s=EVERY_S) for kind in HARMLESS},
    **{kind.value: Faults(garbage=(kind,), garbage_every_s=EVERY_S) for kind in FALSE_FRAMES},
    "huge": Faults(garbage=(Garbage.HUGE,), garbage_every_s=4.0),
    "unsigned stream": Faults(stream_signature=Signature.MISSING),
}


async def test_carriers_that_misbehave(redis_url: str, database_url: str) -> None:
    """Messages that are none are counted, and not a word is lost or added. A frame too big ends its
    socket with 1009, and the redirect brings the call back. A missing signature is made up for by
    the ticket. Every call ends as it should, and the log has it.
    """
    async with scene(redis_url, database_url) as here, asyncio.TaskGroup() as tasks:
        calls = {
            name: tasks.create_task(with_faults(here, faults, number))
            for number, (name, faults) in enumerate(CARRIERS.items())
        }
        await asyncio.wait(calls.values())
        refused = await counts(here, "carrier_messages_refused_total")
        metrics = await here.get("/metrics")
        assert await counts(here, "streams_refused_total") == {}
        assert len(here.sessions()) == len(calls)
    ended = {name: call.result() for name, call in calls.items()}
    for name, played in ended.items():
        assert played.row.outcome == Outcome.CALLER_ENDED, name
        assert played.row.facts == len(played.entries)
        assert not played.report.warnings or name == "huge"
        assert len(played.of(CallEnded)) == 1
    for name in ("unsigned stream", *HARMLESS):
        ended[name].agrees()
        assert ended[name].of(StreamLost) == []
        assert ("agent", f"i heard {WORDS}") in ended[name].report.transcript
    losses = ended["huge"].of(StreamLost)
    assert set(refused) == {"code_31950", "code_31951", "binary", "frame"}
    assert refused["code_31950"] > 3 * 30
    assert min(refused["code_31951"], refused["binary"]) > 30
    assert 1 <= refused["frame"] == len(losses) == len(ended["huge"].of(CallResumed)) <= 3
    assert {fact.reason for fact in losses} == {"frame"}
    assert {stream.close_code for stream in ended["huge"].report.streams[:-1]} == {1009}
    for what in ("unknown_message", "start_again", "foreign_stream"):
        assert counted(metrics, "unexpected_messages_total", what=what) > 0


# Signatures.


async def test_a_carrier_that_is_not_ours_gets_nothing(redis_url: str, database_url: str) -> None:
    """Its webhooks are refused: no call, no session, no row. Its callbacks end nobody's call."""
    async with scene(redis_url, database_url) as here:
        for signature in (Signature.WRONG, Signature.MISSING):
            faults = Faults(webhook_signature=signature)
            report = await here.call(Listen(max_ms=500), HangUp(), faults=faults)
            assert report.streams == ()
            assert await here.book.call(CallSid(report.sid)) is None
        refused = await counts(here, "webhooks_refused_total")
        assert here.sessions() == []
    assert set(refused) == {"bad_signature", "no_signature"}
    assert min(refused.values()) >= 1


async def test_a_stream_signed_wrongly_never_gets_a_socket(
    redis_url: str, database_url: str
) -> None:
    """403 for each, however often the redirect tries again; the caller gets the overflow action."""
    async with scene(redis_url, database_url) as here:
        faults = Faults(stream_signature=Signature.WRONG)
        report = await here.call(Listen(), WaitForHangUp(), faults=faults)
        row = await here.logged(report.sid)
        refused = await counts(here, "streams_refused_total")
        assert here.sessions() == []
    assert refused == {"signature": len(report.streams)}
    assert all(stream.opened_at is None for stream in report.streams)
    assert (row.outcome, row.answered_at_ms) == (Outcome.FAILED, None)
    assert report.dialled == ("+15550100021",)


# Tickets.


async def bring(here: Scene, text: str, call: str) -> int | None:
    """A signed socket that brings this as its ticket: its close code."""
    url = here.public_url.replace("http://", "ws://") + MEDIA_PATH
    upgrade = Upgrade(signature=webhooks.sign(url, Form(), AUTH_TOKEN))
    async with Peer.upgraded(here.pod.public_port, upgrade) as peer:
        assert peer.status == 101
        peer.send(CONNECTED)
        peer.send(start(text, call=call))
        peer.send(media())
        return await peer.closed()


async def signed(here: Scene, path: str, form: Form) -> tuple[int, str]:
    """A webhook of our account's."""
    url = here.public_url + path
    headers = {"X-Twilio-Signature": webhooks.sign(url, form, AUTH_TOKEN)}
    reply = await ask(here.pod.public_port, post(path, form.encode(), headers))
    return reply.status, reply.body.decode()


async def present_ticket(here: Scene, call: str) -> Ticket:
    """A live call's: its webhook is repeated, and gets the same document."""
    asked = webhooks.VoiceRequest(call, ACCOUNT_SID, CALLER, OUR_NUMBER, "inbound", "ringing")
    status, document = await signed(here, "/twilio/voice", asked.to_form())
    assert status == 200
    connect = twiml.parse(document)[0]
    assert isinstance(connect, twiml.Connect)
    ticket = tickets.read_ticket(connect.stream.parameters["ticket"], here.settings.signing_key())
    assert isinstance(ticket, Ticket)
    return ticket


async def test_tickets_that_are_not_good(redis_url: str, database_url: str) -> None:
    """Each is closed with 1008 and counted by its reason; the model hears of none, and the live
    call whose ticket was changed goes on.
    """
    async with scene(redis_url, database_url) as here:
        key = here.settings.signing_key()
        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(here.call(*conversation(WORDS)))
            await here.until(lambda: bool(here.sessions()))
            (call,) = here.carrier.live
            good = await present_ticket(here, call)
            late = good.issued_at_ms - TICKET_LIFE_MS - 5_000
            other = CallSid("CA" + "9" * 32)
            bad: Mapping[str, tuple[str, ...]] = {
                "no_ticket": ("",),
                "forged_ticket": ("x", tickets.sign(good, b"another key of 32 bytes or more.")),
                "foreign_ticket": (
                    tickets.sign(replace(good, pod=PodName("pod-1")), key),
                    tickets.sign(replace(good, incarnation=Incarnation("00000000")), key),
                    tickets.sign(replace(good, call=other), key),
                ),
                "stale_ticket": (tickets.sign(replace(good, epoch=Epoch(good.epoch - 1)), key),),
                "expired_ticket": (tickets.sign(replace(good, issued_at_ms=late), key),),
            }
            for texts in bad.values():
                assert [await bring(here, text, call) for text in texts] == [1008] * len(texts)
            assert await bring(here, tickets.sign(replace(good, call=other), key), other) == 1008
            assert len(here.sessions()) == 1
        played = await seen(here, talking.result())
        played.agrees()
        await here.until(lambda: here.pod.view().calls_active == 0)
        assert await bring(here, tickets.sign(good, key), call) == 1008
        refused = await counts(here, "streams_refused_total")
        assert len(here.sessions()) == 1
    assert refused == {reason: len(texts) for reason, texts in bad.items()} | {"no_call": 2}
    assert played.ended == (Outcome.CALLER_ENDED, "stop")
    assert played.of(StreamLost) == []


async def test_a_call_whose_tickets_are_all_forged(redis_url: str, database_url: str) -> None:
    """No model is ever asked; after three redirects the caller gets the overflow action."""
    faults = Faults(parameters=(("ticket", "forged"),))
    async with scene(redis_url, database_url) as here:
        report = await here.call(Listen(), WaitForHangUp(), faults=faults)
        row, told = await here.logged(report.sid), await here.facts(report.sid)
        refused = await counts(here, "streams_refused_total")
        assert here.sessions() == []
    assert refused == {"forged_ticket": len(report.streams)}
    assert 1 <= len(report.streams) <= 4
    assert (row.outcome, row.answered_at_ms) == (Outcome.FAILED, None)
    assert report.dialled == ("+15550100021",)
    assert len([fact for fact in told if isinstance(fact, CallEnded)]) == 1


# Floods.

STRANGERS = 300


async def knock(port: int, codes: Counter[str]) -> None:
    """A socket that nobody signed, and that says nothing of use."""
    async with Peer.upgraded(port, Upgrade()) as peer:
        if peer.status == 101:
            peer.write(frame(Op.PING, b"x") + frame(Op.TEXT, CONNECTED))
            codes[f"closed {await peer.closed()}"] += 1
        else:
            codes[f"refused {peer.status}"] += 1


async def beg(port: int, at_once: asyncio.Semaphore, codes: Counter[str]) -> None:
    """A webhook that nobody signed."""
    asked = webhooks.VoiceRequest(
        "CA" + "8" * 32, ACCOUNT_SID, CALLER, OUR_NUMBER, "inbound", "ringing"
    )
    async with at_once:
        reply = await ask(port, post("/twilio/voice", asked.to_form().encode()))
    codes[f"answered {reply.status}"] += 1


async def flood(port: int) -> Counter[str]:
    """All at once; what became of them."""
    codes: Counter[str] = Counter()
    at_once = asyncio.Semaphore(50)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(STRANGERS):
            tasks.create_task(knock(port, codes))
            tasks.create_task(beg(port, at_once, codes))
    return codes


async def test_a_flood_of_strangers_touches_no_call(redis_url: str, database_url: str) -> None:
    """Sockets and webhooks that nobody signed, while somebody talks: what is said and heard is
    whole to the byte, and every stranger is refused and counted.
    """
    async with scene(redis_url, database_url) as here:
        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(
                play(here, {"one": Caller(OUR_NUMBER, conversation(WORDS, WORDS))})
            )
            await here.until(lambda: here.pod.view().media_sockets == 1)
            floods = [await flood(here.pod.public_port) for _ in range(2)]
            assert not talking.done()
        (played,) = talking.result().values()
        streams = await counts(here, "streams_refused_total")
        begged = await counts(here, "webhooks_refused_total")
        metrics = await here.get("/metrics")
        assert len(here.sessions()) == 1
    played.agrees()
    assert played.ended == (Outcome.CALLER_ENDED, "stop")
    assert played.of(StreamLost) == []
    assert [words for who, words in played.report.transcript if who == "agent"][1:] == [
        f"i heard {WORDS}"
    ] * 2
    assert counted(metrics, "audio_dropped_frames_total") == 0
    codes = floods[0] + floods[1]
    assert set(codes) <= {"closed 1008", "refused 503", "answered 403"}
    assert codes["answered 403"] == 2 * STRANGERS
    assert begged == {"no_signature": 2 * STRANGERS}
    assert streams.keys() <= {"no_start", "crowded"}
    assert streams.get("no_start", 0) == codes["closed 1008"]
    assert streams.get("crowded", 0) == codes["refused 503"]
    assert sum(streams.values()) == 2 * STRANGERS


async def test_the_public_port_of_a_whole_pod(redis_url: str, database_url: str) -> None:
    """Health, metrics, API and docs are not on it."""
    paths = ("/", "/docs", "/openapi.json", "/metrics", "/healthz", "/readyz", "/api/v1/calls")
    async with scene(redis_url, database_url) as here:
        for path in paths:
            assert (await ask(here.pod.public_port, get(path))).status == 404
        assert await counts(here, "webhooks_refused_total") == {"path": len(paths)}
