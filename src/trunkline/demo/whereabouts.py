"""Which pod carries which call: asked of the pods, for the demo's table."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import aiohttp
import msgspec

from trunkline.demo.child import Child

LOOK_S: Final = 0.5
"""How often the pods are asked."""

ANSWER_S_MAX: Final = 2.0
"""So long a pod may take to answer; until it does, what it said before is shown."""


class _Pod(msgspec.Struct, frozen=True):
    pod: str


class _Live(msgspec.Struct, frozen=True):
    call: str


class Whereabouts:
    """The calls of several pods; of one pod nobody asks."""

    def __init__(self, child: Child, http: aiohttp.ClientSession) -> None:
        self.pods: Mapping[str, Sequence[str]] = {}
        """Each pod's calls, by its name; empty if there is one pod."""
        self._urls = child.internal_urls
        self._http = http

    async def look(self) -> None:
        """Ask until cancelled."""
        while len(self._urls) > 1:
            found = dict(self.pods)
            for url in self._urls:
                with suppress(aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
                    name = msgspec.json.decode(await self._get(f"{url}/api/v1/pod"), type=_Pod).pod
                    lives = await self._get(f"{url}/api/v1/live")
                    calls = msgspec.json.decode(lives, type=list[_Live])
                    found[name] = [live.call for live in calls]
            self.pods = found
            await asyncio.sleep(LOOK_S)

    async def _get(self, url: str) -> bytes:
        timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
        async with self._http.get(url, timeout=timeout) as answer:
            return await answer.read()
