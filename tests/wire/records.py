"""Records made from their types alone, so that a new record or field can't be forgotten."""

import base64
import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal, TypeVar, get_args

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from trunkline.wire.realtime import items, responses, server, session

R = TypeVar("R", bound=msgspec.Struct)
Tree = dict[str, "Json"]
Json = str | int | float | bool | None | list["Json"] | Tree

base64_audio = st.binary(max_size=48).map(lambda audio: base64.b64encode(audio).decode())
NO_NEED = 2**40

OVERRIDES: dict[tuple[type, str], st.SearchStrategy[Json]] = {
    (session.AudioOutput, "voice"): st.sampled_from(sorted(session.VOICES)),
    (server.RateLimit, "name"): st.sampled_from(["requests", "tokens"]),
    (responses.StatusDetails, "type"): st.sampled_from(
        ["completed", "cancelled", "incomplete", "failed"]
    ),
    (responses.StatusDetails, "reason"): st.sampled_from(
        ["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"]
    ),
}
"""Fields that the protocol bounds where our record does not."""

ALWAYS_SENT = {
    (server.TranscriptionCompleted, "usage"),
    (server.ArgumentsDone, "name"),
    (items.InputAudio, "audio"),
}
"""What our record may lack because the other end may leave it out; a sender never does."""


def kinds(union: types.UnionType) -> list[type[msgspec.Struct]]:
    """The records of a closed union."""
    found = [kind for kind in get_args(union) if issubclass(kind, msgspec.Struct)]
    assert len(found) == len(get_args(union))
    return found


Content = Mapping[str, Sequence[type[items.Content]]]
"""What a message of each role may hold."""

_CLIENT: Content = {
    "system": [items.InputText],
    "user": [items.InputText, items.InputAudio],
    "assistant": [items.OutputText],
}
_SERVER: Content = {**_CLIENT, "assistant": [items.OutputText, items.OutputAudio]}

Side = Literal["client", "server"]
CONTENT: Mapping[Side, Content] = {"client": _CLIENT, "server": _SERVER}

Optional = Literal["all", "none", "any"]
"""Which of the fields that may be absent are present."""


def _tree(kind: inspect.Type, content: Content, optional: Optional) -> st.SearchStrategy[Json]:
    """JSON values of a type, within its bounds."""

    def inner(of: inspect.Type) -> st.SearchStrategy[Json]:
        return _tree(of, content, optional)

    match kind:
        case inspect.StrType():
            return st.text(min_size=kind.min_length or 0, max_size=min(kind.max_length or 12, 12))
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            low, high = kind.ge, kind.le
            return st.integers(0 if low is None else low, NO_NEED if high is None else high)
        case inspect.FloatType():
            low_f = 0.0 if kind.ge is None else float(kind.ge)
            return st.floats(low_f, 1e6 if kind.le is None else float(kind.le))
        case inspect.LiteralType():
            return st.sampled_from(sorted(kind.values, key=str))
        case inspect.NoneType():
            return st.none()
        case inspect.RawType():
            return st.just({"type": "object", "properties": {"a\"'": {"type": "string"}}})
        case inspect.ListType():
            return st.lists(
                inner(kind.item_type), min_size=kind.min_length or 0, max_size=kind.max_length or 2
            ).map(list)
        case inspect.DictType():
            return st.dictionaries(st.text(max_size=8), inner(kind.value_type), max_size=2).map(
                dict
            )
        case inspect.UnionType():
            return st.one_of([inner(of) for of in kind.types])
        case inspect.StructType():
            return _struct(kind, content, optional)
        case _:
            raise AssertionError(f"teach the generator {type(kind).__name__}")


def _struct(
    kind: inspect.StructType, content: Content, optional: Optional
) -> st.SearchStrategy[Json]:
    def field(of: inspect.Field) -> st.SearchStrategy[Json]:
        if (kind.cls, of.name) in OVERRIDES:
            return OVERRIDES[kind.cls, of.name]
        if of.name in {"audio", "payload"} and isinstance(of.type, inspect.StrType):
            return base64_audio
        if of.name in {"id", "call_id"} and isinstance(of.type, inspect.StrType):
            return st.text(min_size=1, max_size=items.ID_CHARS_MAX)
        return _tree(of.type, content, optional)

    def message(role: str) -> st.SearchStrategy[Json]:
        parts = [_tree(inspect.type_info(part), content, optional) for part in content[role]]
        rest = {f.name: f for f in kind.fields if f.name not in {"role", "content"}}
        return _object(
            {"role": st.just(role), "content": st.lists(st.one_of(parts), max_size=2).map(list)},
            {name: field(of) for name, of in rest.items()},
        )

    def _object(
        always: dict[str, st.SearchStrategy[Json]], sometimes: dict[str, st.SearchStrategy[Json]]
    ) -> st.SearchStrategy[Json]:
        tag = {} if kind.tag_field is None else {kind.tag_field: st.just(kind.tag)}
        match optional:
            case "all":
                return st.fixed_dictionaries({**tag, **always, **sometimes})
            case "none":
                return st.fixed_dictionaries({**tag, **always})
            case "any":
                return st.fixed_dictionaries({**tag, **always}, optional=sometimes)

    if kind.cls is items.Message:
        return st.sampled_from(sorted(content)).flatmap(message)
    needed = {f.name for f in kind.fields if f.required or (kind.cls, f.name) in ALWAYS_SENT}
    return _object(
        {f.encode_name: field(f) for f in kind.fields if f.name in needed},
        {f.encode_name: field(f) for f in kind.fields if f.name not in needed},
    )


@cache
def trees(
    record: type[msgspec.Struct], side: Side = "server", optional: Optional = "any"
) -> st.SearchStrategy[Json]:
    """JSON trees of a record."""
    return _tree(inspect.type_info(record), CONTENT[side], optional)


def of(record: type[R], side: Side = "server", optional: Optional = "any") -> st.SearchStrategy[R]:
    """Records, with values over all of their bounds."""
    return trees(record, side, optional).map(
        lambda tree: msgspec.json.decode(msgspec.json.encode(tree), type=record)
    )
