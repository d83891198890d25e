"""The public port: what our Twilio account has signed is answered, and nothing else is there."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from pod.edge import Reply, Wire, ask, counted, get, post, served
from trunkline.pod.http.public import BODY_BYTES_MAX, public_app
from trunkline.pod.http.serving import Limits
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import webhooks
from trunkline.wire.webhooks import Form, StatusCallback, StreamStatus, VoiceRequest

pytestmark = pytest.mark.anyio

URL = "https://calls.example"
TOKEN, SECOND_TOKEN = "0123456789abcdef", "fedcba9876543210"
CALL = "CA" + "1" * 32
ACCOUNT = "AC" + "2" * 32
VOICE = VoiceRequest(CALL, ACCOUNT, "+15550100001", "+15550100002", "inbound", "ringing")
STATUS = StatusCallback(CALL, ACCOUNT, "completed")
STREAM = StreamStatus(CALL, ACCOUNT, "MZ" + "3" * 32, "stream-error", "31921 - closed")
AMD = webhooks.MachineVerdict(CALL, ACCOUNT, "human", 1200)


@dataclass
class Desk:
    """Says what it was asked."""

    asked: list[object] = field(default_factory=list)

    async def voice(self, request: VoiceRequest) -> str:
        self.asked.append(request)
        return "<Response/>"

    async def resume(self, token: str, request: VoiceRequest) -> str | None:
        self.asked.append((token, request))
        return "<Response><Hangup/></Response>" if token == "good" else None

    def status(self, callback: StatusCallback) -> None:
        self.asked.append(callback)

    def stream_status(self, callback: StreamStatus) -> None:
        self.asked.append(callback)

    def amd(self, verdict: webhooks.MachineVerdict) -> None:
        self.asked.append(verdict)


@dataclass
class Port:
    """The public port, and what is behind it."""

    number: int
    desk: Desk
    metrics: Metrics

    def refused(self) -> dict[str, int]:
        return counted(self.metrics, "webhooks_refused_total")

    async def signed(
        self,
        path: str,
        form: Form,
        *,
        token: str = TOKEN,
        url: str = URL,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A webhook as Twilio sends it."""
        signature = webhooks.sign(url + path, form, token)
        sent = {"X-Twilio-Signature": signature, **(headers or {})}
        return await ask(self.number, post(path, form.encode(), sent))


@asynccontextmanager
async def public_port(url: str = URL, body_s_max: float = 5.0) -> AsyncIterator[Port]:
    desk, metrics = Desk(), Metrics()
    tokens = [SecretStr(TOKEN), SecretStr(SECOND_TOKEN)]
    app = public_app(desk, public_url=url, tokens=tokens, metrics=metrics, body_s_max=body_s_max)
    async with served(app, metrics=metrics, limits=Limits(request_s_max=1.0)) as number:
        yield Port(number, desk, metrics)


async def test_each_webhook_reaches_the_desk() -> None:
    """Voice and resume get a document, the callbacks 204."""
    async with public_port() as port:
        voice = await port.signed("/twilio/voice", VOICE.to_form())
        resume = await port.signed("/twilio/resume/good", VOICE.to_form())
        status = await port.signed("/twilio/status", STATUS.to_form())
        stream = await port.signed("/twilio/stream-status", STREAM.to_form())
        amd = await port.signed("/twilio/amd", AMD.to_form())
        assert (voice.status, voice.body) == (200, b"<Response/>")
        assert voice.headers["content-type"] == "text/xml; charset=utf-8"
        assert (resume.status, resume.body) == (200, b"<Response><Hangup/></Response>")
        assert [reply.status for reply in (status, stream, amd)] == [204, 204, 204]
        assert port.desk.asked == [VOICE, ("good", VOICE), STATUS, STREAM, AMD]
        assert port.refused() == {}


async def test_without_a_good_signature_nothing_is_read() -> None:
    """On every path: none, another account's, one for another path, one for other fields."""
    forms = {
        "/twilio/voice": VOICE.to_form(),
        "/twilio/resume/good": VOICE.to_form(),
        "/twilio/status": STATUS.to_form(),
        "/twilio/stream-status": STREAM.to_form(),
        "/twilio/amd": AMD.to_form(),
    }
    async with public_port() as port:
        for path, form in forms.items():
            more = Form([*form.fields, ("Extra", "1")])
            wrong = [
                webhooks.sign(URL + path, form, "another token"),
                webhooks.sign(URL + "/twilio/other", form, TOKEN),
                webhooks.sign(URL + path, more, TOKEN),
                webhooks.sign(URL + path, form, TOKEN)[:-2] + "=",
                "é" * 28,
                "\t",
            ]
            for signature in wrong:
                headers = {"X-Twilio-Signature": signature}
                assert (await ask(port.number, post(path, form.encode(), headers))).status == 403
            assert (await ask(port.number, post(path, form.encode()))).status == 403
        assert port.desk.asked == []
        assert port.refused() == {"bad_signature": 30, "no_signature": 5}


