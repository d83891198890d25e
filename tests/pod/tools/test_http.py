import pytest
from aiohttp import web

from pod.tools.tiny_server import Answer, echo, saying, serving, silence
from trunkline.core.ids import CallSid
from trunkline.pod.tools.client import HttpClient
from trunkline.pod.tools.http import run_http
from trunkline.pod.tools.specs import HttpTool, Run
from trunkline.pod.tools.text import Said, Unsaid

pytestmark = pytest.mark.anyio

RUN = Run(CallSid("CA1"), "CA1:call_1")


async def run(answer: Answer, **fields: float) -> Said | Unsaid:
    async with serving(answer) as server, HttpClient() as client:
        tool = HttpTool(
            "t",
            server.url,
            timeout_s=fields.get("timeout_s", 5.0),
            output_bytes_max=int(fields.get("output_bytes_max", 100)),
        )
        return await run_http(client, tool, b'{"a":"b"}', RUN)


async def test_the_answer_is_the_output() -> None:
    """As text, NUL replaced."""
    assert await run(echo) == Said('{"a":"b"}')
    assert await run(saying("grüß\0".encode())) == Said("grüß�")


async def test_method_headers_and_secrets_are_sent() -> None:
    """As the config says."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.extend([request.method, request.headers["X-A"], request.headers["X-Key"]])
        return await echo(request)

    async with serving(answer) as server, HttpClient() as client:
        tool = HttpTool(
            "t", server.url, method="PUT", headers={"X-A": "1"}, secret_headers={"X-Key": "s"}
        )
        await run_http(client, tool, b"{}", RUN)
    assert seen == ["PUT", "1", "s"]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (silence, Unsaid("timeout", "the tool did not answer in time")),
        (saying(b"canary", 503), Unsaid("failed", "the tool answered with HTTP status 503")),
        (
            saying(b"", 302, Location="/c"),
            Unsaid("failed", "the tool answered with HTTP status 302"),
        ),
        (saying(b"\xff"), Unsaid("failed", "the tool's answer is not text")),
        (saying(b"x" * 101), Unsaid("too_big", "the tool's answer is over 100 bytes")),
        (
            saying(b"x", Content_Encoding="br"),
            Unsaid("failed", "the tool's answer is not plain text"),
        ),
    ],
)
async def test_failures_are_told_in_words_of_ours(answer: Answer, failure: Unsaid) -> None:
    """Not in the server's."""
    assert await run(answer, timeout_s=0.2) == failure


async def test_nobody_there_is_told_without_an_address() -> None:
    """The model might read it out."""
    async with HttpClient() as client:
        tool = HttpTool("t", "http://127.0.0.1:1/canary")
        said = await run_http(client, tool, b"{}", RUN)
    assert said == Unsaid("failed", "the tool could not be reached")
