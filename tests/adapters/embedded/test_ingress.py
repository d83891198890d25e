"""Traefik itself, started by us, before servers that are no pods."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import pytest
import trustme
from aiohttp import web

from servers import HOST, free_port
from trunkline.adapters.embedded.ingress import Ingress, check_certificate
from trunkline.adapters.embedded.kept import Kept
from trunkline.adapters.embedded.routes import Backend, Certificate
from trunkline.core.ids import PodName
from trunkline.errors import SettingsError

pytestmark = pytest.mark.anyio

SOON_S: Final = 20.0
MANY: Final = 12
"""Webhooks: enough that each pod would be offered some."""


class StandIn:
    """A server in a pod's place: says its name to whoever comes."""

    def __init__(self, name: str) -> None:
        self.ready = True
        self.breaks_off = False
        self.taken = 0
        self.backend = Backend(
            PodName(name), f"http://{HOST}:{free_port()}", f"http://{HOST}:{free_port()}"
        )
        self._runners: list[web.AppRunner] = []

    async def start(self) -> None:
        public, internal = web.Application(), web.Application()
        public.router.add_post("/twilio/voice", self._webhook)
        for path in (f"/pods/{self.backend.pod}/media", "/media"):
            public.router.add_get(path, self._stream)
        internal.router.add_get("/readyz", self._readyz)
        for app, url in ((public, self.backend.public_url), (internal, self.backend.internal_url)):
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, HOST, int(url.rpartition(":")[2])).start()
            self._runners.append(runner)

    async def stop(self) -> None:
        """Its ports are nobody's from now on."""
        while self._runners:
            await self._runners.pop().cleanup()

    async def _webhook(self, request: web.Request) -> web.Response:
        await request.read()
        self.taken += 1
        if self.breaks_off:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text=self.backend.pod)

    async def _readyz(self, request: web.Request) -> web.Response:
        del request
        return web.Response(status=200 if self.ready else 503)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        async for message in stream:
            await stream.send_str(f"{self.backend.pod} {message.data}")
        return stream


class Front:
    """An ingress before two of them."""

    def __init__(self, ingress: Ingress, url: str, http: aiohttp.ClientSession) -> None:
        self.ingress, self.url, self.http = ingress, url, http
        self.pods = [StandIn("pod-0"), StandIn("pod-1")]

    async def follow(self, version: str) -> None:
        """Write the routes anew, and wait until they are followed."""
        self.ingress.write([pod.backend for pod in self.pods], version)
        async with asyncio.timeout(SOON_S):
            while not await self.ingress.follows(version, self.http):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)

    async def webhooks(self, count: int = MANY) -> set[str]:
        """Who answers; each must be answered."""
        names = set()
        for _ in range(count):
            async with self.http.post(f"{self.url}/twilio/voice", data={"a": "b"}) as answer:
                assert answer.status == 200
                names.add(await answer.text())
        return names

    async def until_answered_by(self, *pods: str) -> None:
        """Wait until the ingress has noticed."""
        async with asyncio.timeout(SOON_S):
            while await self.webhooks() != set(pods):
                pass


@asynccontextmanager
async def fronted(folder: Path) -> AsyncIterator[Front]:
    port = free_port()
    ingress = Ingress(folder / "ingress", HOST, port, free_port())
    said: list[str] = []
    traefik = Kept(ingress.program, said.append)
    async with aiohttp.ClientSession() as http:
        front = Front(ingress, f"http://{HOST}:{port}", http)
        everybody = list(front.pods)
        for pod in everybody:
            await pod.start()
        ingress.write([], "none")
        await traefik.start()
        try:
            await front.follow("first")
            yield front
        finally:
            traefik.end(signal.SIGTERM)
            await traefik.gone(SOON_S)
            for pod in everybody:
                await pod.stop()
    log = (folder / "ingress" / "traefik.log").read_text()
    assert "routes.yml" not in log, log  # It understood every line of them.
    assert said == []


