"""The root of a pod: settings and config become parts, and the parts a pod.

The one module here that knows adapters and settings.
"""

import asyncio
import json
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Final

import msgspec
from pydantic import SecretStr

from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.erasure import PostgresEraser
from trunkline.adapters.redis import connect as redis
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.call import plan
from trunkline.config import prices as price_list
from trunkline.config.file import ConfigFile
from trunkline.config.schema import Agent, Config, Number
from trunkline.config.schema import HttpTool as HttpToolConfig
from trunkline.config.schema import PythonTool as PythonToolConfig
from trunkline.config.settings import Settings
from trunkline.config.source import Loaded, Source
from trunkline.config.variables import fill
from trunkline.core.costs import Prices
from trunkline.core.ids import Incarnation, PodName
from trunkline.core.record import Aside
from trunkline.core.redaction import Redactor
from trunkline.core.slots import Bounds
from trunkline.errors import naming
from trunkline.pod import builtins
from trunkline.pod.calls import Identity
from trunkline.pod.compose_doors import ModelLimits, doors_of
from trunkline.pod.compose_reload import LiveConfig, Ready
from trunkline.pod.compose_session import session_of
from trunkline.pod.compose_voices import AgentVoices
from trunkline.pod.directory import Line, Overflow, Prepared
from trunkline.pod.http.listening import bind
from trunkline.pod.life import Parts, Pod, Setup
from trunkline.pod.purge import Purge
from trunkline.pod.tools.hook import ContextHook
from trunkline.pod.tools.run import ToolRunner
from trunkline.pod.tools.specs import HttpTool, PythonTool, ToolSpec
from trunkline.telemetry import logs
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics
from trunkline.wire.realtime.session import FunctionTool

