import json

import pytest

from pod.tools.tiny_server import Answer, TinyServer, echo, is_signed, saying, serving, silence
from trunkline.core.ids import CallSid
from trunkline.pod.tools.client import HttpClient
from trunkline.pod.tools.hook import ANSWER_BYTES_MAX, HOOK_S_MAX, ContextHook, Found

pytestmark = pytest.mark.anyio

CALL = CallSid("CA" + "1" * 32)


async def ask(answer: Answer, *, timeout_s: float = HOOK_S_MAX) -> tuple[Found, TinyServer]:
    async with serving(answer) as server, HttpClient() as client:
        hook = ContextHook(client, server.url + "/who", timeout_s=timeout_s, signing_key="k-1")
        found = await hook.ask(
            call=CALL, from_number="+15550100001", to_number="+15550100002", agent="desk"
        )
        return found, server


async def test_the_hook_is_told_of_the_call_and_gives_variables() -> None:
    """Who calls whom, signed; a JSON object of strings comes back."""
    found, server = await ask(echo)
    wanted = {"call_sid": CALL, "from": "+15550100001", "to": "+15550100002", "agent": "desk"}
    assert json.loads(server.bodies[0]) == wanted
    assert found == Found(wanted)
    (headers,) = server.headers
    assert is_signed("k-1", server.bodies[0], headers["Trunkline-Signature"])
    assert headers["Idempotency-Key"] == headers["Trunkline-Call-Sid"] == CALL


async def test_variables_fit_the_stores() -> None:
    """NUL is replaced; an empty object is an answer."""
    found, _ = await ask(saying(rb'{"name":"A\u0000da"}'))
    assert found.variables == {"name": "A�da"}
    assert (await ask(saying(b"{}")))[0] == Found()


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (saying(b""), "malformed"),
        (saying(b"[]"), "malformed"),
        (saying(b'{"age":7}'), "malformed"),
        (saying(b'{"a b":"c"}'), "malformed"),
        (saying(b'{"' + b"a" * 65 + b'":"c"}'), "malformed"),
        (saying(b"\xff"), "malformed"),
        (saying(b"[" * 50_000), "malformed"),
        (saying(b"x" * (ANSWER_BYTES_MAX + 1)), "too_big"),
        (saying(json.dumps({f"v{n}": "" for n in range(101)}).encode()), "too_big"),
        (saying(b"{}", 500), "status"),
        (silence, "timeout"),
    ],
)
async def test_an_answer_that_is_none_gives_no_variables(answer: Answer, failure: str) -> None:
    """The call goes on without; the reason is for the metric."""
    found, _ = await ask(answer, timeout_s=0.2)
    assert (found.variables, found.failure) == ({}, failure)


async def test_nobody_there() -> None:
    """The call goes on."""
    async with HttpClient() as client:
        hook = ContextHook(client, "http://127.0.0.1:1/")
        found = await hook.ask(call=CALL, from_number="\ud800", to_number="", agent="")
    assert found == Found(failure="unreachable")


def test_variables_stay_out_of_repr() -> None:
    """They may hold a caller's name."""
    assert "Ada" not in repr(Found({"name": "Ada"}))
