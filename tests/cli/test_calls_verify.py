"""What was done to the log, as `trunkline calls verify` finds it. Each deed in one test."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from chains import CALL, ENDED, OPENED, OTHER_CALL, RECEIVED, SAID, chain
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import Pool, connect
from trunkline.adapters.redis.connect import connect as connect_redis
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.adapters.twilio_rest import CarrierCall
from trunkline.cli.calls_verify import DAY_MS, Question, Report, examine, render, report_json
from trunkline.core.carrier import StatusTold, told
from trunkline.core.facts import Fact
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Aside, Entry, Head, Why
from trunkline.core.verify import FindingKind
from trunkline.ports import Holder

pytestmark = pytest.mark.anyio

NOW_MS = time.time_ns() // 1_000_000
BEGUN_MS = NOW_MS - 60_000
HOLDER = Holder(Epoch(NOW_MS), PodName("pod-0"), Incarnation("a"))
THIRD = CallSid("CA" + "3" * 32)


class Log:
    """A call log that a test writes, harms and has looked at."""

    def __init__(self, pool: Pool, database_url: str, redis_url: str) -> None:
        self.pool = pool
        self.book = PostgresCallBook(pool)
        self._database_url = database_url
        self._question = Question(journal_url=redis_url, now_ms=NOW_MS)
        self.redis_url = redis_url

    async def write(
        self, call: CallSid, *facts: Fact, salt: int = 0, begun_ms: int = BEGUN_MS
    ) -> list[Entry]:
        entries = chain(call, *facts, salt=salt, begun_ms=begun_ms)
        await self.book.write([(call, entry) for entry in entries])
        return entries

    async def harm(self, statement: str) -> None:
        await self.pool.execute(statement)

    async def verify(self, **asked: object) -> Report:
        return await examine(replace(self._question, **asked), self._database_url)  # type: ignore[arg-type]

    async def found(self, **asked: object) -> list[tuple[CallSid, FindingKind, str]]:
        report = await self.verify(**asked)
        return [(each.call, each.kind, each.detail) for each in report.findings]


@pytest.fixture
async def log(database_url: str, redis_url: str) -> AsyncIterator[Log]:
    async with await connect(database_url) as pool:
        yield Log(pool, database_url, redis_url)


WHOLE = (RECEIVED, OPENED, SAID, SAID, ENDED)
SECOND = (RECEIVED, SAID, ENDED)


async def test_a_sound_log(log: Log) -> None:
    """Ended calls, and one line for all of them."""
    await log.write(CALL, *WHOLE)
    await log.write(OTHER_CALL, *SECOND, salt=1)
    report = await log.verify()
    assert report == Report(calls=2, facts=8, journal=True)
    assert render(report) == "sound: 2 calls, 8 facts"
    assert (await log.verify(calls=(CALL,))).calls == 1
    assert (await log.verify(since_ms=NOW_MS)).calls == 0


async def test_the_last_row_deleted(log: Log) -> None:
    """The row of the call knows its outcome."""
    await log.write(CALL, *WHOLE)
    await log.harm("DELETE FROM facts WHERE seq = 5")
    assert await log.found() == [(CALL, FindingKind.END_MISSING, "after fact 4")]


async def test_the_last_row_and_the_outcome_deleted(log: Log) -> None:
    """No journal has the call, so it is not live; where none can be asked, after a day."""
    await log.write(CALL, *WHOLE)
    await log.harm("DELETE FROM facts WHERE seq = 5")
    await log.harm("UPDATE calls SET outcome = NULL, reason = NULL, ended_at = NULL")
    assert await log.found() == [(CALL, FindingKind.NO_OUTCOME, "")]
    unsure = await log.verify(journal_url=None)
    assert (unsure.unsure, unsure.findings) == (1, [])
    assert "perhaps live" in render(unsure)
    away = await log.verify(journal_url="redis://127.0.0.1:1/0")
    assert (away.unsure, away.journal) == (1, False)
    later = await log.found(journal_url=None, now_ms=NOW_MS + DAY_MS)
    assert later == [(CALL, FindingKind.NO_OUTCOME, "")]


async def test_a_middle_row_deleted(log: Log) -> None:
    """A gap in the numbers."""
    await log.write(CALL, *WHOLE)
    await log.harm("DELETE FROM facts WHERE seq = 3")
    assert await log.found() == [(CALL, FindingKind.GAP, "fact 3")]


async def test_a_text_changed(log: Log) -> None:
    """It is not the one that was chained."""
    await log.write(CALL, *WHOLE)
    await log.harm("UPDATE facts SET payload = replace(payload, 'Good', 'Bad') WHERE seq = 3")
    assert await log.found() == [(CALL, FindingKind.CHANGED, "fact 3")]


async def test_two_rows_swapped(log: Log) -> None:
    """They do not hang where they stand."""
    await log.write(CALL, *WHOLE)
    for before, now in ((3, 99), (4, 3), (99, 4)):
        await log.harm(f"UPDATE facts SET seq = {now} WHERE seq = {before}")
    assert await log.found() == [(CALL, FindingKind.CHAIN, "facts 3 to 5")]


async def test_a_call_missing(log: Log) -> None:
    """Its row, its facts, or both: what the carrier told of it stands beside the chain."""
    await log.write(CALL, *WHOLE)
    await log.write(OTHER_CALL, *SECOND, salt=1)
    await log.write(THIRD, *SECOND, salt=2)
    for call in (CALL, OTHER_CALL, THIRD):
        await log.book.write_carrier_facts([told(call, StatusTold("completed", 3), at_ms=NOW_MS)])
    await log.harm(f"DELETE FROM calls WHERE call_sid = '{CALL}'")
    await log.harm(f"DELETE FROM facts WHERE call_sid = '{OTHER_CALL}'")
    await log.harm(f"DELETE FROM calls WHERE call_sid = '{THIRD}'")
    await log.harm(f"DELETE FROM facts WHERE call_sid = '{THIRD}'")
    assert await log.found() == [
        (CALL, FindingKind.ROW, "there is none"),
        (OTHER_CALL, FindingKind.NO_FACTS, ""),
        (THIRD, FindingKind.MISSING, "by its callback"),
    ]
    assert (await log.found(calls=(THIRD,)))[0][1] is FindingKind.MISSING


async def test_a_call_doubled(log: Log) -> None:
    """Under another name: as it is, and by one who chained it anew."""
    entries = await log.write(CALL, *WHOLE)
    await log.book.write([(OTHER_CALL, entry) for entry in entries])
    await log.write(THIRD, *WHOLE, salt=7)
    found = await log.found()
    assert (OTHER_CALL, FindingKind.CHAIN, "facts 1 to 5") in found
    doubled = [(call, others) for call, kind, others in found if kind is FindingKind.DOUBLED]
    assert (OTHER_CALL, CALL) in doubled
    assert (THIRD, f"{CALL} {OTHER_CALL}") in doubled


class Carrier:
    """The carrier's list, as a test has it."""

    def __init__(self, *listed: CarrierCall, unlisted: CallSid | None = None) -> None:
        self._listed = listed
        self._unlisted = unlisted
        self.not_fetched_by: dict[CallSid, list[str]] = {}

    async def between(self, since_ms: int, until_ms: int) -> AsyncIterator[CarrierCall]:
        assert since_ms < BEGUN_MS < until_ms
        for call in self._listed:
            yield call

    async def one(self, call: CallSid) -> CarrierCall | None:
        return CarrierCall(call, "canceled", None) if call == self._unlisted else None

    async def not_fetched(self, call: CallSid) -> list[str]:
        return self.not_fetched_by.get(call, [])


