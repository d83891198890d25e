"""`trunkline calls export`: the call log as JSON lines, one call a line, oldest first.

A line has the keys `schema` (1), `call` (the row, null where it is missing), `facts` (as they are
chained), `aside` (facts kept beside the chain, with `why`) and `carrier` (what the carrier told).
Names and units are those of `ports.LoggedCall`, `core.record.Entry` and `core.carrier.CarrierFact`;
a later schema may add keys.
"""

import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec
import typer

from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.postgres.archive import Archive, WholeCall
from trunkline.cli.env import EnvFile, read_settings
from trunkline.cli.stores import with_call_log
from trunkline.core.record import Entry
from trunkline.errors import SettingsError

SCHEMA: Final = 1

PART: Final = ".part"
"""What an export is called until it is whole."""

BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Only calls begun then or later: 2026-01-31 or 2026-01-31T09:30, UTC."
    ),
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only calls begun before then; as --since.")
]


def export(
    *,
    since: Since = None,
    until: Until = None,
    tenant: Annotated[str | None, typer.Option(help="Only calls of this tenant.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write there instead of to stdout; whole or not at all."),
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """Write calls as JSON lines: one call a line, the oldest first."""
    window = (moment_ms("--since", since), moment_ms("--until", until))
    with _opened(output) as out:
        with_call_log(read_settings(env_file), partial(write, out, window=window, tenant=tenant))


async def write(
    out: BinaryIO,
    database_url: str,
    *,
    window: tuple[int | None, int | None] = (None, None),
    tenant: str | None = None,
) -> int:
    """Write the calls of a window; how many. Raises as `cli.calls.newest_calls`."""
    count = 0
    since_ms, until_ms = window
    async with await postgres.connect(database_url, connections_max=1) as pool:
        await postgres.check_schema(pool)
        found = Archive(pool).between(since_ms=since_ms, until_ms=until_ms, tenant=tenant)
        async for one in found:
            out.write(line(one) + b"\n")
            count += 1
    return count


def line(one: WholeCall) -> bytes:
    """A call as one line of JSON."""
    aside = [{"why": fact.why, **_fields(fact.entry)} for fact in one.aside]
    carrier = [
        {"kind": fact.kind, "at_ms": fact.at_ms, "payload": fact.payload} for fact in one.carrier
    ]
    return msgspec.json.encode(
        {
            "schema": SCHEMA,
            "call": one.row,
            "facts": one.entries,
            "aside": aside,
            "carrier": carrier,
        }
    )


def _fields(entry: Entry) -> dict[str, str | int]:
    return msgspec.structs.asdict(entry)


def moment_ms(option: str, text: str | None) -> int | None:
    """A time that a person wrote, in ms since 1970; without a zone it is UTC.

    Raises:
        SettingsError: it is none.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return (at - BEGIN) // MILLISECOND
    except (ValueError, OverflowError):
        raise SettingsError(
            f"{option}: {text!r} is no time; expected one such as 2026-01-31 or 2026-01-31T09:30"
        ) from None


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    """Stdout, or a file that has its name when it is whole."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = output.with_name(output.name + PART)
    try:
        with part.open("wb") as out:
            yield out
        part.replace(output)
    except OSError as error:
        raise SettingsError(f"--output: {output} can't be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)
