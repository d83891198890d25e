"""Dead air: a caller who is owed a sound hears one within two seconds.

A sound is owed after the answer, after each of the caller's turns, and after a line or a session
came back. Whatever is played pays; what does not come in time is a filler, and counted.
"""

from typing import Final

from trunkline.call.actions import NoteName
from trunkline.call.phases import Line, Phase
from trunkline.call.state import Owed, State
from trunkline.call.timers import Timer
from trunkline.core import facts

DEAD_AIR_S: Final = 1.9
"""From when it is owed to the filler: with the way to the caller two seconds."""

FILLER_AGAIN_S: Final = 6.0
"""From a filler's end to the next one while nothing else comes."""

TURN_END_S: Final = 0.5
"""The caller's turn ended so long before the model noticed: a silence of this length told it."""


def owe(s: State, cause: Owed, since: float) -> None:
    """From `since` on the caller waits for a sound. What plays already is one."""
    if s.phase is Phase.ENDED:
        return
    s.owed, s.owed_since, s.answered = cause, since, False
    s.timers.set(Timer.DEAD_AIR, max(since + DEAD_AIR_S, s.now))


def pay(s: State) -> None:
    """The caller hears something, or speaks, or nothing more will come: nothing is owed."""
    s.owed = None
    s.timers.cancel(Timer.DEAD_AIR)


def due(s: State) -> None:
    """Nothing came in time: play a filler, unless something plays or the caller can't hear."""
    if s.owed is None or s.line is not Line.UP or s.speaking:
        return  # A line that comes back owes anew; so does the turn's end.
    ends_at = s.voice.playout.ends_at(s.now)
    if ends_at > s.now:
        s.timers.set(Timer.DEAD_AIR, ends_at + DEAD_AIR_S)
        return
    s.record(facts.DeadAir(s.owed))
    s.note(NoteName.DEAD_AIR, s.owed)
    filler(s)
    if not _more_may_come(s):
        pay(s)


def filler(s: State) -> None:
    """Let the caller hear that the line is alive; they take turns."""
    if s.plan.fillers:
        clip = s.plan.fillers[s.fillers_played % len(s.plan.fillers)]
        s.fillers_played += 1
        s.do(*s.voice.clip(clip.payload, s.now))
        s.note(NoteName.FILLER)
    if s.owed is not None:
        s.timers.set(Timer.DEAD_AIR, s.voice.playout.ends_at(s.now) + FILLER_AGAIN_S)


def settle(s: State) -> None:
    """A response that is over without a sound was the answer, if nothing follows from it."""
    if s.owed is not None and s.answered and not _more_may_come(s):
        pay(s)


def _more_may_come(s: State) -> bool:
    return s.away is not None or not s.responses.quiet or s.tools.running
