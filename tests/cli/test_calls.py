import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from chains import BEGUN_MS, CALL, OTHER_CALL, RECEIVED, SAID, WHOLE_CALL, chain
from trunkline.adapters.memory.call_log import MemoryCallBook
from trunkline.adapters.postgres.archive import WholeCall
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import connect
from trunkline.cli.calls import (
    call_json,
    calls_json,
    fields,
    moment,
    newest_calls,
    one_call,
    printable,
    render_call,
    render_calls,
)
from trunkline.core.carrier import StatusTold, told
from trunkline.core.facts import CallerSaid
from trunkline.core.ids import CallSid
from trunkline.core.record import Aside, Entry, Why
from trunkline.errors import SettingsError
from trunkline.ports import LoggedCall

pytestmark = pytest.mark.anyio


def shown(what: RenderableType) -> list[str]:
    console = Console(width=250, color_system="truecolor", force_terminal=True, no_color=True)
    with console.capture() as captured:
        console.print(what)
    plain = captured.get().replace("\x1b[1m", "").replace("\x1b[0m", "")
    return [line.rstrip() for line in plain.splitlines()]


async def logged(*entries: Entry, call: CallSid = CALL) -> LoggedCall:
    book = MemoryCallBook()
    await book.write([(call, entry) for entry in entries])
    row = await book.call(call)
    assert row is not None
    return row


async def test_the_list_has_a_line_for_each_call() -> None:
    """Who called whom, when, for how long, and how it ended; a call that goes on says so."""
    ended = await logged(*chain(CALL, *WHOLE_CALL))
    live = await logged(*chain(OTHER_CALL, RECEIVED), call=OTHER_CALL)
    header, first, second = shown(render_calls([ended, live]))
    assert header.split() == [
        *("started", "duration", "direction", "from", "to", "agent", "outcome", "reason", "call"),
    ]
    assert first.split() == [
        *("2026-01-01", "00:00:00Z", "0:04", "inbound", "+15550100001", "+15550100002"),
        *("reception", "caller_ended", "stop", CALL),
    ]
    assert second.split()[2] == "live"
    assert second.split()[-1] == OTHER_CALL


async def test_a_call_has_a_line_for_each_fact() -> None:
    """When since the start, what, and its fields as they were written."""
    entries = chain(CALL, *WHOLE_CALL)
    lines = shown(render_call(WholeCall(CALL, await logged(*entries), entries)))
    facts = [line.split(maxsplit=2) for line in lines[lines.index("") + 1 :]]
    assert [fact[:2] for fact in facts] == [
        ["+0.000", "call_received"],
        ["+1.000", "stream_opened"],
        ["+2.000", "caller_said"],
        ["+3.000", "agent_said"],
        ["+4.000", "call_ended"],
    ]
    assert facts[2][2] == 'item_id="item_1"  text="Good morning"'
    assert "heard_ms=400" in facts[3][2]
    assert any(line.split() == ["outcome", "caller_ended", "stop"] for line in lines)


async def test_words_spoken_command_no_terminal() -> None:
    """Escapes, a C1 control, markup and right-to-left marks are printed as text."""
    evil = "\x1b[2J\x9b31m[bold red]x[/] \u202e\r\n"
    entries = chain(CALL, msgspec.structs.replace(RECEIVED, agent=evil), CallerSaid("i", evil))
    row = await logged(*entries)
    for what in (render_calls([row]), render_call(WholeCall(CALL, row, entries))):
        text = "\n".join(shown(what))
        assert not set(text) & set("\x1b\x9b\u202e\r")
        assert "[bold red]x[/]" in text


async def test_json_is_for_programs() -> None:
    """Every field of the row and of each entry, the payload as it was hashed."""
    entries = chain(CALL, *WHOLE_CALL)
    row = await logged(*entries)
    assert json.loads(calls_json([row]))[0]["started_at_ms"] == BEGUN_MS
    read = json.loads(call_json(WholeCall(CALL, row, entries)))
    assert read["call"]["outcome"] == "caller_ended"
    assert [msgspec.convert(fact, Entry) for fact in read["facts"]] == entries


def test_a_payload_that_is_no_object_is_shown_as_it_is() -> None:
    """A neighbour revision's fact is still a line."""
    entry = chain(CALL, SAID)[0]
    assert fields(msgspec.structs.replace(entry, payload='["\x07')) == '["\\u0007'
    assert fields(msgspec.structs.replace(entry, payload='{"new":{"a":[1]}}')) == 'new={"a":[1]}'


@given(st.text(st.characters()))
def test_whatever_is_printed_is_printable(text: str) -> None:
    """No character that a terminal obeys is left; what is printable is not touched."""
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


async def test_what_stands_beside_the_chain_is_shown_too() -> None:
    """Facts kept aside with their reason, the carrier's words, erased facts as such."""
    entries = chain(CALL, *WHOLE_CALL)
    aside = [Aside(CALL, entries[2], Why.TOO_BIG)]
    carrier = [told(CALL, StatusTold("completed", 3, 12), at_ms=BEGUN_MS + 9_000)]
    entries[3] = msgspec.structs.replace(entries[3], payload="", salt="")
    lines = shown(render_call(WholeCall(CALL, await logged(*entries[:2]), entries, aside, carrier)))
    at = lines.index("kept aside")
    assert lines[at + 1].split() == ["+2.000", "caller_said", "too_big", "seq=3"]
    at = lines.index("told by the carrier")
    assert lines[at + 1].split()[:3] == ["+9.000", "status", 'status="completed"']
    assert any(line.split() == ["+3.000", "agent_said", "erased"] for line in lines)
    read = json.loads(call_json(WholeCall(CALL, None, [], aside, carrier)))
    assert (read["call"], read["aside"][0]["why"], read["carrier"][0]["kind"]) == (
        None, "too_big", "status",
    )  # fmt: skip


def test_a_call_without_a_row_is_shown_by_what_there_is() -> None:
    """Somebody deleted it."""
    lines = shown(render_call(WholeCall(CALL, None, chain(CALL, RECEIVED))))
    assert any(line.startswith("row") and "missing" in line for line in lines)
    assert any(line.split()[:2] == ["+0.000", "call_received"] for line in lines)


def test_times_are_utc() -> None:
    """The same wherever the reader sits, and it says so."""
    assert moment(BEGUN_MS) == "2026-01-01 00:00:00Z"


async def test_the_log_is_read_from_its_database(database_url: str) -> None:
    """Newest first; one call with its facts; an unknown one is None."""
    async with await connect(database_url) as pool:
        for number in range(3):
            call = CallSid(f"CA{number:032}")
            batch = [(call, e) for e in chain(call, *WHOLE_CALL, begun_ms=BEGUN_MS + number)]
            await PostgresCallBook(pool).write(batch)
    rows = await newest_calls(database_url, limit=2)
    assert [row.started_at_ms - BEGUN_MS for row in rows] == [2, 1]
    older = await newest_calls(database_url, limit=2, before_ms=rows[-1].started_at_ms)
    assert [row.started_at_ms - BEGUN_MS for row in older] == [0]
    found = await one_call(database_url, rows[0].call)
    assert found is not None
    assert (found.row, len(found.entries)) == (rows[0], 5)
    assert await one_call(database_url, CallSid("CA unknown")) is None


async def test_a_database_without_the_schema_says_the_remedy(database_url: str) -> None:
    """And leaves no connection open."""
    with pytest.raises(SettingsError, match="`trunkline migrate`"):
        await newest_calls(database_url.replace("/postgres?", "/template1?"), limit=1)
