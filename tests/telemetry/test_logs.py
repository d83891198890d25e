import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.call.actions import NoteName
from trunkline.telemetry import logs
from trunkline.telemetry.fields import FIELDS, RESERVED
from trunkline.telemetry.logs import LogName
from trunkline.telemetry.names import MEANINGS

CALL: Final = "CA" + "0123456789abcdef" * 2
CANARY: Final = "+15550100001"
WORDS: Final = "my account number is four two"


@pytest.fixture(autouse=True)
def stream() -> Iterator[io.StringIO]:
    """What is written; silence before and after."""
    stream = io.StringIO()
    logs.configure(stream, level="debug")
    yield stream
    logs.reset()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(error: Exception) -> None:
    raise error


def test_a_line_is_json_with_its_name_first(stream: io.StringIO) -> None:
    """Time, level, name, then the fields."""
    logs.get_logger(pod="pod-0").bind(call=CALL).info(LogName.CALL_ENDED, outcome="failed", ms=3)
    (line,) = lines(stream)
    assert list(line) == ["at", "level", "event", "pod", "call", "outcome", "ms"]
    assert str(line.pop("at")).endswith("Z")
    assert line == {
        "level": "info",
        "event": "call_ended",
        "pod": "pod-0",
        "call": CALL,
        "outcome": "failed",
        "ms": 3,
    }


def test_levels(stream: io.StringIO) -> None:
    """Four, and what is below the level asked for is not written."""
    log = logs.get_logger()
    for level in ("info", "warning"):
        logs.configure(stream, level=level)
        log.debug(LogName.PHASE)
        log.info(LogName.CALL_ENDED)
        log.warning(LogName.JOURNAL_AWAY)
        log.error(LogName.CALL_BROKE)
    assert [line["level"] for line in lines(stream)] == [
        "info", "warning", "error", "warning", "error",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["number", "from_number", "transcript", "arguments", "event"])
def test_a_field_that_is_not_allowed_is_our_own_fault(stream: io.StringIO, name: str) -> None:
    """Types refuse it; should they be evaded, nothing is written."""
    fields = {name: CANARY}
    with pytest.raises(AssertionError):
        logs.get_logger().info(LogName.CALL_ENDED, **fields)  # type: ignore[arg-type] # that is it
    with pytest.raises(AssertionError):
        logs.get_logger(**fields)  # type: ignore[arg-type] # that is it
    with pytest.raises(AssertionError):
        logs.get_logger().info("a sentence")  # type: ignore[arg-type] # that is it
    logs.reset()
    with pytest.raises(AssertionError):
        logs.get_logger().info(LogName.CALL_ENDED, **fields)  # type: ignore[arg-type] # silent too
    assert stream.getvalue() == ""


@given(st.text(max_size=1000), st.sampled_from(sorted(FIELDS)))
def test_every_value_is_bounded_and_one_line(text: str, name: str) -> None:
    """Whatever it holds, lone surrogates and newlines too: one line of JSON."""
    stream = io.StringIO()
    logs.configure(stream)
    fields = {name: text + CANARY}
    logs.get_logger().info(LogName.NOTE, **fields)  # type: ignore[arg-type] # any field, any text
    assert stream.getvalue().count("\n") == 1
    assert len(stream.getvalue().splitlines()) == 1
    (line,) = lines(stream)
    assert len(str(line[name])) <= logs.STACK_CHARS_MAX
    if name not in {"stack", "where"}:
        assert len(str(line[name])) <= logs.VALUE_CHARS_MAX
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.23456789, 1.234568), (float("nan"), "nan"), (float("inf"), "inf"), (7, 7)],
)
def test_numbers_stay_json(stream: io.StringIO, value: float, shown: object) -> None:
    """Rounded, and what JSON has no word for as text."""
    logs.get_logger().info(LogName.NOTE, value=value)
    assert lines(stream)[0]["value"] == shown


def test_an_error_is_told_without_its_text(stream: io.StringIO) -> None:
    """Its type and its place: its text may quote what a caller said."""
    log = logs.get_logger()
    try:
        fail(ValueError(WORDS, CANARY))
    except ValueError as error:
        log.exception(LogName.CALL_BROKE, call=CALL)
        log.failure(LogName.CALL_BROKE, error, call=CALL)
    for line in lines(stream):
        assert line["error"] == "ValueError"
        assert "test_an_error_is_told_without_its_text" in str(line["where"])
        assert line["level"] == "error"
    assert WORDS not in stream.getvalue()


def test_every_note_has_a_name(stream: io.StringIO) -> None:
    """What a call can note is a line of its own name."""
    for name in NoteName:
        logs.get_logger().note(name, "detail", 1.5, call=CALL)
    assert [line["event"] for line in lines(stream)] == list(NoteName)
    assert {(line["detail"], line["value"], line["call"]) for line in lines(stream)} == {
        ("detail", 1.5, CALL)
    }


