"""The public URL, led rightly and wrongly, with good certificates and bad ones."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
import trustme
from aiohttp import web

from check.grounds import TOKEN, ground, told, whys
from check.servers import answering
from trunkline.check.items import Item, Status
from trunkline.check.public import check_public, of_failure
from trunkline.core import proof
from trunkline.core.ids import Incarnation, PodName

pytestmark = pytest.mark.anyio

POD, LIFE = PodName("pod-0"), Incarnation("a1b2")


class Pod:
    """Both ports of one, as far as a check sees them."""

    def __init__(
        self, token: str = TOKEN, life: Incarnation = LIFE, *, takes_sockets: bool = True
    ) -> None:
        self.token = token.encode()
        self.life = life
        self.takes_sockets = takes_sockets
        self.asked: list[str] = []

    async def public(self, request: web.Request) -> web.StreamResponse:
        """Webhooks without a signature are refused, with a proof; media sockets are taken."""
        self.asked.append(f"{request.method} {request.path}")
        if request.path == f"/pods/{POD}/media" and self.takes_sockets:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.receive()
            return socket
        nonce = request.headers.get(proof.ASKED, "")
        told = proof.answer(self.token, POD, self.life, nonce)
        return web.Response(status=403, headers={proof.ANSWERED: told or ""})

    async def internal(self, _request: web.Request) -> web.StreamResponse:
        """Who it is."""
        return web.json_response({"pod": POD, "incarnation": self.life})


async def stranger(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=403, text="Forbidden")


async def moved(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPPermanentRedirect("https://www.example.com/path?secret=1")


async def broken(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=502)


async def ask(url: str, internal: int = 1, tls: ssl.SSLContext | None = None) -> list[Item]:
    connector = aiohttp.TCPConnector(ssl=tls or True)
    async with aiohttp.ClientSession(connector=connector) as http:
        found = ground(PUBLIC_URL=url, INTERNAL_PORT=str(internal))
        return await check_public(found, http, tls)


@asynccontextmanager
async def running(pod: Pod) -> AsyncIterator[tuple[str, int]]:
    """Its public URL and its internal port."""
    async with answering(pod.public) as public, answering(pod.internal) as internal:
        yield f"http://127.0.0.1:{public}", internal


async def test_it_leads_to_the_pod_that_runs_here() -> None:
    """Proven without a signature, by a webhook that was refused; then its media socket."""
    pod = Pod()
    async with running(pod) as (url, internal):
        items = await ask(url, internal)
    assert told(items) == [(Status.OK, "public url"), (Status.OK, "media")]
    assert items[0].why == "it leads to the pod that runs here"
    assert pod.asked == ["POST /twilio/voice", f"GET /pods/{POD}/media"]


async def test_an_ingress_that_passes_no_websocket() -> None:
    """Calls would be answered, and nobody heard."""
    async with running(Pod(takes_sockets=False)) as (url, internal):
        items = await ask(url, internal)
    assert told(items) == [(Status.OK, "public url"), (Status.FAIL, "media")]
    assert "answered 403" in items[1].why


async def test_it_leads_to_another_pod() -> None:
    """Of ours, or of somebody's with another token."""
    other = Pod(life=Incarnation("c3d4"))
    async with answering(other.public) as public, answering(Pod().internal) as internal:
        items = await ask(f"http://127.0.0.1:{public}", internal)
        assert told(items) == [(Status.WARN, "public url")]
        assert told(await ask(f"http://127.0.0.1:{public}")) == [(Status.OK, "public url")]
    foreign = Pod(token="another")
    async with answering(foreign.public) as public:
        items = await ask(f"http://127.0.0.1:{public}")
    assert told(items) == [(Status.FAIL, "public url")]
    assert "another auth token" in items[0].why


async def test_a_stranger_answers() -> None:
    """Also one who refuses as we do. Where no pod runs it may be the tunnel's own page."""
    for handler in (stranger, broken):
        async with answering(handler) as public, answering(Pod().internal) as internal:
            items = await ask(f"http://127.0.0.1:{public}", internal)
            assert told(items) == [(Status.FAIL, "public url")]
            assert "another server answers" in items[0].why
            items = await ask(f"http://127.0.0.1:{public}")
            assert told(items) == [(Status.WARN, "public url")]
            assert "no pod runs here" in items[0].why


async def test_a_redirect_is_not_followed() -> None:
    """Its host is said, and no more of it."""
    async with answering(moved) as public:
        items = await ask(f"http://127.0.0.1:{public}")
    assert told(items) == [(Status.FAIL, "public url")]
    assert "https://www.example.com:" in items[0].why
    assert "secret" not in whys(items)


async def test_nothing_answers() -> None:
    """A closed port; a name that nobody knows; a server that speaks no TLS."""
    assert "nothing answers there" in whys(await ask("http://127.0.0.1:1"))
    async with answering(stranger) as public:
        items = await ask(f"https://127.0.0.1:{public}")
    assert told(items) == [(Status.FAIL, "certificate")]
    assert of_failure(TimeoutError(), None).why == "no answer in time"


@pytest.mark.parametrize(
    ("days", "host", "status", "why"),
    [
        (90, "localhost", Status.OK, "valid for 90 more days"),
        (5, "localhost", Status.WARN, "valid for 5 more days"),
        (-1, "localhost", Status.FAIL, "certificate has expired"),
        (90, "other.example.com", Status.FAIL, "mismatch"),
    ],
)
async def test_certificates(days: int, host: str, status: Status, why: str) -> None:
    """Valid for long, for days, no more, and for another host."""
    authority = trustme.CA()
    now = datetime.now(UTC)
    made = authority.issue_cert(
        host, not_before=now - timedelta(days=30), not_after=now + timedelta(days=days, hours=1)
    )
    served, trusting = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
    )
    made.configure_cert(served)
    authority.configure_trust(trusting)
    async with answering(Pod().public, served) as port:
        items = await ask(f"https://localhost:{port}", tls=trusting)
    (item,) = [item for item in items if item.what == "certificate"]
    assert item.status is status
    assert why in item.why
    assert item.status is Status.OK or item.remedy


async def test_a_certificate_of_nobody_s() -> None:
    """Self-signed, or its chain is not whole."""
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(served)
    async with answering(Pod().public, served) as port:
        items = await ask(f"https://localhost:{port}")
    assert told(items) == [(Status.FAIL, "certificate")]
    assert "not trusted" in items[0].why
