"""How the model is told of the built-in tools: their descriptions and their arguments' schemas."""

import json
from collections.abc import Collection
from typing import assert_never

import msgspec

from trunkline.call.plan import ToolKind
from trunkline.wire.realtime.session import FunctionTool


def describe(
    kind: ToolKind, *, handoffs: Collection[str], transfers: Collection[str]
) -> FunctionTool:
    """What the model reads about a built-in tool; the choices are the agent's own."""
    match kind:
        case ToolKind.END_CALL:
            return _tool(
                kind,
                "End the call. Say goodbye first; the line is closed when it has been heard.",
                reason={"type": "string", "description": "Why, in a few words."},
            )
        case ToolKind.TRANSFER_CALL:
            return _tool(
                kind,
                "Send the caller on to a person. Say so first; the line moves when it was heard.",
                target={"type": "string", "enum": sorted(transfers)},
            )
        case ToolKind.HANDOFF:
            return _tool(
                kind,
                "Let another agent go on with this caller, who stays on the line.",
                agent={"type": "string", "enum": sorted(handoffs)},
            )
        case ToolKind.SEND_DIGITS:
            return _tool(
                kind,
                "Press keys on the line, for a menu at the other end. w waits half a second.",
                digits={"type": "string", "pattern": "^[0-9*#A-Dw]+$"},
            )
        case ToolKind.HTTP | ToolKind.PYTHON:
            raise AssertionError(f"{kind} tools are described in the config file")
        case _:
            assert_never(kind)


def _tool(kind: ToolKind, description: str, **arguments: dict[str, object]) -> FunctionTool:
    required = [] if kind is ToolKind.END_CALL else list(arguments)
    schema = {
        "type": "object",
        "properties": arguments,
        "required": required,
        "additionalProperties": False,
    }
    return FunctionTool(kind.value, description, msgspec.Raw(json.dumps(schema)))