async def test_calls_that_only_one_of_both_has(log: Log) -> None:
    """One that was never answered is in no list, and the carrier knows it by its name."""
    await log.write(CALL, *WHOLE)
    await log.write(OTHER_CALL, *SECOND, salt=1)
    await log.write(THIRD, *SECOND, salt=2)
    gone, busy, older = (CallSid("CA" + digit * 32) for digit in "456")
    carrier = Carrier(
        CarrierCall(CALL, "completed", BEGUN_MS),
        CarrierCall(gone, "completed", BEGUN_MS),
        CarrierCall(busy, "busy", BEGUN_MS),
        CarrierCall(older, "completed", BEGUN_MS - DAY_MS),
        unlisted=OTHER_CALL,
    )
    report = await log.verify(carrier=carrier, since_ms=BEGUN_MS - 1_000)
    assert [(each.call, each.kind) for each in report.findings] == [
        (THIRD, FindingKind.NOT_CARRIED),
        (gone, FindingKind.MISSING),
    ]
    assert "2 answered calls at the carrier" in render(report)


async def test_callers_whom_the_carrier_could_not_bring_to_us(log: Log) -> None:
    """Told apart by its own notes, listed or called back; a later failure excuses nothing."""
    await log.write(CALL, *WHOLE)
    unreached, called_back, lost = (CallSid("CA" + digit * 32) for digit in "456")
    listed = (CALL, unreached, called_back, lost)
    carrier = Carrier(*(CarrierCall(call, "completed", BEGUN_MS) for call in listed))
    await log.book.write_carrier_facts([told(called_back, StatusTold("completed"), at_ms=BEGUN_MS)])
    carrier.not_fetched_by = {
        unreached: ["/twilio/voice"],
        called_back: ["/behind/a/proxy/twilio/voice"],
        lost: ["/twilio/resume/token"],
    }
    report = await log.verify(carrier=carrier, since_ms=NOW_MS - DAY_MS // 2)
    assert [(each.call, each.kind) for each in report.findings] == [(lost, FindingKind.MISSING)]
    assert (report.carrier_calls, report.unreached) == (4, 2)
    assert "2 of them answered by its apology" in render(report)


async def test_a_live_call_is_sound(log: Log) -> None:
    """The journal has it; one that it tells otherwise is not."""
    entries = await log.write(CALL, RECEIVED, SAID)
    other = await log.write(OTHER_CALL, RECEIVED, SAID, salt=1)
    async with connect_redis(log.redis_url) as client:
        journal = RedisJournal(client)
        await journal.append(CALL, HOLDER, Head(), entries)
        changed = [other[0], *chain(OTHER_CALL, SAID, head=Head(1, other[0].hash), salt=9)]
        await journal.append(OTHER_CALL, HOLDER, Head(), changed)
    report = await log.verify()
    assert report.live == 2
    assert [(each.call, each.detail) for each in report.findings] == [
        (OTHER_CALL, "unlike its journal")
    ]


async def test_what_was_erased_quarantined_or_fenced_is_counted(log: Log) -> None:
    """And no finding; a contradiction is one."""
    entries = await log.write(CALL, *WHOLE)
    await log.harm("UPDATE facts SET payload = '', salt = '' WHERE seq IN (1, 3)")
    await log.harm("DELETE FROM facts WHERE seq = 4")
    late = chain(CALL, SAID, salt=8)[0]
    await log.book.put_aside([Aside(CALL, entries[3], Why.TOO_BIG), Aside(CALL, late, Why.FENCED)])
    report = await log.verify()
    assert (report.erased, report.quarantined, report.fenced, report.findings) == (2, 1, 1, [])
    assert render(report) == (
        "sound: 1 calls, 5 facts, 2 facts erased, 1 facts quarantined,"
        " 1 facts of fenced pods kept aside"
    )
    await log.book.write([(CALL, chain(CALL, SAID, salt=4)[0])])
    assert await log.found() == [(CALL, FindingKind.STRAY, "fact 1")]


async def test_what_is_said_of_it_holds_nothing_personal(log: Log) -> None:
    """A line for a person, an object for a program: names of calls and places, no more."""
    await log.write(CALL, *WHOLE)
    await log.harm("UPDATE calls SET from_number = '+15550109999', outcome = 'failed'")
    report = await log.verify()
    line, summary = render(report).splitlines()
    assert line == f"{CALL} row: the call's row and its facts disagree (from_number outcome)"
    assert summary == "1 findings: 1 calls, 5 facts"
    assert "+1555" not in report_json(report)
    assert '"kind": "row"' in report_json(report)