async def test_both_tokens_sign_while_they_rotate() -> None:
    """The secondary token's signature is as good; an empty token signs nothing."""
    async with public_port() as port:
        good = await port.signed("/twilio/voice", VOICE.to_form(), token=SECOND_TOKEN)
        empty = await port.signed("/twilio/voice", VOICE.to_form(), token="")
        assert (good.status, empty.status) == (200, 403)


HOSTS = ("evil.example", "evil.example?", "evil.example#", "[", "[::1", "a b", "é", "")


async def test_the_host_header_is_never_believed() -> None:
    """Whatever it says, the signature counts, and counts for the public URL only."""
    form = VOICE.to_form()
    async with public_port() as port:
        for host in HOSTS:
            reply = await port.signed("/twilio/voice", form, headers={"Host": host})
            assert reply.status == 200, host
        for host in ("evil.example", "calls.example"):
            signature = webhooks.sign(f"https://{host}:8443/twilio/voice", form, TOKEN)
            sent = {"Host": f"{host}:8443", "X-Twilio-Signature": signature}
            reply = await ask(port.number, post("/twilio/voice", form.encode(), sent))
            assert reply.status == 403, host
        forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
        assert (await port.signed("/twilio/voice", form, headers=forwarded)).status == 200
        assert len(port.desk.asked) == len(HOSTS) + 1


async def test_the_signature_covers_the_query_as_it_was_sent() -> None:
    """A query that was not signed is refused, however the Host header tries to hide it."""
    form = VOICE.to_form()
    async with public_port() as port:
        signed = await port.signed("/twilio/voice?a=1&a=%20&b", form)
        assert signed.status == 200
        signature = webhooks.sign(f"{URL}/twilio/voice", form, TOKEN)
        for host in ("calls.example", "calls.example#", "calls.example/?"):
            sent = {"Host": host, "X-Twilio-Signature": signature}
            reply = await ask(port.number, post("/twilio/voice?a=1", form.encode(), sent))
            assert reply.status == 403, host
        changed = {"X-Twilio-Signature": webhooks.sign(f"{URL}/twilio/voice?a=1", form, TOKEN)}
        reply = await ask(port.number, post("/twilio/voice?a=2", form.encode(), changed))
        assert reply.status == 403
        assert port.refused() == {"bad_signature": 4}


@pytest.mark.parametrize(
    ("public_url", "signed_url"),
    [
        ("https://calls.example", "https://calls.example:443"),
        ("https://calls.example:443", "https://calls.example"),
        ("https://calls.example:443", "https://calls.example:443"),
        ("https://calls.example:8443", "https://calls.example:8443"),
        ("https://calls.example/", "https://calls.example"),
        ("https://calls.example/trunk", "https://calls.example/trunk"),
    ],
)
async def test_a_port_in_the_public_url_or_in_twilios(public_url: str, signed_url: str) -> None:
    """Twilio is not consistent about default ports: either form is signed well."""
    async with public_port(public_url) as port:
        assert (await port.signed("/twilio/voice", VOICE.to_form(), url=signed_url)).status == 200


async def test_a_form_that_names_no_call_is_answered_400() -> None:
    """Well signed, and not what the path is for: counted as incomplete."""
    async with public_port() as port:
        for path, form in {
            "/twilio/voice": Form([("AccountSid", ACCOUNT)]),
            "/twilio/resume/good": Form([("CallSid", "../../etc")]),
            "/twilio/status": Form([("CallSid", CALL), ("AccountSid", ACCOUNT)]),
            "/twilio/stream-status": Form([("CallSid", CALL), ("AccountSid", ACCOUNT)]),
        }.items():
            assert (await port.signed(path, form)).status == 400, path
        assert port.refused() == {"incomplete": 4}
        assert port.desk.asked == []


async def test_a_body_that_is_no_form_is_answered_400() -> None:
    """Before its signature could be checked at all."""
    bodies = (b"\xff\xfe", b"a=%ff", b"a", "CallSid=é".encode(), b"&".join([b"a=1"] * 501))
    async with public_port() as port:
        for body in bodies:
            sent = {"X-Twilio-Signature": "x"}
            assert (await ask(port.number, post("/twilio/voice", body, sent))).status == 400, body
        assert port.refused() == {"malformed": len(bodies)}


async def test_a_body_too_big_is_answered_413() -> None:
    """Announced or in chunks. The rest is dropped, and with its end the connection ends."""
    body = b"a=" + b"x" * BODY_BYTES_MAX
    chunked = {"Content-Length": "", "Transfer-Encoding": "chunked"}
    chunk = b"%x\r\n%s\r\n" % (len(body), body)
    async with public_port() as port:
        for request, rest in (
            (post("/twilio/voice", body, {"X-Twilio-Signature": "x"}), b""),
            (post("/twilio/voice", body), b""),
            (post("/twilio/voice", body, {"Content-Length": str(9 * len(body))}), 8 * body),
            (post("/twilio/voice", b"", chunked) + chunk, b"0\r\n\r\n"),
            (post("/nowhere", body), b""),
        ):
            async with Wire.to(port.number) as wire:
                wire.write(request)
                reply = await wire.read_reply()
                assert reply is not None
                assert reply.status == 413
                wire.write(rest)
                assert await wire.is_over()
        exact = b"a=" + b"x" * (BODY_BYTES_MAX - 2)
        assert (await ask(port.number, post("/twilio/voice", exact))).status == 403
        assert port.refused() == {"too_big": 5, "no_signature": 1}


