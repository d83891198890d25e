from typing import Any

import pytest

from trunkline.config import references
from trunkline.config.schema import Config
from trunkline.config.tree import Value, name_of


def whole() -> dict[str, Any]:
    return {
        "verticals": {"clinics": {}},
        "tenants": {"north": {"vertical": "clinics"}},
        "agents": {
            "desk": {
                "instructions": "Answer.",
                "tools": ["end_call", "handoff", "transfer_call", "look"],
                "handoffs": ["billing"],
                "transfers": {"nurse": "+15550100009"},
            },
            "billing": {"instructions": "Answer."},
        },
        "numbers": {"*": {"agent": "desk", "tenant": "north"}},
        "tools": {"look": {"kind": "python", "description": "Look.", "target": "tools:look"}},
    }


def unresolved(root: Value) -> list[str]:
    return [f"{name_of(place)}: {text}" for place, text in references.unresolved(root)]


def doubtful(root: dict[str, Any]) -> list[str]:
    config = Config.model_validate(root, strict=False)
    return [f"{name_of(place)}: {text}" for place, text in references.doubtful(config)]


def test_a_whole_file_has_no_finding() -> None:
    """Every name leads somewhere, everything is used."""
    assert unresolved(whole()) == []
    assert doubtful(whole()) == []


def _put(root: dict[str, Any], place: str, value: object) -> None:
    *inner, last = place.split("/")
    for part in inner:
        root = root[part]
    root[last] = value


@pytest.mark.parametrize(
    ("place", "value", "finding"),
    [
        ("numbers/*/agent", "dsk", "numbers.*.agent: there is no agent 'dsk'; did you mean desk?"),
        (
            "numbers/*/agent",
            "xyz",
            "numbers.*.agent: there is no agent 'xyz'; expected one of billing, desk",
        ),
        ("numbers/*/tenant", "south", "numbers.*.tenant: there is no tenant 'south'; "),
        ("tenants/north/vertical", "clinic", "did you mean clinics?"),
        (
            "verticals",
            {},
            "tenants.north.vertical: there is no vertical 'clinics'; none is defined",
        ),
        ("agents/billing/tools", ["lok"], "there is no tool 'lok'; did you mean look?"),
        ("agents/billing/tools", ["look", "look"], "agents.billing.tools[1]: named twice"),
        ("agents/billing/tools", ["handoff"], "handoff has nowhere to go; expected at least one"),
        ("agents/billing/tools", ["transfer_call"], "expected at least one under transfers"),
        ("agents/desk/handoffs", ["blling"], "there is no agent 'blling'; did you mean billing?"),
        ("agents/desk/handoffs", ["desk"], "an agent can't hand over to itself"),
        ("agents/desk/handoffs", ["billing", "billing"], "agents.desk.handoffs[1]: named twice"),
        ("agents/billing/handoffs", ["desk"], "expected handoff among the agent's tools"),
        (
            "agents/billing/transfers",
            {"a": "+15550100009"},
            "expected transfer_call among the agent's tools",
        ),
        ("tools/end_call", {}, "tools.end_call: a tool of this name is built in"),
    ],
)
def test_a_name_that_leads_nowhere(place: str, value: object, finding: str) -> None:
    """Each has its place and, where one is near, what may be meant."""
    root = whole()
    _put(root, place, value)
    (found,) = unresolved(root)
    assert finding in found


def test_a_key_has_one_limit() -> None:
    """Two agents that use it may not say two; another key, URL or model is another thing."""
    root, one = whole(), {"name": "one", "sessions_max": 40}
    root["agents"]["desk"]["models"] = [one, {"name": "two", "sessions_max": 5}]
    root["agents"]["billing"]["models"] = [
        {"name": "one"},
        one,
        {**one, "key_env": "KEY", "sessions_max": 3},
        {**one, "key_header": "authorization", "sessions_max": 41},
    ]
    (finding,) = unresolved(root)
    assert finding.startswith("agents.billing.models[3].sessions_max: agent desk has 40 for this")
    assert finding.endswith("expected the same number, or none")


@pytest.mark.parametrize(
    "root",
    [
        None, 5, "x", [], {},
        {"agents": 5, "numbers": [], "tools": "x", "tenants": None, "verticals": 1.5},
        {"agents": {"a": 5}, "numbers": {"b": []}, "tenants": {"c": "x"}},
        {"agents": {"a": {"tools": 5, "handoffs": {}}}, "numbers": {"b": {"agent": 5}}},
        {"agents": {"a": {"tools": [5, None, {}], "handoffs": [[]]}}},
    ],
)  # fmt: skip
def test_whatever_else_is_wrong(root: Value) -> None:
    """The shape is told of elsewhere; here nothing raises."""
    unresolved(root)


@pytest.mark.parametrize(
    ("place", "value", "finding"),
    [
        (
            "agents/lonely",
            {"instructions": "Answer."},
            "agents.lonely: no number and no handoff leads to this agent",
        ),
        (
            "tools/spare",
            {"kind": "python", "description": "Spare.", "target": "tools:spare"},
            "tools.spare: no agent names this tool",
        ),
        (
            "agents/billing/greeting",
            "Hello {{name}}",
            "numbers.*.variables: agent billing uses {{name}}, which has no value here: it is left",
        ),
        (
            "agents/billing/fallback_script",
            "Sorry, {{name}}.",
            "agents.billing.fallback_script: a recording is the same in every call",
        ),
        (
            "agents/billing/fillers",
            ("Wait.", "Wait, {{name}}."),
            "agents.billing.fillers[1]: a recording is the same in every call",
        ),
        ("agents/billing/instructions", "Say {{first name}}", "agents.billing.instructions: a {{"),
        (
            "tools/look",
            {
                "kind": "http", "description": "Look.", "url": "http://crm.internal/look",
                "secret_headers": {"Authorization": "CRM_KEY"},
            },
            "tools.look.url: secret headers travel unencrypted",
        ),
    ],
)  # fmt: skip
def test_what_is_doubtful(place: str, value: object, finding: str) -> None:
    """It hinders nothing, so it is said and not refused."""
    root = whole()
    _put(root, place, value)
    assert unresolved(root) == []
    (found,) = doubtful(root)
    assert finding in found


def test_a_hook_may_give_any_variable() -> None:
    """Then nobody knows which are missing; a number's own are known too."""
    root = whole()
    root["agents"]["desk"]["greeting"] = "Hello {{name}}"
    assert len(doubtful(root)) == 1
    assert doubtful(root | {"context_hook": {"url": "https://example.com/hook"}}) == []
    root["numbers"]["*"]["variables"] = {"name": "Anna"}
    assert doubtful(root) == []


def test_agents_may_hand_over_in_a_ring() -> None:
    """Nobody walks it for ever."""
    root = whole()
    root["agents"]["billing"] |= {"tools": ["handoff"], "handoffs": ["desk"]}
    assert unresolved(root) == []
    assert doubtful(root) == []
