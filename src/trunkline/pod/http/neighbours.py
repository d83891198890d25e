"""What other pods ask of this one and order it to do, on the internal port; each request signed."""

from collections.abc import Callable
from typing import Annotated, Final, Protocol, TypeVar

from fastapi import APIRouter, HTTPException, Path, Request, Response

from trunkline.core import neighbour_proof as proof
from trunkline.core import neighbour_words as words
from trunkline.core.ids import CallSid, Incarnation
from trunkline.core.neighbour_words import Answer, Body, Receive, Take, Told, Word
from trunkline.errors import NeighbourProtocolError

Sid = Annotated[str, Path(pattern="^CA[0-9a-f]{32}$")]

JSON: Final = "application/json"

B = TypeVar("B", bound=Body)


class Ordered(Protocol):
    """Who knows this pod's calls, and begins and takes over others."""

    def word(self, call: CallSid) -> Word:
        """What this pod knows of a call."""
        ...

    async def receive(self, call: CallSid, order: Receive) -> Answer:
        """Answer a new call that has a slot here."""
        ...

    async def take(self, call: CallSid, order: Take) -> Answer:
        """Go on with a call under an epoch that names this pod."""
        ...

    def told(self, call: CallSid, status: str) -> None:
        """The carrier told another pod of the call's end."""
        ...

    def drain(self) -> None:
        """Hand over all calls, and end."""
        ...


def neighbour_routes(
    ordered: Ordered,
    incarnation: Incarnation,
    key: bytes,
    wall_ms: Callable[[], int],
    on_refused: Callable[[str], None],
) -> APIRouter:
    """The routes under /internal/lives/INCARNATION; an order for a former life finds nobody."""
    router = APIRouter(prefix="/internal/lives/{life}", include_in_schema=False)

    async def read(request: Request, life: str, kind: type[B] | None) -> B | None:
        """The body of a request that a pod of ours made of us; HTTPException otherwise."""
        text = await _body(request)
        path = request.scope["raw_path"].decode("latin-1")
        header = request.headers.get(proof.HEADER, "")
        if not proof.is_signed(key, header, wall_ms(), request.method, path, text):
            on_refused("neighbour")
            raise HTTPException(403)
        if life != incarnation:
            raise HTTPException(410)
        try:
            return None if kind is None else words.decode(text, kind)
        except NeighbourProtocolError as error:
            raise HTTPException(400) from error

    @router.get("/calls/{sid}")
    async def word(request: Request, life: str, sid: Sid) -> Response:
        await read(request, life, None)
        return _said(ordered.word(CallSid(sid)))

    @router.post("/calls/{sid}/receive")
    async def receive(request: Request, life: str, sid: Sid) -> Response:
        order = await read(request, life, Receive)
        assert order is not None
        return _said(await ordered.receive(CallSid(sid), order))

    @router.post("/calls/{sid}/take")
    async def take(request: Request, life: str, sid: Sid) -> Response:
        order = await read(request, life, Take)
        assert order is not None
        return _said(await ordered.take(CallSid(sid), order))

    @router.post("/calls/{sid}/told")
    async def told(request: Request, life: str, sid: Sid) -> Response:
        order = await read(request, life, Told)
        assert order is not None
        ordered.told(CallSid(sid), order.status)
        return _said(Answer())

    @router.post("/drain")
    async def drain(request: Request, life: str) -> Response:
        await read(request, life, None)
        ordered.drain()
        return _said(Answer())

    return router


async def _body(request: Request) -> bytes:
    """At most so much of it as is read; the server bounds its time."""
    text = bytearray()
    async for piece in request.stream():
        text += piece
        if len(text) > words.BODY_BYTES_MAX:
            raise HTTPException(413)
    return bytes(text)


def _said(body: Body) -> Response:
    return Response(words.encode(body), media_type=JSON)
