"""The pydantic models of the openai package as judge of every realtime event of ours.

The models allow what the real server refuses (surplus keys stay in `model_extra`), so the
whole tree is walked, and any surplus is a complaint.
"""

import json
from typing import get_args

import pydantic
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent

ALLOWED_EXTRAS = {
    "session.created": {"session.id", "session.object", "session.expires_at"},
    "session.updated": {"session.id", "session.object", "session.expires_at"},
}
"""What real servers send and the models of `session.*` do not declare (reference, section 3)."""


def _models(union: object) -> dict[str, type[pydantic.BaseModel]]:
    """The models of an annotated union, by the `type` that each stands for."""
    members: tuple[type[pydantic.BaseModel], ...] = get_args(get_args(union)[0])
    return {str(get_args(m.model_fields["type"].annotation)[0]): m for m in members}


CLIENT = _models(RealtimeClientEvent)
SERVER = _models(RealtimeServerEvent)


def _surplus(value: object, path: str) -> list[str]:
    """Paths of whatever a model read without knowing it, in the whole tree."""
    found: list[str] = []
    match value:
        case pydantic.BaseModel():
            found += [f"{path}{name}" for name in value.model_extra or {}]
            for name in type(value).model_fields:
                found += _surplus(getattr(value, name), f"{path}{name}.")
        case list():
            for index, inner in enumerate(value):
                found += _surplus(inner, f"{path}{index}.")
        case dict():
            for name, inner in value.items():
                found += _surplus(inner, f"{path}{name}.")
        case _:
            pass
    return found


def _rates(value: object) -> list[str]:
    """Complaints of a `rate` beside `audio/pcmu`: the models let it pass, the server does not."""
    match value:
        case dict():
            own = (
                ["rate on audio/pcmu"]
                if value.get("type") == "audio/pcmu" and "rate" in value
                else []
            )
            return own + [c for inner in value.values() for c in _rates(inner)]
        case list():
            return [c for inner in value for c in _rates(inner)]
        case _:
            return []


def _complaints(text: bytes, models: dict[str, type[pydantic.BaseModel]]) -> list[str]:
    tree = json.loads(text)
    model = models.get(tree.get("type"))
    if model is None:
        return [f"no event {tree.get('type')!r}"]
    try:
        read = model.model_validate(tree)
    except pydantic.ValidationError as error:
        return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    allowed = ALLOWED_EXTRAS.get(tree["type"], set())
    return [c for c in _surplus(read, "") if c not in allowed] + _rates(tree)


def of_client_event(text: bytes) -> list[str]:
    """What the judge has against an event that a client sends; nothing: []."""
    return _complaints(text, CLIENT)


def of_server_event(text: bytes) -> list[str]:
    """What the judge has against an event that a server sends; nothing: []."""
    return _complaints(text, SERVER)
