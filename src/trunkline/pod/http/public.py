"""What Twilio asks: webhooks, each signed against the public URL from the settings.

The Host header is never believed: a signature is checked against what the settings say Twilio
was told to call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from fastapi import FastAPI, Request, Response
from pydantic import SecretStr

from trunkline.errors import CarrierProtocolError
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import webhooks

BODY_BYTES_MAX: Final = 64 * 1024
"""A longer body is refused (413) without reading on."""

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


class Unsigned(Exception):  # noqa: N818 - an answer, not a failure of ours
    """The request does not come from our Twilio account: 403, or 413 and 400 where it is broken."""

    def __init__(self, reason: str, status: int = 403) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise Unsigned("too_big", 413)
    except TimeoutError:
        raise Unsigned("slow", 408) from None
    return bytes(body)


def signed_form(
    public_url: str, tokens: Sequence[SecretStr]
) -> Callable[[Request], Awaitable[webhooks.Form]]:
    """Make the check that every webhook passes first: its form, or `Unsigned`."""

    async def check(request: Request) -> webhooks.Form:
        signature = request.headers.get("x-twilio-signature")
        if signature is None:
            raise Unsigned("no_signature")
        body = await _read_body(request)
        # As it was sent: the signature covers the URL's text, not its meaning.
        url = public_url.rstrip("/") + request.scope["raw_path"].decode("latin-1")
        if request.url.query:
            url += f"?{request.url.query}"
        try:
            form = webhooks.parse_form(body)
        except CarrierProtocolError as error:
            raise Unsigned("malformed", 400) from error
        if not webhooks.is_signed(url, form, signature, [t.get_secret_value() for t in tokens]):
            raise Unsigned("bad_signature")
        return form

    return check


def public_app(
    desk: FrontDesk, *, public_url: str, tokens: Sequence[SecretStr], metrics: Metrics
) -> FastAPI:
    """The public port's application: /twilio/… and nothing else; no OpenAPI, no docs."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    check = signed_form(public_url, tokens)

    @app.exception_handler(Unsigned)
    async def refuse(_request: Request, refusal: Unsigned) -> Response:
        metrics.webhook_refused(refusal.reason)
        return Response(status_code=refusal.status)

    @app.exception_handler(CarrierProtocolError)
    async def refuse_form(_request: Request, _error: CarrierProtocolError) -> Response:
        metrics.webhook_refused("incomplete")
        return Response(status_code=400)

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
        # Answering machines are the dialer's concern; until one dials, the verdict has no reader.
        await check(request)
        return Response(status_code=204)

    return app
