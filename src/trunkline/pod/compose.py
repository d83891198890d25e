"""The root of a pod: settings and config become parts, and the parts a pod.

The one module here that knows adapters and settings.
"""

import asyncio
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Final

from pydantic import SecretStr
from redis.asyncio import Redis

from trunkline.adapters.neighbour_http import HttpNeighbours
from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.erasure import PostgresEraser
from trunkline.adapters.redis import connect as redis
from trunkline.adapters.redis.fleet import RedisFleet
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.adapters.twilio_rest import TwilioCalls
from trunkline.config import prices as price_list
from trunkline.config.file import ConfigFile
from trunkline.config.settings import Settings
from trunkline.config.source import Loaded, Source
from trunkline.core import neighbour_proof
from trunkline.core.costs import Prices
from trunkline.core.ids import Incarnation, PodName
from trunkline.core.record import Aside
from trunkline.errors import naming
from trunkline.pod.calls import Identity
from trunkline.pod.clock import wall_ms
from trunkline.pod.compose_directory import ConfigDirectory, hook_of
from trunkline.pod.compose_doors import doors_of
from trunkline.pod.compose_reload import LiveConfig, Ready
from trunkline.pod.http.listening import bind
from trunkline.pod.life import Pod
from trunkline.pod.parts import Parts, Setup
from trunkline.pod.purge import Purge
from trunkline.pod.tools.run import ToolRunner
from trunkline.telemetry import logs
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics

POSTGRES_CLOSE_S_MAX: Final = 3.0
"""So long the call log's connections may take to close; then they are cut."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """Both ports, bound and listening; nothing is accepted yet."""

    public: socket.socket
    internal: socket.socket

    def close(self) -> None:
        """Give both ports back."""
        self.public.close()
        self.internal.close()


def listen(settings: Settings) -> Sockets:
    """Bind both ports, before anything else is started: a port in use is known at once.

    Raises:
        SettingsError: a port can't be had; it names the setting.
    """
    with ExitStack() as undo:
        public = bind(settings.host, settings.port, "TRUNKLINE_PORT")
        undo.callback(public.close)
        internal = bind(settings.internal_host, settings.internal_port, "TRUNKLINE_INTERNAL_PORT")
        undo.pop_all()
    return Sockets(public, internal)


async def run_pod(
    settings: Settings,
    read: ConfigFile,
    named: Mapping[str, SecretStr],
    *,
    sockets: Sockets,
    redis_url: str,
    database_url: str,
    source: Source | None = None,
    on_ready: Callable[[Pod], None] | None = None,
) -> None:
    """Be a pod until it is told to stop. `named` are the secrets that the config file names.

    From `source` the file is read again when it changes; without, it stays as it is.

    Raises:
        SettingsError: a store is not fit for its use, or the pod's name is in use.
        StoreError: a store does not answer.
    """
    setup = _setup(settings, sockets.internal.getsockname()[1])
    metrics = Metrics()
    log = logs.get_logger(pod=settings.pod_name)
    prices = price_list.load(settings.prices)
    async with AsyncExitStack() as undo:
        client = await _redis(redis_url, undo, log)
        pool = await _postgres(database_url, undo)
        runner = await undo.enter_async_context(ToolRunner())
        neighbours = HttpNeighbours(neighbour_proof.key_of(setup.ticket_key), wall_ms)
        await undo.enter_async_context(neighbours)
        make = partial(_ready, settings, runner, prices, metrics, log)
        config = LiveConfig(Loaded(read, named), make, log, metrics)
        journal, book = RedisJournal(client), _call_log(pool, metrics, log)
        fleet = RedisFleet(client)
        parts = Parts(
            journal=journal,
            index=journal,
            slots=fleet,
            roster=fleet,
            neighbours=neighbours,
            carrier_orders=await _carrier_orders(settings, undo),
            book=book,
            unended=book,
            carrier=book,
            doors=config.doors,
            directory=config.directory,
            toolbox=lambda live: runner.for_call(live.call, live.prepared.tools),
            prices=prices,
            public=sockets.public,
            internal=sockets.internal,
            log=log,
            metrics=metrics,
            config=None if source is None else config.watch(source),
            purge=Purge(PostgresEraser(pool), config.retention, log),
        )
        log.info(LogName.PRICES_READ, version=prices.as_of.isoformat(), source=prices.source)
        await Pod(setup, parts).run(on_ready)


async def _redis(url: str, undo: AsyncExitStack, log: Log) -> Redis:
    client = redis.connect(url)
    undo.push_async_callback(client.aclose)
    with naming("TRUNKLINE_REDIS_URL"):
        for doubt in await redis.check(client):
            log.warning(LogName.SETTING_DOUBTFUL, hint=doubt)
    return client


async def _postgres(url: str, undo: AsyncExitStack) -> postgres.Pool:
    with naming("TRUNKLINE_DATABASE_URL"):
        pool = await postgres.connect(url)
        undo.push_async_callback(_close, pool)
        await postgres.check_schema(pool)
    return pool


def _setup(settings: Settings, internal_port: int) -> Setup:
    assert settings.public_url is not None, "pod_requirements() was asked"
    tokens = [settings.twilio_auth_token, settings.twilio_auth_token_secondary]
    return Setup(
        me=Identity(
            PodName(settings.pod_name),
            Incarnation(secrets.token_hex(4)),
            settings.public_url,
            pinned=settings.pinned_streams,
        ),
        ticket_key=settings.signing_key(),
        auth_tokens=[token for token in tokens if token is not None],
        calls_target=settings.calls_target,
        calls_max=settings.calls_max,
        internal_url=settings.internal_url or _internal_url(settings.internal_host, internal_port),
        drain_s_max=settings.drain_s_max,
        version=version("trunkline"),
    )


async def _carrier_orders(settings: Settings, undo: AsyncExitStack) -> TwilioCalls | None:
    """The carrier's API, where the account is set."""
    account, token = settings.twilio_account_sid, settings.twilio_auth_token
    if account is None or token is None:
        return None
    carrier = TwilioCalls(settings.twilio_api_url, account, token.get_secret_value())
    return await undo.enter_async_context(carrier)


def _internal_url(host: str, port: int) -> str:
    """Where this machine's other pods, or its network's, reach the internal port."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - asked for, not bound
        host = socket.gethostbyname(socket.gethostname())
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _close(pool: postgres.Pool) -> None:
    try:
        async with asyncio.timeout(POSTGRES_CLOSE_S_MAX):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def _ready(
    settings: Settings,
    runner: ToolRunner,
    prices: Prices,
    metrics: Metrics,
    log: Log,
    loaded: Loaded,
) -> Ready:
    """Everything about a config that may fail, before anything changes."""
    read, named = loaded.file, loaded.named
    directory = ConfigDirectory(read, settings, named, hook_of(read, runner, named))
    _find_modules(read)
    runner.load(directory.tools.values())
    return Ready(read, directory, doors_of(settings, read, named, prices, metrics, log))


def _find_modules(read: ConfigFile) -> None:
    """Modules of `python` tools are found beside the config file."""
    if read.folder is not None and (folder := str(read.folder)) not in sys.path:
        sys.path.append(folder)


def _call_log(pool: postgres.Pool, metrics: Metrics, log: Log) -> PostgresCallBook:
    return PostgresCallBook(pool, partial(_put_aside, metrics, log))


def _put_aside(metrics: Metrics, log: Log, fact: Aside) -> None:
    """A fact is not in its place: an operator should know."""
    metrics.fact_put_aside(fact.why)
    log.error(LogName.FACT_ASIDE, call=fact.call, reason=fact.why)
