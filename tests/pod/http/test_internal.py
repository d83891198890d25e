"""The internal port: health, metrics, and the calls, live and logged."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest
from pydantic import JsonValue

from chains import BEGUN_MS, CALL, ENDED, OPENED, OTHER_CALL, RECEIVED, chain
from pod.edge import Reply, Upgrade, ask, get, post, served
from pod.stores import FailingBook
from trunkline.core.ids import CallSid
from trunkline.core.record import Entry
from trunkline.errors import StoreError
from trunkline.pod.http.internal import LiveCallView, PodView, internal_app
from trunkline.ports import LoggedCall
from trunkline.telemetry.metrics import CONTENT_TYPE, Metrics

pytestmark = pytest.mark.anyio

VIEW = PodView(
    pod="pod-0",
    incarnation="a",
    draining=False,
    calls_active=2,
    calls_reserved=1,
    calls_max=50,
    sessions={"idle": 8},
    media_sockets=2,
    facts_backlog=3,
)
LIVE = LiveCallView(call=CALL, agent="reception", phase="talking", seconds=1.5)


class Book(FailingBook):
    """A call log that can also be away for readers."""

    async def calls(self, *, limit: int, before_ms: int | None = None) -> list[LoggedCall]:
        self._answer()
        return await super().calls(limit=limit, before_ms=before_ms)

    async def call(self, call: CallSid) -> LoggedCall | None:
        self._answer()
        return await super().call(call)

    async def entries(self, call: CallSid) -> list[Entry]:
        self._answer()
        return await super().entries(call)

    def _answer(self) -> None:
        if self.away:
            raise StoreError("away")


@dataclass
class Port:
    """The internal port, and what it shows."""

    number: int
    book: FailingBook
    metrics: Metrics
    ready: bool = True
    shown: Sequence[LiveCallView] = field(default=(LIVE,))

    def view(self) -> PodView:
        return VIEW

    def live_calls(self) -> list[LiveCallView]:
        return list(self.shown)

    async def get(self, path: str) -> Reply:
        return await ask(self.number, get(path))

    async def json(self, path: str) -> JsonValue:
        reply = await self.get(path)
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/json"
        value: JsonValue = msgspec.json.decode(reply.body)
        return value


@asynccontextmanager
async def internal_port() -> AsyncIterator[Port]:
    port = Port(0, Book(), Metrics())
    app = internal_app(port, port.book, port.metrics, ready=lambda: port.ready, version="1.2.3")
    async with served(app) as port.number:
        yield port


async def test_health_is_that_it_answers_and_readiness_that_it_works() -> None:
    """A pod that is not ready is healthy all the same: it must not be killed for it."""
    async with internal_port() as port:
        ready = await port.get("/readyz")
        port.ready = False
        not_ready, healthy = await port.get("/readyz"), await port.get("/healthz")
        assert (ready.status, ready.body) == (200, b"ready\n")
        assert (not_ready.status, not_ready.body) == (503, b"not ready\n")
        assert (healthy.status, healthy.body) == (200, b"ok\n")


async def test_metrics_are_in_prometheus_format() -> None:
    """With its content type, and what was counted."""
    async with internal_port() as port:
        port.metrics.webhook_refused("bad_signature")
        reply = await port.get("/metrics")
        assert reply.headers["content-type"] == CONTENT_TYPE
        assert b'webhooks_refused_total{reason="bad_signature"} 1' in reply.body


async def test_the_pod_and_its_live_calls_are_shown() -> None:
    """Counts of now, and each call without a number or a word of its caller."""
    async with internal_port() as port:
        assert await port.json("/api/v1/pod") == VIEW.model_dump()
        assert await port.json("/api/v1/live") == [LIVE.model_dump()]
        port.shown = ()
        assert await port.json("/api/v1/live") == []


async def log_two_calls(port: Port) -> None:
    whole = chain(CALL, RECEIVED, OPENED, ENDED)
    begun = chain(OTHER_CALL, RECEIVED, begun_ms=BEGUN_MS + 60_000)
    both = [(CALL, entry) for entry in whole] + [(OTHER_CALL, entry) for entry in begun]
    await port.book.write(both)


async def test_logged_calls_are_listed_newest_first() -> None:
    """As many as are asked for, older ones by the time of the last one shown."""
    async with internal_port() as port:
        await log_two_calls(port)
        newest, oldest = await rows(port, "")
        assert (newest["call"], oldest["call"]) == (OTHER_CALL, CALL)
        assert oldest == {
            "call": CALL,
            "direction": "inbound",
            "from_number": "+15550100001",
            "to_number": "+15550100002",
            "agent": "reception",
            "tenant": "clinic",
            "vertical": "healthcare",
            "pod": "pod-0",
            "started_at_ms": BEGUN_MS,
            "answered_at_ms": BEGUN_MS + 1000,
            "ended_at_ms": BEGUN_MS + 2000,
            "outcome": "caller_ended",
            "reason": "stop",
            "facts": 3,
        }
        assert (newest["answered_at_ms"], newest["outcome"], newest["facts"]) == (None, None, 1)
        assert await rows(port, "?limit=1") == [newest]
        assert await rows(port, f"?before_ms={newest['started_at_ms']}") == [oldest]


async def rows(port: Port, query: str) -> list[dict[str, object]]:
    listed = await port.json(f"/api/v1/calls{query}")
    return msgspec.convert(listed, list[dict[str, object]])


async def test_one_call_is_shown_with_its_facts() -> None:
    """The row is the list's; the facts are the chain, in order."""
    async with internal_port() as port:
        await log_two_calls(port)
        listed = await rows(port, "")
        assert await port.json(f"/api/v1/calls/{CALL}") == listed[1]
        facts = await port.json(f"/api/v1/calls/{CALL}/facts")
        assert facts == [
            {
                "seq": entry.seq,
                "at_ms": entry.at_ms,
                "epoch": entry.epoch,
                "kind": entry.kind,
                "payload": entry.payload,
                "hash": entry.hash,
            }
            for entry in chain(CALL, RECEIVED, OPENED, ENDED)
        ]


