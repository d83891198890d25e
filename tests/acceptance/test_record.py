"""Promise 4: each answered call is in the log once and whole, whatever is killed meanwhile.

Real servers are killed and started again. What the carrier heard is counted at its end.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from acceptance.commands import Done, run
from acceptance.commands import environ as acceptance_environ
from acceptance.far_pod import FarPod, far_pod
from acceptance.scene import Stage, conversation, scene
from acceptance.servers import Server, servers
from folders import open_folder
from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.cli.calls_verify import Question, Report, examine, render
from trunkline.core.ids import CallSid
from trunkline.sim.caller import HangUp, Listen, Pause, WaitForHangUp
from trunkline.sim.carrier.account import ACCOUNT_SID, AUTH_TOKEN
from trunkline.sim.carrier.faults import Faults
from trunkline.sim.carrier.report import CallReport

pytestmark = pytest.mark.anyio


@pytest.fixture
async def both() -> AsyncIterator[tuple[Server, Server]]:
    with open_folder() as folder:
        async with servers(folder) as made:
            yield made


async def verified(redis_url: str, database_url: str) -> Report:
    """What `trunkline calls verify` says; nothing is wrong."""
    asked = Question(journal_url=redis_url, now_ms=time.time_ns() // 1_000_000)
    report = await examine(asked, database_url)
    assert report.findings == [], render(report)
    assert report.journal
    return report


async def assert_logged(here: Stage, reports: list[CallReport]) -> None:
    """Every call that the carrier had a stream for has one outcome."""
    for report in reports:
        if report.streams:
            assert (await here.logged(report.sid)).outcome is not None


async def facts_wait(here: Stage, count: int) -> None:
    """So many facts are not in the call log."""
    while True:
        backlog = (await here.view())["facts_backlog"]
        assert isinstance(backlog, int)
        if backlog >= count:
            return
        await asyncio.sleep(0.02)


async def test_postgres_killed_and_away_for_a_while(both: tuple[Server, Server]) -> None:
    """Callers notice nothing: one talks on, one comes and goes meanwhile. Nothing is lost."""
    valkey, postgres = both
    async with scene(valkey.redis_url, postgres.database_url) as here, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(here.call(*conversation("this is caller one")))
        await here.until(lambda: here.pod.view().calls_active == 1)
        await postgres.kill()
        second = await here.call(*conversation(), from_="+15550100098")
        await first
        assert here.pod.view().facts_backlog > 5
        await postgres.start()
        assert not second.warnings
        await assert_logged(here, [first.result(), second])
        report = await verified(valkey.redis_url, postgres.database_url)
    assert report.calls == 2


@pytest.mark.parametrize("how", ["with its files", "without its files", "away for a while"])
async def test_valkey_killed_in_the_midst_of_a_call(both: tuple[Server, Server], how: str) -> None:
    """The call goes on; the journal has all of it again, from its first fact."""
    valkey, postgres = both
    async with scene(valkey.redis_url, postgres.database_url) as here, asyncio.TaskGroup() as tasks:
        call = tasks.create_task(here.call(*conversation("this is caller one", "hello")))
        await here.until(lambda: here.pod.view().calls_active == 1)
        (sid,) = here.carrier.live
        while not await here.book.entries(CallSid(sid)):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)
        await valkey.kill()
        if how == "without its files":
            valkey.wipe_journals()
        if how == "away for a while":
            await facts_wait(here, 2)
        await valkey.start()
        report = await call
        assert not report.warnings
        entries = await here.entries(sid)
        async with connect(valkey.redis_url) as client:
            assert await RedisJournal(client).read(CallSid(sid)) == entries
        await verified(valkey.redis_url, postgres.database_url)
    assert report.transcript
    assert entries[-1].kind == "call_ended"


async def test_a_call_that_comes_while_valkey_is_away(both: tuple[Server, Server]) -> None:
    """It gets the overflow action, and is in the log when Valkey is back."""
    valkey, postgres = both
    async with scene(valkey.redis_url, postgres.database_url) as here:
        await valkey.kill()
        report = await here.call(*conversation("this is caller one"))
        assert report.dialled
        assert not report.streams
        assert await here.book.call(CallSid(report.sid)) is None
        await valkey.start()
        row = await here.logged(report.sid)
        assert (row.outcome, row.reason) == ("overflowed", "journal_away")
        verified_now = await verified(valkey.redis_url, postgres.database_url)
    assert verified_now.calls == 1


async def test_a_pod_killed_at_several_points_of_its_calls(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """Reserved, greeting, talking, at the very end; and again while it cleans up after itself.

    Each is in the log with one outcome, and nothing of it is missing or twice.
    """
    slow = Faults(stream_delay_s=5.0)
    async with far_pod(redis_url, database_url, tmp_path) as here, asyncio.TaskGroup() as tasks:
        scripts = {
            "ended": ((HangUp(),), None),
            "talking": (conversation("this is caller one"), None),
            "silent": ((Listen(), Pause(60_000)), None),
            "greeting": ((Listen(), WaitForHangUp()), None),
            "reserved": ((Listen(), HangUp()), slow),
        }
        calls = [
            tasks.create_task(here.call(*script, from_=f"+1555010004{at}", faults=faults))
            for at, (script, faults) in enumerate(scripts.values())
        ]
        await until_carried(here, len(scripts) - 1)
        await here.kill()
        await here.start_again()
        await here.kill()
        await here.start_again()
        reports = [await call for call in calls]
        assert sum(bool(report.streams) for report in reports) >= 3
        await assert_logged(here, reports)
        rows = await here.book.calls(limit=100)
        while any(row.outcome is None for row in rows):
            await asyncio.sleep(0.1)
            rows = await here.book.calls(limit=100)
        report = await verified(redis_url, database_url)
    assert report.calls == len(rows) == len(scripts)
    assert {row.reason for row in rows if row.outcome == "failed"} == {"pod_lost"}


async def until_carried(here: FarPod, count: int) -> None:
    """So many calls have come, and at least one has ended or all but one talk."""
    async with asyncio.timeout(30):
        while len(await here.book.calls(limit=100)) < count:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


async def test_the_commands_and_their_exit_codes(
    redis_url: str, database_url: str, tmp_path: Path
) -> None:
    """Export and verify as users run them, against the carrier's own list."""
    async with scene(redis_url, database_url) as here:
        reports = [await here.call(HangUp(), from_=f"+1555010004{at}") for at in range(2)]
        await assert_logged(here, reports)
        assert here.carrier.api_url is not None
        environ = {
            "TRUNKLINE_REDIS_URL": redis_url,
            "TRUNKLINE_DATABASE_URL": database_url,
            "TRUNKLINE_TWILIO_API_URL": here.carrier.api_url,
            "TRUNKLINE_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TRUNKLINE_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        }

        async def calls(*arguments: str) -> Done:
            command = ["calls", *arguments]
            return await asyncio.to_thread(
                run, tmp_path, {**acceptance_environ(tmp_path), **environ}, *command
            )

        verified, exported, wrong, unknown = await asyncio.gather(
            calls("verify", "--carrier"),
            calls("export", "--output", "calls.jsonl"),
            calls("export", "--since", "yesterday"),
            calls("verify", "CA" + "0" * 32, "--json"),
        )
        assert (verified.code, verified.err) == (0, ""), verified
        assert verified.out.startswith("sound: 2 calls, ")
        assert verified.out.endswith("2 answered calls at the carrier\n")
        assert (exported.code, exported.out, exported.err) == (0, "", "")
        lines = (tmp_path / "calls.jsonl").read_text().splitlines()
        assert [json.loads(line)["call"]["call"] for line in lines] == [r.sid for r in reports]
        wrong.assert_tells(2, "--since: 'yesterday' is no time")
        assert unknown.code == 1
        assert json.loads(unknown.out)["findings"][0]["kind"] == "missing"
        gone = reports[0].sid
        connection = await asyncpg.connect(database_url)
        for table in ("calls", "facts", "carrier_facts"):
            await connection.execute(f"DELETE FROM {table} WHERE call_sid = $1", gone)
        await connection.close()
        harmed = await calls("verify", "--carrier")
        assert harmed.code == 1
        assert harmed.out.startswith(f"{gone} missing: the carrier had this call")
