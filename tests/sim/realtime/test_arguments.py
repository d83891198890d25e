import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.sim.realtime.arguments import arguments_for
from trunkline.wire.realtime.session import FunctionTool


def tool(schema: object) -> FunctionTool:
    return FunctionTool("t", "", msgspec.Raw(json.dumps(schema).encode()))


@pytest.mark.parametrize(
    ("schema", "heard", "arguments"),
    [
        ({}, "hello", {}),
        (
            {"properties": {"agent": {"type": "string", "enum": ["sales", "billing"]}}},
            "transfer me to billing",
            {"agent": "billing"},
        ),
        (
            {"properties": {"agent": {"type": "string", "enum": ["sales"]}}},
            "hello",
            {"agent": "sales"},
        ),
        ({"properties": {"agent": {"type": "string"}}}, "billing please", {"agent": "billing"}),
        ({"properties": {"day": {"type": "string"}}}, "book friday", {"day": "friday"}),
        ({"properties": {"day": {"type": "string"}}}, "book", {"day": "tomorrow"}),
        ({"properties": {"count": {"type": "integer"}}}, "seven please", {"count": 7}),
        ({"properties": {"count": {"type": "number"}}}, "please", {"count": 1}),
        ({"properties": {"digits": {"type": "string"}}}, "four two", {"digits": "42"}),
        ({"properties": {"to": {"type": ["string", "null"]}}}, "x", {"to": "+15550100099"}),
        (
            {
                "properties": {
                    "a": {"type": "boolean"},
                    "b": {"type": "array"},
                    "c": {"type": "object"},
                }
            },
            "x",
            {"a": True, "b": [], "c": {}},
        ),
        ({"properties": {"part": {"type": "string"}}}, "in stock", {"part": "in stock"}),
        (
            {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["b"]},
            "hello",
            {"b": "hello"},
        ),
        ({"properties": "nonsense"}, "hello", {}),
    ],
)
def test_arguments_follow_the_schema_and_what_was_heard(
    schema: object, heard: str, arguments: object
) -> None:
    """Required properties, or all where none is required."""
    assert json.loads(arguments_for(tool(schema), heard)) == arguments


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_schema_gives_arguments(schema: object) -> None:
    """What can't be read as a schema gives an empty object, never an error."""
    assert isinstance(json.loads(arguments_for(tool({"properties": schema}), "hello")), dict)
