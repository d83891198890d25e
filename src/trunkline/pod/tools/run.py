"""One tool to its end: a result in every case."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self, assert_never

import msgspec

from trunkline.core.ids import CallSid
from trunkline.pod.tools.client import HttpClient
from trunkline.pod.tools.http import run_http
from trunkline.pod.tools.python import CURRENT_RUN, PythonRunner
from trunkline.pod.tools.specs import HttpTool, PythonTool, Run, ToolSpec
from trunkline.pod.tools.text import Said, Unsaid

ARGUMENTS_BYTES_MAX: Final = 64 * 1024
"""Longer arguments of the model's are refused, and it is told so."""

Outcome = Literal["ok", "failed", "timeout", "bad_arguments", "too_big"]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model is told: the tool's answer, or `error: …` in words of ours.

    `output` may hold a caller's words: it is for the model and the call log, never for a log line.
    `outcome` is for metrics.
    """

    ok: bool
    output: str
    outcome: Outcome


class ToolRunner:
    """Runs the tools of all calls; open it with `async with` inside the loop."""

    def __init__(
        self, client: HttpClient | None = None, python: PythonRunner | None = None
    ) -> None:
        self.client = client if client is not None else HttpClient()
        self._python = python if python is not None else PythonRunner()

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.client.__aexit__(kind, error, trace)

    def load(self, specs: Iterable[ToolSpec]) -> None:
        """Find every function that the tools name, before a call needs one.

        Raises:
            SettingsError: one is not there; its text says what to mend.
        """
        for spec in specs:
            if isinstance(spec, PythonTool):
                self._python.load(spec)

    async def run(
        self, spec: ToolSpec, arguments: str, *, call: CallSid, idempotency_key: str
    ) -> ToolResult:
        """Run it once, with the model's arguments: the text of a JSON object, or nothing.

        Never raises; cancelled, it leaves no request behind, and a thread alone to its end.
        """
        text = arguments.strip() or "{}"
        read = _read(text)
        if read is None:
            return _result(Unsaid("bad_arguments", "the arguments are not a JSON object"), 0)
        run = Run(call, idempotency_key)
        match spec:
            case HttpTool():
                said = await run_http(self.client, spec, text.encode(), run)
            case PythonTool():
                token = CURRENT_RUN.set(run)
                try:
                    said = await self._python.run(spec, read)
                finally:
                    CURRENT_RUN.reset(token)
            case _:
                assert_never(spec)
        return _result(said, spec.output_bytes_max)

    def for_call(self, call: CallSid, specs: Mapping[str, ToolSpec]) -> "CallTools":
        """The tools of one call, by name."""
        return CallTools(self, call, specs)


@dataclass(frozen=True, slots=True)
class CallTools:
    """What a call runs its tools with."""

    runner: ToolRunner
    call: CallSid
    specs: Mapping[str, ToolSpec]

    async def run(self, name: str, arguments: str, call_id: str) -> ToolResult:
        """Run one tool to its end. The model's id of the wish is its idempotency key."""
        spec = self.specs.get(name)
        if spec is None:
            return _result(Unsaid("failed", "there is no such tool"), 0)
        key = f"{self.call}:{call_id}"
        return await self.runner.run(spec, arguments, call=self.call, idempotency_key=key)


_OBJECT: Final = msgspec.json.Decoder(dict[str, object])


def _read(text: str) -> dict[str, object] | None:
    if len(text) > ARGUMENTS_BYTES_MAX:
        return None
    try:
        if len(text.encode()) > ARGUMENTS_BYTES_MAX:
            return None
        return _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def _result(said: Said | Unsaid, bytes_max: int) -> ToolResult:
    match said:
        case Unsaid():
            return ToolResult(ok=False, output=f"error: {said.text}", outcome=said.outcome)
        case Said():
            if len(said.text.encode()) > bytes_max:
                text = f"error: the tool's answer is over {bytes_max} bytes"
                return ToolResult(ok=False, output=text, outcome="too_big")
            return ToolResult(ok=True, output=said.text, outcome="ok")
