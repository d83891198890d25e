"""A Twilio account that answers on loopback."""

import json
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from check.grounds import TOKEN, ground, told, whys
from check.servers import answering
from trunkline.check.carrier import check_account, of_account
from trunkline.check.items import Item, Status

pytestmark = pytest.mark.anyio

SID = "AC" + "1" * 32
OURS = "https://voice.example.com/twilio/voice"
CONFIG = """
agents: {desk: {instructions: Answer.}}
numbers:
  "+15550100001": {agent: desk}
  "+15550100002": {agent: desk}
  "*": {agent: desk}
"""


def number(last: int, url: str = OURS, **more: str) -> dict[str, str]:
    return {"phone_number": f"+1555010000{last}", "voice_url": url, **more}


class Twilio:
    """Its API, as far as a check reads it."""

    def __init__(
        self, *numbers: dict[str, str], status: str = "active", kind: str = "Full"
    ) -> None:
        self.numbers = numbers
        self.account = {"sid": SID, "status": status, "type": kind, "auth_token": TOKEN}
        self.asked: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path))
        if request.headers.get("Authorization") != aiohttp.encode_basic_auth(SID, TOKEN):
            return web.json_response({"code": 20003}, status=401)
        if request.path == f"/2010-04-01/Accounts/{SID}.json":
            return web.json_response(self.account)
        return web.json_response({"incoming_phone_numbers": self.numbers, "next_page_uri": None})


async def items_of(twilio: Twilio, config: Path | None = None, **more: str) -> list[Item]:
    async with answering(twilio.answer) as port, aiohttp.ClientSession() as http:
        found = ground(config, TWILIO_API_URL=f"http://127.0.0.1:{port}", **more)
        return await check_account(found, http)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two numbers by name, and every other."""
    path = tmp_path / "trunkline.yaml"
    path.write_text(CONFIG)
    return path


async def test_an_account_whose_numbers_lead_here(config: Path) -> None:
    """Read, and nothing else."""
    twilio = Twilio(number(1), number(2))
    items = await items_of(twilio, config)
    assert told(items) == [
        (Status.OK, "twilio"),
        (Status.OK, "clock"),
        (Status.OK, "numbers"),
    ]
    assert "2 of the account's 2 lead here" in items[-1].why
    assert {method for method, _ in twilio.asked} == {"GET"}


async def test_numbers_that_lead_elsewhere(config: Path) -> None:
    """Those of the file are a fault, others may be meant so; each by its last digits."""
    trunk = number(4, trunk_sid="TK1")
    items = await items_of(
        Twilio(number(1, "https://old.example.com"), number(3, ""), trunk), config
    )
    numbers = [item for item in items if item.what == "numbers"]
    assert [item.status for item in numbers] == [Status.FAIL, Status.WARN, Status.WARN]
    assert numbers[0].why.startswith("1 number is (…0001) in the config file")
    assert numbers[1].why.startswith("1 number is (…0002) in the config file, and not in this")
    assert numbers[2].why.startswith("2 numbers are (…0003, …0004) of the account's")
    assert OURS in numbers[0].remedy
    assert "+1555" not in whys(items)


async def test_a_wrong_token() -> None:
    """It is not quoted, and its numbers are not asked for."""
    twilio = Twilio()
    items = await items_of(twilio, TWILIO_AUTH_TOKEN="other")
    assert told(items)[0] == (Status.FAIL, "twilio")
    assert "TRUNKLINE_TWILIO_AUTH_TOKEN" in items[0].remedy
    assert len(twilio.asked) == 1


@pytest.mark.parametrize(
    ("account", "status"),
    [
        ({"status": "active", "type": "Full"}, Status.OK),
        ({"status": "active", "type": "Trial"}, Status.WARN),
        ({"status": "suspended", "type": "Full"}, Status.FAIL),
        ({"status": "closed"}, Status.FAIL),
    ],
)
def test_what_an_account_may_be(account: dict[str, str], status: Status) -> None:
    """A trial carries calls, with a message before them."""
    assert of_account(200, json.dumps(account).encode()).status is status


def test_what_is_no_answer_of_twilio_s() -> None:
    """No such account; a proxy's page; nothing at all."""
    assert of_account(404, b"").status is Status.FAIL
    assert of_account(200, b"<html>").status is Status.WARN
    assert of_account(503, b"").status is Status.WARN


async def test_an_api_that_is_away() -> None:
    """A closed port."""
    async with aiohttp.ClientSession() as http:
        items = await check_account(ground(TWILIO_API_URL="http://127.0.0.1:1"), http)
    assert told(items) == [(Status.FAIL, "twilio")]


async def test_without_a_sid_nobody_can_be_asked() -> None:
    """It is said, since a pod needs none."""
    async with aiohttp.ClientSession() as http:
        items = await check_account(ground(TWILIO_ACCOUNT_SID=""), http)
    assert told(items) == [(Status.WARN, "twilio")]
