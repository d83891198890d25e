"""Random histories of a call, likely and absurd, and what must hold in each.

`Watch` stands where the pod stands: it sees every event and every action, and knows the rules
of both peers. It never looks into the call.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from call.script import (
    BUILT_INS,
    SCRIPT,
    agent,
    audio,
    brief,
    calls,
    created,
    delta,
    done,
    echo,
    error,
    item_done,
    key,
    listed,
    media,
    plan,
    stop,
    words,
)
from trunkline.call.actions import (
    Action,
    CancelTool,
    DropModel,
    EndCall,
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
    ModelAway,
    ModelLost,
    ModelOpened,
    StreamLost,
    StreamPromised,
    StreamStarted,
    ToolReturned,
)
from trunkline.call.machine import Call
from trunkline.call.phases import Line, Phase
from trunkline.call.plan import CallPlan, Limits, Tool, ToolKind
from trunkline.core import facts
from trunkline.core.ids import StreamSid
from trunkline.wire import twilio
from trunkline.wire.g711 import payload_bytes
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Message,
    OutputText,
)
from trunkline.wire.realtime.session import ServerVad

TABLES_MAX = 3500
"""All entries of a call together: the sum of its tables' bounds, a little rounded up."""

TICKS_MAX = 80
"""So often a call may wake up for nothing but time before it ends."""

VIEW = server.SessionView()
LIMITS = Limits(
    model_away_s_max=5.0,
    rollover_s=20.0,
    probe_s=3.0,
    idle_s=4.0,
    call_s_max=60.0,
    goodbye_s_max=6.0,
    stream_wait_s_max=5.0,
)


def history_plan(rng: Random) -> CallPlan:
    """Two agents with all tools, who hand over to each other."""
    tools = (
        Tool("look_up", ToolKind.HTTP, filler_after_ms=500),
        Tool("book", ToolKind.PYTHON, filler_after_ms=None),
        *BUILT_INS,
    )
    detection = rng.choice(
        [
            ServerVad(),
            ServerVad(interrupt_response=False),
            ServerVad(create_response=False),
            None,
        ]
    )
    desk, clinic = (
        agent(
            name,
            greeting=rng.choice(["", "Hello."]),
            tools=tools,
            handoffs=("desk", "clinic"),
            transfer_numbers={"sales": "+15550100001"},
            fallback=rng.choice([None, SCRIPT]),
            detection=detection,
        )
        for name in ("desk", "clinic")
    )
    return plan(desk, clinic, limits=LIMITS, models=rng.choice([1, 2]))


