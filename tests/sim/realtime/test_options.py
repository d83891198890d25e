import pytest

from trunkline.sim.realtime.options import RealtimeSimOptions, help_of


def test_every_option_says_what_it_is() -> None:
    """The command line shows these texts."""
    texts = help_of()
    assert set(texts) == set(RealtimeSimOptions.__slots__)
    assert all(texts.values())


@pytest.mark.parametrize(
    "wrong", [{"speed": 0.0}, {"delta_ms": 30}, {"think_ms": -1}, {"session_s_max": 0.0}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    """The text names the option."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RealtimeSimOptions(**wrong)  # type: ignore[arg-type]
