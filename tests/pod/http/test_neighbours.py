"""The internal port for other pods, asked by the client that pods use, and by strangers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI

from pod.edge import ask, get, post, served
from trunkline.adapters.neighbour_http import HttpNeighbours
from trunkline.core import neighbour_proof as proof
from trunkline.core.fleet_states import Life
from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.core.neighbour_words import (
    BODY_BYTES_MAX,
    Answer,
    Caller,
    Receive,
    Take,
    Told,
    Word,
    encode,
)
from trunkline.pod.http.neighbours import neighbour_routes
from trunkline.ports import PodAt

pytestmark = pytest.mark.anyio

CALL = CallSid("CA" + "1" * 32)
KEY = proof.key_of(b"0123456789abcdef0123456789abcdef")
LIFE = Life(PodName("pod-1"), Incarnation("b"))
NOW_MS = 1_790_000_000_000
CALLER = Caller("inbound", "+15550100099", "+15550100001")
RECEIVE = Receive(CALLER, "m")
PATH = f"/internal/lives/b/calls/{CALL}"


@dataclass
class Pod:
    """What was ordered of it."""

    ordered: list[object] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    port: int = 0

    def word(self, call: CallSid) -> Word:
        self.ordered.append(call)
        return Word("live", streaming=True)

    async def receive(self, call: CallSid, order: Receive) -> Answer:
        self.ordered.append((call, order))
        return Answer("<Response/>")

    async def take(self, call: CallSid, order: Take) -> Answer:
        self.ordered.append((call, order))
        return Answer(refused="stale")

    def told(self, call: CallSid, status: str) -> None:
        self.ordered.append((call, status))

    def drain(self) -> None:
        self.ordered.append("drain")

    def at(self, life: Life = LIFE) -> PodAt:
        """Where it is."""
        return PodAt(life, f"http://127.0.0.1:{self.port}")


@asynccontextmanager
async def pod() -> AsyncIterator[Pod]:
    """A pod's internal port."""
    here = Pod()
    app = FastAPI()
    app.include_router(
        neighbour_routes(here, LIFE.incarnation, KEY, lambda: NOW_MS, here.refused.append)
    )
    async with served(app) as here.port:
        yield here


async def test_what_a_neighbour_asks_and_orders() -> None:
    """Each as it was said, and its answer as it was given."""
    async with pod() as here, HttpNeighbours(KEY, lambda: NOW_MS + 30_000) as us:
        take = Take(CALLER, 7, 3, "0" * 64, 1_000, 2_000, "m", "migrated", "pod-0")
        assert await us.word(here.at(), CALL) == Word("live", streaming=True)
        assert await us.receive(here.at(), CALL, RECEIVE) == Answer("<Response/>")
        assert await us.take(here.at(), CALL, take) == Answer(refused="stale")
        await us.tell(here.at(), CALL, Told("completed"))
        assert await us.drain(here.at())
        assert here.ordered == [CALL, (CALL, RECEIVE), (CALL, take), (CALL, "completed"), "drain"]
        assert here.refused == []


async def test_a_former_life_s_orders_find_nobody() -> None:
    """The pod was started again: its calls are others'."""
    async with pod() as here, HttpNeighbours(KEY, lambda: NOW_MS) as us:
        before = here.at(Life(LIFE.pod, Incarnation("a")))
        assert await us.word(before, CALL) is None
        assert await us.receive(before, CALL, RECEIVE) is None
        assert not await us.drain(before)
        assert here.ordered == []


async def test_another_key_orders_nothing() -> None:
    """Nor do clocks that are too far apart; both are counted."""
    async with pod() as here:
        other = proof.key_of(b"another key of many characters")
        for key, now_ms in ((other, NOW_MS), (KEY, NOW_MS + proof.APART_MS_MAX + 1)):
            async with HttpNeighbours(key, lambda now_ms=now_ms: now_ms) as us:  # type: ignore[misc]
                assert await us.word(here.at(), CALL) is None
                assert await us.receive(here.at(), CALL, RECEIVE) is None
        assert here.ordered == []
        assert here.refused == ["neighbour"] * 4


async def test_strangers_learn_nothing() -> None:
    """Unsigned, signed for another path, malformed though signed, too big, no call's name."""
    async with pod() as here:
        body = encode(RECEIVE)
        elsewhere = proof.sign(KEY, NOW_MS, "POST", "/internal/other", body)
        garbage = proof.sign(KEY, NOW_MS, "POST", f"{PATH}/receive", b"{}")
        asked = [
            (get(PATH), 403),
            (post(f"{PATH}/receive", body), 403),
            (post(f"{PATH}/receive", body, {proof.HEADER: elsewhere}), 403),
            (post(f"{PATH}/receive", b"{}", {proof.HEADER: garbage}), 400),
            (post(f"{PATH}/told", b"x" * (BODY_BYTES_MAX + 1)), 413),
            (get("/internal/lives/b/calls/CAxyz"), 422),
        ]
        for request, status in asked:
            assert (await ask(here.port, request)).status == status
        assert here.ordered == []
