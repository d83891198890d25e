"""The simulated Calls API on a port of this machine."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from trunkline.errors import CarrierProtocolError, SettingsError
from trunkline.sim.carrier.resources import ApiError
from trunkline.sim.carrier.rest import ApiReply, ApiRequest
from trunkline.wire.webhooks import FORM_BYTES_MAX, parse_form

LOOPBACK: Final = "127.0.0.1"

STOP_S_MAX: Final = 1.0
"""So long an open request has when the simulator goes."""


@asynccontextmanager
async def serve_api(
    answer: Callable[[ApiRequest], ApiReply], port: int | None
) -> AsyncIterator[str | None]:
    """The API's base URL while it listens; None where it shall not."""
    if port is None:
        yield None
        return

    async def handle(request: web.Request) -> web.Response:
        reply = _reply(answer, request, await request.read())
        if reply.is_lost:  # Processed, and never heard of again.
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=reply.status, text=reply.text, content_type="application/json")

    app = web.Application(client_max_size=FORM_BYTES_MAX)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=STOP_S_MAX, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
        except OSError as error:
            raise SettingsError(f"the Calls API can't listen on port {port}: {error}") from error
        assert runner.addresses
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _reply(answer: Callable[[ApiRequest], ApiReply], request: web.Request, body: bytes) -> ApiReply:
    try:
        query = parse_form(request.rel_url.raw_query_string.encode())
        form = parse_form(body)
    except CarrierProtocolError as error:
        refusal = ApiError(400, 20001, str(error))
        return ApiReply(refusal.status, refusal.resource())
    authorization = request.headers.get("Authorization")
    return answer(ApiRequest(request.method, request.path, query, form, authorization))
