"""The call: events and the time go in, actions come out. Decides with no await, no clock, no log.

`receive` is called for every frame of a call, so the two audio events come first and touch
nothing but their own account. What an event means is written in the module of its subject
(streams, sessions, turns, tooling, endings); what follows from where that leaves the call, in
`settle`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, assert_never

from trunkline.call import (
    away,
    endings,
    owed,
    rollover,
    sessions,
    streams,
    takeover,
    tooling,
    turns,
)
from trunkline.call.actions import Action, ToModel
from trunkline.call.events import (
    CallerHungUp,
    Drained,
    Event,
    ModelAway,
    ModelLost,
    ModelOpened,
    Own,
    StreamLost,
    StreamPromised,
    StreamStarted,
    ToolReturned,
)
from trunkline.call.phases import Line, Phase
from trunkline.call.plan import CallPlan
from trunkline.call.settle import idle, is_quiet, settle, stalled
from trunkline.call.so_far import Takeover
from trunkline.call.state import State
from trunkline.call.timers import Timer
from trunkline.wire import twilio
from trunkline.wire.realtime import client, server


class Call:
    """One call, from its first stream to its end; or from where another pod left it.

    Feed it every event with the time it came (seconds, any monotonic clock), do what it says in
    that order, and call `tick` when `deadline` has come. It never raises for what a peer does.
    After `EndCall` it says nothing more.
    """

    __slots__ = ("_state",)

    def __init__(self, plan: CallPlan, taken_over: Takeover | None = None) -> None:
        assert plan.first_agent in plan.agents
        assert all(agent.handoffs <= plan.agents.keys() for agent in plan.agents.values())
        if taken_over is None:
            self._state = State(plan, plan.agents[plan.first_agent])
        else:
            self._state = takeover.state_of(plan, taken_over)

    @property
    def phase(self) -> Phase:
        """Where the call is in its life."""
        return self._state.phase

    @property
    def line(self) -> Line:
        """Whether a stream carries it at present."""
        return self._state.line

    @property
    def is_quiet(self) -> bool:
        """Whether nobody speaks, nothing is unplayed, no tool runs: a good moment for a break."""
        return is_quiet(self._state)

    @property
    def frames_ignored(self) -> int:
        """Messages of streams that were not the present one."""
        return self._state.frames_ignored

    @property
    def frames_out_of_order(self) -> int:
        """Frames whose sequence number was not above the one before; passed on all the same."""
        return self._state.frames_out_of_order

    def size(self) -> int:
        """How many entries all tables hold together: bounded, whatever the peers do."""
        return self._state.size()

    def deadline(self) -> float | None:
        """When `tick` must come, if at all."""
        return self._state.timers.next

    def tick(self, now: float) -> list[Action]:
        """End the waits that are over by now."""
        s = self._state
        s.now = now
        s.out = out = list[Action]()
        while (timer := s.timers.pop_due(now)) is not None:
            _WAITED[timer](s)
        settle(s)
        return out

    def receive(self, event: Event, now: float) -> list[Action] | ToModel:
        """Say what shall be done about an event.

        A frame that is passed on is answered by that one action: no wait changes with it, nor
        anything else that `deadline` or `phase` tell.
        """
        s = self._state
        if type(event) is twilio.Media and event.stream_sid == s.voice.playout.stream_sid:
            streams.count(s, event.sequence_number)
            if s.hearing:
                return ToModel(client.AppendAudio(event.media.payload))
        s.now = now
        s.out = out = list[Action]()
        if type(event) is server.AudioDelta and s.has_model:
            turns.audio_came(s, event)
            return out
        if s.phase is Phase.ENDED:
            return out
        if isinstance(event, twilio.FromCarrier):
            streams.received(s, event)
        elif isinstance(event, Own):
            _own(s, event)
        else:
            sessions.received(s, event)
        settle(s)
        return out


def _own(s: State, event: Own) -> None:
    """What the pod says."""
    match event:
        case StreamStarted():
            streams.started(s, event)
        case StreamLost():
            streams.lost(s, event.reason)
        case StreamPromised():
            streams.promised(s)
        case CallerHungUp():
            streams.hung_up(s, event.status)
        case ModelOpened():
            sessions.opened(s, event)
        case ModelAway():
            sessions.away_now(s, event)
        case ModelLost():
            sessions.lost(s, event)
        case ToolReturned():
            tooling.returned(s, event.call_id, ok=event.ok, output=event.output)
        case Drained():
            endings.fail(s, event.reason)
        case _:
            assert_never(event)


def _nothing(s: State) -> None:
    """`settle` does what was waited for."""


def _spoke_enough(s: State) -> None:
    """Speech without an end is taken as ended."""
    s.speaking = False


_WAITED: Final[Mapping[Timer, Callable[[State], None]]] = MappingProxyType(
    {
        Timer.SETTINGS: sessions.not_set_up,
        Timer.SCRIPT: away.tell,
        Timer.AWAY: away.give_up,
        Timer.ROLLOVER: rollover.grow_old,
        Timer.PROBE: sessions.probe,
        Timer.DEAD_AIR: owed.due,
        Timer.ANSWER: turns.unanswered,
        Timer.LONGEST_CALL: endings.time_is_up,
        Timer.GOODBYE: endings.finish,
        Timer.STREAM: streams.not_back,
        Timer.DIGITS: streams.pass_digits,
        Timer.SPEECH: _spoke_enough,
        Timer.IDLE: idle,
        Timer.STALL: stalled,
        Timer.RETRY: _nothing,
        Timer.FILLER: _nothing,
    }
)
"""What is done when a wait is over."""

assert _WAITED.keys() == set(Timer)
