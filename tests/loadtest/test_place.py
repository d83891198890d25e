"""Calls are made and counted, against a small server of somebody else's."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from loadtest.test_ends import WANTED
from sim.carrier_bot import Bot, media, serving, wait_for
from trunkline.loadtest.callers import MIXED
from trunkline.loadtest.ends import open_ends
from trunkline.loadtest.place import Placing
from trunkline.loadtest.plan import Load
from trunkline.loadtest.timeline import Fault

pytestmark = pytest.mark.anyio

SOUND = bytes([7]) * 3_200  # 400 ms


async def greet(socket: web.WebSocketResponse, sid: str) -> None:
    await socket.send_str(media(sid, SOUND))


@asynccontextmanager
async def placing(load: Load, faults: Sequence[Fault] = ()) -> AsyncIterator[tuple[Bot, Placing]]:
    """A load against the bot, which greets and then says nothing."""
    async with serving() as bot:
        bot.documents["/voice"] = bot.stream()
        bot.talk = greet
        async with open_ends(replace(WANTED, url=f"{bot.url}/voice"), {}) as ends:
            yield bot, Placing(ends, load, MIXED, faults, None, seed=1)


async def test_calls_take_one_anothers_place_until_the_end() -> None:
    """Unsigned, each with a number of its own, never more than were asked for."""
    async with placing(Load(2, 4.0, 1.2, call_s=0.5)) as (bot, load):
        await load.run()
        calls = load.tally.calls
        assert sorted(call.number for call in calls) == list(range(len(calls)))
        assert 4 <= len(calls) <= 6
        assert load.tally.live == 0
        assert {call.failed for call in calls} == {""}
        assert all(call.first_sound_ms is not None for call in calls)
        assert {(call.to_model, call.to_caller, call.false_turns) for call in calls} == {
            (None, None, None)
        }
        voices = [seen for seen in bot.seen if seen["path"] == "/voice"]
        assert len({dict(seen["form"])["From"] for seen in voices}) == len(calls)
        assert all("X-Twilio-Signature" not in seen["headers"] for seen in voices)
    assert not load.cut_short


async def test_the_carriers_faults_strike_who_calls_meanwhile() -> None:
    """The first call's stream is refused, the second's is not."""
    faults = [Fault(0.0, "carrier", "refuse_streams", "9", 0.3)]
    async with placing(Load(2, 2.0, 1.0), faults) as (_, load):
        await load.run()
    by_number = {call.number: call for call in load.tally.calls}
    assert by_number[0].failed == "the stream was refused"
    assert by_number[1].failed == ""


async def test_whoever_stops_it_gets_what_has_been() -> None:
    """Callers hang up, no call is called a failure for that, and it is over at once."""
    async with (
        placing(Load(2, 50.0, 60.0)) as (bot, load),
        asyncio.timeout(10),
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(load.run())
        await wait_for(lambda: bot.open_sockets == 2)
        load.stop()
    assert load.cut_short
    assert [call.failed for call in load.tally.calls] == ["", ""]
    assert load.lasted_s < 10


async def test_a_webhook_that_does_not_answer_is_a_failed_call() -> None:
    """Told as what it is."""
    async with placing(Load(1, 1.0, 0.8)) as (bot, load):
        bot.documents["/voice"] = 500
        await load.run()
    [call] = load.tally.calls
    assert call.failed.startswith("the webhook failed: 11200")
    assert load.tally.failed == 1
