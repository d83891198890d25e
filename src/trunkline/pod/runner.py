"""One call in act: its sockets, its timer, its tasks. The call itself decides.

Everything a call owns hangs on the TaskGroup in `run`: when `run` returns, nothing of the call
is left in the pod. Events come in by plain calls from the sockets' callbacks; the actions they
yield are performed before the callback returns, and an event that an action brings about waits
until the others are performed: two events never interleave.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Final, assert_never

from trunkline.call.actions import (
    Action,
    BlameModel,
    CancelTool,
    DropModel,
    EndCall,
    MeterLimit,
    MeterUse,
    Note,
    OpenModel,
    Record,
    RunTool,
    TakeModel,
    ToCaller,
    ToModel,
)
from trunkline.call.events import (
    CallerHungUp,
    Drained,
    Event,
    StreamLost,
    StreamPromised,
    StreamStarted,
    ToolReturned,
)
from trunkline.call.machine import Call
from trunkline.call.plan import CallPlan
from trunkline.call.so_far import Takeover
from trunkline.core import facts
from trunkline.core.facts import CallEnded, Fact, Outcome
from trunkline.core.ids import CallSid, StreamSid
from trunkline.pod.alarm import Alarm
from trunkline.pod.seat import ModelSeat
from trunkline.pod.surroundings import SessionDoor, StreamSocket, Surroundings, Toolbox
from trunkline.telemetry.logs import LogName
from trunkline.wire import twilio

END_SETTLE_S_MAX: Final = 2.0
"""So long the end of a call waits for the journal; then the stream is closed all the same, and the
recorder goes on trying."""

Work = Callable[[], Coroutine[None, None, None]]
"""What a task of a call will do. It is no coroutine before the task runs: one that never does would
warn of it."""


class CallRunner:
    """The only asyncio in a call."""

    def __init__(
        self,
        call: CallSid,
        plan: CallPlan,
        doors: Sequence[SessionDoor],
        tools: Toolbox,
        around: Surroundings,
        *,
        on_fact: Callable[[Fact], None] | None = None,
        first_model: int = 0,
        on_seated: Callable[[int], None] = lambda _: None,
        taken_over: Takeover | None = None,
        was_silent: Callable[[], bool] = lambda: False,
    ) -> None:
        """`first_model` is the place in `doors` that is asked first; `on_seated` is told the place
        of each session that the call takes. `taken_over`: another pod carried the call before.
        `was_silent`: whether other pods may have taken this one for dead.
        """
        self.call = call
        self.ended: EndCall | None = None
        self._machine = Call(plan, taken_over)
        self._tools = tools
        self._kinds = {
            tool.name: tool.kind for agent in plan.agents.values() for tool in agent.tools.values()
        }
        self._around = around
        self._model = ModelSeat(
            doors,
            around.metrics,
            self.feed,
            first=first_model,
            on_seated=on_seated,
            jitter=around.jitter,
        )
        self._on_fact = on_fact
        self._was_silent = was_silent
        self._loop = asyncio.get_running_loop()
        self._socket: StreamSocket | None = None
        self._to_caller_timed = around.metrics.timed_to_caller
        self._acting = False
        self._later: deque[Event] = deque()
        """Events that an action of the present one has brought about: a few at most."""
        self._end_recorded = False
        self._over = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._running_tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[Work, str]] = []
        self._running_tools: dict[str, asyncio.Task[None]] = {}
        self._timer = Alarm(self._tick)

    @property
    def phase(self) -> str:
        """Where the call is in its life."""
        return self._machine.phase.value

    @property
    def is_quiet(self) -> bool:
        """Whether this is a good moment for a break."""
        return self._machine.is_quiet

    @property
    def has_stream(self) -> bool:
        """Whether a stream carries it now."""
        return self._socket is not None

    def deadline(self) -> float | None:
        """When the call's timer fires next, if it is set."""
        return self._timer.at

    async def run(self) -> None:
        """Carry the call to its end, and leave nothing of it behind. A bug ends this call only."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for work, name in self._waiting:
                    self._start(work, name)
                self._waiting.clear()
                await self._over.wait()
                await self._leave()
        except Exception as bug:  # noqa: BLE001 - the root of a call: a bug ends this one only
            self._fail(bug)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of all that the call holds, at once: `run` is over, or was never entered."""
        if self.ended is None:
            self.ended = EndCall(Outcome.FAILED, "abandoned")
        self._tasks = None
        self._waiting.clear()
        self._timer.stop()
        self._model.leave()
        if self._socket is not None:
            self._socket.close()

    # Events: from the sockets' callbacks, the pod's HTTP side, and the tasks below.

    def stream_started(self, socket: StreamSocket, stream: StreamSid) -> None:
        """A stream with a valid ticket takes the call; an older one is closed."""
        if self.ended is not None:
            socket.close()
            return
        older, self._socket = self._socket, socket
        if older is not None and older is not socket:
            older.close()
        self.feed(StreamStarted(stream))

    def from_carrier(self, socket: StreamSocket, message: twilio.FromCarrier) -> None:
        """A message of a stream; those of a stream that was replaced are ignored."""
        if socket is self._socket:
            if type(message) is twilio.Stop and self._was_silent():
                # Another pod may have asked the carrier to run the redirect: that stops a stream.
                self.feed(StreamPromised())
            self.feed(message)

    def stream_lost(self, socket: StreamSocket, reason: str) -> None:
        """The socket is gone without our doing."""
        if socket is self._socket:
            self._socket = None
            self.feed(StreamLost(reason))

    def stream_promised(self) -> None:
        """The carrier was given the way to the stream once more."""
        self.feed(StreamPromised())

    def hung_up(self, status: str) -> None:
        """The carrier's status callback says that the call is over."""
        self.feed(CallerHungUp(status))

    def give_up(self, reason: str) -> None:
        """The pod can't carry this call any longer."""
        self.feed(Drained(reason))

    def let_go(self) -> None:
        """Another pod carries the call now: sockets close, and nothing is recorded."""
        if self.ended is None:
            self._end(EndCall(Outcome.FAILED, "moved"))
        if self._socket is not None:
            self._socket.close()

    def feed(self, event: Event) -> None:
        """Let the call decide, do what it says, and set the timer to its next deadline."""
        if self.ended is not None:
            return
        if self._acting:
            self._later.append(event)
        else:
            self._act(event)

    def _tick(self) -> None:
        if self.ended is None:
            self._act(None)

    def _act(self, event: Event | None) -> None:
        """Perform what follows from an event, or from the time; then what those actions caused."""
        machine, now = self._machine, self._loop.time()
        self._acting = True
        try:
            decided = machine.tick(now) if event is None else machine.receive(event, now)
            if type(decided) is ToModel:  # A frame of audio, passed on: no wait has changed.
                self._model.hear(decided.event)
                return
            self._perform_all(decided)
            while self._later and self.ended is None:
                self._perform_all(machine.receive(self._later.popleft(), now))
            self._arm()
        except Exception as bug:  # noqa: BLE001 - the root of a call: a bug ends this one only
            self._fail(bug)
        finally:
            self._acting = False

    def _fail(self, bug: Exception) -> None:
        self._around.log.failure(LogName.CALL_BROKE, bug, call=self.call)
        if self.ended is not None:
            return
        end = EndCall(Outcome.FAILED, "bug")
        self._end(end)
        if not self._end_recorded:
            self._record(CallEnded(end.outcome, end.reason))

    # Actions.

    def _perform_all(self, decided: list[Action] | ToModel) -> None:
        for action in [decided] if isinstance(decided, ToModel) else decided:
            self._perform(action)

    def _perform(self, action: Action) -> None:
        match action:
            case ToModel():
                self._model.send(action.event)
            case ToCaller():
                if self._socket is not None:
                    self._socket.send(action.message)
                    if self._to_caller_timed.running and type(action.message) is twilio.SendMedia:
                        self._to_caller_timed.written()
            case Record():
                self._record(action.fact)
            case Note():
                self._around.metrics.noted(action.name, action.detail, action.value)
                self._around.log.note(action.name, action.detail, action.value, call=self.call)
                self._around.costs.noted(self._model.name, action)
            case OpenModel() | TakeModel() | DropModel() | BlameModel() | MeterLimit() | MeterUse():
                self._seat(action)
            case RunTool():
                self._order_tool(action)
            case CancelTool():
                if (task := self._running_tools.pop(action.call_id, None)) is not None:
                    task.cancel()
            case EndCall():
                self._end(action)
            case _:
                assert_never(action)

    def _seat(
        self, action: OpenModel | TakeModel | DropModel | BlameModel | MeterLimit | MeterUse
    ) -> None:
        """What is about the model, and not for it."""
        match action:
            case OpenModel():
                self._start(partial(self._model.search, action), "open model")
            case TakeModel():
                self._model.take()
            case DropModel():
                self._model.drop()
            case BlameModel():
                self._model.blame(action.reason, action.begun_at)
            case MeterLimit() | MeterUse():
                self._model.meter(action)

    def _record(self, fact: Fact) -> None:
        if isinstance(fact, CallEnded):
            self._end_recorded = True
        self._around.recorder.record(self.call, fact)
        self._tell(fact)
        if self._on_fact is not None:
            self._on_fact(fact)

    def _tell(self, fact: Fact) -> None:
        """Streams and sessions that come and go are told to operators too."""
        log, metrics = self._around.log, self._around.metrics
        match fact:
            case facts.StreamOpened():  # Its socket counts it.
                log.info(LogName.STREAM_OPENED, call=self.call, stream=fact.stream_sid)
            case facts.StreamLost():
                log.warning(
                    LogName.STREAM_LOST,
                    call=self.call,
                    stream=fact.stream_sid,
                    reason=fact.reason,
                )
            case facts.SessionOpened():
                metrics.session_acquired(fact.source, fact.waited_ms / 1000)
                log.info(
                    LogName.SESSION_OPENED, call=self.call, source=fact.source, ms=fact.waited_ms
                )
            case facts.SessionLost():
                metrics.session_lost(fact.reason)
                log.warning(LogName.SESSION_LOST, call=self.call, reason=fact.reason)
            case _:
                pass

    def _end(self, end: EndCall) -> None:
        self.ended = end
        self._timer.stop()
        self._over.set()

    def _start(self, work: Work, name: str) -> asyncio.Task[None] | None:
        if self._tasks is None:
            # The first stream may come before the pod's loop has entered `run`.
            self._waiting.append((work, name))
            return None
        task = self._tasks.create_task(self._guarded(work), name=name)
        self._running_tasks.add(task)
        task.add_done_callback(self._running_tasks.discard)
        return task

    async def _guarded(self, work: Work) -> None:
        try:
            await work()
        except Exception as bug:  # noqa: BLE001 - the root of a call: a bug ends this one only
            self._fail(bug)

    # The timer: one, armed anew only when it would fire too late.

    def _arm(self) -> None:
        deadline = self._machine.deadline()
        if deadline is not None and self.ended is None:
            self._timer.set(deadline)

    # Tools.

    def _order_tool(self, order: RunTool) -> None:
        task = self._start(partial(self._run_tool, order), f"tool {order.call_id}")
        if task is not None:  # Else it waits for `run`: one that another pod had ordered may.
            self._running_tools[order.call_id] = task

    async def _run_tool(self, order: RunTool) -> None:
        began = self._loop.time()
        try:
            result = await self._tools.run(order.name, order.arguments, order.call_id)
        finally:
            self._running_tools.pop(order.call_id, None)
        took_s = self._loop.time() - began
        self._around.metrics.tool_finished(self._kinds[order.name], result.outcome, took_s)
        self.feed(ToolReturned(order.call_id, ok=result.ok, output=result.output))

    # The end.

    async def _leave(self) -> None:
        """The end fact is the journal's before our socket closes: the redirect will look for it."""
        assert self.ended is not None
        self._model.leave()
        for task in self._running_tasks:
            task.cancel()
        settled = await self._around.recorder.settle(self.call, END_SETTLE_S_MAX)
        if not settled:
            self._around.log.warning(LogName.END_UNSETTLED, call=self.call)
        if self._socket is not None:
            self._socket.close()
            await self._socket.wait_gone()
