"""One JSON line an event: bounded, paced, and without personal data.

A line has a name (`LogName`) and fields that are allowed by name (`Fields`); types refuse others
before they run, an assertion when they do. Values are bounded and scrubbed. Numbers dialled,
words spoken, tool arguments and headers are no fields, and never become any.
"""

import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Literal, TextIO, Unpack

import structlog
from structlog.typing import EventDict, WrappedLogger

from trunkline.telemetry.fields import FIELDS, Fields
from trunkline.telemetry.names import MEANINGS, LogName
from trunkline.telemetry.pace import Pace
from trunkline.telemetry.scrub import scrub

__all__ = [
    "FIELDS", "MEANINGS", "Fields", "Level", "Log", "LogName", "catch_strays", "configure",
    "get_logger", "lines_lost", "report_suppressed", "reset",
]  # fmt: skip

Level = Literal["debug", "info", "warning", "error"]

VALUE_CHARS_MAX: Final = 200
"""A longer value is cut at its end."""

STACK_CHARS_MAX: Final = 4000
"""A longer stack is cut at its beginning: the innermost frame tells most."""

WHERE_FRAMES_MAX: Final = 6
"""The innermost frames of an error that are named."""

LIBRARY_LEVEL: Final = logging.WARNING
"""What libraries say below this is not for operators."""

LIBRARIES: Final = (
    "aiohttp", "alembic", "asyncio", "asyncpg", "concurrent", "dotenv", "fastapi", "picows",
    "redis", "sqlalchemy", "twilio", "uvicorn",
)  # fmt: skip
"""Loggers whose templates are told. Others may be a user's tools: of them only who, and the error's
type and place."""

SILENT: Final = ("uvicorn.access", "aiohttp.access")
"""Access logs: they hold addresses and query strings, and a line a request."""


_NOTES: Final = {name.value: name for name in LogName}

_NOTE_LEVELS: Final[Mapping[LogName, Level]] = {
    LogName.PHASE: "debug",
    LogName.TOKENS: "debug",
    LogName.UNEXPECTED: "debug",
    LogName.DROPPED: "debug",
    LogName.MODEL_ERROR: "warning",
    LogName.RESPONSE_FAILED: "warning",
    LogName.DEAD_AIR: "warning",
}


@dataclass(slots=True)
class _Pipeline:
    """Where lines go. There is one in a process, as there is one stderr."""

    logger: structlog.typing.FilteringBoundLogger | None = None
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = time.monotonic
    lost: int = 0
    handler: logging.Handler | None = None


_pipeline = _Pipeline()


class _Stream:
    """Writes lines, and never fails: nobody's call shall end for a log that can't be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed.
            _pipeline.lost += 1

    debug = info = warning = error = _write


class Log:
    """Writes lines with some fields already set."""

    __slots__ = ("_bound",)

    def __init__(self, bound: Mapping[str, object]) -> None:
        assert bound.keys() <= FIELDS.keys(), f"no such log field: {bound.keys() - FIELDS.keys()}"
        self._bound = bound

    def bind(self, **more: Unpack[Fields]) -> "Log":
        """The same with more fields set."""
        return Log({**self._bound, **more})

    def debug(self, name: LogName, /, **fields: Unpack[Fields]) -> None:
        """What helps who looks for a fault."""
        self._write("debug", name, fields)

    def info(self, name: LogName, /, **fields: Unpack[Fields]) -> None:
        """What happened, as it should."""
        self._write("info", name, fields)

    def warning(self, name: LogName, /, **fields: Unpack[Fields]) -> None:
        """What went wrong and was dealt with."""
        self._write("warning", name, fields)

    def error(self, name: LogName, /, **fields: Unpack[Fields]) -> None:
        """What went wrong and needs somebody."""
        self._write("error", name, fields)

    def exception(self, name: LogName, /, **fields: Unpack[Fields]) -> None:
        """The error that is being handled: its type and place, never its text."""
        error = sys.exception()
        assert error is not None
        self._write("error", name, {**fields, **_told(error)})

    def failure(self, name: LogName, error: BaseException, /, **fields: Unpack[Fields]) -> None:
        """An error: its type and place, never its text, which may quote what was said."""
        self._write("error", name, {**fields, **_told(error)})

    def note(self, name: str, detail: str, value: float, /, **fields: Unpack[Fields]) -> None:
        """What a call's machine noted (`call.actions.Note`)."""
        known = _NOTES.get(name, LogName.NOTE)
        told: dict[str, object] = {**fields}
        if detail:
            told["detail"] = detail
        if value:
            told["value"] = value
        self._write(_NOTE_LEVELS.get(known, "info"), known, told)

    def _write(self, level: Level, name: LogName, fields: Mapping[str, object]) -> None:
        assert isinstance(name, LogName)
        assert fields.keys() <= FIELDS.keys(), f"no such log field: {fields.keys() - FIELDS.keys()}"
        if _pipeline.logger is not None:
            getattr(_pipeline.logger, level)(name, **{**self._bound, **fields})


