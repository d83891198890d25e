"""The demo's callers say what can be said, to lines that exist."""

import importlib.resources
from pathlib import Path

import pytest

from trunkline.config.file import load
from trunkline.demo.callers import CALLERS, Caller, caller
from trunkline.sim.caller import Interrupt, Listen, Say
from trunkline.sim.speech import recorded

CONFIG = Path(str(importlib.resources.files("trunkline.demo") / "line" / "trunkline.yaml"))


@pytest.mark.parametrize("one", CALLERS, ids=lambda one: one.name)
def test_a_caller_has_a_clip_for_every_word(one: Caller) -> None:
    """A word without one would end the demo in the midst of it."""
    speech = recorded()
    sentences = [step.text for step in one.script if isinstance(step, Say | Interrupt)]
    assert sentences
    assert all(speech.knows(sentence) for sentence in sentences)
    assert isinstance(one.script[0], Listen)


@pytest.mark.parametrize("one", CALLERS, ids=lambda one: one.name)
def test_a_caller_calls_a_number_of_the_demos_config(one: Caller) -> None:
    """The config file is right, without a warning, and answers each of them."""
    read = load(CONFIG)
    assert read.warnings == ()
    assert read.config.number(one.to) is not None


def test_callers_come_one_after_another_for_ever() -> None:
    """The demo can have as many calls as one likes."""
    assert [caller(number) for number in range(2 * len(CALLERS))] == [*CALLERS, *CALLERS]


def test_the_demo_shows_interruptions_fillers_and_a_handoff() -> None:
    """What it promises is in its scripts."""
    steps = [step for one in CALLERS for step in one.script]
    assert any(isinstance(step, Interrupt) for step in steps)
    words = " ".join(step.text for step in steps if isinstance(step, Say))
    assert "billing" in words
    assert "stock" in words
