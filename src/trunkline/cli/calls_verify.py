"""`trunkline calls verify`: whether the record is whole, and the carrier agrees."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Annotated, Final, Protocol

import msgspec
import typer

from trunkline.adapters.embedded.stores import Embedded
from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.postgres.archive import PAGE_CALLS, Archive, WholeCall
from trunkline.adapters.redis import connect as redis
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.adapters.twilio_rest import CarrierCall, TwilioCalls
from trunkline.cli.calls_export import Since, Until, moment_ms
from trunkline.cli.env import EnvFile, read_settings
from trunkline.cli.stores import with_call_log
from trunkline.config.settings import Settings
from trunkline.core import verify as core
from trunkline.core.ids import CallSid
from trunkline.core.verify import Finding, FindingKind
from trunkline.errors import SettingsError, StoreError

EXIT_FINDINGS: Final = 1

DAY_MS: Final = 24 * 3600 * 1000

LIVE_MS_MAX: Final = DAY_MS
"""No call lasts longer than its journal: an open call that is older is not live, whether the
journal can be asked or not."""

VOICE_PATH: Final = "/twilio/voice"
"""Where the carrier asks first what to do with a call, behind whatever host and prefix."""

ASKED_MAX: Final = 1_000
"""Missing calls of which the carrier is asked whether it reached us; the rest stay missing."""

FLUSH_S: Final = 1.0
"""A call that ended while we looked is in the log after this, four flushes of a pod."""


@dataclass(slots=True)
class Report:
    """What was looked at, and what is wrong. The JSON of `--json`."""

    calls: int = 0
    facts: int = 0
    live: int = 0
    erased: int = 0
    quarantined: int = 0
    fenced: int = 0
    carrier_calls: int | None = None
    unreached: int = 0
    """Answered calls at the carrier that got no answer from us."""
    journal: bool = False
    """Whether the journal could be asked which calls are live."""
    unsure: int = 0
    """Open calls of the last day, where it could not."""
    findings: list[Finding] = field(default_factory=list)


class CarrierList(Protocol):
    """What the carrier knows of calls (`adapters.twilio_rest.TwilioCalls`)."""

    def between(self, since_ms: int, until_ms: int) -> AsyncIterator[CarrierCall]:
        """The calls that began on the days of these moments."""
        ...

    async def one(self, call: CallSid) -> CarrierCall | None:
        """A call by its name."""
        ...

    async def not_fetched(self, call: CallSid) -> list[str]:
        """Paths of the URLs that gave it no document during a call."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What to verify: all calls, or those named, begun within a window; and against whom."""

    calls: tuple[CallSid, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    journal_url: str | None = None
    carrier: CarrierList | None = None
    now_ms: int = 0

    def covers(self, one: WholeCall) -> bool:
        """Whether the call was begun within the window."""
        if one.row is not None:
            began_ms = one.row.started_at_ms
        elif one.entries:
            began_ms = min(entry.at_ms for entry in one.entries)
        else:
            return True
        return (self.since_ms or 0) <= began_ms and (
            self.until_ms is None or began_ms < self.until_ms
        )


def verify(
    calls: Annotated[
        list[str] | None, typer.Argument(metavar="CALL", help="Only these; by SID.")
    ] = None,
    *,
    since: Since = None,
    until: Until = None,
    carrier: Annotated[
        bool,
        typer.Option(
            "--carrier",
            help="Compare with the carrier's own list, of the last 24 hours if no window is given. "
            "Needs TRUNKLINE_TWILIO_ACCOUNT_SID and _AUTH_TOKEN.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Prove that the record is whole.

    Each call's chain of facts, its end and its row are looked at, and that no call is there twice
    and none is missing. One line for each finding, then a summary. Exit code 0: sound; 1:
    something is wrong.
    """
    settings = read_settings(env_file)
    now_ms = time.time_ns() // 1_000_000
    since_ms, until_ms = moment_ms("--since", since), moment_ms("--until", until)
    if carrier and calls:
        raise SettingsError("--carrier: the carrier's list is of a window, not of single calls")
    if carrier and since_ms is None:
        since_ms = (until_ms or now_ms) - DAY_MS
    question = Question(
        tuple(CallSid(call) for call in calls or ()),
        since_ms,
        until_ms,
        journal_url=_journal_url(settings),
        now_ms=now_ms,
    )
    report = with_call_log(
        settings, partial(_asked, question, _account(settings) if carrier else None)
    )
    print(report_json(report) if as_json else render(report))
    if report.findings:
        sys.stdout.flush()
        raise typer.Exit(EXIT_FINDINGS)


async def _asked(
    question: Question, account: tuple[str, str, str] | None, database_url: str
) -> Report:
    if account is None:
        return await examine(question, database_url)
    async with TwilioCalls(*account) as carrier:
        return await examine(replace(question, carrier=carrier), database_url)


def _account(settings: Settings) -> tuple[str, str, str]:
    """Where the carrier's list is.

    Raises:
        SettingsError: a setting for it is missing.
    """
    sid, token = settings.twilio_account_sid, settings.twilio_auth_token
    if sid is None or token is None:
        name = "ACCOUNT_SID" if sid is None else "AUTH_TOKEN"
        raise SettingsError(f"TRUNKLINE_TWILIO_{name}: not set; --carrier asks the carrier with it")
    return settings.twilio_api_url, sid, token.get_secret_value()


def _journal_url(settings: Settings) -> str | None:
    """Where live calls are; None where a database of one's own stands beside no Redis of one's."""
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    if settings.database_url is not None:
        return None
    return Embedded(settings.data_dir).urls.redis_url


# Looking.


async def examine(question: Question, database_url: str) -> Report:
    """Look at the record as asked.

    Raises:
        SettingsError: a URL can't be read, the schema is too old, the account is wrong.
        StoreError: the database did not answer.
        CarrierError: the carrier did not.
    """
    async with await postgres.connect(database_url, connections_max=1) as pool:
        await postgres.check_schema(pool)
        return await Examination(question, Archive(pool)).run()


class Examination:
    """One look at the record."""

    def __init__(self, question: Question, archive: Archive) -> None:
        self._question = question
        self._archive = archive
        self._report = Report()
        self._open: list[CallSid] = []
        self._ours: set[CallSid] = set()
        """Calls of the window, for the carrier's list."""

    async def run(self) -> Report:
        """Look at each call, then at what only shows between them."""
        report = self._report
        async for one in self._calls():
            self._look_at(one)
        await self._look_at_open_calls()
        if not self._question.calls:
            await self._look_for_doubles()
            await self._look_for_what_was_told()
        if self._question.carrier is not None:
            await self._compare(self._question.carrier)
            await self._tell_unreached(self._question.carrier)
        report.findings.sort(key=lambda finding: finding.call)
        return report

    async def _calls(self) -> AsyncIterator[WholeCall]:
        if self._question.calls:
            for one in await self._archive.some(self._question.calls):
                yield one
            return
        async for one in self._archive.every():
            if self._question.covers(one):
                yield one

    def _look_at(self, one: WholeCall) -> None:
        report = self._report
        report.calls += 1
        if one.row is None and not one.entries and not one.aside:
            report.findings.append(Finding(one.call, FindingKind.MISSING, "unknown to the log"))
            return
        if self._question.carrier is not None:
            self._ours.add(one.call)
        done = _checked(one)
        report.facts += done.facts
        report.erased += done.erased
        report.quarantined += done.quarantined
        report.fenced += done.fenced
        report.findings += done.findings
        if done.is_open:
            self._open.append(one.call)

    # Calls without an end.

    async def _look_at_open_calls(self) -> None:
        """An open call is sound while it is live; one may have ended since we looked."""
        journal = await self._journal_of_open_calls()
        if self._open and any(call not in (journal or {}) for call in self._open):
            await asyncio.sleep(FLUSH_S)
        for at in range(0, len(self._open), PAGE_CALLS):
            for one in await self._archive.some(self._open[at : at + PAGE_CALLS]):
                self._judge_open(one, journal)

    def _judge_open(self, one: WholeCall, journal: dict[CallSid, list[str]] | None) -> None:
        report = self._report
        if not _checked(one).is_open:
            return  # It has ended by now; its end is looked at the next time.
        if journal is not None and one.call in journal:
            report.live += 1
            held = dict(enumerate(journal[one.call], start=1))
            if any(held.get(entry.seq, entry.hash) != entry.hash for entry in one.entries):
                report.findings.append(Finding(one.call, FindingKind.CHAIN, "unlike its journal"))
            return
        began_ms = min(entry.at_ms for entry in one.entries)
        if journal is None and self._question.now_ms - began_ms < LIVE_MS_MAX:
            report.unsure += 1
        else:
            report.findings.append(Finding(one.call, FindingKind.NO_OUTCOME))

    async def _journal_of_open_calls(self) -> dict[CallSid, list[str]] | None:
        """The hashes that the journal has of each open call; None if it can't be asked."""
        if self._question.journal_url is None:
            return None
        with contextlib.suppress(StoreError):
            async with redis.connect(self._question.journal_url) as client:
                journal = RedisJournal(client)
                found = {call: await journal.read(call) for call in self._open}
                await journal.held(0)  # Also where no call is open: it is said if it was reachable.
                self._report.journal = True
                return {
                    call: [e.hash for e in entries] for call, entries in found.items() if entries
                }
        return None

    # What shows between calls.

    async def _look_for_doubles(self) -> None:
        for group in await self._archive.doubled():
            for call in group:
                others = " ".join(other for other in group if other != call)
                self._report.findings.append(Finding(call, FindingKind.DOUBLED, others))

    async def _look_for_what_was_told(self) -> None:
        """The carrier's callbacks are kept beside the chain: a call that only they know is gone."""
        question = self._question
        told = await self._archive.only_told(question.since_ms, question.until_ms)
        if told:
            await asyncio.sleep(FLUSH_S)
        for call in await self._unknown_of(told):
            self._report.findings.append(Finding(call, FindingKind.MISSING, "by its callback"))

    async def _unknown_of(self, calls: Sequence[CallSid]) -> list[CallSid]:
        unknown: list[CallSid] = []
        for at in range(0, len(calls), PAGE_CALLS):
            page = await self._archive.some(calls[at : at + PAGE_CALLS])
            unknown += [one.call for one in page if one.row is None and not one.entries]
        return unknown

    async def _compare(self, carrier: CarrierList) -> None:
        """Whatever the carrier answered is ours, and whatever is ours the carrier knows."""
        question, report = self._question, self._report
        since_ms = question.since_ms or 0
        until_ms = question.until_ms or question.now_ms
        listed: dict[CallSid, CarrierCall] = {}
        # A call may begin here a day before it does there: what is compared is names.
        async for theirs in carrier.between(since_ms - DAY_MS, until_ms + DAY_MS):
            listed[theirs.call] = theirs
        answered = [
            call
            for call, theirs in listed.items()
            if theirs.was_answered
            and theirs.started_at_ms is not None
            and since_ms <= theirs.started_at_ms < until_ms
        ]
        report.carrier_calls = len(answered)
        missing = [call for call in answered if call not in self._ours]
        if missing:
            await asyncio.sleep(FLUSH_S)
        told = {finding.call for finding in report.findings if finding.kind is FindingKind.MISSING}
        for call in await self._unknown_of([call for call in missing if call not in told]):
            report.findings.append(Finding(call, FindingKind.MISSING, listed[call].status))
        for call in sorted(self._ours - set(listed)):
            # It lists no call that was never answered, and may still name it.
            if await carrier.one(call) is None:
                report.findings.append(Finding(call, FindingKind.NOT_CARRIED))

    async def _tell_unreached(self, carrier: CarrierList) -> None:
        """Who got no answer from us heard the carrier's apology, which it counts as an answer."""
        missing = [each for each in self._report.findings if each.kind is FindingKind.MISSING]
        for finding in missing[:ASKED_MAX]:
            paths = await carrier.not_fetched(finding.call)
            if any(path.endswith(VOICE_PATH) for path in paths):
                self._report.findings.remove(finding)
                self._report.unreached += 1


def _checked(one: WholeCall) -> core.Checked:
    row = None if one.row is None else asdict(one.row)
    return core.check(one.call, row, one.entries, one.aside)


# Telling.


def render(report: Report) -> str:
    """A line for each finding, and what was looked at."""
    lines = [_line(finding) for finding in report.findings]
    parts = [f"{report.calls:,} calls", f"{report.facts:,} facts"]
    parts += _counts(
        (report.live, "live"),
        (report.unsure, "open and perhaps live: the journal can't be asked"),
        (report.erased, "facts erased"),
        (report.quarantined, "facts quarantined"),
        (report.fenced, "facts of fenced pods kept aside"),
    )
    if report.carrier_calls is not None:
        parts.append(f"{report.carrier_calls:,} answered calls at the carrier")
    if report.unreached:
        parts.append(f"{report.unreached:,} of them answered by its apology: it did not reach us")
    verdict = f"{len(report.findings):,} findings" if report.findings else "sound"
    return "\n".join([*lines, f"{verdict}: {', '.join(parts)}"])


def _line(finding: Finding) -> str:
    detail = f" ({finding.detail})" if finding.detail else ""
    return f"{finding.call} {finding.kind}: {core.MEANINGS[finding.kind]}{detail}"


def _counts(*counted: tuple[int, str]) -> Sequence[str]:
    return [f"{count:,} {words}" for count, words in counted if count]


def report_json(report: Report) -> str:
    """The report as one JSON object."""
    return msgspec.json.format(msgspec.json.encode(report)).decode()