async def test_a_call_that_is_not_logged_is_answered_404() -> None:
    """Its row is not found; of facts it has none."""
    async with internal_port() as port:
        assert (await port.get(f"/api/v1/calls/{CALL}")).status == 404
        assert await port.json(f"/api/v1/calls/{CALL}/facts") == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/calls?limit=0",
        "/api/v1/calls?limit=1001",
        "/api/v1/calls?limit=ten",
        "/api/v1/calls?before_ms=-1",
        f"/api/v1/calls?before_ms={10**30}",
        "/api/v1/calls?before_ms=253402300800000",
        "/api/v1/calls/CA1",
        "/api/v1/calls/" + "CA" + "1" * 32 + "%0A",
        "/api/v1/calls/CA" + "A" * 32,
        "/api/v1/calls/x/facts",
    ],
)
async def test_what_can_not_be_asked_is_answered_422(path: str) -> None:
    """Before a store is: out of its bounds, or no call's name."""
    async with internal_port() as port:
        assert (await port.get(path)).status == 422


async def test_a_call_log_that_is_away_is_answered_503() -> None:
    """What the pod itself knows is shown all the same."""
    async with internal_port() as port:
        port.book.away = True
        for path in ("/api/v1/calls", f"/api/v1/calls/{CALL}", f"/api/v1/calls/{CALL}/facts"):
            assert (await port.get(path)).status == 503
        assert await port.json("/api/v1/pod") == VIEW.model_dump()
        assert (await port.get("/readyz")).status == 200


async def test_the_api_is_described_and_read_only() -> None:
    """OpenAPI with every path; nothing here changes anything, and media is not here."""
    async with internal_port() as port:
        described = await port.json("/openapi.json")
        paths = msgspec.convert(described, dict[str, object])["paths"]
        assert isinstance(paths, dict)
        assert set(paths) == {
            "/healthz", "/readyz", "/metrics", "/api/v1/pod", "/api/v1/live", "/api/v1/calls",
            "/api/v1/calls/{sid}", "/api/v1/calls/{sid}/facts",
        }  # fmt: skip
        for path in paths:
            assert (await ask(port.number, post(path))).status == 405
        for path in ("/docs", "/redoc", "/twilio/voice", "/healthz/", "/"):
            reply = await port.get(path)
            assert reply.status == 404
            assert "location" not in reply.headers
        media = Upgrade(path="/pods/pod-0/media").encode()
        assert (await ask(port.number, media)).status == 404
