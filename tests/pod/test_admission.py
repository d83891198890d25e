"""The gate: a signature for the upgrade, a ticket for the call, and nothing without."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import picows
import pytest
from fastapi import FastAPI
from multidict import CIMultiDict
from pydantic import SecretStr

from pod.edge import Peer, Upgrade, counted, served, until
from pod.hall import start
from pod.office import (
    FIRST,
    KEY,
    ME,
    MEDIA_PATH,
    MEDIA_URL,
    SECOND,
    STREAM,
    Office,
    Stores,
    office,
)
from trunkline.core import tickets
from trunkline.core.ids import Epoch, Incarnation, PodName
from trunkline.core.slots import INBOUND_HOLD_S
from trunkline.core.tickets import TICKET_LIFE_MS, ResumeToken, Ticket
from trunkline.pod.admission import Gate
from trunkline.pod.bridge import media_protocol
from trunkline.pod.calls import Identity
from trunkline.pod.media import MediaHouse
from trunkline.pod.media_words import Refusal
from trunkline.pod.passes import media_path
from trunkline.ports import Resumption
from trunkline.wire import twilio, webhooks
from trunkline.wire.webhooks import Form

pytestmark = pytest.mark.anyio

TOKEN, SECOND_TOKEN = "0123456789abcdef", "fedcba9876543210"
TOKENS = [SecretStr(TOKEN), SecretStr(SECOND_TOKEN)]


def signature(url: str, token: str = TOKEN) -> str:
    return webhooks.sign(url, Form(), token)


@dataclass
class AtTheGate:
    """A pod's gate on a port, and the office behind it."""

    port: int
    office: Office
    house: MediaHouse
    late_ms: int = 0
    """So much later it is by Redis time than when the ticket was made."""

    def refused(self) -> dict[str, int]:
        return counted(self.office.around.metrics, "streams_refused_total")

    async def ticket(self) -> Ticket:
        """A call has rung: its ticket."""
        return (await self.office.ring(FIRST)).ticket

    def spent(self) -> int:
        """Sessions taken from the model's door."""
        return self.office.door.given

    @asynccontextmanager
    async def stream(
        self, text: str, call: str = FIRST, path: str = MEDIA_PATH
    ) -> AsyncIterator[Peer]:
        """A stream that brings this as its ticket."""
        url = MEDIA_URL.replace(MEDIA_PATH, path)
        signed = Upgrade(path=path, signature=signature(url))
        async with Peer.upgraded(self.port, signed) as peer:
            assert peer.status == 101
            peer.send(start(text, call=call))
            yield peer


@asynccontextmanager
async def at_the_gate(me: Identity = ME, stores: Stores | None = None) -> AsyncIterator[AtTheGate]:
    async with office(me=me, stores=stores) as behind:
        gate = Gate(
            me,
            behind.calls,
            behind.reception.arrivals,
            key=KEY,
            auth_tokens=TOKENS,
            redis_ms=lambda: behind.journal.now_ms + here.late_ms,
        )
        house = MediaHouse(gate, behind.around.metrics)
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        async with served(app, media_protocol(house)) as port:
            here = AtTheGate(port, behind, house)
            yield here
            behind.calls.cut()
            await house.close()


# Upgrades.


def knock(
    path: str, signed: str | None, me: Identity = ME, tokens: list[SecretStr] = TOKENS
) -> bool | Refusal:
    """What the gate says to an upgrade; it needs no calls for that."""
    request = picows.WSUpgradeRequest()
    request.method, request.path, request.version = b"GET", path.encode(), b"HTTP/1.1"
    request.headers = CIMultiDict({"Host": "evil.example"})
    if signed is not None:
        request.headers["X-Twilio-Signature"] = signed
    unasked: Any = None
    gate = Gate(me, unasked, unasked, key=KEY, auth_tokens=tokens, redis_ms=lambda: 0)
    return gate.knock(request)


def test_an_upgrade_may_be_signed() -> None:
    """By either token, for the public URL; what is signed wrongly is refused."""
    path, url = MEDIA_PATH, MEDIA_URL
    assert knock(path, signature(url)) is True
    assert knock(path, signature(url, SECOND_TOKEN)) is True
    assert knock(path, None) is False
    for wrong in (
        signature(url, "another token"),
        signature(url, ""),
        signature(url + "/"),
        signature(url.replace("voice.example.com", "evil.example")),
        signature(url.replace("wss://", "https://")),
        webhooks.sign(url, Form([("CallSid", FIRST)]), TOKEN),
        "",
        "x",
        "\udcff",
    ):
        assert knock(path, wrong) is Refusal.SIGNATURE