PROBE_S: Final = 5.0
"""A session that says nothing for so long is asked for a sign of life: its voice detection may be
dead while its socket is open, and then nobody would ever answer the caller."""

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
        SettingsError: a store is not fit for its use.
        StoreError: a store does not answer.
    """
    setup = _setup(settings)
    metrics = Metrics()
    log = logs.get_logger(pod=settings.pod_name)
    prices = price_list.load(settings.prices)
    async with AsyncExitStack() as undo:
        client = redis.connect(redis_url)
        undo.push_async_callback(client.aclose)
        with naming("TRUNKLINE_REDIS_URL"):
            for doubt in await redis.check(client):
                log.warning(LogName.SETTING_DOUBTFUL, hint=doubt)
        with naming("TRUNKLINE_DATABASE_URL"):
            pool = await postgres.connect(database_url)
            undo.push_async_callback(_close, pool)
            await postgres.check_schema(pool)
        runner = await undo.enter_async_context(ToolRunner())
        make = partial(_ready, settings, runner, prices, metrics, log)
        config = LiveConfig(Loaded(read, named), make, log, metrics)
        journal, book = RedisJournal(client), _call_log(pool, metrics, log)
        parts = Parts(
            journal=journal,
            index=journal,
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


def _setup(settings: Settings) -> Setup:
    assert settings.public_url is not None, "pod_requirements() was asked"
    tokens = [settings.twilio_auth_token, settings.twilio_auth_token_secondary]
    return Setup(
        me=Identity(
            PodName(settings.pod_name), Incarnation(secrets.token_hex(4)), settings.public_url
        ),
        ticket_key=settings.signing_key(),
        auth_tokens=[token for token in tokens if token is not None],
        calls_max=settings.calls_max,
        drain_s_max=settings.drain_s_max,
        version=version("trunkline"),
    )


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
    directory = ConfigDirectory(read, settings, named, _hook(read, runner, named))
    _find_modules(read)
    runner.load(directory.tools.values())
    return Ready(read, directory, doors_of(settings, read, named, prices, metrics, log))


class ConfigDirectory:
    """The config file's meaning for the pod. Made anew when the file is read again."""

    def __init__(
        self,
        read: ConfigFile,
        settings: Settings,
        named: Mapping[str, SecretStr],
        hook: ContextHook | None = None,
    ) -> None:
        self.hook = hook
        self._config = read.config
        self._voices = AgentVoices(read)
        self._models = ModelLimits(read, settings, named)
        self.tools = {
            name: _tool_spec(name, tool, named) for name, tool in read.config.tools.items()
        }

    def line(self, number: str) -> Line | None:
        """What this number leads to; `*` in the file answers every number."""
        found = self._config.number(number)
        if found is None:
            return None
        language = self._config.agents[found.agent].language
        return Line(
            number=number,
            agent=found.agent,
            tenant=found.tenant or "",
            vertical=self._config.vertical_of(found),
            overflow=Overflow(found.overflow.action, found.overflow.detail, language),
            variables=found.variables,
            bounds=_bounds(self._config, found),
            models=self._models.of(self._config.agents[found.agent]),
        )

    def prepare(self, line: Line, variables: Mapping[str, str]) -> Prepared:
        """The plan for one call: the agent who answers, and all that it can hand over to."""
        values = {**line.variables, **variables}
        names = self._reachable(line.agent)
        agents = {name: self._agent(name, values) for name in names}
        models = tuple(limit.model for limit in line.models)
        number = self._config.number(line.number)
        assert number is not None, "the line was looked up here"
        made = plan.CallPlan(
            agents,
            line.agent,
            self._limits(line),
            self._voices.fillers(line.agent),
            len(models),
            Redactor(self._config.redaction_of(number)).redact,
        )
        return Prepared(made, self.tools, models)

    def _reachable(self, first: str) -> list[str]:
        names = [first]
        for name in names:
            names += [n for n in self._config.agents[name].handoffs if n not in names]
        return names

    def _limits(self, line: Line) -> plan.Limits:
        """The agent's own waits, over its vertical's, over ours."""
        number = self._config.number(line.number)
        assert number is not None, "the line was looked up here"
        # By way of a check: the file's waits are floats by name, and one of ours is a count.
        limits = {"probe_s": PROBE_S, **self._config.limits_of(number, line.agent)}
        return msgspec.convert(limits, plan.Limits)

    def _agent(self, name: str, values: Mapping[str, str]) -> plan.Agent:
        agent = self._config.agents[name]
        tools = {tool: self._plan_tool(tool) for tool in agent.tools}
        return plan.Agent(
            name=name,
            session=session_of(
                agent,
                instructions=fill(agent.instructions, values).text,
                tools=[self._described(tool, agent) for tool in agent.tools],
            ),
            greeting=fill(agent.greeting, values).text,
            tools=tools,
            handoffs=frozenset(agent.handoffs),
            transfer_numbers=agent.transfers,
            fallback=self._voices.script(name),
        )

    def _plan_tool(self, name: str) -> plan.Tool:
        own = self._config.tools.get(name)
        if own is None:
            return plan.Tool(name, plan.ToolKind(name))
        return plan.Tool(name, plan.ToolKind(own.kind), own.filler_after_ms, own.idempotent)

    def _described(self, name: str, agent: Agent) -> FunctionTool:
        own = self._config.tools.get(name)
        if own is None:
            return builtins.describe(
                plan.ToolKind(name), handoffs=agent.handoffs, transfers=agent.transfers
            )
        return FunctionTool(name, own.description, msgspec.Raw(json.dumps(own.parameters)))


def _bounds(config: Config, number: Number) -> Bounds:
    """How many calls at once its tenant may have: its own limits, over its vertical's."""
    if number.tenant is None:
        return Bounds(config.version)
    tenant = config.tenants[number.tenant]
    vertical = config.verticals[tenant.vertical]
    outbound = tenant.outbound_calls_max
    return Bounds(
        config.version,
        number.tenant,
        tenant.vertical,
        vertical_calls_max=vertical.calls_max,
        tenant_calls_max=tenant.calls_max,
        outbound_calls_max=vertical.outbound_calls_max if outbound is None else outbound,
    )


def _tool_spec(
    name: str, tool: HttpToolConfig | PythonToolConfig, named: Mapping[str, SecretStr]
) -> ToolSpec:
    if isinstance(tool, PythonToolConfig):
        return PythonTool(name, tool.target, tool.timeout_s)
    return HttpTool(
        name,
        str(tool.url),
        tool.method,
        tool.timeout_s,
        headers=tool.headers,
        secret_headers={
            header: named[env].get_secret_value() for header, env in tool.secret_headers.items()
        },
        signing_key=_secret(tool.sign_with, named),
    )


def _hook(
    read: ConfigFile, runner: ToolRunner, named: Mapping[str, SecretStr]
) -> ContextHook | None:
    hook = read.config.context_hook
    if hook is None:
        return None
    return ContextHook(
        runner.client,
        str(hook.url),
        timeout_s=hook.timeout_s,
        signing_key=_secret(hook.sign_with, named),
    )


def _secret(name: str | None, named: Mapping[str, SecretStr]) -> str | None:
    return None if name is None else named[name].get_secret_value()


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
