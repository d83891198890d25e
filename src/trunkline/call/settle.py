"""What follows from the state a call is in, whatever event brought it there.

Runs after every event and every tick: asks for the response that is wished for, plays the filler
that is due, ends a call whose last words were played, and keeps the waits that depend on several
things at once.
"""

from typing import Final

from msgspec import UNSET

from trunkline.call import away, endings, owed, rollover, wording
from trunkline.call.phases import Line, Phase
from trunkline.call.state import Relief, State
from trunkline.call.timers import Timer
from trunkline.core.facts import Outcome
from trunkline.wire.realtime import client
from trunkline.wire.realtime.client import ResponseOptions

IDLE: Final = "idle"

# After every event these are asked for: a global costs a fifth of an enum's member (Python 3.11).
_TALKING: Final = Phase.TALKING
_UP: Final = Line.UP
_READY: Final = Relief.READY
_RETRY, _STALL, _FILLER, _IDLE = Timer.RETRY, Timer.STALL, Timer.FILLER, Timer.IDLE


def settle(s: State) -> None:
    """Draw the conclusions."""
    away.settle(s)
    if not s.conversing:
        return
    answered = s.tools.pop_complete(lambda response_id: response_id != s.responses.active)
    if answered and s.closing is None:
        s.responses.want()
    if s.responses.may_ask(s.now) and not s.speaking:
        _ask(s)
    if s.closing is not None and _closed(s):
        endings.finish(s)
        return
    if s.relief is _READY and is_quiet(s):
        rollover.relieve(s)
        return
    owed.settle(s)
    _keep(s, _RETRY, s.responses.retry_at(s.now))
    _watch_response(s)
    _fill(s)
    _watch_silence(s)


def idle(s: State) -> None:
    """Nothing was heard for long: ask whether the caller is there, so often; then end."""
    limits = s.plan.limits
    if s.voice.playout.busy_until(s.now) > s.now:
        return  # Something plays after all: `settle` waits again.
    if s.idle_prompts >= limits.idle_prompts_max:
        endings.end(s, Outcome.TIMED_OUT, IDLE)
        return
    s.idle_prompts += 1
    s.responses.want(wording.ASK_IF_THERE)


def stalled(s: State) -> None:
    """A response was silent for long; one that gave a sign meanwhile is watched on."""
    at = s.responses.stalls_at
    if at is not None and s.now >= at:
        rollover.replace(s, "stalled", skip=s.plan.models > 1)


def _ask(s: State) -> None:
    event_id, wish = s.responses.ask(s.now)
    if not wish.order:
        s.tell(client.CreateResponse(event_id=event_id))
        return
    told = s.agent.session.instructions
    order = wording.for_one_response("" if told is UNSET else told, wish.order)
    s.tell(client.CreateResponse(ResponseOptions(instructions=order), event_id))


def is_quiet(s: State) -> bool:
    """Nobody speaks, nothing plays, nothing is awaited: the moment to change sessions."""
    awaited = s.tools.running or s.digits or s.turn_unanswered or s.handing is not None
    calm = s.responses.quiet and not s.speaking and s.voice.playout.drained
    return s.phase is _TALKING and s.line is _UP and calm and not awaited


def _closed(s: State) -> bool:
    """The last words were played, and no tool is left that the model was promised."""
    return s.responses.quiet and s.voice.playout.drained and not s.tools.running


def _watch_response(s: State) -> None:
    at = s.responses.stalls_at
    if at is None:
        s.timers.cancel(_STALL)
    elif _STALL not in s.timers:
        s.timers.set(_STALL, at)


def _fill(s: State) -> None:
    """A slow tool: let the caller hear that the agent is still there, when nothing else plays."""
    due = s.tools.filler_at
    free = s.phase is _TALKING and s.line is _UP and not s.speaking
    if due is None or not free or not s.responses.quiet or not s.plan.fillers:
        s.timers.cancel(_FILLER)
        return
    at = max(due, s.voice.playout.busy_until(s.now))
    if at > s.now:
        s.timers.set(_FILLER, at)
        return
    s.tools.filled(s.now)
    owed.filler(s)
    _fill(s)


def _watch_silence(s: State) -> None:
    """Silence is when nobody speaks or plays, and nobody is awaited but the caller."""
    awaited = not s.responses.quiet or s.tools.running or s.speaking or s.digits
    if s.phase is not _TALKING or s.line is not _UP or awaited:
        s.timers.cancel(_IDLE)
    elif _IDLE not in s.timers:
        s.timers.set(_IDLE, s.voice.playout.busy_until(s.now) + s.plan.limits.idle_s)


def _keep(s: State, timer: Timer, at: float | None) -> None:
    if at is None:
        s.timers.cancel(timer)
    else:
        s.timers.set(timer, at)
