"""`trunkline calls list|show`: the call log read by a person, or by a program as JSON.

Whatever a caller or a model said is printed as text: no control character, no markup of the
terminal's gets through.
"""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.cli.env import EnvFile, read_settings
from trunkline.cli.stores import with_call_log
from trunkline.core.ids import CallSid
from trunkline.core.record import Entry
from trunkline.errors import TrunklineError
from trunkline.ports import LoggedCall

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

WIDE: Final = 200
"""Columns where there is no terminal: a pipe has no width, and a row should stay one line."""

app = typer.Typer(
    name="calls",
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The call log: every call, from first ring to end.",
)

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@app.command("list")
def list_calls(
    *,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many calls.")] = 20,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """List the newest calls first.

    Works while `trunkline up` runs and after it ended. Reads the database of
    TRUNKLINE_DATABASE_URL, or the one under TRUNKLINE_DATA_DIR.
    """
    rows = with_call_log(read_settings(env_file), partial(newest_calls, limit=limit))
    if as_json:
        print(calls_json(rows))
    else:
        Console(width=None if sys.stdout.isatty() else WIDE).print(render_calls(rows))


@app.command()
def show(
    call: Annotated[
        str, typer.Argument(metavar="CALL", help="Its SID: CA and 32 hexadecimal digits.")
    ],
    *,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Show one call: its row, and every fact with when it was."""
    found = with_call_log(read_settings(env_file), partial(one_call, call=CallSid(call)))
    if found is None:
        raise TrunklineError(
            f"the call log has no call {printable(call)}: see trunkline calls list"
        )
    if as_json:
        print(call_json(*found))
    else:
        Console(width=None if sys.stdout.isatty() else WIDE).print(render_call(*found))


async def newest_calls(
    database_url: str, *, limit: int, before_ms: int | None = None
) -> list[LoggedCall]:
    """The newest calls first.

    Raises:
        SettingsError: the URL can't be read, or the schema is older than this code.
        StoreError: the database did not answer.
    """
    async with _open(database_url) as book:
        return await book.calls(limit=limit, before_ms=before_ms)


async def one_call(database_url: str, call: CallSid) -> tuple[LoggedCall, list[Entry]] | None:
    """A call's row and its facts; None if the log has no such call. Raises as `newest_calls`."""
    async with _open(database_url) as book:
        row = await book.call(call)
        return None if row is None else (row, await book.entries(call))


@asynccontextmanager
async def _open(database_url: str) -> AsyncIterator[PostgresCallBook]:
    async with await postgres.connect(database_url, connections_max=1) as pool:
        await postgres.check_schema(pool)
        yield PostgresCallBook(pool)


def render_calls(rows: Sequence[LoggedCall]) -> Table:
    """A table of calls in the order given; times in UTC."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("started", "duration", "direction", "from", "to", "agent", "outcome", "reason"):
        table.add_column(name, justify="right" if name == "duration" else "left", no_wrap=True)
    table.add_column("call", no_wrap=True)
    for row in rows:
        cells = (
            moment(row.started_at_ms),
            duration(row),
            row.direction,
            row.from_number,
            row.to_number,
            row.agent,
            row.outcome or "",
            row.reason or "",
            row.call,
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def render_call(row: LoggedCall, entries: Sequence[Entry]) -> Group:
    """A call's header, then a line for each fact: when since the start, its kind, its fields."""
    header = Table(box=None, pad_edge=False, show_header=False)
    for name, value in (
        ("call", row.call),
        ("started", moment(row.started_at_ms)),
        ("duration", duration(row)),
        ("from", f"{row.from_number} ({row.direction})"),
        ("to", row.to_number),
        ("agent", row.agent),
        ("tenant", f"{row.tenant} ({row.vertical})" if row.tenant else "none"),
        ("pod", row.pod),
        ("outcome", f"{row.outcome or 'live'} {row.reason or ''}".strip()),
    ):
        header.add_row(Text(name, style="bold"), Text(printable(value)))
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(justify="right", no_wrap=True)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for entry in entries:
        facts.add_row(
            Text(f"{(entry.at_ms - row.started_at_ms) / 1000:+.3f}"),
            Text(printable(entry.kind), style="bold"),
            Text(fields(entry)),
        )
    return Group(header, Text(), facts)


def calls_json(rows: Sequence[LoggedCall]) -> str:
    """The rows as one JSON array; names and units are those of `ports.LoggedCall`."""
    return msgspec.json.format(msgspec.json.encode(rows)).decode()


def call_json(row: LoggedCall, entries: Sequence[Entry]) -> str:
    """A call as one JSON object: `call` is its row, `facts` its entries as they are chained.

    An entry's `payload` stays the very text that was hashed.
    """
    return msgspec.json.format(msgspec.json.encode({"call": row, "facts": entries})).decode()


def moment(at_ms: int) -> str:
    """A time in UTC, to the second."""
    return f"{EPOCH + timedelta(milliseconds=at_ms):%Y-%m-%d %H:%M:%SZ}"


def duration(row: LoggedCall) -> str:
    """From the first fact to the last, as minutes and seconds; `live` while there is no end."""
    if row.ended_at_ms is None:
        return "live"
    minutes, seconds = divmod((row.ended_at_ms - row.started_at_ms) // 1000, 60)
    return f"{minutes}:{seconds:02}"


def fields(entry: Entry) -> str:
    """A fact's fields, `name=value`; the payload itself if it is no JSON object."""
    try:
        found = msgspec.json.decode(entry.payload, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return printable(entry.payload)
    values = {name: bytes(value).decode() for name, value in found.items() if name != "kind"}
    return printable("  ".join(f"{name}={value}" for name, value in values.items()))


def printable(text: str) -> str:
    """The text with everything that moves a cursor or changes a colour written as an escape."""
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)
