"""Tools that are functions of the user's: `module:function`, async or not.

An async function runs on the pod's loop: it must not block (the watchdog names it if it does).
Any other runs in a thread of its own, and a thread can't be stopped: after its deadline the call
goes on without it, and it keeps its place among `THREADS_MAX` until it returns.
"""

import asyncio
import contextvars
import importlib
import inspect
import threading
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self, cast

import msgspec

from trunkline.errors import SettingsError
from trunkline.pod.tools.specs import PythonTool, Run
from trunkline.pod.tools.text import Said, Unsaid, fit

THREADS_MAX: Final = 64
"""Functions in threads at once; then the model is told that the tool is busy. They are daemons: a
function that hangs does not keep the process from ending."""

COMPLAINT_CHARS_MAX: Final = 200
"""Of what is wrong with the arguments the model is told so much; it can hold its own words."""

CURRENT_RUN: Final[contextvars.ContextVar[Run]] = contextvars.ContextVar("trunkline_run")
"""For tools: the call that they run for, and the key by which a repetition is known."""


class Function(Protocol):
    """A function of the user's."""

    def __call__(self, **arguments: object) -> object:
        """Call it with the model's arguments."""
        ...


class ForeignCode:
    """Around what users wrote: whatever it raises, `sys.exit` included, is its result.

    Some libraries raise what passes every `except Exception`: it would end the pod, not the call.

    What an exception says may hold an address, a key or a caller's words, and the model might read
    it out: only its type is used.
    """

    def __init__(self) -> None:
        self.error: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None or isinstance(error, asyncio.CancelledError | GeneratorExit):
            return False  # How Python ends a coroutine of ours.
        self.error = type(error).__name__
        return True


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """A function that was found; its signature, where it tells one."""

    function: Function
    signature: inspect.Signature | None
    is_async: bool


def resolve(target: str) -> PythonFunction:
    """Find `module:function`; the function may be an attribute of an attribute.

    Raises:
        SettingsError: there is no such function; its text says what to mend.
    """
    module_name, colon, path = target.partition(":")
    if not (module_name and colon and path):
        raise SettingsError(f"the tool target {target!r} must look like module:function")
    with ForeignCode() as code:
        found: object = importlib.import_module(module_name)
    if code.error is not None:
        raise SettingsError(
            f"the module of the tool target {target!r} can't be imported ({code.error}): "
            "is it on PYTHONPATH, and does `python -c 'import "
            f"{module_name}'` work?"
        )
    for name in path.split("."):
        with ForeignCode() as code:
            found = getattr(found, name)
        if code.error is not None:
            raise SettingsError(
                f"the tool target {target!r} names no function: no {name!r} there (a process reads "
                "a module once: was it changed since the start?)"
            )
    if not callable(found):
        raise SettingsError(f"the tool target {target!r} is no function")
    signature = None
    with suppress(ValueError, TypeError):
        signature = inspect.signature(found)
    is_async = inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(
        getattr(found, "__call__", None)  # noqa: B004 - whether the call is async
    )
    return PythonFunction(cast("Function", found), signature, is_async)


class PythonRunner:
    """Runs functions; keeps those it has found."""

    def __init__(self, *, threads_max: int = THREADS_MAX) -> None:
        self._functions: dict[str, PythonFunction] = {}
        self._threads_max = threads_max
        self.threads = 0
        """Functions in threads now, those past their deadline included."""

    def load(self, tool: PythonTool) -> PythonFunction:
        """Find the tool's function, once.

        Raises:
            SettingsError: as `resolve`.
        """
        if tool.target not in self._functions:
            self._functions[tool.target] = resolve(tool.target)
        return self._functions[tool.target]

    async def run(self, tool: PythonTool, arguments: Mapping[str, object]) -> Said | Unsaid:
        """Call the function, within the tool's deadline."""
        try:
            function = self.load(tool)
        except SettingsError:
            return Unsaid("failed", "the tool is not installed")
        if function.signature is not None:
            try:
                function.signature.bind(**arguments)
            except TypeError as error:  # Of names that the model gave or left out.
                return Unsaid("bad_arguments", str(error)[:COMPLAINT_CHARS_MAX])
        if function.is_async:
            return await self._await(tool, function.function, arguments)
        return await self._thread(tool, function.function, arguments)

    async def _await(
        self, tool: PythonTool, function: Function, arguments: Mapping[str, object]
    ) -> Said | Unsaid:
        value: object = None
        deadline = asyncio.timeout(tool.timeout_s)
        with ForeignCode() as code:
            try:
                async with deadline:
                    value = await cast("Coroutine[object, object, object]", function(**arguments))
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                return _failed("CancelledError")
        if deadline.expired():
            return TOO_LATE
        return _failed(code.error) if code.error is not None else _said(value)

    async def _thread(
        self, tool: PythonTool, function: Function, arguments: Mapping[str, object]
    ) -> Said | Unsaid:
        if self.threads >= self._threads_max:
            return BUSY
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Said | Unsaid] = loop.create_future()

        def finish(outcome: Said | Unsaid) -> None:
            self.threads -= 1
            if not answer.done():
                answer.set_result(outcome)

        def work() -> None:
            outcome: Said | Unsaid = _failed("interrupted")
            try:
                outcome = _call(function, arguments)
            finally:
                with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                    loop.call_soon_threadsafe(finish, outcome)

        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(work,), name=f"tool {tool.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # The machine has no thread left.
            return BUSY
        self.threads += 1  # `finish` comes in a later turn of the loop.
        try:
            async with asyncio.timeout(tool.timeout_s):
                return await answer
        except TimeoutError:
            return TOO_LATE


BUSY: Final = Unsaid("failed", "the tool is busy")
TOO_LATE: Final = Unsaid("timeout", "the tool did not answer in time")


def _call(function: Function, arguments: Mapping[str, object]) -> Said | Unsaid:
    value: object = None
    with ForeignCode() as code:
        value = function(**arguments)
    return _failed(code.error) if code.error is not None else _said(value)


def _failed(error: str) -> Unsaid:
    return Unsaid("failed", f"the tool failed ({error})")


def _said(value: object) -> Said | Unsaid:
    """A text as it is, anything else as JSON."""
    if isinstance(value, str):
        return Said(fit(value))
    text = ""
    with ForeignCode() as code:
        text = msgspec.json.encode(value).decode()
    if code.error is None:
        return Said(fit(text))
    if isinstance(value, Coroutine):
        value.close()
    return Unsaid("failed", f"the tool returned a {type(value).__name__}, which is not JSON")
