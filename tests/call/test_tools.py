"""The ledger of function calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.call.plan import Tool, ToolKind
from trunkline.call.tools import (
    ARGUMENTS_CHARS_MAX,
    OUTPUT_CHARS_MAX,
    RUNNING_MAX,
    Tools,
    bounded,
    read_arguments,
)

SLOW = Tool("slow", ToolKind.HTTP, filler_after_ms=1000)
SILENT = Tool("silent", ToolKind.HTTP, filler_after_ms=None)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("{}", {}),
        ("", {}),
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        ("[]", None),
        ("{", None),
        ('{"a": NaN}', None),
        ("[" * 5_000, None),
        ('{"a": ' * 2_500, None),
        ('{"a": "\ud800"}', None),
        (" " * (ARGUMENTS_CHARS_MAX + 1), None),
    ],
)
def test_arguments_are_one_object_or_nothing(
    text: str, arguments: dict[str, object] | None
) -> None:
    """Nothing that a model writes raises; no arguments at all are an empty object."""
    assert read_arguments(text) == arguments


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    """It is an object or not."""
    assert isinstance(read_arguments(text), dict | None)


@given(st.integers(0, 3))
def test_an_output_is_bounded(extra: int) -> None:
    """All of it, or its beginning and how much is missing."""
    text = bounded("x" * (OUTPUT_CHARS_MAX + extra))
    assert text.startswith("x" * OUTPUT_CHARS_MAX)
    assert text.endswith(f"[cut here: {extra} more characters]" if extra else "x")


def test_a_call_is_taken_and_returned_once() -> None:
    """The second time nobody waits for it."""
    tools = Tools()
    assert tools.take("c1")
    assert not tools.take("c1")
    tools.start("c1", SLOW, "r1", 5.0)
    running = tools.returned("c1")
    assert running is not None
    assert (running.name, running.started_at, running.filler_at) == ("slow", 5.0, 6.0)
    assert tools.returned("c1") is None


def test_a_response_is_complete_when_it_is_over_and_all_is_answered() -> None:
    """Once; another response's tools do not hold it up."""
    tools = Tools()
    tools.start("c1", SLOW, "r1", 0.0)
    tools.start("c2", SLOW, "r2", 0.0)
    assert not tools.pop_complete(lambda _: True)
    tools.answered("r1")
    assert not tools.pop_complete(lambda _: True)
    tools.returned("c1")
    assert not tools.pop_complete(lambda _: False)
    assert tools.pop_complete(lambda _: True)
    assert not tools.pop_complete(lambda _: True)
    assert tools.running


def test_a_filler_is_due_once_for_each_tool_that_wants_one() -> None:
    """The earliest first."""
    tools = Tools()
    tools.start("c0", SILENT, "r1", 0.0)
    assert tools.filler_at is None
    tools.start("c1", SLOW, "r1", 1.0)
    tools.start("c2", SLOW, "r1", 0.5)
    assert tools.filler_at == 1.5
    tools.filled(1.5)
    assert tools.filler_at == 2.0
    tools.filled(2.0)
    assert tools.filler_at is None


def test_there_is_an_end_to_tools() -> None:
    """So many at once; stopped, none is left."""
    tools = Tools()
    for number in range(RUNNING_MAX):
        assert not tools.full
        tools.start(f"c{number}", SLOW, "r1", 0.0)
    assert tools.full
    assert len(tools.stop_all()) == RUNNING_MAX
    assert not tools.running
    assert tools.size() == 0
