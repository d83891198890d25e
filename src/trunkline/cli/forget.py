"""`trunkline calls forget|purge`: words and numbers go, and the chain of each call still verifies.

The number that is asked for is printed nowhere.
"""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

import typer

from trunkline.adapters.embedded.stores import EmbeddedStores
from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.postgres.erasure import ERASE_CALLS_MAX, PostgresEraser
from trunkline.adapters.redis import connect as redis
from trunkline.adapters.redis.erasure import RedisJournalEraser
from trunkline.cli.env import EnvFile, read_settings
from trunkline.cli.stores import with_call_log, with_stores
from trunkline.config import file
from trunkline.config.values import is_e164
from trunkline.core.ids import CallSid
from trunkline.core.retention import Erased, Retention
from trunkline.errors import SettingsError, StoreError, TrunklineError

NUMBER_EXPECTED: Final = "--number: expected a phone number in E.164 form, such as +15550100001"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What became of one person's calls."""

    erased: Erased
    live: int
    journals_fault: str | None
    """Why the journals could not be deleted; None if they were."""


def forget(
    *,
    number: Annotated[
        str, typer.Option("--number", metavar="NUMBER", help="In E.164 form: +15550100001.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Erase one person's calls: what was said, and the numbers.

    Takes every call from or to the number. Outcomes, times and hashes stay, so each call's chain
    still verifies. A call that is live is left alone: exit code 1; run it again when it has ended.
    docs/howto/privacy.md says what copies may remain elsewhere.
    """
    if not is_e164(number):
        raise SettingsError(NUMBER_EXPECTED)
    settings = read_settings(env_file)
    if settings.config is not None and number in file.load(settings.config).config.numbers:
        raise SettingsError(
            "--number: this is a line of your own, and every call to it would be erased; name the "
            "person's number, or set retention_days for the line's tenant"
        )
    calls = with_call_log(settings, partial(calls_of, number=number))
    over = sum(calls.values())
    if over and not yes and sys.stdin.isatty():
        typer.confirm(f"Erase what was said in {counted(over, 'call')}, for ever?", abort=True)
    done = with_stores(settings, partial(forget_calls, calls=calls))
    print(told(done.erased))
    if done.journals_fault is not None:
        print(
            f"trunkline: {done.journals_fault}: the journals of these calls stay in Redis until "
            "they expire, 24 hours after the call at most",
            file=sys.stderr,
        )
    if done.live:
        raise TrunklineError(
            f"{counted(done.live, 'call')} of this number may still be live and "
            "kept what was said: run this again when it has ended"
        )


def purge(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is due, and erase nothing.")
    ] = False,
    env_file: EnvFile = None,
) -> None:
    """Erase what was said in calls past their retention_days.

    The days are those of a call's tenant, or of its vertical. Every pod does it by itself once an
    hour; this does it now.
    """
    settings = read_settings(env_file)
    retention = file.load(settings.config).config.retention()
    if retention.keeps_all:
        print("no tenant or vertical has retention_days: nothing is ever due")
        return
    work = partial(purge_due, retention=retention, dry_run=dry_run)
    done = with_call_log(settings, work)
    if done is None:
        raise TrunklineError("another process is purging: run this again when it is done")
    print(
        f"due: {counted(done.calls, 'call')}, {counted(done.facts, 'fact')}"
        if dry_run
        else told(done)
    )


async def calls_of(database_url: str, *, number: str) -> Mapping[CallSid, bool]:
    """Every call from or to a number, and whether it is over."""
    async with _eraser(database_url) as eraser:
        return await eraser.calls_of(number)


async def forget_calls(stores: EmbeddedStores, *, calls: Mapping[CallSid, bool]) -> Forgotten:
    """Erase those that are over.

    First out of Redis: once the call log has forgotten the number, nothing leads to its journals.

    Raises:
        SettingsError: a URL can't be read, or the schema is older than this code.
        StoreError: the database did not answer; the same may be asked again.
    """
    over = [call for call, is_over in calls.items() if is_over]
    fault = await _erase_journals(stores.redis_url, over)
    async with _eraser(stores.database_url) as eraser:
        erased = await eraser.erase(over)
    return Forgotten(erased, len(calls) - erased.calls, fault)


async def purge_due(database_url: str, *, retention: Retention, dry_run: bool) -> Erased | None:
    """Erase all that is due, or count it; None while another process purges."""
    async with _eraser(database_url) as eraser:
        if dry_run:
            return await eraser.due(retention)
        done = await eraser.sweep()
        while done is not None:
            step = await eraser.purge(retention, calls_max=ERASE_CALLS_MAX)
            if step is None or step.calls == 0:
                return None if step is None else done
            done += step
        return None


async def _erase_journals(redis_url: str, calls: Sequence[CallSid]) -> str | None:
    client = redis.connect(redis_url)
    try:
        await RedisJournalEraser(client).erase_journals(calls)
    except StoreError as fault:
        return str(fault)
    finally:
        await client.aclose()
    return None


@asynccontextmanager
async def _eraser(database_url: str) -> AsyncIterator[PostgresEraser]:
    async with await postgres.connect(database_url, connections_max=1) as pool:
        await postgres.check_schema(pool)
        yield PostgresEraser(pool)


def told(erased: Erased) -> str:
    """What was done, for a person."""
    return f"erased: {counted(erased.calls, 'call')}, {counted(erased.facts, 'fact')}"


def counted(count: int, what: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
