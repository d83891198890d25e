import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from trunkline.core.kinds import KINDS, Kind
from trunkline.core.personal import CARD_DIGITS, iban_chars, is_one, luhn_of, mark

CARD = "4111111111111111"


def found(text: str, *kinds: Kind) -> str:
    return mark(text, frozenset(kinds) or KINDS)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("my card is 4111111111111111.", "my card is [card]."),
        ("4111 1111, 1111 1111", "[card]"),
        ("4111-1111.1111 1111, 12/27, 123, thanks", "[card], thanks"),
        ("4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1", "[card]"),
        ("It is four one one one" + " one" * 12 + ".", "It is [card]."),
        ("Four, triple one, double one, one" + ", triple 1" * 3, "[card]"),
        ("amex 3782 822463 10005", "amex [card]"),
        (" ".join(["\u0664\u0661\u0661\u0661", *["\u0661" * 4] * 3]), "[card]"),
        ("x04111 1111 1111 11110y", "x[card]y"),
        ("4111111111111112", "4111111111111112"),
        ("prices 19.99, 24.99, 12.50, 8.75, 30", "prices 19.99, 24.99, 12.50, 8.75, 30"),
        ("forty-one eleven, then one", "forty-one eleven, then one"),
    ],
)
def test_a_card_is_found_however_it_is_written_down(said: str, kept: str) -> None:
    """In groups with spaces, dots, dashes and commas, in other scripts, in words for digits."""
    assert found(said, "card") == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("It's 123-45-6789.", "It's [ssn]."),
        ("078-05-1120", "[ssn]"),
        ("one two three, four five, six seven eight nine", "[ssn]"),
        ("1 2 3 4 5 6 7 8 9", "[ssn]"),
        ("1, 2, 3, 4, 5, 6, 7, 8, 9", "[ssn]"),
        ("born 01 02 1990, 123 45 6789", "born 01 02 1990, [ssn]"),
        ("219 09 9999 and 912-70-1234", "[ssn] and [ssn]"),
        ("order 000123456", "order 000123456"),
        ("zip 12345-6789", "zip 12345-6789"),
        ("12345678", "12345678"),
    ],
)
def test_a_social_security_number_is_found(said: str, kept: str) -> None:
    """Grouped as it is on the card, whatever its digits; or nine digits that could be one."""
    assert found(said, "ssn") == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("GB29 NWBK 6016 1331 9268 19 please", "[iban] please"),
        ("de89370400440532013000", "[iban]"),
        ("DE89370400440532013001", "DE89370400440532013001"),
        ("ZZ89370400440532013000", "ZZ89370400440532013000"),
        ("US89 and no more", "US89 and no more"),
    ],
)
def test_an_iban_is_found(said: str, kept: str) -> None:
    """In groups or not; with a country's length and its checksum."""
    assert found(said, "iban") == kept
    assert iban_chars("DE") == 22


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("to john.o'neil+a@mail.example.co.uk.", "to [email]."),
        ("a@b.example, c@d.example", "[email], [email]"),
        ("jörg@exämple.org", "[email]"),
        ("@home, me@ home, me@home", "@home, me@ home, me@home"),
    ],
)
def test_an_address_is_found(said: str, kept: str) -> None:
    """With letters of any language, and without the full stop after it."""
    assert found(said, "email") == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("+1 (555) 010-0001", "[phone]"),
        ("(+49) 30 1234", "([phone]"),
        ("call 555 010 0001, after 5", "call [phone], after 5"),
        ("555-0100", "[phone]"),
        ("five five five, oh one oh, oh oh oh one", "[phone]"),
        ("order 1234567", "order 1234567"),
    ],
)
def test_a_phone_number_is_found(said: str, kept: str) -> None:
    """Ten to fifteen digits, seven with a plus, or three and four."""
    assert found(said, "phone") == kept


def test_only_what_was_asked_for_is_taken_out() -> None:
    """Each kind alone; the rest stays as it was, as the same object where nothing was found."""
    said = f"{CARD}; 123-45-6789; a@b.example; +1 555 010 0001"
    assert found(said, "email") == said.replace("a@b.example", "[email]")
    assert mark(said, frozenset()) is said
    assert found(said) == "[card]; [ssn]; [email]; [phone]"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (CARD, "card"),
        ("123456789", "ssn"),
        ("5550100001", "phone"),
        ("1767225600123", "phone"),
        ("17", None),
    ],
)
def test_a_number_is_judged_as_a_whole(number: str, kind: str | None) -> None:
    """A number in JSON is no text: what is inside it means nothing."""
    assert is_one(number, KINDS) == kind
    assert is_one(number, frozenset()) is None


DIGITS = st.text("0123456789", min_size=1, max_size=40)


@given(DIGITS, st.data())
def test_the_checksum_is_the_library_s(digits: str, data: st.DataObject) -> None:
    """Of every stretch."""
    end = data.draw(st.integers(1, len(digits)))
    start = data.draw(st.integers(0, end - 1))
    assert luhn_of(digits)(start, end) == luhn.is_valid(digits[start:end])


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    length = draw(st.sampled_from(CARD_DIGITS)) - 2
    body = draw(st.sampled_from("23456")) + draw(
        st.text("0123456789", min_size=length, max_size=length)
    )
    return body + luhn.calc_check_digit(body)


TEXTS = st.text(st.characters() | st.sampled_from("0123456789 ,.-@[]+aA"))


@given(TEXTS, card_numbers(), TEXTS)
def test_a_planted_card_never_survives(before: str, card: str, after: str) -> None:
    """Whatever stands around it, digits included."""
    assert card not in found(before + card + after, "card")


@given(TEXTS, card_numbers(), st.sampled_from([" ", "-", ", ", ". ", " - "]), st.integers(1, 6))
def test_a_card_in_groups_never_survives(before: str, card: str, gap: str, size: int) -> None:
    """Groups of any size up to six."""
    groups = [card[at : at + size] for at in range(0, len(card), size)]
    planted = gap.join(groups)
    assert planted not in found(f"{before} is {planted} ok", "card")


SAID = st.lists(
    st.sampled_from([*"0123456789", "123", "45", "6789", CARD, "DE89", "a@b.example", "one", "+"])
    | st.sampled_from([" ", ", ", "-", ".", "/", "(", "double ", "x"])
).map("".join)


@given(SAID | TEXTS, st.frozensets(st.sampled_from(sorted(KINDS))))
def test_twice_is_once(text: str, kinds: frozenset[Kind]) -> None:
    """Nothing is found in what was marked."""
    once = mark(text, kinds)
    assert mark(once, kinds) is once


HOSTILE = [
    *("4 ", "27", "four ", "double ", "1     ", "123 45 ", "555 0100 ", "+1 ", "1, ", "("),
    *("@", "a@b.", "a@", "a.", "aA1@x", "DE89", "DE89 ", "GB29 NWBK ", "[card]", "\\", '"', "["),
    "2222222222222222222222222222222222222 a ",
]


@contextmanager
def counting() -> Iterator[list[int]]:
    """How many calls were made within, the interpreter's own among them."""
    calls = [0]

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        calls[0] += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def steps(text: str) -> int:
    with counting() as calls:
        mark(text, KINDS)
    return calls[0]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_text_costs_what_its_length_costs(piece: str) -> None:
    """Twice the text is twice the work, and never more than 60 calls for a character."""
    short, long = (steps((piece * 16_000)[:chars]) for chars in (8_000, 16_000))
    assert long <= 2.1 * short + 2_000
    assert long <= 60 * 16_000
