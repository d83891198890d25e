"""Arguments for a tool, made from its JSON schema and from what was heard."""

import json
import re
from typing import Final

import msgspec

from trunkline.wire.realtime.session import FunctionTool

_NAMES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS: Final = {name: digit for digit, name in enumerate(_NAMES)}

_TELEPHONE: Final = "+15550100099"
_DAYS: Final = ("today", "tomorrow", "monday", "friday")


class _Property(msgspec.Struct, frozen=True):
    type: str | list[str] = "string"
    enum: list[str | int | float | bool | None] = []


class _Schema(msgspec.Struct, frozen=True):
    properties: dict[str, _Property] = {}
    required: list[str] = []


def arguments_for(tool: FunctionTool, heard: str) -> str:
    """JSON text with the schema's required properties, or all of them if none is required.

    A choice is the one that was heard, else the first; numbers are those that were spoken; a day
    is a day that was named; other texts are what was heard. A schema that can't be read: `{}`.
    """
    try:
        schema = msgspec.json.decode(tool.parameters, type=_Schema)
    except msgspec.DecodeError:
        return "{}"
    names = schema.required or list(schema.properties)
    values = {name: _value(name, schema.properties.get(name, _Property()), heard) for name in names}
    return json.dumps(values)


def _value(name: str, wanted: _Property, heard: str) -> object:
    words = re.findall(r"[a-z0-9']+", heard)
    if wanted.enum:
        return next((choice for choice in wanted.enum if str(choice) in words), wanted.enum[0])
    kind = wanted.type if isinstance(wanted.type, str) else wanted.type[0]
    digits = [DIGITS[word] for word in words if word in DIGITS]
    match kind:
        case "integer" | "number":
            return digits[0] if digits else 1
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
        case _:
            return _text(name, words, "".join(map(str, digits)))


def _text(name: str, words: list[str], digits: str) -> str:
    if name in {"day", "date", "when"}:
        return next((word for word in words if word in _DAYS), "tomorrow")
    if name in {"digits", "account", "order", "order_number"}:
        return digits or "1"
    if name in {"to", "phone", "number", "phone_number"}:
        return _TELEPHONE
    if name == "agent":
        return next((word for word in words if word in {"billing", "sales", "reception"}), "sales")
    return " ".join(words)
