from dataclasses import fields
from typing import Any

import pydantic
import pytest

from trunkline.call import plan
from trunkline.config import parts, schema
from trunkline.config.schema import Config
from trunkline.wire.realtime import session


def config(**more: object) -> Config:
    """A small config, with more of it."""
    least: dict[str, Any] = {
        "agents": {"desk": {"instructions": "Answer."}},
        "numbers": {"*": {"agent": "desk"}},
    }
    return Config.model_validate(least | more, strict=False)


def test_the_least_there_is() -> None:
    """An agent, and a number that leads to it."""
    small = config()
    agent = small.agents["desk"]
    assert (agent.voice, agent.greeting, agent.models) == ("marin", "", ())
    assert agent.turn_detection.type == "server_vad"
    assert agent.transcription is not None
    assert agent.transcription.model == "gpt-transcribe"
    assert small.numbers["*"].overflow.action == "say"
    assert small.context_hook is None


def test_a_config_is_frozen() -> None:
    """A reload makes another; this one may be shared."""
    with pytest.raises(pydantic.ValidationError):
        config().agents["desk"].voice = "ash"  # type: ignore[misc] # that it is refused is tested


def test_a_number_is_found_before_anyone() -> None:
    """The one that is listed, else the star, else nobody."""
    two = config(
        numbers={
            "+15550100001": {"agent": "desk", "variables": {"a": "1"}},
            "*": {"agent": "desk"},
        }
    )
    assert two.number("+15550100001") is two.numbers["+15550100001"]
    assert two.number("+15550100002") is two.numbers["*"]
    assert config(numbers={"+15550100001": {"agent": "desk"}}).number("+15550100002") is None


@pytest.mark.parametrize(
    ("given", "action", "detail"),
    [
        ({"dial": "+15550100009"}, "dial", "+15550100009"),
        ({"voicemail": {"prompt": "Speak."}}, "voicemail", "Speak."),
        ({"say": "Later."}, "say", "Later."),
        ({"hangup": True}, "hangup", ""),
        ("hangup", "hangup", ""),
    ],
)
def test_overflow_is_one_of_four(given: object, action: str, detail: str) -> None:
    """With what it needs."""
    overflow = config(numbers={"*": {"agent": "desk", "overflow": given}}).numbers["*"].overflow
    assert (overflow.action, overflow.detail) == (action, detail)


@pytest.mark.parametrize("given", [{}, {"say": "x", "hangup": True}, {"say": None}, "dial"])
def test_overflow_is_not_two_and_not_none(given: object) -> None:
    """Nobody need guess which is meant."""
    with pytest.raises(pydantic.ValidationError):
        config(numbers={"*": {"agent": "desk", "overflow": given}})


def test_an_agents_limits_go_before_its_verticals() -> None:
    """What neither sets comes from Trunkline."""
    layered = config(
        verticals={"clinics": {"limits": {"idle_s": 30, "call_s_max": 600}}},
        tenants={"north": {"vertical": "clinics"}},
        agents={"desk": {"instructions": "Answer.", "limits": {"idle_s": 12}}},
        numbers={"+15550100001": {"agent": "desk", "tenant": "north"}, "*": {"agent": "desk"}},
    )
    line = layered.numbers["+15550100001"]
    assert layered.vertical_of(line) == "clinics"
    assert layered.limits_of(line, "desk") == {"idle_s": 12, "call_s_max": 600}
    assert layered.vertical_of(layered.numbers["*"]) == ""
    assert layered.limits_of(layered.numbers["*"], "desk") == {"idle_s": 12}


def test_limits_are_the_calls_own() -> None:
    """What can be set is a field of the plan's limits, and the plan's default is allowed."""
    ours = set(schema.Limits.model_fields)
    assert ours <= {field.name for field in fields(plan.Limits)}
    defaults = {name: getattr(plan.Limits(), name) for name in ours}
    assert schema.Limits.model_validate(defaults, strict=False).model_dump() == defaults


def test_what_the_protocol_bounds_is_bounded_here() -> None:
    """A value that the model would refuse in a call is refused when the file is read."""
    for detection, record in (
        (parts.ServerVad, session.ServerVad),
        (parts.SemanticVad, session.SemanticVad),
    ):
        known = set(record.__struct_fields__) | {"type"}
        assert set(detection.model_fields) <= known
    for wrong in ({"threshold": 1.1}, {"idle_timeout_ms": 4999}, {"prefix_padding_ms": -1}):
        with pytest.raises(pydantic.ValidationError):
            parts.ServerVad.model_validate({"type": "server_vad"} | wrong)
    with pytest.raises(pydantic.ValidationError):
        config(agents={"desk": {"instructions": "Answer.", "max_output_tokens": 4097}})


def test_tool_kinds_are_told_apart() -> None:
    """By their kind, each with its own keys."""
    tools = config(
        tools={
            "ask": {"kind": "http", "description": "Ask.", "url": "https://example.com/ask"},
            "count": {"kind": "python", "description": "Count.", "target": "tools:count"},
        }
    ).tools
    assert isinstance(tools["ask"], schema.HttpTool)
    assert isinstance(tools["count"], schema.PythonTool)
    assert tools["ask"].parameters == {"type": "object", "properties": {}}


def test_every_key_is_described() -> None:
    """The reference and the editors show it."""
    models = _parts()
    assert len(models) > 12
    for model in models:
        assert model.__doc__
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def _parts() -> list[type[parts.Part]]:
    return [
        value
        for value in vars(schema).values()
        if isinstance(value, type) and issubclass(value, parts.Part) and value is not parts.Part
    ]


def test_what_is_redacted_is_the_tenant_s_word_over_its_vertical_s() -> None:
    """Cards and social security numbers unless somebody says otherwise; an empty list: nothing."""
    some = config(
        verticals={"health": {"redact": ["card", "ssn", "digits"]}, "sales": {}},
        tenants={
            "clinic": {"vertical": "health"},
            "open": {"vertical": "health", "redact": []},
            "shop": {"vertical": "sales"},
        },
        numbers={
            "+15550100001": {"agent": "desk", "tenant": "clinic"},
            "+15550100002": {"agent": "desk", "tenant": "open"},
            "+15550100003": {"agent": "desk", "tenant": "shop"},
            "*": {"agent": "desk"},
        },
    )
    redacted = [some.redaction_of(number) for number in some.numbers.values()]
    assert redacted == [{"card", "ssn", "digits"}, set(), {"card", "ssn"}, {"card", "ssn"}]


def test_days_are_the_tenant_s_over_its_vertical_s() -> None:
    """None: for ever, which a tenant may also say."""
    some = config(
        verticals={"health": {"retention_days": 30}, "sales": {}},
        tenants={
            "clinic": {"vertical": "health"},
            "brief": {"vertical": "health", "retention_days": 1},
            "archive": {"vertical": "health", "retention_days": "forever"},
            "shop": {"vertical": "sales"},
        },
    )
    assert some.retention().tenants == {"clinic": 30, "brief": 1, "archive": None, "shop": None}
    assert some.retention().verticals == {"health": 30}
    assert config().retention().keeps_all