@dataclass
class Maker:
    """Makes events; ids come from small pools so that they meet again."""

    rng: Random

    def sid(self) -> StreamSid:
        return StreamSid(f"MZ{self.rng.randrange(3)}")

    def response(self) -> str:
        return f"r{self.rng.randrange(8)}"

    def item(self) -> str:
        return f"i{self.rng.randrange(12)}"

    def number(self) -> int | str:
        return self.rng.choice(["x", str(self.rng.randrange(9))])

    def call(self) -> str:
        return f"c{self.rng.randrange(6)}"

    def payload(self) -> str:
        return self.rng.choice(["", "=", "ab==", audio(20), audio(200), audio(600), audio(2500)])

    def function_call(self) -> server.OutputItemDone:
        rng = self.rng
        names = ["look_up", "book", "end_call", "transfer_call", "handoff", "send_digits", "rm"]
        arguments = rng.choice(
            ["{}", "{", "[]", '{"target": "sales"}', '{"agent": "clinic"}', '{"digits": "12#"}']
        )
        status = rng.choice(["completed", "completed", "completed", "incomplete"])
        made = calls(self.response(), self.call(), rng.choice(names), arguments)
        if status == "completed":
            return made
        item = FunctionCall("book", arguments, self.call(), status="incomplete")
        return server.OutputItemDone(made.response_id, 0, item)

    def done(self) -> server.ResponseDone:
        rng = self.rng
        statuses: list[server.ResponseStatus] = [
            "completed",
            "completed",
            "completed",
            "cancelled",
            "failed",
            "incomplete",
            "in_progress",
        ]
        return done(
            self.response(),
            rng.choice(statuses),
            code=rng.choice([None, "server_error", "words spoken"]),
            tokens=rng.choice([None, (3, 4)]),
            items=[self.item() for _ in range(rng.randrange(3))],
        )

    def error(self) -> server.Error:
        rng = self.rng
        event_id = rng.choice(
            [None, "session", "handoff_ours_1", *(f"response_{n}" for n in range(1, 8))]
        )
        codes = ["conversation_already_has_active_response", "invalid_value", "x"]
        return error(rng.choice([*codes, "response_cancel_not_active"]), event_id=event_id)

    def likely(self) -> list[Callable[[], Event]]:
        """What happens all the time."""
        rng = self.rng
        return [
            lambda: media(self.payload(), sid=self.sid(), number=self.number()),
            lambda: echo(f"m{rng.randrange(30)}", sid=self.sid()),
            lambda: key(rng.choice("123#*E"), sid=self.sid()),
            lambda: server.SpeechStarted(0, "caller"),
            lambda: server.SpeechStopped(0, "caller"),
            lambda: server.AudioCommitted("caller"),
            lambda: created(self.response()),
            lambda: created(self.response()),
            lambda: delta(self.response(), self.item(), self.payload()),
            lambda: delta(self.response(), self.item(), self.payload()),
            lambda: delta(self.response(), self.item(), self.payload()),
            lambda: words(self.response(), self.item(), "some words said"),
            lambda: server.TranscriptDelta(self.response(), self.item(), "some "),
            lambda: item_done(self.response(), self.item(), "some words"),
            self.done,
            self.done,
            self.function_call,
            lambda: ToolReturned(self.call(), ok=rng.random() < 0.5, output="x"),
        ]

    def unlikely(self) -> list[Callable[[], Event]]:
        """What happens once, or never."""
        rng = self.rng
        start = twilio.StartFields("AC", "MZ1", "CA", [], twilio.MediaFormat("x", 8000, 1))
        text = Message("assistant", [OutputText("t")], self.item())
        ours = FunctionCallOutput("c1", "x", f"ours_{rng.randrange(4)}")
        return [
            lambda: StreamStarted(self.sid()),
            lambda: StreamStarted(self.sid()),
            lambda: StreamLost("reset"),
            StreamPromised,
            lambda: ModelLost("reset"),
            lambda: ModelOpened("new", "m", 1),
            lambda: ModelOpened("new", "m", 1),
            lambda: ModelAway("timeout"),
            lambda: server.SessionUpdated(VIEW),
            lambda: server.SessionUpdated(VIEW),
            lambda: server.SessionCreated(VIEW),
            self.error,
            self.error,
            lambda: server.TranscriptionCompleted(self.item(), 0, "hello"),
            lambda: server.TranscriptionFailed(self.item(), 0, server.TranscriptionError()),
            lambda: server.AudioDone(self.response(), self.item()),
            lambda: server.OutputItemAdded(self.response(), 0, text),
            lambda: server.OutputItemDone(self.response(), 0, text),
            lambda: server.OutputItemDone(self.response(), 0, Message("user", [InputText("x")])),
            lambda: server.ItemAdded(ours),
            lambda: server.ItemDone(ours),
            lambda: server.ArgumentsDelta(self.response(), "i", 0, "c", "{"),
            lambda: server.RateLimitsUpdated([]),
            lambda: server.IdleTimeout(0, 1, "i"),
            lambda: server.Unknown("x"),
            twilio.Connected,
            lambda: twilio.Start(start, "MZ1", "1"),
            lambda: twilio.Unknown("x"),
        ]

    def last(self) -> list[Callable[[], Event]]:
        """What ends a call."""
        return [
            lambda: stop(sid=self.sid()),
            lambda: CallerHungUp("completed"),
            lambda: ModelLost("reset"),
            Drained,
        ]

    def afterlife(self) -> server.ResponseStatus | None:
        """How the model behaves when nothing else happens any more."""
        fates: list[server.ResponseStatus | None] = [None, "completed", "failed"]
        return self.rng.choice(fates)

    def event(self) -> Event:
        chance = self.rng.random()
        if chance < 0.8:
            return self.rng.choice(self.likely())()
        return self.rng.choice(self.unlikely() if chance < 0.992 else self.last())()


