"""One call in act: its sockets, its timer, its tasks. The call itself decides.

Everything a call owns hangs on the TaskGroup in `run`: when `run` returns, nothing of the call
is left in the pod. Events come in by plain calls from the sockets' callbacks; the actions they
yield are performed before the callback returns, so two events never interleave.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final, Protocol, assert_never

from trunkline.call.actions import (
    Action,
    CancelTool,
    EndCall,
    Note,
    OpenModel,
    Record,
    RunTool,
    ToCaller,
    ToModel,
)
from trunkline.call.events import (
    CallerHungUp,
    Drained,
    Event,
    ModelLost,
    ModelOpened,
    StreamLost,
    StreamStarted,
    ToolReturned,
)
from trunkline.call.machine import Call
from trunkline.call.plan import CallPlan
from trunkline.core.facts import CallEnded, Fact, Outcome, SessionOpened
from trunkline.core.ids import CallSid, StreamSid
from trunkline.errors import ModelError, ModelProtocolError
from trunkline.pod.door import Acquired
from trunkline.pod.media import MediaSocket
from trunkline.pod.recorder import Recorder
from trunkline.pod.tools.run import ToolResult
from trunkline.ports import ModelSession
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import twilio
from trunkline.wire.realtime import client, server

END_SETTLE_S_MAX: Final = 2.0
"""So long the end of a call waits for the journal; then the stream is closed all the same, and the
recorder goes on trying."""

MODEL_BACKLOG_BYTES_MAX: Final = 64 * 1024
"""What the model has not read of the caller's audio (about 5 s): beyond it frames are dropped and
counted, for late audio is worse than lost audio."""

REFUSED_MODEL_MESSAGES_MAX: Final = 100
"""Messages of one session that were no messages; at the next the session counts as lost."""


class SessionDoor(Protocol):
    """Where a call's session comes from and goes to."""

    async def acquire(self) -> Acquired:
        """A session that no caller has used, or `ModelError`."""
        ...

    def release(self, session: ModelSession, *, clean: bool) -> None:
        """Give it back: a session that has had a caller's settings is closed."""
        ...


class Toolbox(Protocol):
    """Who runs a call's tools."""

    async def run(self, name: str, arguments: str, call_id: str) -> ToolResult:
        """Run one tool to its end. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a runner uses of its pod."""

    recorder: Recorder
    log: Log
    metrics: Metrics


