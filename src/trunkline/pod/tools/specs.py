"""What a tool is. Made from the config file; secrets are values here and stay out of `repr`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trunkline.core.ids import CallSid

TIMEOUT_S = 10.0
"""The deadline of a tool that names none."""

OUTPUT_BYTES_MAX = 16 * 1024
"""The longest answer of a tool that names no other: the model reads, and pays for, all of it."""


@dataclass(frozen=True, slots=True)
class HttpTool:
    """A tool behind HTTP: the arguments are its body, a 2xx answer's body is its output.

    With a `signing_key` each request is signed; see `client.signature`.
    """

    name: str
    url: str = field(repr=False)
    method: str = "POST"
    timeout_s: float = TIMEOUT_S
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    signing_key: str | None = field(default=None, repr=False)
    output_bytes_max: int = OUTPUT_BYTES_MAX


@dataclass(frozen=True, slots=True)
class PythonTool:
    """A function of the user's, by `module:function`; arguments become keyword arguments."""

    name: str
    target: str
    timeout_s: float = TIMEOUT_S
    output_bytes_max: int = OUTPUT_BYTES_MAX


ToolSpec = HttpTool | PythonTool


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a tool: the same key means the same wish, however often it is asked."""

    call: CallSid
    idempotency_key: str
