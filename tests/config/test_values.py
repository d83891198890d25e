import re

import pytest
from pydantic import JsonValue

from trunkline.config import values


@pytest.mark.parametrize("number", ["+15550100001", "+442079460000", "+49305550100"])
def test_numbers_in_e164(number: str) -> None:
    """With their country, without spaces; also where nobody has them."""
    assert values.e164(number) == number
    assert values.number_or_anyone(number) == number


@pytest.mark.parametrize(
    "number",
    ["", "+", "*", "15550100001", "+1 555 010 0001", "+1555", "+1555010000111111", "+0123456789",
     "tel:+15550100001", "+1555O100001", "+15550100001;ext=5"],
)  # fmt: skip
def test_what_is_no_number(number: str) -> None:
    """Anything Twilio would not call by this text."""
    with pytest.raises(ValueError, match=r"expected a phone number in E\.164 form"):
        values.e164(number)
    if number != "*":
        with pytest.raises(ValueError, match=r'such as \+15550100001, or "\*"'):
            values.number_or_anyone(number)


def test_anyone_is_a_star() -> None:
    """For numbers that are called, not for those we dial."""
    assert values.number_or_anyone("*") == "*"


@pytest.mark.parametrize("name", ["Authorization", "COOKIE", "x-api-key", "Api-Key"])
def test_a_secret_does_not_stand_in_the_file(name: str) -> None:
    """The fault says where it belongs, and not what it is."""
    with pytest.raises(ValueError, match="secret_headers") as caught:
        values.plain_headers({name: "s3cret"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "headers", [{"X-A": "a\r\nX-B: b"}, {"X A": "a"}, {"X-A\n": "a"}, {"": "a"}]
)
def test_a_header_is_one_line(headers: dict[str, str]) -> None:
    """Nothing in the file makes two headers of one."""
    with pytest.raises(ValueError, match="expected"):
        values.plain_headers(headers)


def test_plain_headers_stay() -> None:
    """Names that HTTP allows, with any printable value."""
    assert values.plain_headers({"X-Clinic": "north"}) == {"X-Clinic": "north"}


@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"type": "object", "properties": []}])
def test_arguments_have_names(schema: dict[str, JsonValue]) -> None:
    """A tool's arguments are an object."""
    with pytest.raises(ValueError, match="expected"):
        values.an_object_s_schema(schema)


def test_hangup_is_short_for_a_mapping() -> None:
    """Whatever else is given stays."""
    assert values.short_overflow("hangup") == {"hangup": True}
    assert values.short_overflow({"say": "x"}) == {"say": "x"}
    assert values.short_overflow("dial") == "dial"


def test_every_pattern_has_words() -> None:
    """People are told what is expected, never an expression."""
    for pattern, words in values.EXPECTED.items():
        re.compile(pattern)
        assert words
