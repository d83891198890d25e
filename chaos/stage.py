"""Pods, their ingress and stores, between a simulated carrier and a simulated model."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
import psutil

from trunkline.demo import child
from trunkline.demo.child import Child
from trunkline.errors import TrunklineError
from trunkline.loadtest.ends import Ends, Wanted, own_environ
from trunkline.sim.carrier.account import AUTH_TOKEN
from trunkline.sim.carrier.faults import AfterLoss, Faults
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.serve_carrier import CarrierOptions, serve_carrier
from trunkline.sim.serve_realtime import serve_realtime
from trunkline.sim.speech import recorded

STEM: Final = "chaos"
"""Pods are chaos-0, chaos-1, …"""

AFTER_LOSS_S: Final = 1.0
"""From a stream's loss to the carrier's next verb."""

ANSWER_S_MAX: Final = 2.0
"""So long a pod may take to say what it carries."""

TO: Final = "+15550100001"


@dataclass(frozen=True, slots=True)
class Wish:
    """How large the stage shall be."""

    folder: Path
    pods: int
    calls: int
    cap: int
    """Of each pod."""
    rest: bool
    """The next verb never runs: the pods must ask for it over REST."""
    call_s: float = 0.0
    """So long each call; then the next takes its place. 0: all stay until the end."""
    drain_s_max: float = 60.0


class _Live(msgspec.Struct, frozen=True):
    call: str


class Stage:
    """All processes, by what they are."""

    def __init__(
        self, wish: Wish, ends: Ends, pods: Child, environ: Mapping[str, str], log: Path
    ) -> None:
        self.wish = wish
        self.ends = ends
        self.environ = environ
        self.log = log
        self._pods = pods

    @property
    def names(self) -> Sequence[str]:
        """The pods'."""
        return [f"{STEM}-{number}" for number in range(self.wish.pods)]

    async def calls_of(self, pod: str) -> int | None:
        """How many calls it carries; None where it does not answer."""
        url = f"{self._pods.internal_urls[self.names.index(pod)]}/api/v1/live"
        timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
        with suppress(aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            async with self.ends.http.get(url, timeout=timeout) as answer:
                return len(msgspec.json.decode(await answer.read(), type=list[_Live]))
        return None

    async def busiest(self) -> str:
        """The pod with the most calls."""
        counted = [(await self.calls_of(name) or 0, name) for name in self.names]
        return max(counted)[1]

    async def is_ready(self, pod: str) -> bool:
        """Whether it takes calls."""
        url = f"{self._pods.internal_urls[self.names.index(pod)]}/readyz"
        timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.ends.http.get(url, timeout=timeout) as answer:
                return answer.ok
        return False

    async def pod(self, name: str) -> psutil.Process:
        """A pod's present process. In a thread: calls are paced here meanwhile.

        Raises:
            TrunklineError: it has none.
        """
        process = await asyncio.to_thread(self._pod, name)
        if process is None:
            raise TrunklineError(f"{name} is not there")
        return process

    async def called(self, *names: str) -> list[psutil.Process]:
        """The processes of a program. In a thread, as above."""
        return await asyncio.to_thread(self._called, names)

    def _pod(self, name: str) -> psutil.Process | None:
        for each in self._family():
            with suppress(psutil.Error):
                if each.environ().get("TRUNKLINE_POD_NAME") == name:
                    return each
        return None

    def _called(self, names: Sequence[str]) -> list[psutil.Process]:
        found = []
        for each in self._family():
            with suppress(psutil.Error):
                if each.name() in names:
                    found.append(each)
        return found

    def _family(self) -> Iterator[psutil.Process]:
        yield from psutil.Process(self._pods.pid).children(recursive=True)


@asynccontextmanager
async def stage(wish: Wish) -> AsyncIterator[Stage]:
    """Start all of it; with it all goes.

    Raises:
        TrunklineError: the pods did not start.
    """
    after = AfterLoss.NOTHING if wish.rest else AfterLoss.NEXT_VERB
    usual = Faults(after_loss=after, after_loss_s=AFTER_LOSS_S)
    log = wish.folder / "pods.log"
    wanted = replace(_WANTED, data_dir=wish.folder, calls=wish.calls)
    model_options = RealtimeSimOptions(keep_audio=False, marks=True)
    carrier_options = CarrierOptions(
        voice=recorded(), voice_url="http://127.0.0.1/", marks_from=1, rest_port=0
    )
    async with (
        aiohttp.ClientSession() as http,
        serve_realtime("127.0.0.1", 0, model_options) as model,
        serve_carrier(carrier_options) as carrier,
    ):
        assert carrier.api_url is not None
        given = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            **own_environ(wanted, model.url),
            "TRUNKLINE_POD_NAME": STEM,
            "TRUNKLINE_CALLS_MAX": str(wish.cap),
            "TRUNKLINE_CALLS_TARGET": str(wish.cap),
            "TRUNKLINE_DRAIN_S_MAX": str(wish.drain_s_max),
            "TRUNKLINE_TWILIO_API_URL": carrier.api_url,
        }
        async with child.pod(given, log=log, http=http, pods=wish.pods) as pods:
            url = pods.public_url
            ends = Ends(
                carrier, model, f"{url}/twilio/voice", f"{url}/twilio/status", wanted, None, http
            )
            ends.usual = usual
            yield Stage(wish, ends, pods, given, log)


_WANTED = Wanted(
    url=None,
    to=TO,
    auth_token=AUTH_TOKEN,
    status_url=None,
    ca_file=None,
    model_port=None,
    marks=True,
    metrics_url=None,
    data_dir=Path(),
    calls=0,
)
