import pytest

from trunkline.sim.realtime.ids import NAME_CHARS_MAX, Ids
from trunkline.wire.realtime.items import ID_CHARS_MAX


def test_ids_are_short_and_never_alike() -> None:
    """A million things of the longest name still have ids that a client may send back."""
    ids = Ids("x" * NAME_CHARS_MAX)
    made = [make() for _ in range(1000) for make in (ids.item, ids.response, ids.call, ids.event)]
    assert len(set(made)) == len(made)
    assert max(map(len, made)) + 4 <= ID_CHARS_MAX


def test_a_session_s_name_is_bounded() -> None:
    """A longer name would make ids that are refused."""
    with pytest.raises(AssertionError):
        Ids("x" * (NAME_CHARS_MAX + 1))
