"""What may not be told is told nowhere: numbers, words, arguments, headers, tickets, keys.

A pod as users run it gets canaries wherever such things come in, and is driven into its failures.
Then all that it wrote and shows of itself is searched. Only the call log may hold a call's numbers
and words.
"""

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from aiohttp import web
from msgspec.structs import replace

from acceptance.far_pod import FarPod, far_pod, started
from acceptance.foreign_tools import TEXT
from acceptance.played import counted
from trunkline.sim.caller import HangUp, Listen, Pause, Press, Say, Script, WaitForHangUp
from trunkline.sim.carrier.account import Account
from trunkline.sim.carrier.faults import Faults, Garbage
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.script import Rule, ScriptedBrain, ScriptedCall
from trunkline.sim.serve_carrier_run import summary
from trunkline.sim.speech import recorded
from trunkline.wire import twilio
from trunkline.wire.webhooks import Form, sign

pytestmark = pytest.mark.anyio

HERE: Final = Path(__file__).parent

CALLER: Final = "+15550104277"
UNKNOWN_TO_THE_HOOK: Final = "+15550105388"
CALLED: Final = "+15550108866"
TRANSFER: Final = "+15550107733"
OVERFLOW: Final = "+15550106644"
KEYS: Final = "739146"
NUMBERS: Final = (CALLER, UNKNOWN_TO_THE_HOOK, CALLED, TRANSFER, OVERFLOW)

WORDS: Final = ("seventy", "eleven", "welcome", "monday")
"""Words that are spoken, and stand in no line of ours."""

SECRETS: Final = {
    "TRUNKLINE_REALTIME_API_KEY": "sk-canary-api-key-5150",
    "TRUNKLINE_TWILIO_AUTH_TOKEN": "canary_auth_token_5150",
    "TRUNKLINE_TWILIO_AUTH_TOKEN_SECONDARY": "canary_other_token_5150",
    "TRUNKLINE_TICKET_KEY": "canary_ticket_key_5150",
    "TRUNKLINE_SLACK_WEBHOOK_URL": "https://localhost/canary_slack",
    "CANARY_HEADER": "canary_of_a_secret_header",
    "CANARY_SIGNING_KEY": "canary_signing_key",
}
PASSWORD: Final = "canary_database_password"
AUTH_TOKEN: Final = SECRETS["TRUNKLINE_TWILIO_AUTH_TOKEN"]
HEADERS: Final = {"User-Agent": "canary_agent", "Cookie": "canary=1", "X-Forwarded-For": "canary"}

TOOLS: Final = (
    "explode", "explode_soon", "pass_by", "complain", "fail_elsewhere", "fail_later",
    "refuse", "redirect", "garble", "dawdle", "nowhere", "canary_of_no_tool",
)  # fmt: skip

ENDS_S_MAX: Final = 30

EVENTS: Final = {
    "call_broke", "call_ended", "hook_failed", "library", "model_error", "number_unknown",
    "process_broke", "response_failed", "stream_error",
}  # fmt: skip
"""Lines that the failures below must have written: else nothing was tried."""

REFUSALS: Final = {
    "webhooks_refused_total": ("no_signature", "bad_signature", "malformed", "incomplete",
                               "too_big", "number", "bad_token"),
    "streams_refused_total": ("path", "signature", "protocol", "no_ticket", "forged_ticket"),
    "tools_total": ("ok", "failed", "timeout", "bad_arguments"),
}  # fmt: skip
"""The same for what is only counted: a metric's reasons or outcomes."""


def found(text: str, *more: str) -> list[str]:
    """What was told that may not be: canaries, numbers with or without their marks, words."""
    digits = [number.removeprefix("+1") for number in NUMBERS]
    plain = [*digits, KEYS, " ".join(KEYS), *more]
    lines = [line for line in text.splitlines() if re.search("canary", line, re.IGNORECASE)]
    lines += [each for each in plain if each in text]
    return lines + [word for word in WORDS if re.search(rf"\b{word}\b", text, re.IGNORECASE)]


def test_the_search_finds() -> None:
    """Each kind of canary, wherever it stands in a line."""
    for text in (
        f'{{"reason": "{TEXT}"}}', "CANARY", f"to {CALLED}:", "%2B15550104277", "keys 7 3 9 1 4 6",
        "he said Seventy.", "a ticket t1.abc",
    ):  # fmt: skip
        assert found(f"fine\n{text}\nfine", "t1.abc")
    assert not found("a line of ours, with call CA0123456789abcdef and 17 of them", "t1.abc")