def test_a_note_may_say_nothing_more(stream: io.StringIO) -> None:
    """Then it has no such fields; one that is unknown here is a note all the same."""
    logs.get_logger().note("unheard_of", "", 0.0)
    (line,) = lines(stream)
    assert line["event"] == "note"
    assert not {"detail", "value"} & set(line)


def test_a_flood_is_held_back_and_told(stream: io.StringIO) -> None:
    """The name's rate, then one line that says how many there were."""
    times = [0.0]
    logs.configure(stream, clock=lambda: times[0])
    log = logs.get_logger()
    for _ in range(1000):
        log.warning(LogName.WEBHOOK_REFUSED)
    log.warning(LogName.JOURNAL_AWAY)
    assert len(lines(stream)) == 101
    assert logs.lines_lost() == 900
    times[0] = 1.0
    log.warning(LogName.WEBHOOK_REFUSED)
    assert lines(stream)[-1]["suppressed"] == 900
    for _ in range(1000):
        log.warning(LogName.WEBHOOK_REFUSED)
    logs.report_suppressed()
    told = lines(stream)[-1]
    assert (told["event"], told["kind"], told["count"]) == ("suppressed", "webhook_refused", 981)


def test_a_stream_that_fails_ends_no_call() -> None:
    """The line is lost and counted."""
    broken = io.StringIO()
    logs.configure(broken)
    broken.close()
    logs.get_logger().info(LogName.CALL_ENDED)
    assert logs.lines_lost() == 1


def test_a_line_for_eyes() -> None:
    """The same pipeline, rendered for a terminal."""
    stream = io.StringIO()
    logs.configure(stream, json=False)
    logs.get_logger().info(LogName.CALL_ENDED, call=CALL, reason=f"from {CANARY}")
    assert "call_ended" in stream.getvalue()
    assert CALL in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_before_it_is_configured_there_is_silence(
    stream: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written anywhere, by a log made before or after."""
    log = logs.get_logger()
    logs.reset()
    log.info(LogName.CALL_ENDED)
    logs.get_logger().info(LogName.CALL_ENDED)
    assert stream.getvalue() == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("library", "message", "text"),
    [
        ("asyncio", f"Task exception was never retrieved\nfuture: <Task {WORDS}>", None),
        ("asyncio", f"Exception in callback Runner._feed('{WORDS}')", None),
        ("asyncio", f"Executing <Task {WORDS}> took 0.1 seconds", "Executing"),
        ("uvicorn.error", "Exception in ASGI application\n", None),
        ("redis.connection", f"failed: {WORDS}", "failed"),
        ("aiohttp.client", "Unclosed %s", "Unclosed"),
    ],
)
def test_libraries_speak_through_us(
    stream: io.StringIO, library: str, message: str, text: str | None
) -> None:
    """Their template up to the first value, the error's type and place; never the values."""
    try:
        fail(LookupError(WORDS))
    except LookupError:
        logging.getLogger(library).exception(message)
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["library"]) == ("library", "error", library)
    assert line["text"] == (text or logs.template(message))
    assert str(line["text"])
    assert line["error"] == "LookupError"
    assert WORDS not in stream.getvalue()


def test_arguments_of_a_library_are_not_told(stream: io.StringIO) -> None:
    """They are values."""
    logging.getLogger("uvicorn.error").warning("Refused %s from", CANARY)
    assert lines(stream)[0]["text"] == "Refused"


def test_of_a_users_tools_only_who(stream: io.StringIO) -> None:
    """Their messages may hold anything."""
    logging.getLogger("tools").warning(WORDS)
    (line,) = lines(stream)
    assert line["library"] == "tools"
    assert "text" not in line


def test_access_logs_are_off(stream: io.StringIO) -> None:
    """They hold paths with tokens, and come with every request."""
    for name in logs.SILENT:
        logging.getLogger(name).error("127.0.0.1 - GET /twilio/resume/r1.abc")
    assert stream.getvalue() == ""


def test_what_libraries_say_by_the_way_is_not_told(stream: io.StringIO) -> None:
    """Warnings and above."""
    logging.getLogger("uvicorn.error").info("Started server process")
    assert stream.getvalue() == ""


STRAYS = """
import sys, threading
from trunkline.telemetry import logs
logs.configure(sys.stderr)
logs.catch_strays()
class Stray:
    def __del__(self):
        raise ValueError("my account number is four two")
def fail():
    raise KeyError("my account number is four two")
Stray()
thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise RuntimeError("my account number is four two")
"""


def test_errors_that_nobody_catches_are_lines() -> None:
    """Of a destructor, a thread, the process: Python itself would print their texts."""
    done = subprocess.run(
        [sys.executable, "-c", STRAYS], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["error"] for line in told] == ["ValueError", "KeyError", "RuntimeError"]
    assert {line["event"] for line in told} == {"process_broke"}
    assert WORDS not in done.stderr


def test_every_name_has_a_meaning() -> None:
    """The reference is made from these."""
    assert set(MEANINGS) == set(LogName)
    assert not RESERVED & set(FIELDS)
