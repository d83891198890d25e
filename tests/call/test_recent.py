"""A bounded memory of names."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.call.recent import Recent

KEYS = st.lists(st.sampled_from("abcdef"))


@given(KEYS)
def test_the_newest_are_remembered_and_no_more(keys: list[str]) -> None:
    """A key that is remembered is no news; the oldest goes for a new one."""
    recent = Recent(3)
    model: list[str] = []
    for key in keys:
        assert recent.add(key) is (key not in model)
        model = model if key in model else [*model, key][-3:]
        assert [k for k in "abcdef" if k in recent] == sorted(model)
        assert len(recent) == len(model)


def test_a_key_can_be_forgotten() -> None:
    """Forgetting twice does nothing."""
    recent = Recent(2)
    recent.add("a")
    recent.discard("a")
    recent.discard("a")
    assert "a" not in recent
