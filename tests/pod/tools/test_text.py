import pytest
from hypothesis import given, strategies

from trunkline.pod.tools.text import fit


@pytest.mark.parametrize(
    ("said", "fitted"),
    [("", ""), ("grüß Gott ☎", "grüß Gott ☎"), ("a\0b", "a�b"), ("a\ud800b\udfff", "a�b�")],
)
def test_what_the_stores_refuse_is_replaced(said: str, fitted: str) -> None:
    """NUL and half characters; nothing else changes."""
    assert fit(said) == fitted


@given(strategies.text(strategies.characters(codec=None)))
def test_whatever_was_said_fits(said: str) -> None:
    """It can be encoded, and Postgres would take it."""
    fitted = fit(said)
    assert b"\0" not in fitted.encode()
    assert len(fitted) == len(said)