async def test_nothing_is_told(redis_url: str, database_url: str, tmp_path: Path) -> None:
    """Through calls, failures of every part, and strangers' attempts."""
    async with users_server() as other:
        config = tmp_path / "trunkline.yaml"
        config.write_text((HERE / "canaries.yaml").read_text().replace("@other@", other))
        async with far_pod(
            redis_url,
            database_url.replace("trunkline@", f"trunkline:{PASSWORD}@"),
            tmp_path,
            config=config,
            environ={**SECRETS, "PYTHONPATH": python_path()},
            account=Account(auth_token=AUTH_TOKEN),
            model=RealtimeSimOptions(keys=(SECRETS["TRUNKLINE_REALTIME_API_KEY"],), think_ms=50),
            brain=brain(),
        ) as here:
            signed = await strangers(here)
            reports = await callers(here)
            shown = await pages(here)
            logged = "".join([str(await here.facts(report.sid)) for report in reports])
            told = summary(reports, here.carrier) + repr(here.model.status())
    assert not found(here.written(), *signed)
    for path, page in shown.items():
        assert not found(page, *signed), path
    assert not found(told + repr(reports) + repr(reports[0].turns))
    _everything_was_tried(here.written(), shown["/metrics"], logged)


def _everything_was_tried(written: str, metrics: str, logged: str) -> None:
    """The canaries had come in, and the failures had happened."""
    events = {json.loads(line)["event"] for line in written.splitlines() if line.startswith("{")}
    assert events >= EVENTS, EVENTS - events
    for metric, labels in REFUSALS.items():
        for label in labels:
            name = "outcome" if metric == "tools_total" else "reason"
            assert counted(metrics, metric, **{name: label}) > 0, (metric, label)
    for each in (CALLER, CALLED, TRANSFER, *WORDS, KEYS, TEXT, "canary_of_an_argument"):
        assert each in logged, each


def python_path() -> str:
    """Where tools are found, besides ours."""
    return os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))


def brain() -> ScriptedBrain:
    """Words that make the model call tools, some of them wrongly."""
    calls = [ScriptedCall(name) for name in TOOLS]
    calls.append(ScriptedCall("leak", {"words": "canary_of_an_argument"}))
    wrong = ScriptedCall("leak", {"words": "x", "canary_of_a_name": "canary_of_a_value"})
    rules = [
        Rule(hears="seventy", calls=calls),
        Rule(hears="stop", says=["monday"], calls=[wrong]),
        Rule(hears="cancel", calls=[ScriptedCall("break_the_call")]),
    ]
    return ScriptedBrain(rules, recorded())


