"""Tools behind HTTP: what came of a request, in words for the model.

The words are ours: an answer's own words of failure may hold an address, a key or a stack.
"""

from trunkline.pod.tools.client import Failure, HttpClient, Request
from trunkline.pod.tools.specs import HttpTool, Run
from trunkline.pod.tools.text import Said, Unsaid, fit


async def run_http(client: HttpClient, tool: HttpTool, arguments: bytes, run: Run) -> Said | Unsaid:
    """Send the arguments, JSON text, as the request's body."""
    request = Request(
        url=tool.url,
        body=arguments,
        run=run,
        method=tool.method,
        headers=tool.headers,
        secret_headers=tool.secret_headers,
        signing_key=tool.signing_key,
    )
    answer = await client.send(request, timeout_s=tool.timeout_s, bytes_max=tool.output_bytes_max)
    if isinstance(answer, Failure):
        return _in_words(answer, tool)
    try:
        return Said(fit(answer.decode()))
    except UnicodeDecodeError:
        return Unsaid("failed", "the tool's answer is not text")


def _in_words(failure: Failure, tool: HttpTool) -> Unsaid:
    match failure.reason:
        case "timeout":
            return Unsaid("timeout", "the tool did not answer in time")
        case "unreachable":
            return Unsaid("failed", "the tool could not be reached")
        case "status":
            return Unsaid("failed", f"the tool answered with HTTP status {failure.status}")
        case "malformed":
            return Unsaid("failed", "the tool's answer is not plain text")
        case "too_big":
            return Unsaid("too_big", f"the tool's answer is over {tool.output_bytes_max} bytes")
