"""A call that comes from another pod, which is dead or drains: how this one begins with it.

Stream and session are both new. The caller has waited already, so they hear a sound soon; what was
said and heard is told to the new session as to any that follows another (`rollover`).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from trunkline.call import wording
from trunkline.call.actions import RunTool
from trunkline.call.history import History
from trunkline.call.plan import CallPlan, Tool, ToolKind
from trunkline.call.so_far import CallSoFar, InFlight, Takeover
from trunkline.call.state import Closing, State
from trunkline.call.tools import read_arguments
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.core.redaction import MARKER

WAITED_S: Final = 1.0
"""So long the caller has heard nothing, at least, when the stream of another pod starts: the way
from a loss to the carrier's next verb. The sound that is owed is owed since then."""


class Way(StrEnum):
    """How a call goes on at another pod."""

    TAKEN_OVER = "taken_over"
    GREET = "greet"
    GO_ON = "go_on"
    LAST_WORDS = "last_words"
    OVER = "over"


WAYS: Final[Mapping[Way, Mapping[Way, str]]] = MappingProxyType(
    {
        Way.TAKEN_OVER: {
            Way.GREET: "nothing was heard or said, and the agent greets",
            Way.GO_ON: "something was, or the agent waits for the caller",
            Way.LAST_WORDS: "an end or a transfer had been ordered",
            Way.OVER: "a transfer had been announced",
        },
        Way.GREET: {Way.GO_ON: "the greeting is heard"},
        Way.GO_ON: {},
        Way.LAST_WORDS: {
            Way.GO_ON: "the caller speaks into a goodbye",
            Way.OVER: "they were played, or cut at their limit, or no model can be had",
        },
        Way.OVER: {},
    }
)

_LAST_WORDS: Final[Mapping[Outcome, str]] = MappingProxyType(
    {
        Outcome.AGENT_ENDED: wording.SAY_GOODBYE,
        Outcome.TRANSFERRED: wording.ANNOUNCE_TRANSFER,
        Outcome.TIMED_OUT: wording.TIME_IS_UP,
    }
)


def way(so_far: CallSoFar, *, greets: bool) -> Way:
    """How the call goes on. `greets`: its agent opens the conversation."""
    if so_far.transfer is not None:
        return Way.OVER
    if so_far.ordered is not None:
        return Way.LAST_WORDS
    return Way.GREET if greets and not so_far.conversed else Way.GO_ON


def state_of(plan: CallPlan, takeover: Takeover) -> State:
    """What this pod knows of the call before its stream starts here."""
    so_far = takeover.so_far
    assert so_far.ended is None, "an ended call can't be taken over"
    agent = plan.agents.get(so_far.agent) or plan.agents[plan.first_agent]
    state = State(plan, agent, history=History(so_far.told), takeover=takeover)
    goes_on = way(so_far, greets=bool(agent.greeting)) is not Way.GREET
    state.conversed = state.debt = state.interrupted = goes_on
    state.turns = so_far.turns
    if so_far.ordered is not None:
        state.due = _closing(so_far.ordered)
    return state


def close_past(s: State, *, goes_on: bool) -> Takeover | None:
    """Write down as far as it is known what the other pod left open; say what came from it.

    What the agent was saying is said as far as it was heard. A tool that may be asked twice runs
    again, if the call goes on, under the key that it had; of others nobody knows what came.
    """
    takeover, s.takeover = s.takeover, None
    if takeover is None:
        return None
    for said in takeover.so_far.half_heard:
        s.record(said)
        s.voice.know(said.item_id)
    for left in takeover.so_far.in_flight:
        tool = _to_run_again(s, left) if goes_on else None
        s.tools.take(left.call_id)
        if tool is not None:
            s.tools.start(left.call_id, tool, "", s.now)
            s.do(RunTool(left.call_id, left.name, left.arguments))
        else:
            unknown = wording.OUTCOME_UNKNOWN
            took_ms = takeover.took_ms(left)
            s.record(
                facts.ToolFinished(
                    left.call_id, left.name, ok=False, output=unknown, took_ms=took_ms
                )
            )
    s.tools.detach()
    return takeover


def _to_run_again(s: State, left: InFlight) -> Tool | None:
    """The tool, if it may be asked again with what the journal has of its arguments."""
    agents = (s.agent, *s.plan.agents.values())
    tool = next((agent.tools[left.name] for agent in agents if left.name in agent.tools), None)
    if tool is None or not tool.idempotent or s.tools.full:
        return None
    if tool.kind not in {ToolKind.HTTP, ToolKind.PYTHON}:
        return None
    whole = read_arguments(left.arguments) is not None and MARKER.search(left.arguments) is None
    return tool if whole else None


def _closing(ordered: facts.EndOrdered) -> Closing:
    """The end that was ordered, its last words not said yet."""
    return Closing(
        ordered.outcome,
        ordered.reason,
        _LAST_WORDS.get(ordered.outcome, wording.SAY_GOODBYE),
        cancelable=ordered.outcome is Outcome.AGENT_ENDED,
        number=ordered.number,
    )
