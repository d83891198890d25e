import asyncio
import contextvars
import json
import threading
import time
from collections.abc import Iterator, Mapping

import pytest

from pod.tools import foreign
from trunkline.core.ids import CallSid
from trunkline.errors import SettingsError
from trunkline.pod.tools.python import CURRENT_RUN, THREADS_MAX, PythonRunner, resolve
from trunkline.pod.tools.specs import PythonTool, Run
from trunkline.pod.tools.text import Said, Unsaid

pytestmark = pytest.mark.anyio

HERE = "pod.tools.foreign"


@pytest.fixture(autouse=True)
def closed_gate() -> Iterator[None]:
    """What hangs is let go at the end of each test."""
    foreign.gate.clear()
    foreign.started.clear()
    yield
    foreign.gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("tool "):
            thread.join(5.0)


def tool(function: str, *, timeout_s: float = 5.0) -> PythonTool:
    return PythonTool("t", f"{HERE}:{function}", timeout_s=timeout_s)


async def run(
    function: str, arguments: Mapping[str, object] | None = None, *, timeout_s: float = 5.0
) -> Said | Unsaid:
    return await PythonRunner().run(tool(function, timeout_s=timeout_s), arguments or {})


@pytest.mark.parametrize("function", ["free_slots", "free_slots_soon"])
async def test_arguments_are_keywords_and_results_are_json(function: str) -> None:
    """In a thread and on the loop alike; dataclasses and times included."""
    said = await run(function, {"day": "Monday", "count": 2})
    assert isinstance(said, Said)
    assert json.loads(said.text) == [{"day": "Monday", "at": "2026-01-01T09:00:00Z"}] * 2


async def test_a_text_is_told_as_it_is() -> None:
    """Without quotes; what the stores refuse is replaced."""
    assert await run("say", {"text": 'a "b"\0'}) == Said('a "b"�')
    assert await run("say", {"text": "\ud800"}) == Said("�")
    assert await run("anything", {"self": 1, "function": None}) == Said(
        '{"self":1,"function":null}'
    )


