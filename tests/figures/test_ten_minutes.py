"""Ten minutes in which everything fails once: 3 new calls a second, about 50 at any time.

Postgres is away for three minutes, Redis loses all it had and is restarted with its files later,
the pod is killed while Postgres is away. Afterwards callers, rows and outcomes are counted at the
carrier's end, and `trunkline calls verify --carrier` judges the record.

A caller whose call is live in a pod that is killed loses it, and one who calls while no pod is
there is not answered: both are counted and told apart here. Nobody else may notice anything, but
for the overflow action while Redis is away.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from acceptance.commands import Done, run
from acceptance.commands import environ as acceptance_environ
from acceptance.far_pod import FarPod, far_pod
from acceptance.scene import KEY, conversation
from acceptance.servers import Server, servers
from folders import open_folder
from trunkline.sim.carrier.report import CallReport, Said
from trunkline.sim.realtime.options import RealtimeSimOptions

pytestmark = [pytest.mark.anyio, pytest.mark.figure, pytest.mark.timeout(1200)]

MINUTE: Final = 60.0
"""Seconds. A shorter one tries the whole out, and measures nothing."""

LENGTH: Final = 10 * MINUTE
POSTGRES_AWAY: Final = (1 * MINUTE, 4 * MINUTE)
REDIS_WIPED: Final = 2 * MINUTE
POD_KILLED: Final = 3.75 * MINUTE
REDIS_RESTARTED: Final = 7 * MINUTE
REDIS_AWAY_S: Final = 2.0

CALLS_PER_S: Final = 3
CALLS: Final = round(LENGTH * CALLS_PER_S)
WORDS: Final = ("this is caller seven", "hello", "this is caller seven", "hello")
"""With greeting, answers and pauses a call lasts 17 s: about 50 are there at any time."""

NUMBERS: Final = ("+15550100001", "+15550100002", "+15550100003")
"""Their overflow actions differ: dial, say, voicemail."""

EDGE_S: Final = 1.0
"""What happened so shortly before a kill may not have left the process."""
REFUSED: Final = ("fact_refused", "call_fenced", "fact_aside")
"""Lines of the log that tell of facts that are in no chain."""

SETTLE_S_MAX: Final = 150.0
"""All is written and closed by then: two looks for calls that nobody carries."""


class Lived(StrEnum):
    """What became of a caller, as the carrier saw it."""

    UNREACHED = "not reached"
    """The first webhook got no answer: the carrier apologized, nobody of ours was there."""
    WHOLE = "whole"
    """Heard the greeting and each answer on one stream, and hung up."""
    OVERFLOWED = "overflowed"
    """Got the number's overflow action at once."""
    BROKEN = "broken"
    """Was answered, and something failed."""


AT_THE_KILL: Final[Mapping[Lived, Collection[tuple[str | None, str | None] | None]]] = {
    Lived.UNREACHED: {None, ("failed", "pod_lost")},
    Lived.WHOLE: {("caller_ended", "stop"), ("failed", "pod_lost")},
    Lived.BROKEN: {("failed", "pod_lost")},
}
"""What the log may say of calls that were there, or came, while no pod was; None: nothing. A
webhook may be kept whose answer was lost, and an end be lost that was made in the last moment."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One call at the carrier's end; what was heard is not kept."""

    sid: str
    caller: str
    lived: Lived
    began_at: float
    ended_at: float


@dataclass(slots=True)
class Row:
    """One call in the call log."""

    caller: str | None
    outcome: str | None
    reason: str | None
    ends: int


@dataclass(slots=True)
class Events:
    """When what failed, in the carrier's clock."""

    killed_at: float = 0.0
    ready_at: float = 0.0
    lives: int = 0
    redis_away: list[tuple[float, float]] = field(default_factory=list)

    def touches_kill(self, one: Seen) -> bool:
        """Whether the call was there, or came, while no pod was."""
        return one.began_at <= self.ready_at and one.ended_at >= self.killed_at - EDGE_S

    def met_no_redis(self, one: Seen) -> bool:
        """Whether it came while Redis was away."""
        return any(
            begun - EDGE_S <= one.began_at <= ended + EDGE_S for begun, ended in self.redis_away
        )