@asynccontextmanager
async def users_server() -> AsyncIterator[str]:
    """A context hook and tools behind HTTP that tell more than they should."""

    async def hook(request: web.Request) -> web.Response:
        asked = await request.json()
        if asked["from"] == UNKNOWN_TO_THE_HOOK:
            return web.Response(status=500, text="canary_of_a_hook")
        return web.json_response({"caller": "canary_of_a_variable"})

    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=500, text=TEXT, headers={"X-Canary": TEXT})

    async def redirect(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://127.0.0.1:1/{TEXT}"})

    async def garble(_request: web.Request) -> web.Response:
        return web.Response(body=b"\xff" + TEXT.encode())

    async def dawdle(_request: web.Request) -> web.Response:
        await asyncio.sleep(1.0)
        return web.Response(text=TEXT)

    app = web.Application()
    for handler in (hook, refuse, redirect, garble, dawdle):
        app.router.add_post(f"/{handler.__name__}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def callers(here: FarPod) -> list[CallReport]:
    """People who call: tools that fail, a bug, a transfer, garbage, a failure of the model."""
    hear = Listen(until_silence_ms=300, max_ms=8000)
    # A huge one would end its stream each time, and the fourth resume the call.
    kinds = tuple(kind for kind in Garbage if kind is not Garbage.HUGE)
    garbage = Faults(garbage=kinds, garbage_every_s=0.1)
    scripts: tuple[tuple[Script, str, Faults | None], ...] = (
        ((hear, Say("seventy"), hear, HangUp()), CALLER, None),
        ((hear, Say("stop"), hear, Say("eleven"), hear, HangUp()), CALLER, None),
        ((hear, Press(KEYS), Pause(2000), HangUp()), CALLER, None),
        ((hear, Say("cancel"), WaitForHangUp()), UNKNOWN_TO_THE_HOOK, None),
        ((hear, Say("transfer me to the doctor"), WaitForHangUp()), CALLER, garbage),
    )
    here.model.put("fail_response=canary_failure*1")
    async with asyncio.TaskGroup() as calling:
        calls = [
            calling.create_task(here.call(*script, to=CALLED, from_=from_, faults=faults))
            for script, from_, faults in scripts
        ]
    reports = [call.result() for call in calls]
    assert {number for report in reports for number in report.dialled} == {TRANSFER, OVERFLOW}
    return reports


async def pages(here: FarPod) -> Mapping[str, str]:
    """What the pod shows of itself, and its error pages."""
    paths = (
        "/metrics", "/healthz", "/readyz", "/api/v1/pod", "/api/v1/live", "/openapi.json", "/",
        "/docs", "/api/v1/nothing", f"/api/v1/calls/CA{'0' * 32}",
    )  # fmt: skip
    shown = {path: await here.get(path) for path in paths}
    for path in ("/", "/twilio/voice", "/metrics", "/openapi.json"):
        async with here.http.get(here.public_url + path) as answer:
            shown[f"public {path}"] = await answer.text()
    return shown


async def strangers(here: FarPod) -> list[str]:
    """Requests and sockets that are wrong in many ways; returns the ticket and token given."""
    fields = {
        "CallSid": "CA" + "5" * 32, "AccountSid": "AC" + "5" * 32, "From": CALLER, "To": CALLED,
        "CallStatus": "ringing", "Direction": "inbound", "ApiVersion": "2010-04-01",
        "CallerName": "canary_name", "FromCity": "canary_city", "ForwardedFrom": TRANSFER,
        "SpeechResult": "canary_speech", "StirPassportToken": "canary_passport",
    }  # fmt: skip
    voice = await _post(here, "/twilio/voice", fields)
    ticket = re.findall(r'value="([^"]+)"', voice)[0]
    token = re.findall(r"/twilio/resume/([^<]+)<", voice)[0]
    await _wrong_requests(here, fields)
    await _wrong_sockets(here, ticket, fields["CallSid"])
    await _post(here, f"/twilio/resume/{token}", fields)
    await _post(here, "/twilio/status", {**fields, "CallStatus": "completed"})
    return [ticket, token]


async def _wrong_requests(here: FarPod, fields: Mapping[str, str]) -> None:
    unknown = {**fields, "CallSid": "CA" + "6" * 32, "To": "+15550109999"}
    stream = {**fields, "StreamSid": "MZ" + "5" * 32, "StreamEvent": "stream-error"}
    await _post(here, "/twilio/voice", unknown)
    await _post(here, "/twilio/voice", {"From": "canary_from"})
    await _post(here, "/twilio/resume/canary_token", fields)
    await _post(here, "/twilio/stream-status", {**stream, "StreamError": "31921 - canary_error"})
    await _post(here, "/twilio/voice?canary=1", fields, signature="canary_signature")
    await _post(here, "/twilio/voice", fields, signature="")
    await _post(here, "/twilio/canary_path", fields)
    await _post(here, "/twilio/voice", {"From": "canary" * 20_000})
    body = b"From=%ff%fe&To=canary\xff"
    headers = {**HEADERS, "X-Twilio-Signature": "canary_signature"}
    url = f"{here.public_url}/twilio/voice"
    async with here.http.post(url, data=body, headers=headers) as answer:
        assert answer.status == 400
    for port in (here.public_url, here.internal_url):
        for garbage in (b"canary\x00\xff\r\n\r\n", b"GET /canary HTTP/9.9\r\nX: canary\r\n\r\n"):
            await _raw(port, garbage)


async def _raw(url: str, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(data)
    writer.write_eof()
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def _post(
    here: FarPod, path: str, fields: Mapping[str, str], signature: str | None = None
) -> str:
    """A webhook, rightly signed unless a signature is given; empty: none."""
    form = Form(fields.items())
    url = here.public_url + path
    headers = {**HEADERS, "X-Twilio-Signature": signature or sign(url, form, AUTH_TOKEN)}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    if signature == "":
        del headers["X-Twilio-Signature"]
    async with here.http.post(url, data=form.encode(), headers=headers) as answer:
        return await answer.text()


async def _wrong_sockets(here: FarPod, ticket: str, call: str) -> None:
    media = here.public_url.replace("http:", "ws:") + "/pods/pod-0/media"
    fields = twilio.StartFields(
        "AC" + "5" * 32, "MZ" + "5" * 32, call, ["inbound"],
        twilio.MediaFormat("audio/x-mulaw", 8000, 1), {"ticket": ticket, "canary": "canary"},
    )  # fmt: skip
    forged = replace(fields, custom_parameters={"ticket": "canary_ticket"})
    none = replace(fields, custom_parameters={"canary": "canary"})
    garbage = '{"event":"canary","streamSid":"canary","media":{"payload":"canary"}}'
    for first in (_start(forged), _start(none), "canary", '{"event":"media","canary":1}'):
        await _talk(here.http, media, [first, garbage])
    rest = [garbage, '{"event":"mark","mark":{"name":"canary"}}', "canary", '{"event":"canary"}']
    await _talk(here.http, media, [_start(fields), *rest])
    for url, headers in (
        (media.replace("pod-0", "canary"), {}),
        (media, {"X-Twilio-Signature": "canary_signature"}),
    ):
        with contextlib.suppress(aiohttp.WSServerHandshakeError):
            await _talk(here.http, url, [_start(fields)], headers)


def _start(fields: twilio.StartFields) -> str:
    return twilio.encode(twilio.Start(fields, fields.stream_sid, "1")).decode()


async def _talk(
    http: aiohttp.ClientSession,
    url: str,
    messages: list[str],
    headers: Mapping[str, str] | None = None,
) -> None:
    """Say these on a socket, and leave."""
    async with http.ws_connect(url, headers={**HEADERS, **(headers or {})}) as socket:
        for message in messages:
            await socket.send_str(message)
        await socket.send_bytes(b"canary")


WRONG: Final[Mapping[str, Mapping[str, str]]] = {
    "no database": {"DATABASE_URL": "postgresql://canary:canary@127.0.0.1:1/canary"},
    "no redis": {"REDIS_URL": "redis://:canary@127.0.0.1:1/0"},
    "no redis url": {"REDIS_URL": "redis://canary:canary@127.0.0.1:1/0?canary=1"},
    "settings": {
        "DATABASE_URL": "mysql://canary:canary@127.0.0.1/canary",
        "TWILIO_AUTH_TOKEN": "canary with spaces",
        "TICKET_KEY": "canary",
        "REALTIME_API_KEY": "canary\n",
        "PUBLIC_URL": "https://canary:canary@localhost/",
        "REALTIME_URL": "wss://canary:canary@localhost/",
    },
}
"""Settings with which no pod starts."""


async def test_nothing_is_told_by_a_pod_that_cannot_start(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """It says in a line for each fault what is wrong, and no password, key or token."""
    environ = {
        **{name: value for name, value in SECRETS.items() if name.startswith("TRUNKLINE")},
        "TRUNKLINE_REDIS_URL": redis_url,
        "TRUNKLINE_DATABASE_URL": database_url,
        "TRUNKLINE_PUBLIC_URL": "http://127.0.0.1:1",
        "TRUNKLINE_PORT": "0",
        "TRUNKLINE_INTERNAL_PORT": "0",
    }
    async with asyncio.TaskGroup() as starting:
        said = {
            name: starting.create_task(
                _last_words(
                    made(tmp_path / name),
                    {**environ, **{f"TRUNKLINE_{key}": value for key, value in wrong.items()}},
                )
            )
            for name, wrong in WRONG.items()
        }
    for name, words in said.items():
        lines = words.result().splitlines()
        assert len(lines) == len(WRONG[name]), lines
        assert all(line.startswith("trunkline: ") for line in lines)
        assert not found("\n".join(lines)), name


def made(folder: Path) -> Path:
    """The folder, which is new."""
    folder.mkdir()
    return folder


async def _last_words(folder: Path, environ: Mapping[str, str]) -> str:
    """All that a pod says that ends by itself."""
    async with started(folder, environ) as process, asyncio.timeout(ENDS_S_MAX):
        assert await process.wait() in {1, 2}
    return (folder / "stdout").read_text() + (folder / "stderr").read_text()
