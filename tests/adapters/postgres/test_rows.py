from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains import BEGUN_MS, CALL, OTHER_CALL, RECEIVED, SAID, WHOLE_CALL, chain
from trunkline.adapters.postgres.rows import (
    CallChange,
    changes_of,
    clean,
    cleaned,
    columns_of_changes,
    columns_of_entries,
    milliseconds,
    moment,
    quarantined,
    storable,
    why_of,
)
from trunkline.core.record import PAYLOAD_BYTES_MAX, Aside, Why


@given(at_ms=st.integers(0, 253_402_300_799_999))
def test_a_time_comes_back_to_the_millisecond(at_ms: int) -> None:
    """What the chain hashed is what the log gives back, to the year 9999."""
    assert milliseconds(moment(at_ms)) == at_ms


def test_a_time_is_the_one_it_means() -> None:
    """Milliseconds since 1970, in UTC."""
    assert moment(1_767_225_600_123) == datetime(2026, 1, 1, 0, 0, 0, 123_000, UTC)


@given(st.text(st.characters()))
def test_a_cleaned_text_is_one_that_postgres_takes(text: str) -> None:
    """No NUL and no lone surrogate; nothing else is touched."""
    taken = clean(text)
    assert "\0" not in taken
    taken.encode()
    assert len(taken) == len(text)
    if text.isprintable():
        assert taken == text


def test_what_we_link_is_storable_as_it_is() -> None:
    """JSON escapes NUL: no fact of ours is changed on its way."""
    odd = msgspec.structs.replace(RECEIVED, from_number="\0")
    for entry in chain(CALL, odd, *WHOLE_CALL):
        assert storable((CALL, entry))
        assert quarantined((CALL, entry)) is None
        assert cleaned(Aside(CALL, entry, Why.NUL)).entry == entry


@pytest.mark.parametrize("name", ["kind", "payload", "salt", "digest", "hash"])
@pytest.mark.parametrize(("text", "becomes"), [("a\0b", "a\ufffdb"), ("é\ud800", "é?")])
def test_any_text_of_an_entry_may_be_what_postgres_refuses(
    name: str, text: str, becomes: str
) -> None:
    """Each is looked at and cleaned; the row is then another than the one given."""
    entry = msgspec.structs.replace(chain(CALL, RECEIVED)[0], **{name: text})
    assert not storable((CALL, entry))
    fact = quarantined((CALL, entry))
    assert fact is not None
    assert (fact.call, fact.why) == (CALL, Why.NUL)
    assert getattr(fact.entry, name) == becomes
    assert storable((fact.call, fact.entry))


@pytest.mark.parametrize("sign", ["a", "ü", "語", "🙂"])
def test_a_payload_over_its_size_is_quarantined(sign: str) -> None:
    """Counted in bytes as they are stored; one byte less is taken."""
    entry = chain(CALL, RECEIVED)[0]
    size = len(sign.encode())
    most = sign * (PAYLOAD_BYTES_MAX // size)
    assert quarantined((CALL, msgspec.structs.replace(entry, payload=most))) is None
    over = msgspec.structs.replace(entry, payload=most + sign)
    assert quarantined((CALL, over)) == Aside(CALL, over, Why.TOO_BIG)
    broken = quarantined((CALL, msgspec.structs.replace(entry, payload=most + sign + "\0")))
    assert broken is not None
    assert broken.why is Why.NUL


def test_a_reason_of_a_later_revisions_is_an_alarm() -> None:
    """We can't know that it is harmless."""
    assert why_of("too_big") is Why.TOO_BIG
    assert why_of("moonlight") is Why.CONTRADICTS


def test_columns_are_arrays_of_one_length_and_order() -> None:
    """Each array is a column of `facts`."""
    columns = columns_of_entries([(CALL, entry) for entry in chain(CALL, *WHOLE_CALL)])
    assert {len(column) for column in columns.values()} == {5}
    assert columns["seqs"] == [1, 2, 3, 4, 5]
    assert set(columns) == {
        "call_sids",
        "seqs",
        "epochs",
        "kinds",
        "ats",
        "payloads",
        "salts",
        "digests",
        "hashes",
    }


def test_changes_are_one_a_call_in_order() -> None:
    """Sorted by call, so that two writers lock rows in one order."""
    rows = [(OTHER_CALL, e) for e in chain(OTHER_CALL, *WHOLE_CALL)]
    rows += [(CALL, e) for e in chain(CALL, RECEIVED, SAID, epoch=BEGUN_MS + 9)]
    first, second = changes_of(rows)
    assert (first.call_sid, first.epoch, first.ended_at) == (CALL, BEGUN_MS + 9, None)
    assert (second.call_sid, second.outcome, second.reason) == (OTHER_CALL, "caller_ended", "stop")
    assert second.started_at == moment(BEGUN_MS)


def test_columns_of_changes_are_named_after_their_fields() -> None:
    """`queries.sql` has a parameter for each field of a change."""
    change = CallChange(CALL, 1, moment(1))
    columns = columns_of_changes([change, change])
    assert columns["call_sids"] == [CALL, CALL]
    assert columns["reasons"] == [None, None]
    assert len(columns) == 14