class CallRunner:
    """The only asyncio in a call."""

    def __init__(
        self,
        call: CallSid,
        plan: CallPlan,
        door: SessionDoor,
        tools: Toolbox,
        around: Surroundings,
        *,
        on_fact: Callable[[Fact], None] | None = None,
    ) -> None:
        self.call = call
        self.ended: EndCall | None = None
        self._machine = Call(plan)
        self._door = door
        self._tools = tools
        self._kinds = {
            tool.name: tool.kind for agent in plan.agents.values() for tool in agent.tools.values()
        }
        self._around = around
        self._on_fact = on_fact
        self._loop = asyncio.get_running_loop()
        self._socket: MediaSocket | None = None
        self._session: ModelSession | None = None
        self._refused_model_messages = 0
        self._over = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._running_tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[Coroutine[None, None, None], str]] = []
        self._running_tools: dict[str, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def phase(self) -> str:
        """Where the call is in its life."""
        return self._machine.phase.value

    async def run(self) -> None:
        """Carry the call to its end, and leave nothing of it behind."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for work, name in self._waiting:
                    self._start(work, name)
                self._waiting.clear()
                await self._over.wait()
                await self._leave()
        finally:
            self._tasks = None
            self._disarm()
            self._drop_session()
            if self._socket is not None:
                self._socket.close()

    # Events: from the sockets' callbacks, the pod's HTTP side, and the tasks below.

    def stream_started(self, socket: MediaSocket, stream: StreamSid) -> None:
        """A stream with a valid ticket takes the call; an older one is closed."""
        older, self._socket = self._socket, socket
        if older is not None and older is not socket:
            older.close()
        self.feed(StreamStarted(stream))

    def from_carrier(self, socket: MediaSocket, message: twilio.FromCarrier) -> None:
        """A message of a stream; those of a stream that was replaced are ignored."""
        if socket is self._socket:
            self.feed(message)

    def stream_lost(self, socket: MediaSocket, reason: str) -> None:
        """The socket is gone without our doing."""
        if socket is self._socket:
            self._socket = None
            self.feed(StreamLost(reason))

    def hung_up(self, status: str) -> None:
        """The carrier's status callback says that the call is over."""
        self.feed(CallerHungUp(status))

    def give_up(self, reason: str) -> None:
        """The pod can't carry this call any longer."""
        self.feed(Drained(reason))

    def feed(self, event: Event) -> None:
        """Let the call decide, do what it says, and set the timer to its next deadline."""
        if self.ended is not None:
            return
        try:
            now = self._loop.time()
            for action in self._machine.receive(event, now):
                self._perform(action)
            self._arm()
        except Exception as bug:  # noqa: BLE001 - the root of a call: a bug ends this one only
            self._fail(bug)

    def _tick(self) -> None:
        self._timer = None
        if self.ended is not None:
            return
        try:
            for action in self._machine.tick(self._loop.time()):
                self._perform(action)
            self._arm()
        except Exception as bug:  # noqa: BLE001 - the root of a call: a bug ends this one only
            self._fail(bug)

    def _fail(self, bug: Exception) -> None:
        self._around.log.failure(LogName.CALL_BROKE, bug, call=self.call)
        if self.ended is None:
            end = EndCall(Outcome.FAILED, "bug")
            self._record(CallEnded(end.outcome, end.reason))
            self._end(end)

    # Actions.

    def _perform(self, action: Action) -> None:
        match action:
            case ToModel():
                self._to_model(action.event)
            case ToCaller():
                if self._socket is not None:
                    self._socket.send(action.message)
            case Record():
                self._record(action.fact)
            case Note():
                self._around.metrics.noted(action.name, action.detail, action.value)
                self._around.log.note(action.name, action.detail, action.value, call=self.call)
            case OpenModel():
                self._start(self._open_model(), "open model")
            case RunTool():
                self._start(self._run_tool(action), f"tool {action.call_id}")
            case CancelTool():
                if (task := self._running_tools.pop(action.call_id, None)) is not None:
                    task.cancel()
            case EndCall():
                self._end(action)
            case _:
                assert_never(action)

    def _to_model(self, event: client.FromClient) -> None:
        session = self._session
        if session is None:
            return
        late = session.backlog_bytes() > MODEL_BACKLOG_BYTES_MAX
        if late and isinstance(event, client.AppendAudio):
            self._around.metrics.frames_dropped_to_model += 1
            return
        session.send(client.encode(event))

    def _record(self, fact: Fact) -> None:
        self._around.recorder.record(self.call, fact)
        if isinstance(fact, SessionOpened):
            self._around.metrics.session_acquired(fact.source, fact.waited_ms / 1000)
        if self._on_fact is not None:
            self._on_fact(fact)

    def _end(self, end: EndCall) -> None:
        self.ended = end
        self._disarm()
        self._over.set()

    def _start(self, work: Coroutine[None, None, None], name: str) -> None:
        if self._tasks is None:
            # The first stream may come before the pod's loop has entered `run`.
            self._waiting.append((work, name))
            return
        task = self._tasks.create_task(self._guarded(work), name=name)
        self._running_tasks.add(task)
        task.add_done_callback(self._running_tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as bug:  # noqa: BLE001 - the root of a call: a bug ends this one only
            self._fail(bug)

    # The timer: one, armed anew only when it would fire too late.

    def _arm(self) -> None:
        deadline = self._machine.deadline()
        if deadline is None or self.ended is not None:
            return
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._tick)
        elif deadline < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._tick)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # The model.

    async def _open_model(self) -> None:
        try:
            acquired = await self._door.acquire()
        except ModelError as error:
            self.feed(ModelLost(str(error)))
            return
        if self.ended is not None:
            self._door.release(acquired.session, clean=True)
            return
        self._session = acquired.session
        self.feed(ModelOpened(acquired.source, acquired.model, acquired.waited_ms))
        acquired.session.listen(self._from_model, self._model_lost)

    def _from_model(self, text: memoryview) -> None:
        try:
            event = server.decode(text)
        except ModelProtocolError:
            self._around.metrics.model_message_refused("protocol")
            self._refused_model_messages += 1
            if self._refused_model_messages > REFUSED_MODEL_MESSAGES_MAX:
                self._model_lost("refused_messages")
            return
        self.feed(event)

    def _model_lost(self, reason: str) -> None:
        self._drop_session()
        self._around.metrics.realtime_failed(reason)
        self.feed(ModelLost(reason))

    def _drop_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            # It has had this caller's settings: nobody else may have it.
            self._door.release(session, clean=False)

    # Tools.

    async def _run_tool(self, order: RunTool) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running_tools[order.call_id] = task
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
        self._drop_session()
        for task in self._running_tasks:
            task.cancel()
        settled = await self._around.recorder.settle(self.call, END_SETTLE_S_MAX)
        if not settled:
            self._around.log.warning(LogName.END_UNSETTLED, call=self.call)
        if self._socket is not None:
            self._socket.close()
            await self._socket.wait_gone()
