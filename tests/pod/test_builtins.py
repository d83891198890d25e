"""What the model is told of the built-in tools is what the call understands."""

import msgspec
import pytest

from call.script import BUILT_INS, agent
from trunkline.call.builtin import (
    KINDS,
    HandOff,
    Refusal,
    SayGoodbye,
    SendDigits,
    Transfer,
    read_order,
)
from trunkline.call.plan import ToolKind
from trunkline.pod import builtins
from trunkline.wire.realtime.session import FunctionTool


class Property(msgspec.Struct, frozen=True):
    type: str
    enum: list[str] | None = None
    pattern: str | None = None
    description: str | None = None


class Schema(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a strict reader makes of the parameters."""

    type: str
    properties: dict[str, Property]
    required: list[str]
    additional_properties: bool


DESK = agent(tools=BUILT_INS, handoffs=["billing"], transfer_numbers={"doctor": "+15550100020"})


def described(kind: ToolKind) -> tuple[FunctionTool, Schema]:
    tool = builtins.describe(kind, handoffs=["sales", "billing"], transfers={"doctor": "", "b": ""})
    assert isinstance(tool.parameters, msgspec.Raw)
    return tool, msgspec.json.decode(tool.parameters, type=Schema)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_built_in_is_described(kind: ToolKind) -> None:
    """By its own name, with a strict object; nothing is asked for that is not described."""
    tool, schema = described(kind)
    assert tool.name == kind.value
    assert tool.description
    assert schema.type == "object"
    assert not schema.additional_properties
    assert set(schema.required) <= schema.properties.keys()


def test_the_choices_are_the_agents_own() -> None:
    """In an order that does not change, so that the provider's cache holds."""
    assert described(ToolKind.HANDOFF)[1].properties["agent"].enum == ["billing", "sales"]
    assert described(ToolKind.TRANSFER_CALL)[1].properties["target"].enum == ["b", "doctor"]


def test_a_reason_for_the_end_may_be_left_out() -> None:
    """A model that has none still ends the call."""
    assert described(ToolKind.END_CALL)[1].required == []
    assert described(ToolKind.SEND_DIGITS)[1].required == ["digits"]


@pytest.mark.parametrize(
    ("kind", "value", "order"),
    [
        (ToolKind.END_CALL, "done", SayGoodbye()),
        (ToolKind.TRANSFER_CALL, "doctor", Transfer("doctor", "+15550100020")),
        (ToolKind.HANDOFF, "billing", HandOff("billing")),
        (ToolKind.SEND_DIGITS, "1w23#", SendDigits("1w23#")),
    ],
)
def test_what_is_asked_for_is_what_the_call_reads(
    kind: ToolKind, value: str, order: SayGoodbye | Transfer | HandOff | SendDigits
) -> None:
    """The one property of each schema is the name that the call looks for."""
    (name,) = described(kind)[1].properties
    assert read_order(kind, {name: value}, DESK) == order
    if kind is not ToolKind.END_CALL:
        assert isinstance(read_order(kind, {"other": value}, DESK), Refusal)


@pytest.mark.parametrize("kind", [ToolKind.HTTP, ToolKind.PYTHON])
def test_a_users_tool_is_no_built_in(kind: ToolKind) -> None:
    """Its description is in the config file."""
    with pytest.raises(AssertionError):
        builtins.describe(kind, handoffs=[], transfers=[])
