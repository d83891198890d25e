"""The scripts themselves can fail."""

import pytest

from call.script import SID, Script, plan, talking
from trunkline.call.actions import Note, NoteName, OpenModel
from trunkline.call.events import CallerHungUp, StreamStarted
from trunkline.call.machine import Call
from trunkline.core import facts


def test_a_script_shows_what_came_and_what_was_wanted() -> None:
    """A mismatch tells the story so far and the difference."""
    script = Script(Call(plan()))
    script >> StreamStarted(SID) << facts.StreamOpened("MZ9") << OpenModel
    with pytest.raises(AssertionError, match=r"(?s)>> StreamStarted.*- StreamOpened.*\+ StreamO"):
        script.check()


def test_a_script_notices_what_is_missing() -> None:
    """Something wanted that did not come fails."""
    script = talking()
    script.wait(1.0) << OpenModel
    with pytest.raises(AssertionError, match=r"- <class"):
        script.check()


def test_a_script_notices_what_is_too_much() -> None:
    """Something that came and was not wanted fails, before the next event."""
    script = Script(Call(plan()))
    script >> StreamStarted(SID)
    with pytest.raises(AssertionError, match=r"\+ OpenModel"):
        script >> CallerHungUp("completed")


def test_notes_are_compared_where_a_script_names_them() -> None:
    """A note that a script does not name is no mismatch; one that it names must come."""
    script = Script(Call(plan()))
    script >> StreamStarted(SID) << facts.StreamOpened(SID)
    script << Note(NoteName.PHASE, "opening") << OpenModel
    script.check()
    script.wait(1.0) << Note
    with pytest.raises(AssertionError, match="Note"):
        script.check()