@pytest.mark.parametrize(
    ("public_url", "signed_url"),
    [
        ("https://calls.example", "wss://calls.example/pods/pod-0/media"),
        ("https://calls.example", "wss://calls.example:443/pods/pod-0/media"),
        ("https://calls.example:443", "wss://calls.example/pods/pod-0/media"),
        ("https://calls.example:443", "wss://calls.example:443/pods/pod-0/media"),
        ("https://calls.example:8443", "wss://calls.example:8443/pods/pod-0/media"),
        ("https://calls.example/trunk/", "wss://calls.example/trunk/pods/pod-0/media"),
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/pods/pod-0/media"),
    ],
)
def test_a_port_in_the_public_url_or_in_twilios(public_url: str, signed_url: str) -> None:
    """Twilio is not consistent about default ports: either form is signed well."""
    me = ME._replace(public_url=public_url)
    assert knock(media_path(me.pod), signature(signed_url), me) is True
    assert knock(media_path(me.pod), signature(signed_url + "x"), me) is Refusal.SIGNATURE


def test_only_this_pods_path_is_answered() -> None:
    """However well the others are signed."""
    for path in (
        "/",
        "/media/",
        "/pods//media",
        "/pods/pod-1/media",
        "/pods/pod-0/media/",
        "/pods/pod-0/media?a=b",
        "/pods/pod-0/../pod-0/media",
        "/PODS/pod-0/media",
        "/pods/pod%2d0/media",
        "http://voice.example.com/pods/pod-0/media",
    ):
        url = f"wss://voice.example.com{path}"
        assert knock(path, signature(url)) is Refusal.PATH
        assert knock(path, None) is Refusal.PATH


# Tickets.


async def test_a_good_ticket_gets_its_call() -> None:
    """A session is taken, and the stream is the call's."""
    async with at_the_gate() as here:
        ticket = await here.ticket()
        async with here.stream(tickets.sign(ticket, KEY)):
            await until(lambda: here.spent() == 1)
            assert here.office.slots.bound == 1
            assert here.refused() == {}
            assert counted(here.office.around.metrics, "streams_total") == {"": 1}


async def refused_with(here: AtTheGate, text: str, why: Refusal, call: str = FIRST) -> None:
    """A stream that is closed within a second, having cost nothing."""
    before = here.refused().get(why, 0)
    sessions, bound = here.spent(), here.office.slots.bound
    async with here.stream(text, call) as peer:
        assert await peer.closed() == 1008
    assert here.refused().get(why, 0) == before + 1
    assert (here.spent(), here.office.slots.bound) == (sessions, bound)


async def test_a_stream_without_a_ticket_of_ours_costs_nothing() -> None:
    """None, nonsense, another key's, a changed one, a token for a ticket: each by its reason."""
    async with at_the_gate() as here:
        ticket = await here.ticket()
        good = tickets.sign(ticket, KEY)
        token = ResumeToken(ticket.call, ticket.epoch, ticket.pod, ticket.incarnation)
        form, body, mac = good.split(".")
        forged = [
            "nonsense",
            "é" * 100,
            "x" * 10_000,
            tickets.sign(ticket, b"another key of 32 bytes or more."),
            f"{form}.{body}.{mac[:-1]}{'A' if mac[-1] != 'A' else 'B'}",
            f"{form}.{body[:-4]}AAAA.{mac}",
            f"{form}.{body}.",
            f"t2.{body}.{mac}",
            tickets.sign(token, KEY),
            good + " ",
            good + ".",
        ]
        await refused_with(here, "", Refusal.NO_TICKET)
        for text in forged:
            await refused_with(here, text, Refusal.FORGED_TICKET)
        assert here.spent() == 0
        async with here.stream(good):  # The call that it was about is unharmed.
            await until(lambda: here.spent() == 1)


async def test_a_ticket_is_good_for_its_own_pod_life_and_call() -> None:
    """Another pod's, an earlier life's, another call's: foreign."""
    async with at_the_gate() as here:
        ticket = await here.ticket()
        await here.office.ring(SECOND)
        for foreign in (
            replace(ticket, pod=PodName("pod-1")),
            replace(ticket, incarnation=Incarnation("b")),
            replace(ticket, call=SECOND),
        ):
            await refused_with(here, tickets.sign(foreign, KEY), Refusal.FOREIGN_TICKET)
        good = tickets.sign(ticket, KEY)
        await refused_with(here, good, Refusal.FOREIGN_TICKET, call=SECOND)