@pytest.fixture
async def both() -> AsyncIterator[tuple[Server, Server]]:
    with open_folder() as folder:
        async with servers(folder) as made:
            yield made


async def test_ten_minutes_in_which_everything_fails(
    both: tuple[Server, Server], tmp_path: Path
) -> None:
    """Each answered caller is in the log once, with one outcome; others are told apart."""
    valkey, postgres = both
    model = RealtimeSimOptions(keys=(KEY,), keep_audio=False)
    environ = {"TRUNKLINE_CALLS_MAX": "60"}
    async with (
        far_pod(
            valkey.redis_url, postgres.database_url, tmp_path, environ=environ, model=model
        ) as here,
        asyncio.TaskGroup() as tasks,
    ):
        failing = tasks.create_task(fail(here, valkey, postgres))
        calls = [tasks.create_task(called(here, number)) for number in range(CALLS)]
        most = tasks.create_task(most_at_once(here, calls))
        seen = [await call for call in calls]
        events = await failing
        rows = await settled(here, postgres.database_url)
        verified = await verify(here, tmp_path)
        sys.stdout.write(told(seen, rows, events, await most, verified))
        assert not any(f'"{event}"' in here.written() for event in REFUSED)
    check_callers(seen, rows, events)
    assert {one.lived for one in seen} == set(Lived), "not all of it was tried"
    assert (verified.code, verified.err) == (0, ""), verified


# What happens.


async def called(here: FarPod, number: int) -> Seen:
    """One caller's call, begun in its turn."""
    caller = f"+1555{2_000_000 + number}"
    await asyncio.sleep(number / CALLS_PER_S)
    report = await here.call(*conversation(*WORDS), to=NUMBERS[number % len(NUMBERS)], from_=caller)
    return Seen(report.sid, caller, lived(report), report.began_at, report.ended_at)


async def fail(here: FarPod, valkey: Server, postgres: Server) -> Events:
    """Everything fails in its time."""
    events = Events()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(postgres_leaves(postgres))
        tasks.create_task(redis_leaves(valkey, events, REDIS_WIPED, wiped=True))
        tasks.create_task(redis_leaves(valkey, events, REDIS_RESTARTED, wiped=False))
        tasks.create_task(pod_is_killed(here, events))
    return events


async def postgres_leaves(postgres: Server) -> None:
    """Killed; started again three minutes later."""
    begin, end = POSTGRES_AWAY
    await asyncio.sleep(begin)
    await postgres.kill()
    await asyncio.sleep(end - begin)
    await postgres.start()


async def redis_leaves(valkey: Server, events: Events, after_s: float, *, wiped: bool) -> None:
    """Killed and started again."""
    await asyncio.sleep(after_s)
    begun = time.monotonic()
    await valkey.kill()
    if wiped:
        valkey.wipe_journals()
    await asyncio.sleep(REDIS_AWAY_S)
    await valkey.start()
    events.redis_away.append((begun, time.monotonic()))


async def pod_is_killed(here: FarPod, events: Events) -> None:
    """SIGKILL; a supervisor starts it again until it stays."""
    await asyncio.sleep(POD_KILLED)
    before = (await here.view())["incarnation"]
    events.killed_at = time.monotonic()
    await here.kill()
    events.lives = await here.supervise()
    events.ready_at = time.monotonic()
    assert (await here.view())["incarnation"] != before


async def most_at_once(here: FarPod, calls: Sequence[asyncio.Task[Seen]]) -> int:
    """How many calls the carrier had at the same time."""
    most = 0
    while not all(call.done() for call in calls):
        most = max(most, len(here.carrier.live))
        await asyncio.sleep(0.5)
    return most


# What was seen.


