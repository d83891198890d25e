"""What Twilio asks: webhooks, each signed against the public URL from the settings.

The Host header is never believed: a signature is checked against what the settings say Twilio
was told to call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from fastapi import FastAPI, Request, Response
from pydantic import SecretStr
from starlette.exceptions import HTTPException

from trunkline.core import proof
from trunkline.errors import CarrierProtocolError
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import webhooks

BODY_BYTES_MAX: Final = 64 * 1024
"""A longer body is refused (413); what still comes of it is dropped."""

BODY_S_MAX: Final = 5.0
"""A body that is not whole by then is refused (408)."""

TWIML: Final = "text/xml; charset=utf-8"


class FrontDesk(Protocol):
    """Who decides what a call gets."""

    async def voice(self, request: webhooks.VoiceRequest) -> str:
        """A call's webhook: the document that it shall run."""
        ...

    async def resume(self, token: str, request: webhooks.VoiceRequest) -> str | None:
        """The redirect behind a stream: a document, or None for a token that is not good."""
        ...

    def status(self, callback: webhooks.StatusCallback) -> None:
        """What became of a call, says the carrier."""
        ...

    def stream_status(self, callback: webhooks.StreamStatus) -> None:
        """What became of a stream, says the carrier."""
        ...

    def amd(self, verdict: webhooks.MachineVerdict) -> None:
        """Who answered an outbound call, says the carrier."""
        ...


class Unsigned(Exception):  # noqa: N818 - an answer, not a failure of ours
    """The request does not come from our Twilio account, or is broken: 403, or the status given.

    `unread`: more of its body may come.
    """

    def __init__(self, reason: str, status: int = 403, *, unread: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.unread = unread


async def _read_body(request: Request, body_s_max: float) -> bytes:
    body = bytearray()
    more = True
    try:
        async with asyncio.timeout(body_s_max):
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Unsigned("gone", 400)
                body += message.get("body", b"")
                more = bool(message.get("more_body", False))
                if len(body) > BODY_BYTES_MAX:
                    raise Unsigned("too_big", 413, unread=more)
    except TimeoutError:
        raise Unsigned("slow", 408, unread=True) from None
    return bytes(body)


Check = Callable[[Request], Awaitable[webhooks.Form]]
"""The check that a webhook passes first: its form, or `Unsigned` is raised."""


def signed_form(
    public_url: str, tokens: Sequence[SecretStr], *, body_s_max: float = BODY_S_MAX
) -> Check:
    """Make the check that every webhook passes first: its form, or `Unsigned`."""

    async def check(request: Request) -> webhooks.Form:
        # Read in any case: an answer before the body's end may be lost with the connection.
        body = await _read_body(request, body_s_max)
        signature = request.headers.get("x-twilio-signature")
        if signature is None:
            raise Unsigned("no_signature")
        # As it was sent: the signature covers the URL's text, not its meaning. Of the scope, for
        # `request.url` is made from the Host header.
        url = public_url.rstrip("/") + request.scope["raw_path"].decode("latin-1")
        if query := request.scope["query_string"].decode("latin-1"):
            url += f"?{query}"
        try:
            form = webhooks.parse_form(body)
        except CarrierProtocolError as error:
            raise Unsigned("malformed", 400) from error
        if not webhooks.is_signed(url, form, signature, [t.get_secret_value() for t in tokens]):
            raise Unsigned("bad_signature")
        return form

    return check


Prove = Callable[[str], str | None]
"""From a nonce to our answer; None where it is no nonce."""


def _proves_nothing(nonce: str) -> str | None:
    del nonce
    return None


def public_app(
    desk: FrontDesk,
    *,
    public_url: str,
    tokens: Sequence[SecretStr],
    metrics: Metrics,
    prove: Prove = _proves_nothing,
    body_s_max: float = BODY_S_MAX,
) -> FastAPI:
    """The public port's application: /twilio/… and nothing else; no OpenAPI, no docs.

    Who asks with a refused request that we be who we are gets what `prove` says (`core.proof`).
    """
    # A redirect to a path without its slash would be made from the Host header.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _add_refusals(app, metrics, prove, body_s_max)
    _add_webhooks(app, desk, signed_form(public_url, tokens, body_s_max=body_s_max))
    return app


def _add_refusals(app: FastAPI, metrics: Metrics, prove: Prove, body_s_max: float) -> None:
    @app.exception_handler(Unsigned)
    async def refuse(request: Request, refusal: Unsigned) -> Response:
        """Counted, and the connection ends: a stranger shall not keep one for nothing.

        While its body still comes the server sees to that: who closes with bytes unread resets
        the connection, and the answer is lost.
        """
        metrics.webhook_refused(refusal.reason)
        headers = {} if refusal.unread else {"Connection": "close"}
        if (proven := prove(request.headers.get(proof.ASKED, ""))) is not None:
            headers[proof.ANSWERED] = proven
        return Response(status_code=refusal.status, headers=headers)

    @app.exception_handler(CarrierProtocolError)
    async def refuse_form(request: Request, _error: CarrierProtocolError) -> Response:
        return await refuse(request, Unsigned("incomplete", 400))

    @app.exception_handler(HTTPException)
    async def refuse_path(request: Request, error: HTTPException) -> Response:
        try:
            await _read_body(request, body_s_max)
        except Unsigned as refusal:
            return await refuse(request, refusal)
        return await refuse(request, Unsigned("path", error.status_code))


def _add_webhooks(app: FastAPI, desk: FrontDesk, check: Check) -> None:
    @app.post("/twilio/voice")
    async def voice(request: Request) -> Response:
        form = await check(request)
        document = await desk.voice(webhooks.VoiceRequest.from_form(form))
        return Response(document, media_type=TWIML)

    @app.post("/twilio/resume/{token}")
    async def resume(request: Request, token: str) -> Response:
        form = await check(request)
        document = await desk.resume(token, webhooks.VoiceRequest.from_form(form))
        if document is None:
            raise Unsigned("bad_token")
        return Response(document, media_type=TWIML)

    @app.post("/twilio/status")
    async def status(request: Request) -> Response:
        desk.status(webhooks.StatusCallback.from_form(await check(request)))
        return Response(status_code=204)

    @app.post("/twilio/stream-status")
    async def stream_status(request: Request) -> Response:
        desk.stream_status(webhooks.StreamStatus.from_form(await check(request)))
        return Response(status_code=204)

    @app.post("/twilio/amd")
    async def amd(request: Request) -> Response:
        desk.amd(webhooks.MachineVerdict.from_form(await check(request)))
        return Response(status_code=204)
