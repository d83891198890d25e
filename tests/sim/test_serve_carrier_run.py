"""The command that calls a server."""

import asyncio
import re
from dataclasses import fields, replace

import pytest
from aiohttp import web

from sim.carrier_bot import ToyVoice, media, serving
from trunkline.errors import SettingsError
from trunkline.sim.caller import HangUp, Interrupt, Listen, Press, Say
from trunkline.sim.serve_carrier_run import CarrierSimOptions, number_after, run, script_of
from trunkline.sim.speech import recorded

pytestmark = pytest.mark.anyio


async def greet(socket: web.WebSocketResponse, sid: str) -> None:
    await socket.send_str(media(sid, bytes([7]) * 1600))


def options(url: str, **changes: object) -> CarrierSimOptions:
    plain = CarrierSimOptions(url=url, calls=3, rate=50.0, say=(), seed=1)
    return replace(plain, **changes)  # type: ignore[arg-type]  # A test's shorthand.


async def test_calls_are_placed_and_summed_up() -> None:
    """Exit code 0, one line for each figure, no phone number."""
    lines: list[str] = []
    async with serving() as bot:
        bot.talk = greet
        bot.documents["/voice"] = bot.stream()
        code = await run(options(f"{bot.url}/voice"), voice=ToyVoice(), write=lines.append)
    text = "".join(lines)
    assert code == 0
    assert "3, 0 with faults" in text
    assert "first sound" in text
    assert "+1555" not in text
    callers = {seen["form"]["From"] for seen in bot.seen if seen["path"] == "/voice"}
    assert callers == {"+15550100100", "+15550100101", "+15550100102"}


async def test_a_server_that_fails_is_told_so() -> None:
    """Exit code 1, with Twilio's code and the reason."""
    lines: list[str] = []
    async with serving() as bot:
        bot.documents["/voice"] = 403
        code = await run(options(f"{bot.url}/voice", calls=1), voice=ToyVoice(), write=lines.append)
    assert code == 1
    assert re.search(r"^warning 11200 +1  .*403", "".join(lines), re.MULTILINE)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"url": url} for url in ("ftp://x/", "http://", "http://x:99999/", "http://[::1")),
        *({"to": "me"}, {"from_": "me"}, {"press": "a"}, {"say": ("qwerty",)}, {"rate": 0}),
    ],
    ids=str,
)
async def test_what_cannot_work_is_told_before_any_call(wrong: dict[str, object]) -> None:
    """Nothing is written but the error."""
    lines: list[str] = []
    plan = options("http://127.0.0.1:1/")
    with pytest.raises(SettingsError):
        await run(replace(plan, **wrong), write=lines.append)  # type: ignore[arg-type]  # As above.
    assert lines == []


async def test_with_the_api_it_stays_until_it_is_ended() -> None:
    """Cancelled as by Ctrl-C, it leaves cleanly."""
    lines: list[str] = []
    plan = options("http://127.0.0.1:1/", calls=0, rest_port=0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await run(plan, voice=ToyVoice(), write=lines.append)
    assert lines[0].startswith("Calls API: http://127.0.0.1:")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"url": "bot.example"}, "--url"),
        ({"calls": -1}, "--calls"),
        ({"calls": 0}, "--rest-port"),
        ({"rate": 0.0}, "--rate"),
        ({"from_": "me"}, "phone number"),
        ({"say": ("xylophone",)}, "--say"),
    ],
)
async def test_a_wrong_option_is_named(changes: dict[str, object], word: str) -> None:
    """One line, before any call."""
    with pytest.raises(SettingsError, match=word):
        await run(replace(options("http://127.0.0.1:1/"), **changes), voice=recorded())  # type: ignore[arg-type]  # A test's shorthand.


def test_every_option_has_a_help_text_and_the_default_words_exist() -> None:
    """The command line is made from them."""
    assert all(field.metadata["help"] for field in fields(CarrierSimOptions))
    for text in CarrierSimOptions("http://x").say:
        assert recorded().knows(text)


def test_the_script_follows_the_options() -> None:
    """Words, interruptions, keys."""
    plan = options("http://x", say=("hello",), interrupt_ms=300, press="1")
    assert list(script_of(plan)) == [
        Listen(),
        Say("hello"),
        Interrupt(300, "hello"),
        Listen(),
        Press("1"),
        HangUp(),
    ]


def test_callers_have_numbers_of_their_own() -> None:
    """Counting on from the first."""
    assert number_after("+15550100099", 2) == "+15550100101"


async def test_a_port_in_use_is_one_line() -> None:
    """A `SettingsError`, not a group of errors."""
    async with serving() as bot:
        port = int(bot.url.rpartition(":")[2])
        plan = options("http://127.0.0.1:1/", calls=0, rest_port=port)
        with pytest.raises(SettingsError, match=f"port {port}"):
            await run(plan, voice=ToyVoice())
