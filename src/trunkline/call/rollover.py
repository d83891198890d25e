"""One session follows another while the line stays up: lost, useless or old, it is replaced.

What the next one is told is the call's history as it was heard; what was asked of the last one
and not answered is asked of the next.
"""

from typing import Final

from trunkline.call import away, endings, owed, wording
from trunkline.call.actions import BlameModel, DropModel, OpenModel, TakeModel
from trunkline.call.phases import Phase
from trunkline.call.responses import Responses
from trunkline.call.state import Owed, Relief, State
from trunkline.call.timers import Timer
from trunkline.core import facts
from trunkline.wire.realtime import client

SETTINGS_UPDATE: Final = "session"
"""Event id of the update that sets a session up: an error that answers it refuses the settings."""

SETTINGS_S_MAX: Final = 2.0
"""A session that did not take its settings by then is of no use."""

ROLLOVER: Final = "rollover"
"""Why a session was given up that had only grown old."""

ROLLOVER_PATIENCE_S: Final = 180.0
"""So long a session that is old waits for a quiet moment; then it is replaced all the same."""

LISTEN_FIRST_S: Final = 0.5
"""A new session hears what the caller said meanwhile before it is asked to speak."""

LOSS_PAUSE_S: Final = 0.25
LOSS_PAUSE_S_MAX: Final = 2.0
"""After the second session lost in a row, so long until the next is asked for; doubles."""

BLAMELESS: Final = frozenset({ROLLOVER, "session_expired", "going_away", "session_refused"})
"""Ends of sessions that tell nothing against their model."""

_OF_A_SESSION: Final = (
    Timer.SPEECH,
    Timer.ANSWER,
    Timer.STALL,
    Timer.RETRY,
    Timer.PROBE,
    Timer.IDLE,
    Timer.SETTINGS,
    Timer.ROLLOVER,
)


def replace(s: State, reason: str, *, skip: bool = False) -> None:
    """The session is gone, or of no use: another goes on. `skip`: of the list's next model."""
    s.record(facts.SessionLost(reason))
    s.do(DropModel())
    if reason not in BLAMELESS:
        s.do(BlameModel(reason, s.session_made_at))
    if s.closing is not None:
        # What was said is played to its end; no new session is worth opening for a goodbye.
        _let_go(s)
        endings.make_final(s)
        return
    s.losses += 1
    away.gone(s, reason)
    _let_go(s)
    s.to(Phase.OPENING)
    if s.relief is Relief.READY:
        take(s)
    elif s.relief is Relief.NONE:
        s.do(OpenModel(skip=skip, pause_s=_pause_s(s.losses)))
    # Else one is on its way.


def take(s: State) -> None:
    """The session that was opened last is ours: tell it who it is."""
    s.relief = Relief.NONE
    s.do(TakeModel())
    s.to(Phase.INSTRUCTING)
    s.settings = s.agent
    s.tell(client.SessionUpdate(s.agent.session, SETTINGS_UPDATE))
    s.timers.set(Timer.SETTINGS, s.now + SETTINGS_S_MAX)


def grow_old(s: State) -> None:
    """The session's age: have the next one ready; at the last moment take it, quiet or not."""
    if s.relief is Relief.NONE:
        s.relief = Relief.SOUGHT
        s.do(OpenModel())
        s.timers.set(Timer.ROLLOVER, s.now + ROLLOVER_PATIENCE_S)
    elif s.relief is Relief.READY and s.phase is Phase.TALKING:
        relieve(s)


def relieve(s: State) -> None:
    """The next session takes over from one that is well."""
    s.record(facts.SessionLost(ROLLOVER))
    _let_go(s)
    take(s)


def go_on(s: State) -> None:
    """The settings hold, in a call that had a session before: tell the new one what was said."""
    note = "" if s.debt else wording.SEEDED
    running, saying = s.tools.detached, s.voice.saying()
    for item in s.history.seed(s.item_id, running=running, saying=saying, note=note):
        s.create_item(item)
    if s.due is not None:
        s.debt = False
        order = s.due.order
        endings.close(s, s.due)
        s.responses.want(order, must=True)
        s.responses.hold(s.now + LISTEN_FIRST_S)
        return
    if not s.debt:
        away.back(s)
        return
    s.debt = False
    order = wording.GO_ON_AFTER_BREAK if s.interrupted else wording.GO_ON_AFTER_LOSS
    if s.away is not None and s.away.said:
        order = f"{order} {wording.APOLOGISE}"
    s.responses.want(order)
    s.responses.hold(s.now + LISTEN_FIRST_S)
    if s.owed is None:
        owed.owe(s, Owed.SESSION, s.voice.playout.ends_at(s.now))


def failing(s: State, reason: str) -> None:
    """A response failed, or was refused, once more than is bearable: the next model, if any."""
    if s.closing is not None:
        endings.fail(s, "response_failed")
    elif s.plan.models > 1:
        s.debt = True
        replace(s, reason, skip=True)
    else:
        away.hopeless(s, reason)


def _let_go(s: State) -> None:
    """Nothing of the session counts any more; what it left unanswered is owed."""
    unanswered = s.turn_unanswered or s.speaking or s.tools.unanswered
    s.debt = s.debt or not s.responses.quiet or unanswered
    s.do(*s.voice.let_go(s.now))
    s.responses = Responses()
    s.tools.detach()
    s.speaking = s.probing = s.has_model = False
    s.handing = None
    for timer in _OF_A_SESSION:
        s.timers.cancel(timer)


def _pause_s(losses: int) -> float:
    return 0.0 if losses <= 1 else min(LOSS_PAUSE_S * 2 ** min(losses - 2, 8), LOSS_PAUSE_S_MAX)