@dataclass
class Watch:
    """Sees what happens to a call and what it says, and knows what must hold."""

    call: Call
    now: float = 50.0
    told: list[tuple[float, str, Event | Action | None]] = field(default_factory=list)
    under_way: str | None = None
    asked_id: str | None = None
    known: set[str] = field(default_factory=set)
    received: Counter[str] = field(default_factory=Counter)
    recorded: Counter[str] = field(default_factory=Counter)
    heard_ms: Counter[str] = field(default_factory=Counter)
    heard_callers: Counter[str] = field(default_factory=Counter)
    ran: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    settings_hold: bool = False
    sid: str | None = None
    ended: EndCall | None = None
    journal: list[tuple[float, facts.Fact]] = field(default_factory=list)

    def feed(self, event: Event) -> list[Action]:
        """One event, now."""
        self.told.append((self.now, ">>", event))
        self._learn(event)
        actions = listed(self.call.receive(event, self.now))
        self._check(actions)
        return actions

    def wait(self, seconds: float, ticks_max: int = 400) -> None:
        """Let time pass."""
        until = self.now + seconds
        ticks = 0
        while (deadline := self.call.deadline()) is not None and deadline <= until:
            ticks += 1
            assert ticks <= ticks_max, "wakes up again and again"
            # A deadline may have passed between two events; after a tick none may.
            self.now = max(self.now, deadline)
            self.told.append((self.now, "tick", None))
            self._check(self.call.tick(self.now))
            after = self.call.deadline()
            assert after is None or after > self.now, "a deadline that is over"
        self.now = until

    def outlive(self, status: server.ResponseStatus | None) -> None:
        """Let only time pass: the call ends by itself, without waking up for nothing.

        `status`: how the responses end that are asked for; None: the model is silent.
        """
        for number in range(TICKS_MAX):
            self.wait(4.0, TICKS_MAX)
            if status is not None and self.under_way is not None:
                answer = f"late{number}" if self.under_way == "asked" else self.under_way
                self.feed(created(answer))
                self.feed(done(answer, status))
        if self.call.phase is not Phase.EXPECTED:
            assert self.ended, f"hangs in {self.call.phase}"

    def story(self) -> str:
        """What has happened so far."""
        return brief(f"{now:8.3f} {how} {what or ''}" for now, how, what in self.told)

    def _learn(self, event: Event) -> None:
        conversing = self.call.phase in {Phase.TALKING, Phase.CLOSING}
        match event:
            case StreamStarted() if not self.ended:
                self.sid = event.stream_sid
            case StreamLost():
                self.sid = None
            case twilio.Stop() if event.stream_sid == self.sid:
                self.sid = None
            case server.SessionUpdated() if self.call.phase is Phase.INSTRUCTING:
                self.settings_hold = True
            case server.AudioDelta():
                self.received[event.item_id] += max(payload_bytes(event.delta), 0)
            case server.ResponseCreated() if conversing and event.response.id not in self.known:
                self.known.add(event.response.id)
                self.under_way = event.response.id
            case server.ResponseDone() if conversing:
                unnamed = self.under_way == "asked" and event.response.id not in self.known
                if unnamed or self.under_way == event.response.id:
                    self.under_way = None
                    self.known.add(event.response.id)
            case server.Error() if conversing and self.under_way == "asked":
                harmless = event.error.code == "response_cancel_not_active"
                if event.error.event_id == self.asked_id and not harmless:
                    self.under_way = None
            case _:
                pass

    def _check(self, actions: list[Action]) -> None:
        self.told += [(self.now, "<<", action) for action in actions]
        assert not (self.ended and actions), "speaks after its end"
        for action in actions:
            assert not self.ended, "something follows the end"
            match action:
                case ToModel(event=event):
                    self._check_model(event)
                case ToCaller(message=message):
                    assert message.stream_sid == self.sid
                    assert self.call.line is Line.UP or self.call.phase is Phase.ENDED
                case Record(fact=fact):
                    self.journal.append((self.now, fact))
                    self._check_fact(fact)
                case RunTool(call_id=call_id):
                    self.ran[call_id] += 1
                    assert self.ran[call_id] == 1
                case DropModel() | TakeModel():
                    self.under_way, self.settings_hold = None, False
                    self.known.clear()
                case EndCall():
                    self.ended = action
                case _:
                    pass
        if self.ended and actions:
            self._check_end(actions)
        assert self.call.size() <= TABLES_MAX

    def _check_model(self, event: client.FromClient) -> None:
        if not isinstance(event, client.SessionUpdate):
            assert self.settings_hold, "before its settings held"
        match event:
            case client.CreateResponse():
                assert self.under_way is None, f"while {self.under_way}"
                assert isinstance(event.event_id, str)
                self.under_way, self.asked_id = "asked", event.event_id
            case client.TruncateItem():
                assert 0 < event.audio_end_ms <= self.received[event.item_id] // 8
            case _:
                pass

    def _check_fact(self, fact: facts.Fact) -> None:
        match fact:
            case facts.AgentSaid():
                self.recorded[fact.item_id] += 1
                assert self.recorded[fact.item_id] == 1, "an item recorded twice"
                assert 0 <= fact.heard_ms <= fact.audio_ms <= self.received[fact.item_id] // 8
                assert fact.text.startswith(fact.heard_text)
                assert fact.heard_ms >= self.heard_ms[fact.item_id]
            case facts.AgentHeard():
                assert not self.recorded[fact.item_id], "an item that was recorded is heard again"
                assert self.heard_ms[fact.item_id] < fact.heard_ms <= fact.audio_ms
                assert fact.audio_ms <= self.received[fact.item_id] // 8
                self.heard_ms[fact.item_id] = fact.heard_ms
            case facts.CallerSaid():
                self.heard_callers[fact.item_id] += 1
                assert self.heard_callers[fact.item_id] == 1
            case facts.ToolFinished():
                self.finished[fact.call_id] += 1
                assert self.finished[fact.call_id] == 1
            case _:
                pass

    def _check_end(self, actions: list[Action]) -> None:
        records = [action.fact for action in actions if isinstance(action, Record)]
        end, last = actions[-1], records[-1]
        assert isinstance(end, EndCall)
        assert isinstance(last, facts.CallEnded)
        assert (end.outcome, end.reason) == (last.outcome, last.reason)
        assert all(self.finished[call_id] == 1 for call_id in self.ran), "a tool without an end"
        cancelled = [action.call_id for action in actions if isinstance(action, CancelTool)]
        assert all(self.ran[call_id] for call_id in cancelled)
        assert self.call.deadline() is None


def setup_events() -> list[Event]:
    """How most calls begin."""
    sid = StreamSid("MZ0")
    return [StreamStarted(sid), ModelOpened("pool", "m", 1), server.SessionUpdated(VIEW)]
