import asyncio
import base64
import contextlib
from pathlib import Path

import httpx
import pytest
from picows import WSInvalidStatusError

from sim.model_client import telephony
from sim.model_line import KEY, QUICK, SPEECH, all_gone, connect, serving
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.script import ScriptError
from trunkline.sim.serve_realtime import RealtimeSimulator, run
from trunkline.wire.realtime import server

pytestmark = pytest.mark.anyio


async def test_a_call_over_the_socket_is_heard_and_answered() -> None:
    """From the handshake to the close; nothing is left open, and the record tells all."""
    tasks = len(asyncio.all_tasks())
    async with serving() as simulator:
        line = await connect(simulator)
        await line.until(server.SessionCreated)
        assert len(simulator.sessions) == 1
        line.send(telephony())
        await line.until(server.SessionUpdated)
        line.say("this is caller four seven")
        events = await line.until(server.ResponseDone)
        audio = b"".join(
            base64.b64decode(e.delta) for e in events if isinstance(e, server.AudioDelta)
        )
        assert SPEECH.hear(audio) == "i heard this is caller four seven"
        line.wire.send_close()
        assert await line.closed() == 1000
        await all_gone(simulator)
        record = simulator.records[0]
        assert record.heard_text() == "this is caller four seven"
        assert record.said[0].audio == audio
        assert record.closed_at is not None
        assert record.errors == {}
        ledger = simulator.ledgers[0]
        assert len(ledger.arrivals) == record.events["AppendAudio"]
        assert record.opened_at <= ledger.arrivals[0][1] <= ledger.departures[-1][1]
    assert len(asyncio.all_tasks()) == tasks


async def test_many_calls_at_once_are_not_crossed() -> None:
    """Each is answered with its own words."""
    digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    async with serving() as simulator:
        lines = [await connect(simulator) for _ in range(30)]
        for line in lines:
            line.send(telephony())
        names = [f"{digits[n // 10]} {digits[n % 10]}" for n in range(len(lines))]
        for line, name in zip(lines, names, strict=True):
            line.say(f"this is caller {name}")
        for line in lines:
            await line.until(server.ResponseDone)
            line.wire.disconnect()
        await all_gone(simulator)
        said = [record.said_text() for record in simulator.records]
        assert said == [f"i heard this is caller {name}" for name in names]


@pytest.mark.parametrize(
    ("model", "headers", "status"),
    [("gpt-realtime", {}, 401), ("gpt-nonsense", KEY, 404)],
)
async def test_a_wrong_handshake_gets_a_status(
    model: str, headers: dict[str, str], status: int
) -> None:
    """Check list, line 1: and is counted."""
    async with serving() as simulator:
        with pytest.raises(WSInvalidStatusError) as error:
            await connect(simulator, model, headers)
        assert error.value.response is not None
        assert error.value.response.status == status
        assert simulator.refused.total() == 1
        assert simulator.records == []


async def test_a_switch_refuses_handshakes_for_a_while() -> None:
    """Check list, line 9: 429 twice, then all is well."""
    async with serving(QUICK, "handshake=429*2") as simulator:
        for _ in range(2):
            with pytest.raises(WSInvalidStatusError):
                await connect(simulator)
        line = await connect(simulator)
        await line.until(server.SessionCreated)
        assert simulator.refused == {"rate_limit_exceeded": 2}


async def test_the_beta_header_is_closed_with_4000() -> None:
    """Check list, line 1: the error comes first."""
    async with serving() as simulator:
        line = await connect(simulator, headers={**KEY, "OpenAI-Beta": "realtime=v1"})
        event = (await line.until(server.Error))[-1]
        assert isinstance(event, server.Error)
        assert event.error.code == "beta_api_shape_disabled"
        assert await line.closed() == 4000


async def test_sessions_can_be_stalled_and_expired_by_hand() -> None:
    """A stalled one answers nothing, and still takes audio."""
    async with serving() as simulator:
        line = await connect(simulator)
        line.send(telephony())
        await line.until(server.SessionUpdated)
        name = simulator.sessions[0].name
        simulator.stall(name)
        line.say("hello")
        simulator.expire(name)
        events = await line.until(server.Error)
        assert [type(event) for event in events] == [server.Error]
        assert await line.closed() == 1001


async def test_no_two_sessions_have_one_name() -> None:
    """Not of two simulators either, though they begin in the same millisecond."""
    names = []
    async with contextlib.AsyncExitStack() as serving_all:
        simulators = [await serving_all.enter_async_context(serving()) for _ in range(5)]
        for simulator in simulators:
            line = await connect(simulator)
            await line.until(server.SessionCreated)
            names.append(simulator.sessions[0].name)
    assert len(set(names)) == len(names)


async def test_the_control_page_sets_switches_and_tells_figures() -> None:
    """On the same port; what is written wrongly is explained."""
    async with serving() as simulator, httpx.AsyncClient() as browser:
        base = simulator.url.replace("ws://", "http://").removesuffix("/v1/realtime")
        answer = await browser.get(f"{base}/sim/faults?set=fail_response*1&set=think=0")
        assert [fault["kind"] for fault in answer.json()["faults"]] == ["fail_response", "think"]
        wrong = await browser.get(f"{base}/sim/faults?set=nonsense")
        assert (wrong.status_code, "fail_response" in wrong.text) == (400, True)
        assert (await browser.get(f"{base}/sim/nothing")).status_code == 404
        line = await connect(simulator)
        line.send(telephony())
        line.say("hello")
        done = (await line.until(server.ResponseDone))[-1]
        assert isinstance(done, server.ResponseDone)
        assert done.response.status == "failed"
        status = (await browser.get(f"{base}/sim/status")).json()
        assert (status["open"], status["responses"]) == (1, {"failed": 1})
        cleared = await browser.get(f"{base}/sim/faults?clear")
        assert cleared.json() == {"faults": []}


async def test_stopping_closes_every_session() -> None:
    """With 1001, and without waiting for a client that is gone."""
    async with serving() as simulator:
        line = await connect(simulator)
        silent = await connect(simulator)
        silent.wire.underlying_transport.pause_reading()
        await line.until(server.SessionCreated)
    assert await line.closed() == 1001
    assert simulator.sessions == []
    assert [record.close_code for record in simulator.records] == [1001, 1001]
    silent.wire.disconnect(graceful=False)
    await silent.closed()


async def test_run_serves_until_it_is_cancelled_and_says_where() -> None:
    """A port in use is an OSError for the command line to explain."""
    serves: asyncio.Future[RealtimeSimulator] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run("127.0.0.1", 0, QUICK, serves.set_result))
        simulator = await serves
        line = await connect(simulator)
        await line.until(server.SessionCreated)
        port = int(simulator.url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(OSError, match="address already in use"):
            await run("127.0.0.1", port, QUICK)
        task.cancel()
    assert await line.closed() == 1001


async def test_a_script_is_read_before_anything_is_served(tmp_path: Path) -> None:
    """A brain that can't be played is refused by name."""
    path = tmp_path / "brain.yaml"
    path.write_text("- {hears: hello, says: [good morning]}")
    async with serving(RealtimeSimOptions(brain=str(path), speed=40.0, think_ms=5)) as simulator:
        line = await connect(simulator)
        line.send(telephony())
        line.say("hello")
        await line.until(server.ResponseDone)
        assert simulator.records[0].said_text() == "good morning"
    path.write_text("nonsense")
    with pytest.raises(ScriptError, match=r"brain\.yaml"):
        async with serving(RealtimeSimOptions(brain=str(path))):
            pass