async def test_a_ticket_lives_half_a_minute_by_redis_time() -> None:
    """Either way: one from the future was made before the clock was put back."""
    async with at_the_gate() as here:
        text = tickets.sign(await here.ticket(), KEY)
        for late_ms in (TICKET_LIFE_MS + 1, -TICKET_LIFE_MS - 1):
            here.late_ms = late_ms
            await refused_with(here, text, Refusal.EXPIRED_TICKET)
        here.late_ms = TICKET_LIFE_MS
        async with here.stream(text):
            await until(lambda: here.spent() == 1)


async def test_a_ticket_of_an_earlier_epoch_is_stale() -> None:
    """The redirect has given a new one: the old stream's ticket opens nothing."""
    async with at_the_gate() as here:
        answer = await here.office.ring(FIRST)
        async with here.stream(tickets.sign(answer.ticket, KEY)) as peer:
            await until(lambda: here.office.slots.bound == 1)
            peer.send_close()
            await peer.closed()
        here.office.journal.now_ms += 1000
        then = await here.office.redirect(FIRST, answer)
        assert then is not None
        assert then.ticket.epoch > answer.ticket.epoch
        await refused_with(here, tickets.sign(answer.ticket, KEY), Refusal.STALE_TICKET)
        async with here.stream(tickets.sign(then.ticket, KEY)):
            await until(lambda: len(here.house.open) == 1)
        assert here.spent() == 1


async def test_a_ticket_of_a_later_epoch_is_another_pod_s_answer() -> None:
    """It answered the redirect and moved the epoch on: the session goes on, the older is stale."""
    async with at_the_gate() as here:
        answer = await here.office.ring(FIRST)
        async with here.stream(tickets.sign(answer.ticket, KEY)) as peer:
            await until(lambda: here.office.slots.bound == 1)
            here.office.journal.now_ms += 1000
            resumed = await here.office.journal.resume_call(
                FIRST, answer.ticket.epoch, ME.pod, ME.incarnation
            )
            assert isinstance(resumed, Resumption)
            later = replace(answer.ticket, epoch=resumed.epoch, issued_at_ms=resumed.opened_at_ms)
            async with here.stream(tickets.sign(later, KEY)):
                assert await peer.closed() == 1000
                await refused_with(here, tickets.sign(answer.ticket, KEY), Refusal.STALE_TICKET)
                live = here.office.calls.get(FIRST)
                assert live is not None
                assert live.epoch == resumed.epoch
        assert here.spent() == 1


async def test_a_ticket_is_used_up_with_its_call() -> None:
    """The call has ended: whoever replays its ticket finds nobody."""
    async with at_the_gate() as here:
        text = tickets.sign(await here.ticket(), KEY)
        async with here.stream(text) as peer:
            await until(lambda: here.office.slots.bound == 1)
            stop = twilio.Stop(twilio.StopFields("AC1", FIRST), STREAM, "3")
            peer.send(twilio.encode(stop))
            assert await peer.closed() == 1000
        await until(lambda: here.office.calls.get(FIRST) is None)
        await refused_with(here, text, Refusal.NO_CALL)


async def test_a_ticket_opens_nothing_while_its_call_is_ending() -> None:
    """The end waits for the journal: a second stream does not disturb it."""
    async with at_the_gate() as here:
        text = tickets.sign(await here.ticket(), KEY)
        async with here.stream(text) as peer:
            await until(lambda: here.office.slots.bound == here.spent() == 1)
            here.office.journal.gate.clear()
            stop = twilio.Stop(twilio.StopFields("AC1", FIRST), STREAM, "3")
            peer.send(twilio.encode(stop))
            live = here.office.calls.get(FIRST)
            assert live is not None
            await until(lambda: live.runner is not None and live.runner.ended is not None)
            await refused_with(here, text, Refusal.NO_CALL)
            here.office.journal.gate.set()
            assert await peer.closed() == 1000


async def test_a_ticket_whose_slot_expired_opens_nothing() -> None:
    """15 s without a start: the slot is another's."""
    async with at_the_gate() as here:
        text = tickets.sign(await here.ticket(), KEY)
        loop_s = here.office.calls.get(FIRST)
        assert loop_s is not None
        here.office.calls.expire(loop_s.since + INBOUND_HOLD_S)
        await refused_with(here, text, Refusal.NO_CALL)


