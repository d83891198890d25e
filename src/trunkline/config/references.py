"""Names in the config file that lead nowhere, and what is set and never used.

References are read from the plain values, so that they are told along with all other faults.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from trunkline.config import spoken, variables
from trunkline.config.schema import Config, HttpTool
from trunkline.config.tree import Place, Value
from trunkline.config.urls import is_plain_http

BUILT_IN_TOOLS: Final = ("end_call", "transfer_call", "handoff", "send_digits")
"""Tools that every agent may name."""

Finding = tuple[Place, str]
"""Where, and what."""


def unresolved(root: Value) -> Iterator[Finding]:
    """What in a file leads nowhere; whatever else is wrong with it."""
    file = _mapping(root)
    agents, tools = _mapping(file.get("agents")), _mapping(file.get("tools"))
    tenants, verticals = _mapping(file.get("tenants")), _mapping(file.get("verticals"))
    for called, number in _mapping(file.get("numbers")).items():
        place = ("numbers", called)
        yield from _leads((*place, "agent"), _mapping(number).get("agent"), agents, "agent")
        yield from _leads((*place, "tenant"), _mapping(number).get("tenant"), tenants, "tenant")
    for name, tenant in tenants.items():
        vertical = _mapping(tenant).get("vertical")
        yield from _leads(("tenants", name, "vertical"), vertical, verticals, "vertical")
    for name in tools:
        if name in BUILT_IN_TOOLS:
            yield ("tools", name), "a tool of this name is built in; expected another name"
    for name, agent in agents.items():
        yield from _of_agent(name, _mapping(agent), agents, tools)
    yield from _at_odds(agents)


def _at_odds(agents: Mapping[str, Value]) -> Iterator[Finding]:
    """A key has one limit, whichever agents use it: two numbers for it can't both be right."""
    said = dict[tuple[Value, ...], tuple[str, Value]]()
    for name, agent in agents.items():
        for index, model in enumerate(map(_mapping, _list(_mapping(agent).get("models")))):
            most = model.get("sessions_max")
            if not isinstance(most, int):
                continue
            key = tuple(
                str(model.get(part, usual))
                for part, usual in (
                    ("name", ""),
                    ("url", None),
                    ("key_env", None),
                    ("key_header", "authorization"),
                )
            )
            first, number = said.setdefault(key, (name, most))
            if most != number:
                text = f"agent {first} has {number} for this model, URL and key, which they share"
                at = ("agents", name, "models", index, "sessions_max")
                yield at, f"{text}; expected the same number, or none"


def _of_agent(
    name: str, agent: Mapping[str, Value], agents: Collection[str], tools: Collection[str]
) -> Iterator[Finding]:
    place = ("agents", name)
    named = _list(agent.get("tools"))
    for index, tool in enumerate(named):
        at = (*place, "tools", index)
        yield from _leads(at, tool, {*tools, *BUILT_IN_TOOLS}, "tool")
        if tool in named[:index]:
            yield at, "named twice"
    handoffs = _list(agent.get("handoffs"))
    for index, other in enumerate(handoffs):
        at = (*place, "handoffs", index)
        yield from _leads(at, other, agents, "agent")
        if other == name:
            yield at, "an agent can't hand over to itself"
        elif other in handoffs[:index]:
            yield at, "named twice"
    for tool, key in (("handoff", "handoffs"), ("transfer_call", "transfers")):
        if agent.get(key) and tool not in named:
            yield (*place, key), f"expected {tool} among the agent's tools, or nobody can use this"
        elif tool in named and not agent.get(key):
            at = (*place, "tools", named.index(tool))
            yield at, f"{tool} has nowhere to go; expected at least one under {key}"


def doubtful(config: Config) -> Iterator[Finding]:
    """What hinders nothing and may be a mistake."""
    reached = {name for number in config.numbers.values() for name in _reach(config, number.agent)}
    for name, agent in config.agents.items():
        if name not in reached:
            yield ("agents", name), "no number and no handoff leads to this agent"
        for key, text in (("instructions", agent.instructions), ("greeting", agent.greeting)):
            if variables.strays(text):
                at = ("agents", name, key)
                yield at, "a {{ begins no {{name}}: it is said as it stands (write {{{{ for {{)"
        for each in spoken.of_agent(name, agent):
            if "{{" in each.text:
                yield each.place, "a recording is the same in every call: {{ is read out as it is"
    used = {tool for agent in config.agents.values() for tool in agent.tools}
    for name, tool in config.tools.items():
        if name not in used:
            yield ("tools", name), "no agent names this tool"
        if isinstance(tool, HttpTool) and tool.secret_headers and is_plain_http(tool.url):
            yield ("tools", name, "url"), "secret headers travel unencrypted; expected https"
    if config.context_hook is None:
        yield from _valueless(config)


def _valueless(config: Config) -> Iterator[Finding]:
    for called, number in config.numbers.items():
        for name in sorted(_reach(config, number.agent)):
            agent = config.agents[name]
            for variable in variables.names(f"{agent.instructions}\n{agent.greeting}"):
                if variable not in number.variables:
                    text = f"agent {name} uses {{{{{variable}}}}}, which has no value here"
                    yield ("numbers", called, "variables"), f"{text}: it is left out"


def _reach(config: Config, first: str) -> set[str]:
    """The agents that may come to speak in a call that begins with `first`."""
    reached, ahead = set[str](), [first]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += config.agents[name].handoffs
    return reached


def _leads(place: Place, name: Value, known: Collection[str], kind: str) -> Iterator[Finding]:
    if isinstance(name, str) and name not in known:
        yield place, f"there is no {kind} {name[:80]!r}; {nearest(name, known)}"


def nearest(name: str, known: Collection[str]) -> str:
    """What may be meant: the likeliest, else all there are."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"expected one of {', '.join(sorted(known))}" if known else "none is defined"


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []
