import asyncio
import json
import logging

import pytest

from pod.tools.tiny_server import echo, saying, serving, silence
from trunkline.core.ids import CallSid
from trunkline.errors import SettingsError
from trunkline.pod.tools.python import PythonRunner
from trunkline.pod.tools.run import ARGUMENTS_BYTES_MAX, ToolResult, ToolRunner
from trunkline.pod.tools.specs import HttpTool, PythonTool, ToolSpec

pytestmark = pytest.mark.anyio

CALL = CallSid("CA" + "2" * 32)
SAY = PythonTool("say", "pod.tools.foreign:say", output_bytes_max=10)
ANYTHING = PythonTool("anything", "pod.tools.foreign:anything")
WHO = PythonTool("who", "pod.tools.foreign:who")


async def run(spec: ToolSpec, arguments: str) -> ToolResult:
    async with ToolRunner() as tools:
        return await tools.run(spec, arguments, call=CALL, idempotency_key="k1")


async def test_both_kinds_of_tools_are_run() -> None:
    """With the call and the key of the wish."""
    async with serving(echo) as server:
        result = await run(HttpTool("t", server.url), ' {"a": 1} ')
        assert result == ToolResult(ok=True, output='{"a": 1}', outcome="ok")
        assert server.headers[0]["Idempotency-Key"] == "k1"
    result = await run(WHO, "{}")
    assert json.loads(result.output)["call"] == CALL
    assert json.loads(result.output)["key"] == "k1"


@pytest.mark.parametrize("arguments", ["", "  ", "{}"])
async def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    """Models send nothing for tools that take nothing."""
    assert (await run(ANYTHING, arguments)).output == "{}"
    async with serving(echo) as server:
        assert (await run(HttpTool("t", server.url), arguments)).output == "{}"


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a":',
        "[]",
        "7",
        "null",
        '"{}"',
        '{"a":"\ud800"}',
        '{"a":' * 20_000 + "1" + "}" * 20_000,
        '{"a":"' + "x" * ARGUMENTS_BYTES_MAX + '"}',
        '{"a":"' + "ü" * (ARGUMENTS_BYTES_MAX // 2) + '"}',
    ],
    ids=range(9),
)
async def test_arguments_that_are_no_object_reach_no_tool(arguments: str) -> None:
    """Cut off, of another kind, too deep, too long: the model is told."""
    wanted = ToolResult(
        ok=False, output="error: the arguments are not a JSON object", outcome="bad_arguments"
    )
    async with serving(echo) as server:
        assert await run(HttpTool("t", server.url), arguments) == wanted
        assert server.bodies == []
    assert await run(ANYTHING, arguments) == wanted


async def test_outputs_are_bounded_in_bytes() -> None:
    """An answer that is cut would be a wrong answer: it is refused."""
    assert (await run(SAY, '{"text":"üüüüü"}')).ok
    assert await run(SAY, '{"text":"üüüüüü"}') == ToolResult(
        ok=False, output="error: the tool's answer is over 10 bytes", outcome="too_big"
    )


async def test_a_failure_is_a_result() -> None:
    """Told to the model as text."""
    assert await run(PythonTool("t", "pod.tools.foreign:fail"), "") == ToolResult(
        ok=False, output="error: the tool failed (LookupError)", outcome="failed"
    )
    async with serving(saying(b"", 500)) as server:
        assert await run(HttpTool("t", server.url), "") == ToolResult(
            ok=False, output="error: the tool answered with HTTP status 500", outcome="failed"
        )


async def test_a_call_runs_its_tools_by_name() -> None:
    """The model's id of the wish and the call make the key; a name that is none is told so."""
    async with ToolRunner(python=PythonRunner()) as tools:
        call = tools.for_call(CALL, {"who": WHO})
        result = await call.run("who", "", "call_7")
        assert json.loads(result.output)["key"] == f"{CALL}:call_7"
        assert await call.run("other", "", "call_8") == ToolResult(
            ok=False, output="error: there is no such tool", outcome="failed"
        )


async def test_functions_are_found_before_a_call_needs_them() -> None:
    """At load, with what to mend."""
    async with ToolRunner() as tools:
        tools.load([SAY, HttpTool("t", "http://127.0.0.1:1/")])
        with pytest.raises(SettingsError, match="no_such_module"):
            tools.load([PythonTool("t", "no_such_module:f")])


async def test_a_cancelled_tool_leaves_no_request() -> None:
    """The caller hung up."""
    async with serving(silence) as server, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run(HttpTool("t", server.url), ""))
        await server.until(lambda: server.under_way == 1)
        running.cancel()
        await server.until(lambda: server.under_way == 0)


CANARY = "canary-4711"


async def test_secrets_are_nowhere_but_in_the_request(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in results, not in `repr`, not in a log: whatever goes wrong."""
    seen: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for answer in (echo, silence, saying(b"x", 500), saying(b"\xff"), saying(b"x" * 99_999)):
            async with serving(answer) as server:
                tool = HttpTool(
                    "t",
                    f"{server.url}/{CANARY}?token={CANARY}",
                    timeout_s=0.1,
                    headers={"X-Tenant": CANARY},
                    secret_headers={"Authorization": f"Bearer {CANARY}"},
                    signing_key=CANARY,
                )
                seen += [repr(tool), repr(await run(tool, '{"a":1}'))]
                assert CANARY in server.paths[0]
                assert CANARY in server.headers[0]["Authorization"]
        unreachable = HttpTool("t", f"http://127.0.0.1:1/{CANARY}", signing_key=CANARY)
        broken = HttpTool("t", f"http://{CANARY} /", secret_headers={"X": f"{CANARY}\n"})
        for tool in (unreachable, broken):
            seen += [repr(tool), repr(await run(tool, ""))]
    assert CANARY not in "".join(seen) + caplog.text + "".join(capfd.readouterr())
