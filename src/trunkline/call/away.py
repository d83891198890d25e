"""A call without a model: its session is gone, or its model fails, and another is looked for.

The caller is on the line all the while. First a filler (`owed`), then the fallback script; then
fillers while the search goes on in the background. Whoever had a conversation is kept for long;
who never had one gets the number's overflow action when the script was played.
"""

from typing import Final

from trunkline.call import endings, owed
from trunkline.call.actions import NoteName
from trunkline.call.phases import Line, Phase
from trunkline.call.state import Away, Owed, State
from trunkline.call.timers import Timer
from trunkline.core import facts

SCRIPT_AFTER_S: Final = 2.9
"""Without a model for so long: the fallback script is played. With the way to the caller 3 s."""

MODEL_AWAY: Final = "model_away"
"""Why a call ended for which no model was found in time."""


def gone(s: State, cause: str) -> None:
    """No model from now on: another is looked for."""
    if s.away is None:
        # A caller who waits for an answer already waits for it since then.
        since = s.now if s.owed is None else min(s.now, s.owed_since)
        s.away = Away(since, cause)
        s.timers.set(Timer.SCRIPT, max(since + SCRIPT_AFTER_S, s.now))
        s.timers.set(Timer.AWAY, s.now + s.plan.limits.model_away_s_max)
    s.away.cause = cause


def hopeless(s: State, reason: str) -> None:
    """Every model was asked in vain: the caller need not wait any longer to be told."""
    if s.away is not None:
        s.away.cause = reason
        if s.due is not None:
            endings.finish(s)  # Its last words can't be said.
        elif not s.away.said:
            s.timers.set(Timer.SCRIPT, s.now)


def tell(s: State) -> None:
    """Play the fallback script, once; after it fillers keep the line alive (`owed`)."""
    away = s.away
    ending = s.closing is not None or s.due is not None
    if away is None or away.said or s.line is not Line.UP or ending:
        return  # A line that comes back is told then; a goodbye stays as it is.
    away.said = True
    script = s.agent.fallback
    if script is not None:
        s.record(facts.FallbackPlayed(away.cause))
        s.note(NoteName.FALLBACK, away.cause)
        s.do(*s.voice.clip(script.payload, s.now))
    owed.owe(s, Owed.SESSION, s.voice.playout.ends_at(s.now))


def line_back(s: State) -> None:
    """The stream came back while there is no model: what was due meanwhile is said now."""
    away = s.away
    if away is not None and not away.said and s.now >= away.since + SCRIPT_AFTER_S:
        s.timers.set(Timer.SCRIPT, s.now)


def settle(s: State) -> None:
    """Who never had a conversation waits no longer than the script."""
    away = s.away
    if away is None or s.conversed or s.phase is Phase.ENDED or s.line is not Line.UP:
        return
    if away.said and s.voice.playout.drained:
        give_up(s)


def give_up(s: State) -> None:
    """No model was found in time."""
    endings.fail(s, MODEL_AWAY)


def back(s: State) -> None:
    """A model speaks, or listens again: what stood in for it is dropped unheard."""
    away, s.away = s.away, None
    s.timers.cancel(Timer.SCRIPT)
    s.timers.cancel(Timer.AWAY)
    if away is not None and away.said:
        s.do(*s.voice.hush(s.now))
