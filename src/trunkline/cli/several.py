"""`trunkline up --pods N`: pods as processes, the ingress before them, and their keeper.

    with several.places(settings, pods) as held, own_stores(settings) as stores:
        several.run(given, env_file, held, stores)

Each pod is a `trunkline pod` with its own name and ports and the same stores. One that ends is
started again under its name, at its ports. We carry no call: whoever ends us ends all of them.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import uvloop

from trunkline.adapters.embedded.ingress import Ingress, check_certificate
from trunkline.adapters.embedded.kept import Kept, Program, how
from trunkline.adapters.embedded.programs import traefik_binary
from trunkline.adapters.embedded.routes import Backend, Certificate
from trunkline.adapters.embedded.stores import EmbeddedStores
from trunkline.cli.start import Start
from trunkline.cli.streams import say
from trunkline.config.setting_kinds import POD_NAME
from trunkline.config.settings import Settings
from trunkline.core.ids import PodName
from trunkline.errors import SettingsError, TrunklineError
from trunkline.pod.http.listening import hold

PORT_MAX: Final = 65535

NAME: Final = "pod"
"""Pods are called pod-0, pod-1, …, or so after TRUNKLINE_POD_NAME if that is set."""

READY_S_MAX: Final = 60.0
"""From the start of all processes until every pod takes calls; then the start fails."""

LEAVE_S_MAX: Final = 30.0
"""After its grace period a pod may take so long to write what is left; then it is killed."""

INGRESS_S_MAX: Final = 5.0
"""So long the ingress may take to end, its pods having gone; then it is killed."""

POLL_S: Final = 0.05
PROBE_S_MAX: Final = 1.0
"""Deadline of one look whether a pod takes calls."""

LOOPBACK: Final = "127.0.0.1"
ANYWHERE: Final = {"0.0.0.0": LOOPBACK, "::": "[::1]"}  # noqa: S104 - where to ask, not to listen


@dataclass(frozen=True, slots=True)
class Place:
    """One pod's name and ports."""

    name: PodName
    public_port: int
    internal_port: int
    internal_host: str

    @property
    def backend(self) -> Backend:
        """Where the ingress finds it."""
        host = ANYWHERE.get(self.internal_host, self.internal_host)
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return Backend(
            self.name,
            f"http://{LOOPBACK}:{self.public_port}",
            f"http://{host}:{self.internal_port}",
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Everybody's ports, held until they are used and as long as we live."""

    port: int
    """Of the ingress: where Twilio comes."""
    private_port: int
    """Of the ingress, on loopback."""
    pods: Sequence[Place]


def names(settings: Settings, pods: int) -> list[PodName]:
    """What the pods are called.

    Raises:
        SettingsError: TRUNKLINE_POD_NAME has no room for a number.
    """
    stem = settings.pod_name if "pod_name" in settings.model_fields_set else NAME
    found = [PodName(f"{stem}-{number}") for number in range(pods)]
    if not all(POD_NAME.fullmatch(name) for name in found):
        raise SettingsError(
            f"TRUNKLINE_POD_NAME: {found[-1]} would be too long a name for a pod; expected a"
            " shorter one"
        )
    return found


def internal_ports(settings: Settings, pods: int) -> list[int]:
    """Their internal ports, from TRUNKLINE_INTERNAL_PORT on; 0 lets the system choose each.

    Raises:
        SettingsError: they don't fit, or one is the public port.
    """
    first = settings.internal_port
    wanted = [first + number if first else 0 for number in range(pods)]
    if wanted[-1] > PORT_MAX or (first and settings.port in wanted):
        raise SettingsError(
            f"TRUNKLINE_INTERNAL_PORT: {pods} pods take the ports {wanted[0]} to {wanted[-1]};"
            f" expected none above {PORT_MAX}, and none of them TRUNKLINE_PORT ({settings.port})"
        )
    return wanted


@contextmanager
def places(settings: Settings, pods: int) -> Iterator[Places]:
    """Everybody's names and ports, before a store is started.

    Raises:
        SettingsError: no ingress, or a certificate or a port that can't be had; it names the
            setting.
    """
    traefik_binary()
    if (shown := certificate(settings)) is not None:
        check_certificate(shown)
    named, wanted = names(settings, pods), internal_ports(settings, pods)
    with ExitStack() as held:

        def port(host: str, number: int, setting: str) -> int:
            bound = held.enter_context(hold(host, number, setting))
            return int(bound.getsockname()[1])

        host = settings.internal_host
        yield Places(
            port(settings.host, settings.port, "TRUNKLINE_PORT"),
            port(LOOPBACK, 0, "TRUNKLINE_PORT"),
            [
                Place(
                    name,
                    port(LOOPBACK, 0, "TRUNKLINE_PORT"),
                    port(host, number, "TRUNKLINE_INTERNAL_PORT"),
                    host,
                )
                for name, number in zip(named, wanted, strict=True)
            ],
        )


def run(given: Start, env_file: Path | None, held: Places, stores: EmbeddedStores) -> None:
    """Keep the pods and their ingress until we are told to stop.

    Raises:
        SettingsError: the ingress can't be run.
        TrunklineError: a process did not start, or was not ready in time.
    """
    uvloop.run(_Keeper(given, env_file, held, stores).run())


class _Keeper:
    """The processes of one machine. Made outside the loop, lives in it."""

    def __init__(
        self, given: Start, env_file: Path | None, held: Places, stores: EmbeddedStores
    ) -> None:
        self._given = given
        self._held = held
        settings = given.settings
        self._ingress = Ingress(
            settings.data_dir / "ingress",
            settings.host,
            held.port,
            held.private_port,
            certificate(settings),
        )
        self._version = token_hex(8)
        self._programs = [pod_program(settings, place, env_file, stores) for place in held.pods]

    async def run(self) -> None:
        asked = _Asked()
        kept = [Kept(program, say) for program in self._programs]
        front = Kept(self._ingress.program, say)
        self._write()
        asked.listen()
        asked.on_reload = self._reload
        async with aiohttp.ClientSession() as http:
            try:
                for each in (front, *kept):
                    await each.start()
                async with asyncio.timeout(READY_S_MAX):
                    ready = await self._until_ready((front, *kept), http, asked)
            except TimeoutError:
                raise TrunklineError(
                    f"not all pods took calls within {READY_S_MAX:.0f} s: see what they say above"
                ) from None
            else:
                if ready:
                    await self._keep(front, kept, asked)
            finally:
                await self._end(front, kept)

    def _write(self) -> None:
        self._ingress.write([place.backend for place in self._held.pods], self._version)

    def _reload(self) -> None:
        """The certificate may be another."""
        shown = certificate(self._given.settings)
        if shown is None:
            return
        try:
            check_certificate(shown)
        except SettingsError as fault:
            say(f"the ingress goes on with the certificate that it has: {fault}")
            return
        self._version = token_hex(8)
        self._write()

    async def _until_ready(
        self, kept: Sequence[Kept], http: aiohttp.ClientSession, asked: "_Asked"
    ) -> bool:
        """Wait until every pod takes calls through the ingress; False if we shall stop first."""
        waiting = [f"{place.backend.internal_url}/readyz" for place in self._held.pods]
        while not asked.stop.is_set():
            for each in kept:
                if each.code is not None:
                    raise TrunklineError(
                        f"{each.program.name} did not start: it {how(each.code)}; "
                        + (f"see {each.program.log}" if each.program.log else "see above")
                    )
            waiting = [url for url in waiting if not await _answers(url, http)]
            if not waiting and await self._ingress.follows(self._version, http):
                return True
            await asyncio.sleep(POLL_S)
        return False

    async def _keep(self, front: Kept, pods: Sequence[Kept], asked: "_Asked") -> None:
        asked.pods = pods
        say(self._greeting())
        async with asyncio.TaskGroup() as keeping:
            for each in (front, *pods):
                keeping.create_task(each.keep(), name=each.program.name)
            await asked.stop.wait()
            for each in pods:
                each.end(signal.SIGINT)  # Told twice they hurry, which SIGTERM does not say.
            for each in pods:
                await each.gone(self._given.settings.drain_s_max + LEAVE_S_MAX)
            front.end(signal.SIGTERM)
            await front.gone(INGRESS_S_MAX)
        total = sum(each.restarts for each in (front, *pods))
        if total:
            say(f"processes that were started again: {total}")

    async def _end(self, front: Kept, pods: Sequence[Kept]) -> None:
        """Whatever still lives has no calls: it did not start, or did not end."""
        for each in (*pods, front):
            each.end(signal.SIGTERM)
        for each in (*pods, front):
            await each.gone(LEAVE_S_MAX)

    def _greeting(self) -> str:
        pods, url = self._held.pods, self._given.settings.public_url
        where = ", ".join(f"{place.name} {place.internal_port}" for place in pods)
        text = (
            f"trunkline answers on port {self._held.port} with {len(pods)} pods; "
            f"health, metrics and calls on ports: {where}\n"
            f"webhooks for Twilio: {url}/twilio/voice for calls, {url}/twilio/status for their"
            " status"
        )
        if self._given.settings.config is None:
            text += "\nTRUNKLINE_CONFIG is not set: one built-in agent answers every number"
        return text


class _Asked:
    """What signals ask of us."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.pods: Sequence[Kept] = ()
        self.on_reload: Callable[[], None] = lambda: None

    def listen(self) -> None:
        """From now on signals stop nothing by themselves."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        if not sys.stdin.isatty():  # Else it says that the terminal is gone.
            loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _interrupted(self) -> None:
        if not self.stop.is_set():
            self.stop.set()
            say("draining: calls may end; Ctrl-C again ends them now")
            return
        for each in self.pods:
            each.send(signal.SIGINT)

    def _reload(self) -> None:
        self.on_reload()
        for each in self.pods:
            each.send(signal.SIGHUP)


def certificate(settings: Settings) -> Certificate | None:
    """What the ingress shows; None: it speaks HTTP."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_cert.absolute(), settings.tls_key.absolute())


def pod_program(
    settings: Settings, place: Place, env_file: Path | None, stores: EmbeddedStores
) -> Program:
    """One pod as it is to be run: as we were, but for its name, its ports and its stores."""
    environ = {
        **os.environ,
        "TRUNKLINE_POD_NAME": place.name,
        "TRUNKLINE_HOST": LOOPBACK,
        "TRUNKLINE_PORT": str(place.public_port),
        "TRUNKLINE_INTERNAL_PORT": str(place.internal_port),
    }
    if settings.internal_url is not None:
        # What was set is where one of us is reached: all are there, each at its own port.
        parts = urlsplit(settings.internal_url)
        host = parts.netloc.removesuffix(f":{parts.port}")
        environ["TRUNKLINE_INTERNAL_URL"] = f"{parts.scheme}://{host}:{place.internal_port}"
    if settings.redis_url is None:
        environ["TRUNKLINE_REDIS_URL"] = stores.redis_url
    if settings.database_url is None:
        environ["TRUNKLINE_DATABASE_URL"] = stores.database_url
    command = [sys.executable, "-m", "trunkline.cli.main", "pod"]
    if env_file is not None:
        command += ["--env-file", str(env_file)]
    return Program(place.name, command, environ)


async def _answers(url: str, http: aiohttp.ClientSession) -> bool:
    with suppress(aiohttp.ClientError, TimeoutError):
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=PROBE_S_MAX)) as answer:
            return answer.ok
    return False
