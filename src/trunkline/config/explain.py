"""What is wrong with a value, in words: from the schema's faults to one text each."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from trunkline.config.references import nearest
from trunkline.config.tree import Fault, Place, Tree, Value, name_of
from trunkline.config.values import EXPECTED

KEY: Final = "[key]"
"""How the validator says that a key is wrong and not its value."""

_KINDS: Final = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "dict_type": "expected a mapping",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "finite_number": "expected a finite number",
}


def explain(error: ValidationError, tree: Tree, schema: Mapping[str, JsonValue]) -> list[Fault]:
    """A fault for each value that is wrong; alternatives that all failed are one."""
    found: dict[tuple[Place, bool], list[str]] = {}
    for fault in error.errors(include_url=False, include_input=False):
        place, of_key = _place(fault, tree.root)
        texts = found.setdefault((place, of_key), [])
        text = _text(fault, schema)
        if text not in texts:
            texts.append(text)
    return [
        Fault(tree.mark(place, of_key=of_key), name_of(place), _joined(texts))
        for (place, of_key), texts in found.items()
    ]


def _joined(texts: Sequence[str]) -> str:
    """`expected a` and `expected b` are `expected a or b`."""
    first, *others = texts
    return " or ".join([first, *(text.removeprefix("expected ") for text in others)])


def _place(fault: ErrorDetails, root: Value) -> tuple[Place, bool]:
    """The place in the file, and whether the key there is meant.

    The validator's own names for alternatives are left out.
    """
    place: list[str | int] = []
    value = root
    *inner, last = fault["loc"] or ("",)
    for part in (*inner, last):
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        place.append(part)
    if fault["type"] == "missing":
        return (*place, last), False
    return tuple(place), fault["type"] == "extra_forbidden" or last == KEY


def _text(fault: ErrorDetails, schema: Mapping[str, JsonValue]) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    match kind:
        case "missing":
            described = _at(schema, fault["loc"], schema).get("description", "a value")
            return f"missing; expected: {described}"
        case "extra_forbidden":
            known = _keys(_at(schema, fault["loc"][:-1], schema), schema)
            return f"unknown key; {nearest(str(fault['loc'][-1]), known)}"
        case "string_pattern_mismatch":
            return f"expected {EXPECTED[context['pattern']]}"
        case "literal_error":
            return f"expected {context['expected']}"
        case "union_tag_invalid":
            return f"expected {context['discriminator']} to be one of {context['expected_tags']}"
        case "union_tag_not_found":
            return f"expected a mapping with {context['discriminator']}"
        case "value_error":
            return fault["msg"].removeprefix("Value error, ")
        case "string_too_short":
            return "expected text, and it is empty"
        case _ if kind in _KINDS:
            return _KINDS[kind]
        case _:
            message = fault["msg"]
            for said in (
                "Input should be ",
                "String should ",
                "Dictionary should ",
                "Tuple should ",
            ):
                message = message.removeprefix(said)
            return f"expected {message}"


Schema = Mapping[str, JsonValue]


def _at(schema: Schema, place: Sequence[str | int], whole: Schema) -> Schema:
    """What the schema says of the value at a place."""
    for part in place:
        schema = _step(_resolved(schema, whole), part, whole)
    return _resolved(schema, whole)


def _keys(schema: Schema, whole: Schema) -> list[str]:
    """The keys that a mapping may have; of what may also be null, those of the mapping."""
    properties, options = schema.get("properties"), schema.get("anyOf")
    if isinstance(properties, dict):
        return list(properties)
    found: list[str] = []
    for option in options if isinstance(options, list) else []:
        assert isinstance(option, dict)
        found += _keys(_resolved(option, whole), whole)
    return found


def _step(schema: Schema, part: str | int, whole: Schema) -> Schema:
    options = schema.get("oneOf") or schema.get("anyOf")
    if isinstance(options, list):
        tags = schema.get("discriminator")
        if isinstance(tags, dict) and isinstance(tags["mapping"], dict) and part in tags["mapping"]:
            return {"$ref": tags["mapping"][str(part)]}
        for option in options:
            assert isinstance(option, dict)
            if inner := _step(_resolved(option, whole), part, whole):
                return inner
        return {}
    found: JsonValue = None
    properties, others = schema.get("properties"), schema.get("patternProperties")
    if isinstance(properties, dict) and part in properties:
        found = properties[str(part)]
    elif isinstance(part, int):
        found = schema.get("items")
    elif isinstance(others, dict):
        # A mapping of the user's names: each pattern leads to the same records.
        found = next(iter(others.values()))
    else:
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}


def _resolved(schema: Schema, whole: Schema) -> Schema:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    definitions = whole["$defs"]
    assert isinstance(definitions, dict)
    target = definitions[reference.rpartition("/")[2]]
    assert isinstance(target, dict)
    # What stands beside the reference says more than what it leads to.
    return {**target, **schema, "$ref": None}
