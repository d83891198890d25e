import io
import json
from pathlib import Path

import pytest

from chains import BEGUN_MS, CALL, OTHER_CALL, RECEIVED, SAID, WHOLE_CALL, chain
from trunkline.adapters.postgres.archive import WholeCall
from trunkline.adapters.postgres.call_log import PostgresCallBook
from trunkline.adapters.postgres.connect import connect
from trunkline.cli.calls_export import PART, _opened, line, moment_ms, write
from trunkline.core.carrier import StatusTold, told
from trunkline.core.record import Aside, Why
from trunkline.errors import SettingsError

pytestmark = pytest.mark.anyio


def test_a_line_is_one_call_in_a_schema_that_stays() -> None:
    """Every key of it; the payload stays the text that was hashed."""
    entries = chain(CALL, SAID)
    carrier = [told(CALL, StatusTold("completed"), at_ms=BEGUN_MS)]
    text = line(WholeCall(CALL, None, entries, [Aside(CALL, entries[0], Why.NUL)], carrier))
    assert b"\n" not in text
    read = json.loads(text)
    assert list(read) == ["schema", "call", "facts", "aside", "carrier"]
    assert read["schema"] == 1
    fact = ["seq", "at_ms", "epoch", "kind", "payload", "salt", "digest", "hash"]
    assert list(read["facts"][0]) == fact
    assert list(read["aside"][0]) == ["why", *fact]
    assert list(read["carrier"][0]) == ["kind", "at_ms", "payload"]
    assert read["facts"][0]["payload"] == entries[0].payload


async def test_a_window_is_written_oldest_first(database_url: str) -> None:
    """As many lines as calls."""
    async with await connect(database_url) as pool:
        book = PostgresCallBook(pool)
        await book.write([(CALL, entry) for entry in chain(CALL, *WHOLE_CALL)])
        later = chain(OTHER_CALL, RECEIVED, begun_ms=BEGUN_MS + 5)
        await book.write([(OTHER_CALL, entry) for entry in later])
    out = io.BytesIO()
    assert await write(out, database_url) == 2
    lines = [json.loads(text) for text in out.getvalue().splitlines()]
    assert [one["call"]["call"] for one in lines] == [CALL, OTHER_CALL]
    assert await write(out, database_url, window=(BEGUN_MS + 1, None), tenant="clinic") == 1
    assert await write(out, database_url, window=(None, BEGUN_MS)) == 0


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        (None, None),
        ("2026-01-01", 1_767_225_600_000),
        ("2026-01-01T00:00:00.123", BEGUN_MS),
        ("2026-01-01T01:00+01:00", 1_767_225_600_000),
    ],
)
def test_a_time_is_utc_unless_it_says(text: str | None, ms: int | None) -> None:
    """As people write it."""
    assert moment_ms("--since", text) == ms


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01"])
def test_what_is_no_time(text: str) -> None:
    """The option is named, and what is expected."""
    with pytest.raises(SettingsError, match=r"--since: .* expected one such as 2026-01-31"):
        moment_ms("--since", text)


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    """Half an export under its name would be taken for one."""
    target = tmp_path / "calls.jsonl"
    with pytest.raises(RuntimeError), _opened(target):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with _opened(target) as out:
        out.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert not (tmp_path / f"calls.jsonl{PART}").exists()
    nowhere = tmp_path / "no" / "x"
    with pytest.raises(SettingsError, match=r"--output: .* can't be written"), _opened(nowhere):
        pass


def test_without_a_file_it_goes_to_stdout(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """For a pipe."""
    with _opened(None) as out:
        out.write(b"{}\n")
    assert capfdbinary.readouterr().out == b"{}\n"
