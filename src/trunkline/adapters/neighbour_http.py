"""Other pods, asked and ordered over their internal ports."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self, TypeVar

import aiohttp

from trunkline.core import neighbour_proof as proof
from trunkline.core import neighbour_words as words
from trunkline.core.ids import CallSid
from trunkline.core.neighbour_words import Answer, Body, Receive, Take, Told, Word
from trunkline.errors import NeighbourProtocolError
from trunkline.ports import PodAt

WORD_S_MAX: Final = 0.2
"""So long a pod may take to say what it knows of a call: then it is taken for dead."""

ORDER_S_MAX: Final = 4.0
"""So long it may take to answer a call: its context hook has a second, its stores the rest. The
carrier waits for 15 s."""

CONNECTIONS_MAX: Final = 100
"""Orders to other pods at once; the next one waits, within its deadline. Questions do not wait for
orders, which take longer than their answer may: who waited in vain would be taken for dead."""

QUESTIONS_MAX: Final = 500
"""Questions to other pods at once."""

B = TypeVar("B", bound=Body)


class HttpNeighbours:
    """`ports.Neighbours` by HTTP; open it with `async with` inside the loop."""

    def __init__(self, key: bytes, wall_ms: Callable[[], int]) -> None:
        self._key = key
        self._wall_ms = wall_ms
        self._orders: aiohttp.ClientSession | None = None
        self._questions: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._orders = _session(CONNECTIONS_MAX)
        self._questions = _session(QUESTIONS_MAX)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._orders is not None
        assert self._questions is not None
        await self._orders.close()
        await self._questions.close()

    async def word(self, at: PodAt, call: CallSid) -> Word | None:
        """What it knows of a call: asked before its call is taken over."""
        return await self._ask("GET", at, f"/calls/{call}", b"", Word, WORD_S_MAX)

    async def receive(self, at: PodAt, call: CallSid, order: Receive) -> Answer | None:
        """Have it answer a new call that has a slot there."""
        return await self._order(at, call, "/receive", order)

    async def take(self, at: PodAt, call: CallSid, order: Take) -> Answer | None:
        """Have it go on with a call under an epoch that names it."""
        return await self._order(at, call, "/take", order)

    async def tell(self, at: PodAt, call: CallSid, told: Told) -> None:
        """Pass on what the carrier told of a call's end; nothing comes of it if it is away."""
        await self._order(at, call, "/told", told)

    async def drain(self, at: PodAt) -> bool:
        """Have it hand over its calls and end; whether it heard."""
        return await self._ask("POST", at, "/drain", b"", Answer, ORDER_S_MAX) is not None

    async def _order(self, at: PodAt, call: CallSid, deed: str, order: Body) -> Answer | None:
        body = words.encode(order)
        return await self._ask("POST", at, f"/calls/{call}{deed}", body, Answer, ORDER_S_MAX)

    async def _ask(
        self,
        method: str,
        at: PodAt,
        deed: str,
        body: bytes,
        kind: type[B],
        wait_s_max: float,
    ) -> B | None:
        session = self._questions if method == "GET" else self._orders
        assert session is not None
        path = f"/internal/lives/{at.life.incarnation}{deed}"
        header = proof.sign(self._key, self._wall_ms(), method, path, body)
        try:
            async with (
                asyncio.timeout(wait_s_max),
                session.request(
                    method,
                    at.address.rstrip("/") + path,
                    data=body,
                    headers={proof.HEADER: header, "Content-Type": "application/json"},
                    allow_redirects=False,
                ) as response,
            ):
                if response.status != HTTPStatus.OK:
                    return None
                text = await response.content.read(words.BODY_BYTES_MAX + 1)
                while len(text) <= words.BODY_BYTES_MAX and not response.content.at_eof():
                    text += await response.content.read(words.BODY_BYTES_MAX + 1)
                return words.decode(text, kind)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, NeighbourProtocolError):
            return None


def _session(connections_max: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # A pod that died leaves its connections behind: an order is not sent twice, so each has a
        # connection of its own.
        connector=aiohttp.TCPConnector(limit=connections_max, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    )
