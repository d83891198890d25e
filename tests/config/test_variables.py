import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.config.variables import VALUE_CHARS_MAX, Filled, fill, names, strays

ANNA = {"name": "Anna", "day": "Monday"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Hello {{name}}.", "Hello Anna."),
        ("{{ name }}, {{name}}: {{day}}", "Anna, Anna: Monday"),
        ("no place", "no place"),
        ("{name} {{{{name}}}}", "{name} {{name}}}}"),
        ("{{{{", "{{"),
        ("{{1st}} {{}} {{a b}} {{", "{{1st}} {{}} {{a b}} {{"),
        ("", ""),
    ],
)
def test_places_are_filled(text: str, filled: str) -> None:
    """By name, however often; a doubled brace pair is a plain one."""
    assert fill(text, ANNA) == Filled(filled, ())


def test_an_unknown_name_leaves_nothing() -> None:
    """And is listed once."""
    assert fill("{{a}}-{{b}}-{{a}}-{{name}}", ANNA) == Filled("---Anna", ("a", "b"))
    assert names("{{a}} {{b}} {{a}} {{{{c}}") == ("a", "b")


def test_a_value_is_only_text() -> None:
    """What a caller or a hook gave is not filled in again."""
    assert fill("{{a}}", {"a": "{{name}} {{{{", "name": "Anna"}).text == "{{name}} {{{{"


def test_a_long_value_is_cut() -> None:
    """It would be told to the model in each turn."""
    assert len(fill("{{a}}", {"a": "x" * 10_000}).text) == VALUE_CHARS_MAX


@pytest.mark.parametrize(
    ("text", "stray"),
    [
        ("{{name}}", False),
        ("{{{{", False),
        ("{x}", False),
        ("{{first name}}", True),
        ("{{name}", True),
        ("{{", True),
    ],
)
def test_a_place_that_is_none(text: str, *, stray: bool) -> None:
    """Likely a typing error."""
    assert strays(text) is stray


@given(st.text("{}ab _", max_size=40), st.dictionaries(st.text("ab_", min_size=1), st.text()))
def test_any_text_is_filled(text: str, variables: dict[str, str]) -> None:
    """Every name is filled in or listed."""
    filled = fill(text, variables)
    assert set(filled.unknown) == set(names(text)) - set(variables)


@given(st.text())
def test_braces_survive_when_doubled(text: str) -> None:
    """What a person escapes comes out as it was."""
    assert fill(text.replace("{{", "{{{{"), {}).text == text
