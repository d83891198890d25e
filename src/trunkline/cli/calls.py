"""`trunkline calls list|show|export|verify`: the call log read by a person, or by a program.

Whatever a caller or a model said is printed as text: no control character, no markup of the
terminal's gets through.
"""

import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from trunkline.adapters.postgres import connect as postgres
from trunkline.adapters.postgres.archive import Archive, WholeCall
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.cli import calls_export, calls_verify
from trunkline.cli import forget as erasing
from trunkline.cli.env import EnvFile, read_settings
from trunkline.cli.stores import with_call_log
from trunkline.core.ids import CallSid
from trunkline.core.record import Entry
from trunkline.core.verify import is_erased
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
    """Show one call: its row, its facts, what the carrier told of it."""
    found = with_call_log(read_settings(env_file), partial(one_call, call=CallSid(call)))
    if found is None:
        raise TrunklineError(
            f"the call log has no call {printable(call)}: see trunkline calls list"
        )
    if as_json:
        print(call_json(found))
    else:
        Console(width=None if sys.stdout.isatty() else WIDE).print(render_call(found))


app.command()(calls_export.export)
app.command()(calls_verify.verify)


app.command()(erasing.forget)
app.command()(erasing.purge)


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


async def one_call(database_url: str, call: CallSid) -> WholeCall | None:
    """All of a call; None if the log has nothing of it. Raises as `newest_calls`."""
    async with await postgres.connect(database_url, connections_max=1) as pool:
        await postgres.check_schema(pool)
        (one,) = await Archive(pool).some([call])
    return one if one.row or one.entries or one.aside or one.carrier else None


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


def render_call(one: WholeCall) -> Group:
    """A call's header, then a line for each fact: when since the start, its kind, its fields.

    Below stand facts that are kept aside, with the reason, and what the carrier told.
    """
    begun_ms = _begun_ms(one)

    def _lines(rows: Iterable[tuple[int, str, str]]) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for at_ms, kind, text in rows:
            since = Text(f"{(at_ms - begun_ms) / 1000:+.3f}")
            table.add_row(since, Text(printable(kind), style="bold"), Text(text))
        return table

    parts: list[RenderableType] = [_header(one), Text()]
    parts.append(_lines((entry.at_ms, entry.kind, fields(entry)) for entry in one.entries))
    if one.aside:
        parts += [Text(), Text("kept aside", style="bold")]
        parts.append(
            _lines(
                (fact.entry.at_ms, fact.entry.kind, f"{fact.why} seq={fact.entry.seq}")
                for fact in one.aside
            )
        )
    if one.carrier:
        parts += [Text(), Text("told by the carrier", style="bold")]
        parts.append(
            _lines((fact.at_ms, fact.kind, payload_fields(fact.payload)) for fact in one.carrier)
        )
    return Group(*parts)


def calls_json(rows: Sequence[LoggedCall]) -> str:
    """The rows as one JSON array; names and units are those of `ports.LoggedCall`."""
    return msgspec.json.format(msgspec.json.encode(rows)).decode()


def call_json(one: WholeCall) -> str:
    """A call as one JSON object, the same as a line of `calls export`.

    An entry's `payload` stays the very text that was hashed.
    """
    return msgspec.json.format(calls_export.line(one)).decode()


def _begun_ms(one: WholeCall) -> int:
    if one.row is not None:
        return one.row.started_at_ms
    times = [entry.at_ms for entry in one.entries]
    times += [fact.entry.at_ms for fact in one.aside] + [fact.at_ms for fact in one.carrier]
    return min(times)


def _header(one: WholeCall) -> Table:
    header = Table(box=None, pad_edge=False, show_header=False)
    row = one.row
    lines = [("call", str(one.call))]
    if row is None:
        lines.append(("row", "missing: see trunkline calls verify"))
    else:
        lines += [
            ("started", moment(row.started_at_ms)),
            ("duration", duration(row)),
            ("from", f"{row.from_number} ({row.direction})"),
            ("to", row.to_number),
            ("agent", row.agent),
            ("tenant", f"{row.tenant} ({row.vertical})" if row.tenant else "none"),
            ("pod", row.pod),
            ("outcome", f"{row.outcome or 'live'} {row.reason or ''}".strip()),
        ]
        if row.erased_at_ms is not None:
            lines.append(("erased", moment(row.erased_at_ms)))
    for name, value in lines:
        header.add_row(Text(name, style="bold"), Text(printable(value)))
    return header


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
    if is_erased(entry):
        return "erased"
    return payload_fields(entry.payload)


def payload_fields(payload: str) -> str:
    """As `fields`, of a payload."""
    try:
        found = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return printable(payload)
    values = {name: bytes(value).decode() for name, value in found.items() if name != "kind"}
    return printable("  ".join(f"{name}={value}" for name, value in values.items()))


def printable(text: str) -> str:
    """The text with everything that moves a cursor or changes a colour written as an escape."""
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)
