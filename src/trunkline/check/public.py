"""The public URL: reachable, trusted, and leading to the pod that runs here.

An unsigned webhook is sent, which any pod refuses (403). With its refusal a pod proves that it has
our auth token, and which pod it is (`core.proof`): nobody else's server can.
"""

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass
from secrets import token_hex
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from trunkline.check.ground import Ground
from trunkline.check.items import Item, fail, ok, warn
from trunkline.config.settings import Settings
from trunkline.core import proof
from trunkline.core.proof import Proof

CERTIFICATE_DAYS_LEAST: Final = 14
"""With fewer days left a renewal has failed: most begin 30 days before."""

LOCAL_S_MAX: Final = 2.0
"""Time for the internal port's answer: it is on this machine."""

TLS_S_MAX: Final = 5.0
"""From look-up of the name to the end of TLS's handshake."""

WHAT: Final = "public url"


class Here(msgspec.Struct):
    """The pod that runs on this machine."""

    pod: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back through the public URL."""

    status: int
    proof: Proof
    location: str = ""
    """Where a redirect leads: its scheme and host."""


async def check_public(
    ground: Ground, http: aiohttp.ClientSession, tls: ssl.SSLContext | None = None
) -> list[Item]:
    """The way from outside to the webhooks, and to the media socket. `tls`: as `http` has it."""
    settings = ground.settings
    if settings is None or settings.public_url is None or settings.twilio_auth_token is None:
        return []
    here = await _here(settings, http)
    try:
        items = await _certificate(settings.public_url, tls)
    except (TimeoutError, OSError) as error:
        return [of_failure(error, here)]
    nonce = token_hex(16)
    try:
        async with http.post(
            f"{settings.public_url}/twilio/voice",
            headers={proof.ASKED: nonce},
            allow_redirects=False,
        ) as response:
            answer = Answer(
                response.status,
                proof.judge(
                    settings.twilio_auth_token.get_secret_value().encode(),
                    nonce,
                    response.headers.get(proof.ANSWERED),
                    None if here is None else here.pod,
                    None if here is None else here.incarnation,
                ),
                _origin(response.headers.get("Location", "")),
            )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return [of_failure(error, here)]
    items.insert(0, of_answer(answer, here, settings))
    if answer.proof is Proof.THIS_POD and here is not None:
        items.append(await _media(settings.public_url, here, http))
    return items


async def _here(settings: Settings, http: aiohttp.ClientSession) -> Here | None:
    """The pod whose internal port answers; None if none does."""
    host = settings.internal_host
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - never bound here
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{settings.internal_port}/api/v1/pod"
    try:
        limit = aiohttp.ClientTimeout(total=LOCAL_S_MAX)
        async with http.get(url, timeout=limit, allow_redirects=False) as response:
            return msgspec.json.decode(await response.read(), type=Here)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, msgspec.DecodeError):
        return None


async def _certificate(public_url: str, tls: ssl.SSLContext | None) -> list[Item]:
    """How long it is valid, by a connection of its own; of http on this machine nothing."""
    parts = urlsplit(public_url)
    if parts.scheme != "https":
        return []
    async with asyncio.timeout(TLS_S_MAX):
        _, writer = await asyncio.open_connection(
            parts.hostname, parts.port or 443, ssl=tls or ssl.create_default_context()
        )
    try:
        found = writer.get_extra_info("ssl_object").getpeercert()
    finally:
        writer.transport.abort()
    return [of_certificate((ssl.cert_time_to_seconds(found["notAfter"]) - time.time()) / 86_400)]


async def _media(public_url: str, here: Here, http: aiohttp.ClientSession) -> Item:
    """Whether whatever stands before the pod lets a WebSocket through."""
    url = f"{public_url}/pods/{here.pod}/media"
    try:
        async with http.ws_connect(url) as socket:
            await socket.close()
    except aiohttp.WSServerHandshakeError as error:
        why = f"the webhooks come through, and a WebSocket is answered {error.status}"
        return fail("media", why, "let the ingress or tunnel pass WebSocket upgrades of /pods/")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return fail("media", f"no WebSocket comes through ({type(error).__name__})", "as above")
    return ok("media", "a WebSocket reaches this pod through the public URL")


def of_answer(answer: Answer, here: Here | None, settings: Settings) -> Item:
    """Who answered."""
    match answer.proof:
        case Proof.THIS_POD:
            return ok(WHAT, "it leads to the pod that runs here")
        case Proof.OUR_KEY if here is None:
            return ok(WHAT, "it leads to a pod with this auth token; none runs on this machine")
        case Proof.OUR_KEY:
            why = "it leads to another pod with this auth token, not to the one that runs here"
            remedy = "well among several pods; else let it lead to this machine's"
            return warn(WHAT, why, f"{remedy} port {settings.port}")
        case Proof.OTHER_KEY:
            why = "it leads to a Trunkline that has another auth token"
            return fail(WHAT, why, "set the same TRUNKLINE_TWILIO_AUTH_TOKEN here and there")
        case Proof.NONE:
            return _of_stranger(answer, here, settings)


def _of_stranger(answer: Answer, here: Here | None, settings: Settings) -> Item:
    way = f"let it lead to port {settings.port} of this machine, /twilio/ and /pods/ unchanged"
    if 300 <= answer.status < 400:  # noqa: PLR2004 - HTTP's class of redirects
        why = f"it redirects to {answer.location or 'elsewhere'}: a webhook's signature is lost"
        return fail(WHAT, why, "set TRUNKLINE_PUBLIC_URL to where it leads in the end")
    if here is None:
        why = f"something answers ({answer.status}), and no pod runs here that it could lead to"
        return warn(WHAT, why, "start `trunkline up`, then check again")
    return fail(WHAT, f"another server answers ({answer.status}), not the pod here", way)


def of_failure(error: Exception, here: Here | None) -> Item:
    """Why nothing came back."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"it is not trusted: {error.verify_message}"
        return fail("certificate", why, "renew it for this host, with its whole chain")
    if isinstance(error, ssl.SSLError):
        why = "no TLS connection can be made"
        return fail("certificate", why, "is it https that this port speaks?")
    if isinstance(error, socket.gaierror | aiohttp.ClientConnectorDNSError):
        return fail(WHAT, "its host name is not known", "set its DNS record, or mend the name")
    if isinstance(error, TimeoutError):
        return fail(WHAT, "no answer in time", "do a firewall and a router let the port through?")
    remedy = "open the port, or start the tunnel"
    if here is None:
        remedy += "; without either, `trunkline up` first"
    return fail(WHAT, f"nothing answers there ({type(error).__name__})", remedy)


def of_certificate(days: float) -> Item:
    """How long it still is valid."""
    why = f"valid for {days:.0f} more days"
    if days < CERTIFICATE_DAYS_LEAST:
        return warn("certificate", why, "renew it: Twilio refuses an expired one")
    return ok("certificate", why)


def _origin(location: str) -> str:
    """Of an address only what holds no path: it may hold what is nobody's business."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else ""
