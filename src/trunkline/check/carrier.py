"""The Twilio account: whether its keys are right, and whether its numbers lead here. Read only."""

import time
from collections.abc import Sequence
from typing import Final

import aiohttp
import msgspec

from trunkline.check import clocks
from trunkline.check.ground import Ground
from trunkline.check.items import Item, fail, ok, warn
from trunkline.config.values import ANYONE

API_VERSION: Final = "2010-04-01"

NUMBERS_MAX: Final = 1000
"""Numbers of the account that are looked at: one page."""

NAMED_MAX: Final = 5
"""Numbers that an item names, by their last digits."""


class Account(msgspec.Struct):
    """What the API says of an account."""

    status: str
    type: str = ""


class Number(msgspec.Struct):
    """One of its phone numbers."""

    phone_number: str
    voice_url: str | None = None
    voice_application_sid: str | None = None
    trunk_sid: str | None = None


class Numbers(msgspec.Struct):
    """A page of them."""

    incoming_phone_numbers: list[Number]
    next_page_uri: str | None = None


async def check_account(ground: Ground, http: aiohttp.ClientSession) -> list[Item]:
    """The account by its SID and token, then its numbers."""
    settings = ground.settings
    if settings is None or settings.twilio_auth_token is None:
        return []
    if settings.twilio_account_sid is None:
        why = "TRUNKLINE_TWILIO_ACCOUNT_SID is not set: the token could not be tried"
        return [warn("twilio", why, "set it, and the account and its numbers are looked at")]
    base = f"{settings.twilio_api_url}/{API_VERSION}/Accounts/{settings.twilio_account_sid}"
    token = settings.twilio_auth_token.get_secret_value()
    headers = {"Authorization": aiohttp.encode_basic_auth(settings.twilio_account_sid, token)}
    try:
        async with http.get(f"{base}.json", headers=headers, allow_redirects=False) as response:
            items = clocks.of_date("Twilio", response.headers.get("Date"), time.time())
            items.insert(0, of_account(response.status, await response.read()))
        if items[0].why.startswith("status"):  # It let us in.
            query = {"PageSize": str(NUMBERS_MAX)}
            url = f"{base}/IncomingPhoneNumbers.json"
            async with http.get(
                url, headers=headers, params=query, allow_redirects=False
            ) as response:
                items += of_numbers(response.status, await response.read(), ground)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        why = f"its API can't be reached ({type(error).__name__})"
        return [fail("twilio", why, "does this machine reach TRUNKLINE_TWILIO_API_URL?")]
    return items


def of_account(status: int, body: bytes) -> Item:
    """What the API's answer means."""
    if status == 401:  # noqa: PLR2004 - an HTTP status is its own name
        remedy = "copy TRUNKLINE_TWILIO_ACCOUNT_SID and TRUNKLINE_TWILIO_AUTH_TOKEN again"
        return fail("twilio", "SID and token do not belong together, or the token is old", remedy)
    if status == 404:  # noqa: PLR2004 - as above
        return fail("twilio", "there is no such account", "copy TRUNKLINE_TWILIO_ACCOUNT_SID again")
    try:
        account = msgspec.json.decode(body, type=Account) if status == 200 else None  # noqa: PLR2004 - as above
    except (msgspec.DecodeError, UnicodeError):
        account = None
    if account is None:
        why = f"its API answered {status}, and not as Twilio does"
        return warn("twilio", why, "look at TRUNKLINE_TWILIO_API_URL, or check again in a minute")
    if account.status != "active":
        return fail("twilio", f"status of the account: {account.status[:20]}", "ask Twilio why")
    if account.type == "Trial":
        remedy = "upgrade the account before callers come: it plays a message of its own first"
        return warn("twilio", "status of the account: active, a trial", remedy)
    return ok("twilio", "status of the account: active")


def of_numbers(status: int, body: bytes, ground: Ground) -> list[Item]:
    """Which of the account's numbers lead to the pod, and which of the config's are not there."""
    settings, file = ground.settings, ground.file
    assert settings is not None
    try:
        if status != 200:  # noqa: PLR2004 - an HTTP status is its own name
            raise msgspec.DecodeError  # noqa: TRY301 - the same answer to both
        page = msgspec.json.decode(body, type=Numbers)
    except (msgspec.DecodeError, UnicodeError):
        why = f"the account's numbers could not be listed ({status})"
        return [warn("numbers", why, "look at their webhooks in Twilio's console")]
    if settings.public_url is None or file is None:
        return []
    ours = f"{settings.public_url}/twilio/voice"
    led = {number.phone_number: _leads(number, ours) for number in page.incoming_phone_numbers}
    wanted = [number for number in file.config.numbers if number != ANYONE]
    items: list[Item] = []
    if lost := [number for number in wanted if number in led and not led[number]]:
        why = f"{_named(lost)} in the config file, and their webhook is not ours"
        items.append(fail("numbers", why, f"set their voice webhook to {ours} (POST)"))
    gone = [number for number in wanted if number not in led]
    if gone and page.next_page_uri is None:
        why = f"{_named(gone)} in the config file, and not in this account"
        items.append(warn("numbers", why, "buy them, or take them out; SIP trunks do not count"))
    others = [number for number, leads in led.items() if not leads and number not in wanted]
    if others and ANYONE in file.config.numbers:
        why = f"{_named(others)} of the account's, and their webhook is not ours"
        items.append(warn("numbers", why, f"set it to {ours} (POST) where the agent shall answer"))
    if here := sum(led.values()):
        items.append(ok("numbers", f"{here} of the account's {len(led)} lead here"))
    elif not items:
        why = f"none of the account's {len(led)} leads here"
        items.append(warn("numbers", why, f"set a number's voice webhook to {ours} (POST)"))
    return items


def _leads(number: Number, ours: str) -> bool:
    """Whether its calls come to our webhook. An application or a trunk would win over it."""
    elsewhere = number.voice_application_sid or number.trunk_sid
    return not elsewhere and (number.voice_url or "").rstrip("/") == ours


def _named(numbers: Sequence[str]) -> str:
    """How many, and their last digits: a check is shown around."""
    named = ", ".join(f"…{number[-4:]}" for number in sorted(numbers)[:NAMED_MAX])
    more = ", …" if len(numbers) > NAMED_MAX else ""
    is_are = "number is" if len(numbers) == 1 else "numbers are"
    return f"{len(numbers)} {is_are} ({named}{more})"
