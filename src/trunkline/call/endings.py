"""How a call ends: last words and their limit, or at once."""

from dataclasses import replace

from trunkline.call import takeover, wording
from trunkline.call.actions import CancelTool, EndCall
from trunkline.call.phases import Phase
from trunkline.call.state import Closing, State
from trunkline.call.timers import Timer
from trunkline.core import facts
from trunkline.core.facts import Outcome


def close(s: State, closing: Closing) -> None:
    """Let the last words be said; the call ends when they were played, or at their limit.

    What the agent has queued is played before them. Nothing else is asked of the model. `s.due`,
    if there is one, was ordered by another pod, and stands in the journal.
    """
    s.closing = closing
    s.to(Phase.CLOSING)
    if s.due is None:
        s.record(facts.EndOrdered(closing.outcome, closing.reason, closing.number))
    s.due = None
    s.responses.drop_wish()
    s.timers.set(Timer.GOODBYE, s.now + s.plan.limits.goodbye_s_max)
    if not closing.cancelable:
        s.speaking = False  # The model hears no more of it, so it can't tell when it ends.


def reopen(s: State) -> None:
    """The caller spoke into a goodbye: the call goes on."""
    s.closing = None
    s.to(Phase.TALKING)
    s.record(facts.EndTakenBack())
    s.responses.drop_wish()
    s.timers.cancel(Timer.GOODBYE)


def time_is_up(s: State) -> None:
    """The call has reached its longest duration."""
    outcome, reason = Outcome.TIMED_OUT, "call_s_max"
    if s.due is not None:
        finish(s)
        return
    if s.phase is Phase.TALKING:
        close(s, Closing(outcome, reason, wording.TIME_IS_UP))
        s.responses.want(wording.TIME_IS_UP, must=True)
    elif s.phase is not Phase.CLOSING:
        end(s, outcome, reason)
    else:
        make_final(s)  # The goodbye under way will do.


def make_final(s: State) -> None:
    """From now on nobody can take the goodbye back."""
    if s.closing is not None:
        s.closing = replace(s.closing, cancelable=False)
        s.hearing = s.speaking = False


def finish(s: State) -> None:
    """The last words were played, or cut at their limit: end as was decided."""
    closing = s.closing or s.due
    assert closing is not None
    s.do(*s.voice.close_all(s.now))
    if closing.outcome is Outcome.TRANSFERRED:
        s.record(facts.TransferOrdered(closing.reason, closing.number))
    end(s, closing.outcome, closing.reason)


def fail(s: State, reason: str) -> None:
    """The conversation can't go on. A call that was closing anyway ends as it was decided."""
    if s.closing is not None or s.due is not None:
        finish(s)
    else:
        end(s, Outcome.FAILED, reason)


def end(s: State, outcome: Outcome, reason: str) -> None:
    """The call is over: write down what was under way, then the end."""
    takeover.close_past(s, goes_on=False)
    if s.digits:
        s.record(facts.DigitsPressed(s.digits))
    s.do(*s.voice.close_all(s.now))
    for tool in s.tools.stop_all():
        took_ms = round(1000 * (s.now - tool.started_at))
        s.do(CancelTool(tool.call_id))
        s.record(
            facts.ToolFinished(
                tool.call_id, tool.name, ok=False, output=wording.CANCELLED, took_ms=took_ms
            )
        )
    s.note_dropped()
    s.timers.clear()
    s.to(Phase.ENDED)
    s.record(facts.CallEnded(outcome, reason, s.turns, s.input_tokens, s.output_tokens))
    s.do(EndCall(outcome, reason))
