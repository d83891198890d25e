"""The one HTTP client of tools and hook: signed requests, bounded answers, no redirects."""

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

import aiohttp
from multidict import CIMultiDict

from trunkline.pod.tools.specs import Run

CONNECTIONS_MAX: Final = 512
"""Requests at once, all tools together: ten for each of 50 calls. The next one waits, within its
deadline. (aiohttp's own default of 100 would stall a pod whose tools are slow.)"""

Reason = Literal["timeout", "unreachable", "status", "malformed", "too_big"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: JSON text, with the headers of a user's choice."""

    url: str
    body: bytes
    run: Run
    method: str = "POST"
    headers: Mapping[str, str] | None = None
    secret_headers: Mapping[str, str] | None = None
    signing_key: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """No usable answer. `status` is HTTP's, where one came."""

    reason: Reason
    status: int | None = None


class HttpClient:
    """Sends requests; open it with `async with` inside the loop."""

    def __init__(self, *, connections_max: int = CONNECTIONS_MAX) -> None:
        self._connections_max = connections_max
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # A kept connection that the server has just closed would fail a POST that can't be
            # repeated safely; tools are rare enough for a connection each.
            connector=aiohttp.TCPConnector(
                limit=self._connections_max, limit_per_host=0, force_close=True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),  # Nothing of one call reaches another.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,  # The bound is on what we read.
            trust_env=False,
            headers={"User-Agent": "Trunkline", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def send(self, request: Request, *, timeout_s: float, bytes_max: int) -> bytes | Failure:
        """The body of a 2xx answer, at most `bytes_max` of it; a longer one is no answer."""
        if self._session is None:
            return Failure("unreachable")
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.request(
                    request.method,
                    request.url,
                    data=request.body,
                    headers=_headers(request),
                    allow_redirects=False,  # Headers with secrets go where the config says.
                ) as response,
            ):
                return await _read(response, bytes_max)
        except TimeoutError:
            return Failure("timeout")
        except (aiohttp.ClientError, OSError, ValueError):
            return Failure("unreachable")


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes | Failure:
    if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return Failure("status", response.status)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return Failure("malformed", response.status)
    body = bytearray()
    while chunk := await response.content.read(bytes_max + 1 - len(body)):
        body += chunk
        if len(body) > bytes_max:
            response.close()
            return Failure("too_big", response.status)
    return bytes(body)


def _headers(request: Request) -> CIMultiDict[str]:
    """The user's headers, then ours: nobody can set those by a config file."""
    headers = CIMultiDict(request.headers or {})
    headers.update(request.secret_headers or {})
    headers["Content-Type"] = "application/json"
    headers["Trunkline-Call-Sid"] = _header_value(request.run.call)
    headers["Idempotency-Key"] = _header_value(request.run.idempotency_key)
    if request.signing_key is not None:
        at_s = int(time.time())
        headers["Trunkline-Signature"] = signature(request.signing_key, request.body, at_s)
    return headers


def signature(key: str, body: bytes, at_s: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 under the key over `SECONDS.BODY`.

    Whoever receives it computes the same, compares in constant time, and refuses an old `t`.
    """
    digest = hmac.new(key.encode(), b"%d." % at_s + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


_PLAIN: Final = re.compile(r"[!-~]{1,255}")


def _header_value(text: str) -> str:
    """The text, where a header can carry it; else its hash: a model chose part of it."""
    if _PLAIN.fullmatch(text):
        return text
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
