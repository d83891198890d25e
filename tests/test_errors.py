"""Failures are told apart by whose fault they are, and carry what an answer needs."""

import inspect

import pytest

from trunkline import errors
from trunkline.errors import (
    Behind,
    CarrierProtocolError,
    ModelProtocolError,
    SettingsError,
    StoreError,
    TrunklineError,
    naming,
)

FAMILIES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, TrunklineError)
]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_failure_of_ours_is_one_family(family: type[TrunklineError]) -> None:
    """The command line catches the root of the tree and prints the text."""
    place = (1, "0" * 64) if family is Behind else ()
    assert str(family("what went wrong", *place)) == "what went wrong"
    assert family.__doc__


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Who reads the module's head knows every family."""
    assert errors.__doc__ is not None
    assert all(family.__name__ in errors.__doc__ for family in FAMILIES)


def test_protocol_errors_carry_what_the_other_end_is_told() -> None:
    """Twilio's warning code; the realtime protocol's code and parameter."""
    assert CarrierProtocolError("not acceptable").code == 31951
    assert CarrierProtocolError("malformed", 31950).code == 31950
    wrong = ModelProtocolError("no such voice", "invalid_value", "session.audio.output.voice")
    assert (wrong.code, wrong.param) == ("invalid_value", "session.audio.output.voice")


def test_a_stores_failure_can_name_the_setting_that_led_there() -> None:
    """Once, and nothing else is touched: a wrong setting names itself."""
    told = r"^TRUNKLINE_REDIS_URL: Redis did not answer in time$"
    with pytest.raises(StoreError, match=told), naming("TRUNKLINE_REDIS_URL"):
        raise StoreError("Redis did not answer in time")
    with pytest.raises(SettingsError, match=r"^wrong$"), naming("TRUNKLINE_REDIS_URL"):
        raise SettingsError("wrong")