async def test_methods_and_callables_are_functions() -> None:
    """An object with an async call is awaited."""
    assert await run("Desk.opens") == Said("at nine")
    assert await run("desk", {"day": "Monday"}) == Said("Monday at nine")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "missing a required argument: 'day'"),
        ({"day": 1, "dey": 2}, "got an unexpected keyword argument 'dey'"),
        ({"day": 1, "x" * 999: 2}, "got an unexpected keyword argument '" + "x" * 164),
    ],
)
async def test_wrong_arguments_are_told_to_the_model(
    arguments: Mapping[str, object], text: str
) -> None:
    """It can mend them; the function was not called."""
    assert await run("free_slots", arguments) == Unsaid("bad_arguments", text)


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("fail", "LookupError"),
        ("fail_soon", "LookupError"),
        ("leave", "SystemExit"),
        ("leave_soon", "SystemExit"),
        ("raise_the_unusual", "Unusual"),
        ("raise_the_unusual_soon", "Unusual"),
        ("time_out_soon", "TimeoutError"),
        ("cancel_itself", "CancelledError"),
    ],
)
async def test_what_a_function_raises_is_named_by_its_type(
    function: str, error: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its words may hold an address or a number: not for the model, not for a log."""
    assert await run(function) == Unsaid("failed", f"the tool failed ({error})")
    assert "canary" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("function", "kind"),
    [("give_object", "object"), ("give_knot", "list"), ("give_coroutine", "coroutine")],
)
async def test_what_is_not_json_is_told_so(function: str, kind: str) -> None:
    """And a coroutine that nobody would await is put away."""
    text = f"the tool returned a {kind}, which is not JSON"
    assert await run(function) == Unsaid("failed", text)


@pytest.mark.parametrize("function", ["hang", "hang_soon", "ignore_its_cancellation"])
async def test_a_deadline_is_a_deadline(function: str) -> None:
    """A coroutine is cancelled; a thread is left alone, and the call goes on."""
    begun = time.monotonic()
    late = await run(function, timeout_s=0.05)
    assert late == Unsaid("timeout", "the tool did not answer in time")
    assert time.monotonic() - begun < 1.0
    if function == "hang_soon":
        assert foreign.started == ["hang_soon", "hang_soon left"]


async def test_threads_are_bounded_and_hung_ones_count() -> None:
    """Then the tool is busy, at once; when they return there is room again."""
    runner = PythonRunner(threads_max=2)
    for _ in range(2):
        assert isinstance(await runner.run(tool("hang", timeout_s=0.01), {}), Unsaid)
    busy = Unsaid("failed", "the tool is busy")
    assert await runner.run(tool("say"), {"text": "x"}) == busy
    assert await runner.run(tool("desk"), {"day": "Monday"}) == Said("Monday at nine")
    assert runner.threads == 2
    foreign.gate.set()
    async with asyncio.timeout(5.0):
        while runner.threads:  # noqa: ASYNC110 - threads tell nobody
            await asyncio.sleep(0.001)
    assert await runner.run(tool("say"), {"text": "x"}) == Said("x")
    assert THREADS_MAX == 64


async def test_a_hung_thread_does_not_keep_the_process() -> None:
    """All of them are daemons."""
    await run("hang", timeout_s=0.05)
    assert foreign.started == ["tool t"]
    assert all(t.daemon for t in threading.enumerate() if t.name == "tool t")


@pytest.mark.parametrize("function", ["hang", "hang_soon"])
async def test_a_cancelled_run_is_over(function: str) -> None:
    """The caller hung up: the coroutine is cancelled, the thread's answer is dropped."""
    runner = PythonRunner()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(runner.run(tool(function), {}))
        async with asyncio.timeout(5.0):
            while not foreign.started:  # noqa: ASYNC110 - threads tell nobody
                await asyncio.sleep(0.001)
        running.cancel()
    assert running.cancelled()
    foreign.gate.set()
    async with asyncio.timeout(5.0):
        while runner.threads:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("function", ["who", "who_soon"])
async def test_a_function_can_know_its_call(function: str) -> None:
    """By a context variable, in its thread too."""

    async def within() -> Said | Unsaid:
        CURRENT_RUN.set(Run(CallSid("CA1"), "k1"))
        return await run(function)

    async with asyncio.TaskGroup() as tasks:
        said = await tasks.create_task(within(), context=contextvars.copy_context())
    assert isinstance(said, Said)
    told = json.loads(said.text)
    assert (told["call"], told["key"]) == ("CA1", "k1")
    assert (told["thread"] == "tool t") is (function == "who")


def test_a_loop_that_is_gone_is_no_trouble_to_a_thread() -> None:
    """The process ends while a function hangs; it returns later, to nobody."""
    assert isinstance(asyncio.run(run("hang", timeout_s=0.01)), Unsaid)
    foreign.gate.set()
    for thread in threading.enumerate():
        if thread.name == "tool t":
            thread.join(5.0)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("target", "remedy"),
    [
        ("", "module:function"),
        ("json", "module:function"),
        (":loads", "module:function"),
        ("json:", "module:function"),
        ("no_such_module:f", r"ModuleNotFoundError.*PYTHONPATH"),
        ("pod.tools.broken:f", r"RuntimeError.*import pod.tools.broken"),
        (f"{HERE}:no_such_function", "no 'no_such_function' there"),
        (f"{HERE}:Desk.no_such_method", "no 'no_such_method' there"),
        (f"{HERE}:number", "is no function"),
    ],
)
def test_a_target_that_is_none_is_a_setting_to_mend(target: str, remedy: str) -> None:
    """Said at load, in one line with the remedy, whatever the module does."""
    with pytest.raises(SettingsError, match=remedy) as caught:
        resolve(target)
    assert "\n" not in str(caught.value)
    assert "canary" not in str(caught.value)


async def test_a_function_that_was_never_loaded_fails_alone() -> None:
    """Load says it at start; should it be skipped, the call still goes on."""
    assert await run("no_such") == Unsaid("failed", "the tool is not installed")


def test_a_function_is_found_once() -> None:
    """Its module is not asked again for each call."""
    runner = PythonRunner()
    assert runner.load(tool("say")) is runner.load(tool("say"))
    assert resolve("builtins:max").signature is None