@pytest.fixture
def front_folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert not list(tmp_path.glob("**/*.new"))


async def test_webhooks_are_answered_whoever_is_away(front_folder: Path) -> None:
    """By others while one is dead, breaks off or drains; by those that drain if all do."""
    async with fronted(front_folder) as front:
        first, second = front.pods
        assert await front.webhooks() == {"pod-0", "pod-1"}
        second.breaks_off = True
        assert await front.webhooks() == {"pod-0"}
        assert second.taken  # And what it took was offered to the other.
        second.breaks_off = False
        await first.stop()
        assert await front.webhooks() == {"pod-1"}
        await first.start()
        await front.until_answered_by("pod-0", "pod-1")
        first.ready = False
        await front.until_answered_by("pod-1")
        second.ready = False
        await front.until_answered_by("pod-0", "pod-1")


async def test_a_stream_lives_through_new_routes_and_drains(front_folder: Path) -> None:
    """It reaches the pod in its path, which need not take calls, and nothing cuts it."""
    async with fronted(front_folder) as front:
        front.pods[1].ready = False
        await front.until_answered_by("pod-0")
        async with front.http.ws_connect(f"{front.url}/pods/pod-1/media") as stream:
            await stream.send_str("before")
            assert await stream.receive_str(timeout=SOON_S) == "pod-1 before"
            del front.pods[1:]
            await front.follow("without it")
            await stream.send_str("after")
            assert await stream.receive_str(timeout=SOON_S) == "pod-1 after"
            with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
                await front.http.ws_connect(f"{front.url}/pods/pod-1/media")
        async with front.http.ws_connect(f"{front.url}/media") as stream:
            await stream.send_str("hello")
            assert await stream.receive_str(timeout=SOON_S) == "pod-0 hello"


async def test_nothing_else_is_public(front_folder: Path) -> None:
    """Neither what pods tell us, nor what Traefik does."""
    async with fronted(front_folder) as front:
        for path in ("/", "/readyz", "/metrics", "/ping", "/api/rawdata", "/routes/first", "/pods"):
            async with front.http.get(front.url + path) as answer:
                assert answer.status == 404, path


def test_the_ingress_sets_streams_no_limit_and_logs_no_path(tmp_path: Path) -> None:
    """Paths hold tokens. A request's limits end with its head, as Traefik's HTTP server has it."""
    arguments = Ingress(tmp_path / "ingress", "::1", 443, 9000).arguments()
    assert "--entrypoints.public.address=[::1]:443" in arguments
    assert "--entrypoints.public.transport.respondingtimeouts.writetimeout=0s" in arguments
    assert not [each for each in arguments if "accesslog" in each or "--api" in each]


def test_a_folder_that_can_not_be_had_is_told(tmp_path: Path) -> None:
    """One line, with the setting."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "ingress"):
        with pytest.raises(SettingsError, match="set TRUNKLINE_DATA_DIR to"):
            Ingress(folder, HOST, 1, 2)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_certificate_that_can_t_be_shown_is_told(tmp_path: Path) -> None:
    """No file; no certificate; another's key. A line names the settings."""
    one, other = (trustme.CA().issue_cert("localhost") for _ in range(2))
    chain, key, foreign = (tmp_path / name for name in ("chain.pem", "key.pem", "other.pem"))
    one.cert_chain_pems[0].write_to_path(chain)
    one.private_key_pem.write_to_path(key)
    other.private_key_pem.write_to_path(foreign)
    check_certificate(Certificate(chain, key))
    for wrong in (
        Certificate(tmp_path / "none.pem", key),
        Certificate(key, key),
        Certificate(chain, foreign),
    ):
        with pytest.raises(SettingsError, match=r"TRUNKLINE_TLS_CERT, TRUNKLINE_TLS_KEY: .+"):
            check_certificate(wrong)
    shown = Ingress(tmp_path / "ingress", HOST, 443, 9000, Certificate(chain, key))
    assert "--entrypoints.public.http.tls=true" in shown.arguments()
