"""The config file's meaning for the pod: which number leads where, and what a call is made of."""

import json
from collections.abc import Mapping
from typing import Final

import msgspec
from pydantic import SecretStr

from trunkline.call import plan
from trunkline.config.file import ConfigFile
from trunkline.config.schema import Agent, Config, Number
from trunkline.config.schema import HttpTool as HttpToolConfig
from trunkline.config.schema import PythonTool as PythonToolConfig
from trunkline.config.settings import Settings
from trunkline.config.variables import fill
from trunkline.core.redaction import Redactor
from trunkline.core.slots import Bounds
from trunkline.pod import builtins
from trunkline.pod.compose_doors import ModelLimits
from trunkline.pod.compose_session import session_of
from trunkline.pod.compose_voices import AgentVoices
from trunkline.pod.directory import Line, Overflow, Prepared
from trunkline.pod.tools.hook import ContextHook
from trunkline.pod.tools.run import ToolRunner
from trunkline.pod.tools.specs import HttpTool, PythonTool, ToolSpec
from trunkline.wire.realtime.session import FunctionTool

PROBE_S: Final = 5.0
"""A session that says nothing for so long is asked for a sign of life: its voice detection may be
dead while its socket is open, and then nobody would ever answer the caller."""


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
            hold_s=found.hold_s,
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
        return Bounds(config.version, inbound_slots_kept=config.inbound_slots_kept)
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
        inbound_slots_kept=config.inbound_slots_kept,
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


def hook_of(
    read: ConfigFile, runner: ToolRunner, named: Mapping[str, SecretStr]
) -> ContextHook | None:
    """Where the config's calls get their variables from, if it names a hook."""
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
