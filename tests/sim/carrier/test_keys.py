"""The keys that a `<Gather>` collects."""

from trunkline.sim.carrier.keys import GATHER_DIGITS_MAX, Keys
from trunkline.wire.twiml_reading import Gather


def test_a_finish_key_ends_the_collection() -> None:
    """It is no digit itself."""
    keys = Keys(Gather())
    assert not keys.press("1")
    assert keys.press("#")
    assert keys.result == (("Digits", "1"), ("FinishedOnKey", "#"))


def test_so_many_digits_end_the_collection() -> None:
    """As many as asked for."""
    keys = Keys(Gather(num_digits=2, finish_on_key=""))
    assert not keys.press("#")
    assert keys.press("7")
    assert dict(keys.result or ())["Digits"] == "#7"


def test_nothing_pressed_is_no_result_unless_asked_for() -> None:
    """Then the next verb runs, or the action is asked with no digits."""
    assert Keys(Gather()).result is None
    assert Keys(Gather(action_on_empty_result=True)).result == (
        ("Digits", ""),
        ("FinishedOnKey", ""),
    )


def test_a_collection_is_bounded() -> None:
    """Somebody leans on the keys."""
    keys = Keys(Gather())
    presses = [keys.press("1") for _ in range(GATHER_DIGITS_MAX)]
    assert presses == [False] * (GATHER_DIGITS_MAX - 1) + [True]