async def test_the_same_ticket_again_replaces_the_stream() -> None:
    """A webhook delivered twice leads to two starts: the newer wins, the session stays."""
    async with at_the_gate() as here:
        text = tickets.sign(await here.ticket(), KEY)
        async with here.stream(text) as first:
            await until(lambda: here.spent() == 1)
            async with here.stream(text):
                assert await first.closed() == 1000
                assert here.spent() == 1
                assert here.office.slots.bound == 1


@pytest.mark.parametrize("sid", ["", "MZ\u0000", "MZ" + "1" * 63, "M Z", 'MZ"', "é", "M\nZ"])
async def test_a_streams_name_is_plain(sid: str) -> None:
    """It goes into facts and into all that we send; Postgres takes no NUL."""
    async with at_the_gate() as here:
        text = tickets.sign(await here.ticket(), KEY)
        signed = Upgrade(path=MEDIA_PATH, signature=signature(MEDIA_URL))
        async with Peer.upgraded(here.port, signed) as peer:
            peer.send(start(text, stream=sid, call=FIRST))
            assert await peer.closed() == 1008
        assert here.refused() == {"protocol": 1}
        assert here.spent() == 0


async def test_a_start_names_one_stream() -> None:
    """Inside and outside it is the same."""
    async with at_the_gate() as here:
        text = tickets.sign(await here.ticket(), KEY)
        signed = Upgrade(path=MEDIA_PATH, signature=signature(MEDIA_URL))
        async with Peer.upgraded(here.port, signed) as peer:
            peer.send(start(text, call=FIRST).replace(STREAM.encode(), b"MZ2", 1))
            assert await peer.closed() == 1008
        assert here.refused() == {"protocol": 1}


# Tickets that name no pod.

ANY_POD = ME._replace(pinned=False)


def test_streams_that_may_come_to_any_pod_have_a_path_of_their_own() -> None:
    """Signed for that one, and answered by every pod whatever its own documents say."""
    url = "wss://voice.example.com/media"
    assert knock("/media", signature(url)) is True
    assert knock("/media", None) is False
    assert knock("/media", signature(MEDIA_URL)) is Refusal.SIGNATURE
    assert knock(MEDIA_PATH, signature(url)) is Refusal.SIGNATURE


async def test_a_ticket_without_a_pod_gets_the_call_that_is_here() -> None:
    """At once, as one that names this pod."""
    async with at_the_gate(ANY_POD) as here:
        ticket = await here.ticket()
        assert not ticket.pinned
        async with here.stream(tickets.sign(ticket, KEY), path="/media"):
            await until(lambda: here.spent() == 1)
            assert here.office.slots.bound == 1


async def test_a_ticket_without_a_pod_brings_the_call_here() -> None:
    """Another pod had answered the webhook. Its slot comes, then it is the stream's."""
    stores = Stores()
    other = ANY_POD._replace(pod=PodName("pod-1"), incarnation=Incarnation("b"))
    async with office(me=ANY_POD, stores=stores) as first, at_the_gate(other, stores) as here:
        ticket = (await first.ring(FIRST)).ticket
        stores.journal.now_ms += 1000
        async with here.stream(tickets.sign(ticket, KEY), path="/media") as peer:
            await until(lambda: here.spent() == 1)
            assert (here.office.slots.bound, first.door.given) == (1, 0)
            stop = twilio.Stop(twilio.StopFields("AC1", FIRST), STREAM, "3")
            peer.send(twilio.encode(stop))
            assert await peer.closed() == 1000
        assert here.refused() == {}
        await first.reception.membership.tell()
        await first.until_empty()


async def test_a_ticket_without_a_pod_is_looked_at_as_any_other() -> None:
    """Another call's, an expired one, one of nobody's call, one whose call was here and ended."""
    async with at_the_gate(ANY_POD) as here:
        ticket = await here.ticket()
        good = tickets.sign(ticket, KEY)
        await refused_with(here, good, Refusal.FOREIGN_TICKET, call=SECOND)
        unknown = tickets.sign(replace(ticket, call=SECOND), KEY)
        await refused_with(here, unknown, Refusal.NO_CALL, call=SECOND)
        old = tickets.sign(replace(ticket, epoch=Epoch(ticket.epoch - 1)), KEY)
        await refused_with(here, old, Refusal.STALE_TICKET)
        here.late_ms = TICKET_LIFE_MS + 1
        await refused_with(here, unknown, Refusal.EXPIRED_TICKET, call=SECOND)
        here.office.status(FIRST, "canceled")
        await here.office.until_empty()
        here.late_ms = 0
        await refused_with(here, good, Refusal.NO_CALL)
