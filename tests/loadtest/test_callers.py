"""Who calls."""

import pytest

from trunkline.loadtest.callers import MEANINGS, MIXED, SCRIPTS, name_of, script_of
from trunkline.sim.caller import Interrupt, Say
from trunkline.sim.speech import recorded


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_word_has_a_clip(name: str) -> None:
    """Else the call would break in the middle."""
    texts = [step.text for step in SCRIPTS[name] if isinstance(step, Say | Interrupt)]
    assert texts
    assert all(recorded().knows(text) for text in texts)


def test_a_script_lasts_longer_than_its_call() -> None:
    """However fast each answer comes: the one who counts the time hangs up."""
    said = [step for step in script_of("talk", 60.0) if isinstance(step, Say)]
    shortest_s = sum(len(recorded().speak(step.text)) / 8000 for step in said)
    assert shortest_s + len(said) * 0.7 > 60.0


def test_callers_take_turns() -> None:
    """The scripts one after another, each with its meaning."""
    assert [name_of(number, MIXED) for number in range(5)] == [*MIXED, MIXED[0]]
    assert SCRIPTS.keys() == MEANINGS.keys() == set(MIXED)
