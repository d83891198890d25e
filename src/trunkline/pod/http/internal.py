"""What we ask: health, metrics, and the calls, live and logged. Never reachable from outside."""

from collections.abc import Callable
from typing import Annotated, Final, Protocol

from fastapi import FastAPI, HTTPException, Path, Query, Response
from pydantic import BaseModel

from trunkline.core.ids import CallSid
from trunkline.errors import StoreError
from trunkline.ports import CallBook, LoggedCall
from trunkline.telemetry.metrics import CONTENT_TYPE, Metrics

CALLS_MAX: Final = 1_000
"""Calls of one answer; more are asked for with `before_ms`."""

MS_MAX: Final = 253_402_300_799_999
"""The last moment of the year 9999: no store knows a later one."""

Sid = Annotated[str, Path(pattern="^CA[0-9a-f]{32}$")]


class PodView(BaseModel):
    """What this pod is doing."""

    pod: str
    incarnation: str
    draining: bool
    calls_active: int
    calls_reserved: int
    calls_max: int
    sessions: dict[str, int]
    media_sockets: int
    facts_backlog: int


class LiveCallView(BaseModel):
    """One call that this pod carries."""

    call: str
    agent: str
    phase: str
    seconds: float


class CallView(BaseModel):
    """One row of the call log; times in ms since 1970."""

    call: str
    direction: str
    from_number: str
    to_number: str
    agent: str
    tenant: str
    vertical: str
    pod: str
    started_at_ms: int
    answered_at_ms: int | None
    ended_at_ms: int | None
    outcome: str | None
    reason: str | None
    facts: int


class FactView(BaseModel):
    """One fact of a call: `payload` is its JSON text."""

    seq: int
    at_ms: int
    epoch: int
    kind: str
    payload: str
    hash: str


class PodState(Protocol):
    """What the pod says of itself."""

    def view(self) -> PodView:
        """Counts of now."""
        ...

    def live_calls(self) -> list[LiveCallView]:
        """The calls carried now."""
        ...


def internal_app(
    state: PodState,
    book: CallBook,
    metrics: Metrics,
    *,
    ready: Callable[[], bool],
    version: str,
) -> FastAPI:
    """The internal port's application."""
    app = FastAPI(
        title="Trunkline pod",
        version=version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_health(app, metrics, ready)
    _add_pod(app, state)
    _add_call_log(app, book)
    return app


def _add_health(app: FastAPI, metrics: Metrics, ready: Callable[[], bool]) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz")
    async def readyz() -> Response:
        """Working, or not; a full pod works."""
        if ready():
            return Response("ready\n", media_type="text/plain")
        return Response("not ready\n", status_code=503, media_type="text/plain")

    @app.get("/metrics")
    async def render_metrics() -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)


def _add_pod(app: FastAPI, state: PodState) -> None:
    @app.get("/api/v1/pod")
    async def pod() -> PodView:
        return state.view()

    @app.get("/api/v1/live")
    async def live() -> list[LiveCallView]:
        return state.live_calls()


def _add_call_log(app: FastAPI, book: CallBook) -> None:
    @app.get("/api/v1/calls")
    async def calls(
        limit: Annotated[int, Query(ge=1, le=CALLS_MAX)] = 50,
        before_ms: Annotated[int, Query(ge=0, le=MS_MAX)] | None = None,
    ) -> list[CallView]:
        try:
            rows = await book.calls(limit=limit, before_ms=before_ms)
        except StoreError as error:
            raise HTTPException(503, "the call log does not answer") from error
        return [_call_view(row) for row in rows]

    @app.get("/api/v1/calls/{sid}")
    async def call(sid: Sid) -> CallView:
        try:
            row = await book.call(CallSid(sid))
        except StoreError as error:
            raise HTTPException(503, "the call log does not answer") from error
        if row is None:
            raise HTTPException(404, "no such call")
        return _call_view(row)

    @app.get("/api/v1/calls/{sid}/facts")
    async def facts(sid: Sid) -> list[FactView]:
        try:
            entries = await book.entries(CallSid(sid))
        except StoreError as error:
            raise HTTPException(503, "the call log does not answer") from error
        return [
            FactView(
                seq=entry.seq,
                at_ms=entry.at_ms,
                epoch=entry.epoch,
                kind=entry.kind,
                payload=entry.payload,
                hash=entry.hash,
            )
            for entry in entries
        ]


def _call_view(row: LoggedCall) -> CallView:
    return CallView.model_validate(row, from_attributes=True)
