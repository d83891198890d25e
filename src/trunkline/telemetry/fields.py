"""The fields a log line may have: allowed by name, since a name says whose data it would hold."""

from collections.abc import Mapping
from typing import Final, TypedDict


class Fields(TypedDict, total=False):
    """Every field a line may have. `FIELDS` says what each holds."""

    call: str
    stream: str
    session: str
    pod: str
    incarnation: str
    epoch: int
    agent: str
    tenant: str
    vertical: str
    tool: str
    model: str
    direction: str
    outcome: str
    phase: str
    state: str
    kind: str
    source: str
    side: str
    reason: str
    detail: str
    code: int | str
    status: int | str
    signal: str
    count: int
    value: float
    ms: float
    seconds: float
    bytes: int
    host: str
    port: int
    path: str
    store: str
    setting: str
    hint: str
    version: str
    error: str
    where: str
    stack: str
    library: str
    text: str


FIELDS: Final[Mapping[str, str]] = {
    "call": "CallSid",
    "stream": "StreamSid",
    "session": "our name of a session to the model",
    "pod": "the pod's name",
    "incarnation": "which life of the pod",
    "epoch": "the call's epoch",
    "agent": "an agent's name in the config file",
    "tenant": "a tenant's name",
    "vertical": "a vertical's name",
    "tool": "a tool's name",
    "model": "a model's name",
    "direction": "inbound or outbound",
    "outcome": "how a call ended",
    "phase": "a call's phase",
    "state": "where something stands",
    "kind": "which of several kinds",
    "source": "where it came from",
    "side": "caller or model",
    "reason": "why, in a few words of our own",
    "detail": "one of a small set of words",
    "code": "an error's code",
    "status": "an HTTP status, or the carrier's word",
    "signal": "a signal's name",
    "count": "how many",
    "value": "a measured value; the name says of what",
    "ms": "milliseconds",
    "seconds": "seconds",
    "bytes": "bytes",
    "host": "an address that is listened on",
    "port": "a port",
    "path": "a file's or folder's path",
    "store": "which store",
    "setting": "a setting's name, or a place in the config file",
    "hint": "what is doubtful about it",
    "version": "Trunkline's version, the config file's, or a price list's day",
    "error": "an error's type, never its text",
    "where": "file:line function of its innermost frames",
    "stack": "file, line, function and source of each frame, without values",
    "library": "a library's logger",
    "text": "a library's message up to its first value",
}

RESERVED: Final = frozenset({"at", "level", "event", "suppressed"})
"""Every line has the first three; `suppressed` counts the lines of its name held back before it."""

assert set(Fields.__annotations__) == set(FIELDS)
assert not RESERVED & set(FIELDS)