def _told(error: BaseException) -> dict[str, object]:
    return {"error": type(error).__name__, "where": where(error)}


def get_logger(**bound: Unpack[Fields]) -> Log:
    """A log with some fields set. It may be made before `configure`; until then it is silent."""
    return Log({**bound})


def configure(
    stream: TextIO,
    *,
    level: Level = "info",
    json: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Write lines of this level and above to `stream`, JSON or for eyes; libraries' lines too."""
    reset()
    renderer = (
        structlog.processors.JSONRenderer(sort_keys=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    _pipeline.logger = structlog.wrap_logger(
        _Stream(stream),
        processors=[_pace, _head, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        cache_logger_on_first_use=True,
    ).bind()
    _pipeline.pace = Pace()
    _pipeline.clock = clock
    _pipeline.lost = 0
    _pipeline.handler = _Libraries(LIBRARY_LEVEL)
    root = logging.getLogger()
    root.addHandler(_pipeline.handler)
    for name in SILENT:
        logging.getLogger(name).disabled = True


def reset() -> None:
    """Back to silence, as before `configure`."""
    if _pipeline.handler is not None:
        logging.getLogger().removeHandler(_pipeline.handler)
        _pipeline.handler = None
    for name in SILENT:
        logging.getLogger(name).disabled = False
    _pipeline.logger = None


def lines_lost() -> int:
    """Lines that were not written since `configure`: held back, or the stream failed."""
    return _pipeline.lost


def report_suppressed() -> None:
    """Say what was held back and not told yet: a flood may have ended with its last line."""
    for name, count in _pipeline.pace.take_suppressed().items():
        Log({}).warning(LogName.SUPPRESSED, kind=name, count=count)


def catch_strays() -> None:
    """Errors that nobody catches are told as lines: Python would print their texts."""

    def unraisable(stray: "sys.UnraisableHookArgs") -> None:
        if stray.exc_value is not None:
            Log({}).failure(LogName.PROCESS_BROKE, stray.exc_value)

    def in_thread(stray: threading.ExceptHookArgs) -> None:
        if stray.exc_value is not None:
            Log({}).failure(LogName.PROCESS_BROKE, stray.exc_value)

    def uncaught(
        _type: type[BaseException], error: BaseException, _trace: TracebackType | None
    ) -> None:
        if not isinstance(error, KeyboardInterrupt):
            Log({}).failure(LogName.PROCESS_BROKE, error)

    sys.excepthook = uncaught
    sys.unraisablehook = unraisable
    threading.excepthook = in_thread


def where(error: BaseException) -> str:
    """The innermost frames of an error, the innermost first: `machine.py:80 receive < …`."""
    frames = traceback.extract_tb(error.__traceback__)[-WHERE_FRAMES_MAX:]
    return " < ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in reversed(frames)
    )


def _pace(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    suppressed = _pipeline.pace.admit(line["event"], _pipeline.clock())
    if suppressed is None:
        _pipeline.lost += 1
        raise structlog.DropEvent
    if suppressed:
        line["suppressed"] = suppressed
    return line


def _head(_logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head: EventDict = {"at": at, "level": method, "event": str(line.pop("event"))}
    head.update((name, _bounded(name, value)) for name, value in line.items())
    return head


def _bounded(name: str, value: object) -> str | float | bool | None:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else str(value)
    text = scrub(str(value))
    if name == "stack":
        return text[-STACK_CHARS_MAX:]
    if name == "where":
        return text[: 2 * VALUE_CHARS_MAX]
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"


class _Libraries(logging.Handler):
    """What libraries log, as lines of ours.

    Their messages quote values: arguments of callbacks, texts of errors. So only the template is
    told, up to the first place where a value may begin, and only of libraries that we use.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as a line named `library`."""
        fields: Fields = {"library": record.name}
        if record.name.partition(".")[0] in LIBRARIES:
            fields["text"] = template(str(record.msg))
        if record.exc_info is not None and record.exc_info[1] is not None:
            error = record.exc_info[1]
            fields["error"] = type(error).__name__
            fields["where"] = where(error)
        if record.levelno >= logging.ERROR:
            Log({}).error(LogName.LIBRARY, **fields)
        else:
            Log({}).warning(LogName.LIBRARY, **fields)


def template(message: str) -> str:
    """A library's message up to its first value: a quote, a bracket, a colon, a new line."""
    for place, character in enumerate(message):
        if character in "\"'`<({[:=\n\r%":
            return message[:place].strip()
    return message.strip()
