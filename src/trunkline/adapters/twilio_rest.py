"""The carrier's REST API: its list of calls, and where a call shall ask what follows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import msgspec

from trunkline.core.ids import CallSid
from trunkline.errors import CarrierError, SettingsError

ANSWER_S_MAX: Final = 30.0
"""Time for one request, connecting included."""

ATTEMPTS_MAX: Final = 4
"""A request that was refused for now (429, 5xx) or not answered is sent again."""

RETRY_S: Final = 0.5
"""The first wait before that; it doubles."""

PAGE_CALLS: Final = 1_000
"""Calls of one page: the API gives no more."""

PAGES_MAX: Final = 1_000
"""A million calls; a longer list is asked for in shorter windows."""

PAGE_BYTES_MAX: Final = 32 * 1024 * 1024
"""A longer answer is refused: a page has some 2 MB."""

VERSION: Final = "2010-04-01"

T = TypeVar("T", bound=msgspec.Struct)

NOT_FETCHED: Final = "112"
"""Codes that begin so: no answer, no connection, no name, a status that is none of success."""

ANSWERED: Final = frozenset({"in-progress", "completed"})


@dataclass(frozen=True, slots=True)
class CarrierCall:
    """One call as the carrier lists it. `started_at_ms` is its answer."""

    call: CallSid
    status: str
    started_at_ms: int | None

    @property
    def was_answered(self) -> bool:
        """Whether somebody talked, or does."""
        return self.status in ANSWERED


class _Call(msgspec.Struct):
    sid: str
    status: str
    start_time: str | None = None
    parent_call_sid: str | None = None


class _Notification(msgspec.Struct):
    error_code: str | None = None
    request_url: str | None = None


class _Notifications(msgspec.Struct):
    notifications: list[_Notification]


class _Page(msgspec.Struct):
    calls: list[_Call]
    next_page_uri: str | None = None


class TwilioCalls:
    """The calls of one account. `async with` closes its connections."""

    def __init__(
        self, api_url: str, account_sid: str, auth_token: str, *, retry_s: float = RETRY_S
    ) -> None:
        self._retry_s = retry_s
        self._api_url = api_url.rstrip("/")
        self._calls = f"/{VERSION}/Accounts/{account_sid}/Calls"
        self._http = aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(account_sid, auth_token)},
            timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def between(self, since_ms: int, until_ms: int) -> AsyncIterator[CarrierCall]:
        """The calls that began on the days of these moments, in UTC, legs of transfers left out.

        Raises:
            CarrierError: refused, or no answer.
            SettingsError: the account or its token is wrong.
        """
        query = {
            "StartTime>": f"{_day(since_ms):%Y-%m-%d}",
            "StartTime<": f"{_day(until_ms):%Y-%m-%d}",
            "PageSize": str(PAGE_CALLS),
        }
        for _ in range(PAGES_MAX):
            page = _read(await self._get(f"{self._calls}.json", query), _Page)
            for one in page.calls:
                if not one.parent_call_sid:
                    yield _carrier_call(one)
            if not page.next_page_uri:
                return
            # The page's link names the page; whether it repeats the filters is its own affair.
            query |= parse_qsl(urlsplit(page.next_page_uri).query)
        raise CarrierError(f"the carrier lists over {PAGES_MAX * PAGE_CALLS} calls: narrow it")

    async def one(self, call: CallSid) -> CarrierCall | None:
        """A call by its name; None if the carrier has none such. Raises as `between`."""
        body = await self._get(f"{self._calls}/{call}.json", {})
        return None if body is None else _carrier_call(_read(body, _Call))

    async def not_fetched(self, call: CallSid) -> list[str]:
        """Paths of the URLs that gave the carrier no document during a call. Raises as `between`.

        What else went wrong with a call is of no interest here.
        """
        query = {"PageSize": str(PAGE_CALLS)}
        body = await self._get(f"{self._calls}/{call}/Notifications.json", query)
        if body is None:
            return []
        return [
            urlsplit(note.request_url).path
            for note in _read(body, _Notifications).notifications
            if note.request_url and (note.error_code or "").startswith(NOT_FETCHED)
        ]

    async def redirect(self, call: CallSid, url: str) -> bool:
        """Have the carrier ask this address what follows; False if the call is over.

        Raises as `between`.
        """
        form = {"Url": url, "Method": "POST"}
        return await self._ask("POST", f"{self._calls}/{call}.json", {}, form) is not None

    async def _get(self, path: str, query: Mapping[str, str]) -> bytes | None:
        return await self._ask("GET", path, query)

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> bytes | None:
        wait_s = self._retry_s
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(wait_s)
                wait_s *= 2
            with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                async with self._http.request(
                    method, self._api_url + path, params=query, data=form
                ) as answer:
                    if answer.status in {401, 403}:
                        raise SettingsError(
                            "TRUNKLINE_TWILIO_AUTH_TOKEN: the carrier refuses this account and"
                            " token; expected those of TRUNKLINE_TWILIO_ACCOUNT_SID"
                        )
                    if answer.status == 404:  # noqa: PLR2004 - an HTTP status
                        return None
                    if answer.ok:
                        return await _body(answer)
                    if answer.status != 429 and answer.status < 500:  # noqa: PLR2004
                        raise CarrierError(
                            f"TRUNKLINE_TWILIO_API_URL: the carrier answers {answer.status}"
                        )
        raise CarrierError("TRUNKLINE_TWILIO_API_URL: the carrier does not answer; try again later")


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > PAGE_BYTES_MAX:
            raise CarrierError("TRUNKLINE_TWILIO_API_URL: an answer over 32 MB")
    return bytes(body)


def _read(body: bytes | None, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body or b"", type=kind)
    except msgspec.MsgspecError:
        raise CarrierError(
            "TRUNKLINE_TWILIO_API_URL: the answer is not one of the carrier's Calls API"
        ) from None


def _carrier_call(one: _Call) -> CarrierCall:
    at_ms = None
    if one.start_time is not None:
        with contextlib.suppress(ValueError):
            at_ms = round(parsedate_to_datetime(one.start_time).timestamp() * 1000)
    return CarrierCall(CallSid(one.sid), one.status, at_ms)


def _day(at_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