async def test_a_body_that_trickles_is_answered_408() -> None:
    """The whole body has one deadline, not each of its bytes; then the connection has its own."""
    async with public_port(body_s_max=0.05) as port, Wire.to(port.number) as wire:
        wire.write(post("/twilio/voice", b"CallSid=", {"Content-Length": "50"}))
        reply = await wire.read_reply()
        assert reply is not None
        assert reply.status == 408
        wire.write(b"x")
        assert await wire.is_over()
        assert port.refused() == {"slow": 2}


async def test_a_client_that_leaves_within_its_body_is_counted() -> None:
    """Nobody is answered, and no error is raised."""
    async with public_port() as port:
        async with Wire.to(port.number) as wire:
            wire.write(post("/twilio/voice", b"CallSid=", {"Content-Length": "50"}))
            await wire.drain()
            assert (await ask(port.number, get("/nothing"))).status == 404
        while "gone" not in port.refused():
            await ask(port.number, get("/nothing"))


async def test_a_token_that_is_not_ours_is_answered_403() -> None:
    """Signed by Twilio, made up by somebody: no document."""
    async with public_port() as port:
        for token in ("bad", "%00", "a" * 4000, "%F0%9F%98%80"):
            reply = await port.signed(f"/twilio/resume/{token}", VOICE.to_form())
            assert reply.status == 403, token
        assert port.refused() == {"bad_token": 4}


ELSEWHERE = (
    "/", "/docs", "/redoc", "/openapi.json", "/metrics", "/healthz", "/readyz", "/api/v1/pod",
    "/api/v1/calls", "/internal", "/twilio", "/twilio/", "/twilio/voice/", "/twilio/status/",
    "/twilio/resume", "/twilio/resume/", "/twilio/resume/a/b", "/twilio/../metrics",
    "//twilio/voice", "/TWILIO/voice", "/twilio/voice%2f", "/pods/pod-0/media", "/media",
)  # fmt: skip


async def test_nothing_else_is_on_the_public_port() -> None:
    """404 whatever the method, with no word about what there is, and no redirect anywhere."""
    async with public_port() as port:
        for path in ELSEWHERE:
            for request in (get(path), post(path), get(path, "HEAD"), get(path, "OPTIONS")):
                reply = await ask(port.number, request)
                assert (reply.status, reply.body) == (404, b""), path
                assert "location" not in reply.headers
        assert port.refused() == {"path": 4 * len(ELSEWHERE)}


async def test_a_webhook_is_a_post() -> None:
    """Twilio is told to POST; any other method is refused, signed or not."""
    async with public_port() as port:
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"):
            for path in ("/twilio/voice", "/twilio/resume/good", "/twilio/status"):
                assert (await ask(port.number, get(path, method))).status == 405
        assert port.desk.asked == []
        assert port.refused() == {"path": 18}


async def test_who_is_refused_is_not_kept() -> None:
    """A refusal ends its connection: strangers hold none. Twilio keeps the one it has."""
    async with public_port() as port:
        for request in (post("/twilio/voice"), get("/docs"), get("/twilio/voice")):
            assert (await ask(port.number, request)).closed
        async with Wire.to(port.number) as wire:
            form = VOICE.to_form()
            signature = webhooks.sign(f"{URL}/twilio/voice", form, TOKEN)
            request = post("/twilio/voice", form.encode(), {"X-Twilio-Signature": signature})
            for _ in range(3):
                wire.write(request)
                reply = await wire.read_reply()
                assert reply is not None
                assert reply.status == 200


async def test_who_asks_for_a_proof_gets_one_with_the_refusal() -> None:
    """Made of the nonce by whoever serves; nobody else's answer changes."""
    app = public_app(
        Desk(), public_url=URL, tokens=[SecretStr(TOKEN)], metrics=Metrics(), prove=str.upper
    )
    async with served(app) as port, Wire.to(port) as wire:
        wire.write(
            b"POST /twilio/voice HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
            b"X-Trunkline-Check: abc\r\n\r\n"
        )
        head = await wire.read_head()
    assert head is not None
    status, headers = head
    assert (status, headers["x-trunkline-proof"]) == (403, "ABC")
    async with public_port() as plain:
        reply = await ask(plain.number, post("/twilio/voice", b"", {"X-Trunkline-Check": "abc"}))
    assert "x-trunkline-proof" not in reply.headers