def lived(report: CallReport) -> Lived:
    """What the caller had, by the carrier's own account."""
    if any(event.said is Said.ANSWERED_WEBHOOK for event in report.events):
        assert report.answered_at is not None
    else:
        return Lived.UNREACHED
    if report.warnings:
        return Lived.BROKEN
    if not report.streams:
        return Lived.OVERFLOWED
    heard = [who for who, _ in report.transcript]
    talked = heard == ["agent", *("caller", "agent") * len(WORDS)]
    if talked and len(report.streams) == 1 and report.ended_by == "caller":
        return Lived.WHOLE
    return Lived.BROKEN


async def settled(here: FarPod, database_url: str) -> dict[str, Row]:
    """The call log's calls, once each has its outcome and no fact waits."""
    late = time.monotonic() + SETTLE_S_MAX
    while True:
        rows = await logged(database_url)
        backlog = (await here.view())["facts_backlog"]
        if backlog == 0 and all(row.outcome is not None for row in rows.values()):
            return rows
        if time.monotonic() >= late:
            return rows  # What is wrong with them is told by the checks.
        await asyncio.sleep(1.0)


async def logged(database_url: str) -> dict[str, Row]:
    """Read with words of our own: none of the product's code counts here."""
    connection = await asyncpg.connect(database_url)
    try:
        calls = await connection.fetch("SELECT call_sid, from_number, outcome, reason FROM calls")
        ends = await connection.fetch(
            "SELECT call_sid, count(*) AS ends FROM facts WHERE kind = 'call_ended' GROUP BY 1"
        )
    finally:
        await connection.close()
    ended = {row["call_sid"]: row["ends"] for row in ends}
    assert len({row["call_sid"] for row in calls}) == len(calls)
    return {
        row["call_sid"]: Row(
            row["from_number"], row["outcome"], row["reason"], ended.get(row["call_sid"], 0)
        )
        for row in calls
    }


async def verify(here: FarPod, folder: Path) -> Done:
    """`trunkline calls verify --carrier`, as users run it."""
    assert here.carrier.api_url is not None
    environ = {**acceptance_environ(folder), **here.environ}
    environ["TRUNKLINE_TWILIO_API_URL"] = here.carrier.api_url
    return await asyncio.to_thread(run, folder, environ, "calls", "verify", "--carrier")


def check_callers(seen: Sequence[Seen], rows: dict[str, Row], events: Events) -> None:
    """Caller by caller against the call log."""
    answered = {one.sid for one in seen if one.lived is not Lived.UNREACHED}
    assert answered <= rows.keys(), f"not in the log: {answered - rows.keys()}"
    assert rows.keys() <= {one.sid for one in seen}
    for one in seen:
        row = rows.get(one.sid)
        if row is not None:
            # Of a webhook that was cut off the journal may have the call and no fact.
            opened_only = one.lived is Lived.UNREACHED and row.caller is None
            assert row.caller == one.caller or opened_only, one
            assert row.ends == 1, one
            assert row.outcome is not None, one
        if events.touches_kill(one):
            told_of = None if row is None else (row.outcome, row.reason)
            assert told_of in AT_THE_KILL[one.lived], one
            continue
        assert row is not None, one
        if one.lived is Lived.OVERFLOWED:
            assert events.met_no_redis(one), one
            assert (row.outcome, row.reason) == ("overflowed", "journal_away"), one
        else:
            assert one.lived is Lived.WHOLE, one
            assert row.outcome == "caller_ended", one


def told(
    seen: Sequence[Seen], rows: dict[str, Row], events: Events, most: int, verified: Done
) -> str:
    """The figures."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in seen:
        row = rows.get(one.sid)
        when = "at the kill" if events.touches_kill(one) else "else"
        log = "not in the log" if row is None else f"{row.outcome}, {row.reason}"
        counts[when, one.lived, log] += 1
    away_s = events.ready_at - events.killed_at
    lines = [
        f"{len(seen)} calls in {LENGTH / 60:.0f} minutes, {most} at once at most",
        f"the pod was away for {away_s:.1f} s, and its supervisor started it {events.lives} times",
        *(f"{count:6} {when}: {how} → {log}" for (when, how, log), count in sorted(counts.items())),
        f"verify --carrier: {verified.out.strip()}",
    ]
    return "\n" + "\n".join(lines) + "\n"
