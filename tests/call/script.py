"""A call told as a script: what happens (`>>`), what must follow (`<<`), and time in between.

    script >> StreamStarted(SID) << facts.StreamOpened(SID) << OpenModel()
    script.wait(10.0) << facts.CallEnded(...) << EndCall(...)

`<<` takes actions, or what they carry: a fact stands for its `Record`, a wire message for its
`ToCaller` or `ToModel`. A class stands for any one of its kind. All that an event brings must be
written down, except notes, which are compared where the script names them. A script checks
itself before each event and at the end of its test.
"""

import difflib
import math
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Self

from trunkline.call.actions import Action, BlameModel, Note, Record, ToCaller, ToModel
from trunkline.call.events import Event, ModelOpened, StreamStarted
from trunkline.call.machine import Call
from trunkline.call.plan import Agent, CallPlan, Clip, Limits, Tool, ToolKind
from trunkline.core.facts import Fact
from trunkline.core.ids import StreamSid
from trunkline.wire import twilio
from trunkline.wire.g711 import payload_bytes
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import FunctionCall, ItemStatus, Message, OutputAudio
from trunkline.wire.realtime.session import Audio, AudioInput, ServerVad, Session, TurnDetection

Expected = Action | Fact | twilio.ToCarrier | client.FromClient | type

SID = StreamSid("MZ1")
NEXT_SID = StreamSid("MZ2")
VIEW = server.SessionView()


_PAYLOAD = re.compile(r"[A-Za-z0-9+/=]{60,}")


def brief(lines: Iterable[str]) -> str:
    """Lines to read, audio left out."""
    return _PAYLOAD.sub(lambda found: f"<{payload_bytes(found[0])} bytes>", "\n".join(lines))


def audio(ms: int, *, byte: bytes = b"\xff") -> str:
    """So much audio, as it travels."""
    return b64encode(byte * (8 * ms)).decode()


def agent(
    name: str = "desk",
    *,
    greeting: str = "",
    tools: Iterable[Tool] = (),
    handoffs: Iterable[str] = (),
    transfer_numbers: dict[str, str] | None = None,
    fallback: Clip | None = None,
    detection: TurnDetection | None = ServerVad(),  # noqa: B008 - frozen
) -> Agent:
    """An agent whose instructions are its name."""
    return Agent(
        name=name,
        session=Session(
            instructions=f"You are {name}.",
            audio=Audio(input=AudioInput(turn_detection=detection)),
        ),
        greeting=greeting,
        tools={tool.name: tool for tool in tools},
        handoffs=frozenset(handoffs),
        transfer_numbers=transfer_numbers or {},
        fallback=fallback,
    )


BUILT_INS = tuple(
    Tool(str(kind), kind) for kind in ToolKind if kind not in {ToolKind.HTTP, ToolKind.PYTHON}
)
SCRIPT = Clip("sorry", audio(800), "We are sorry.")
FILLER = Clip("moment", audio(300), "One moment.")


def plan(
    *agents: Agent,
    limits: Limits | None = None,
    fillers: tuple[Clip, ...] = (FILLER,),
    models: int = 1,
    redact: Callable[[Fact], Fact] | None = None,
) -> CallPlan:
    """A plan of these agents; the first answers."""
    known = agents or (agent(),)
    by_name = {a.name: a for a in known}
    return CallPlan(by_name, known[0].name, limits or Limits(), fillers, models, redact)


def listed(decided: list[Action] | ToModel) -> list[Action]:
    """What a call decided, as a list: a frame that is passed on is one action by itself."""
    return [decided] if isinstance(decided, ToModel) else decided


@dataclass
class Script:
    """A call, its time, and what its latest events brought and should have."""

    call: Call
    now: float = 100.0
    lines: list[str] = field(default_factory=list)
    wanted: list[Expected] = field(default_factory=list)
    got: list[Action] = field(default_factory=list)
    journal: list[tuple[float, Fact]] = field(default_factory=list)
    """Every fact that was recorded, and when."""

    open: ClassVar[list["Script"]] = []
    """The scripts of the present test: a fixture checks each at its end."""

    def __post_init__(self) -> None:
        self.open.append(self)

    def __rshift__(self, event: Event) -> Self:
        """The next event, now."""
        self.check()
        self.lines.append(f"{self.now:8.2f} >> {event}")
        self._take(listed(self.call.receive(event, self.now)))
        return self

    def __lshift__(self, wanted: Expected) -> Self:
        """What must have come of it, in this order."""
        self.wanted.append(wanted)
        return self

    def wait(self, seconds: float) -> Self:
        """Let time pass; the call is ticked whenever it asked to be."""
        self.check()
        until = self.now + seconds
        self.lines.append(f"{self.now:8.2f} .. {seconds} s")
        while (deadline := self.call.deadline()) is not None and deadline <= until:
            assert deadline >= self.now, f"{self.story()}\na deadline in the past"
            self.now = deadline
            self._take(self.call.tick(self.now))
        self.now = until
        return self

    def _take(self, actions: list[Action]) -> None:
        self.got += actions
        self.journal += [(self.now, a.fact) for a in actions if isinstance(a, Record)]

    def check(self) -> None:
        """Everything that came was wanted, and everything wanted came."""
        noted = [w for w in self.wanted if isinstance(w, Note) or w is Note]
        got = [
            g
            for g in self.got
            if not isinstance(g, Note) or any(_matches(note, g) for note in noted)
        ]
        wanted, self.wanted, self.got = self.wanted, [], []
        if len(got) == len(wanted) and all(map(_matches, wanted, got)):
            self.lines += [f"         << {g}" for g in got]
            return
        shown = [
            str(g) if i < len(wanted) and _matches(wanted[i], g) else str(_carried(g))
            for i, g in enumerate(got)
        ]
        asked = [
            str(got[i]) if i < len(got) and _matches(w, got[i]) else str(_carried(w))
            for i, w in enumerate(wanted)
        ]
        diff = brief(difflib.ndiff(asked, shown))
        raise AssertionError(f"{self.story()}\n- wanted, + came:\n{diff}")

    def story(self) -> str:
        """The script so far, audio left out."""
        return brief(["", *self.lines])

    def see(self, *events: Event) -> Self:
        """Events whose consequences are not this test's matter."""
        for event in events:
            self >> event
            self.lines += [f"         (({g}" for g in self.got]
            self.wanted, self.got = [], []
        return self

    def pass_over(self, seconds: float) -> Self:
        """Time whose consequences are not this test's matter."""
        self.wait(seconds)
        self.wanted, self.got = [], []
        return self


def _carried(action: Expected) -> Expected:
    match action:
        case Record(fact=fact):
            return fact
        case ToCaller(message=message):
            return message
        case ToModel(event=event):
            return event
        case _:
            return action


def _matches(wanted: Expected, got: Action) -> bool:
    if isinstance(wanted, type):
        return isinstance(got, wanted) or isinstance(_carried(got), wanted)
    if isinstance(wanted, BlameModel) and isinstance(got, BlameModel):
        return got.reason == wanted.reason
    return got == wanted or (_carried(got) == wanted and type(_carried(got)) is type(wanted))


def blames(reason: str) -> BlameModel:
    """The model is blamed for this, whenever it began."""
    return BlameModel(reason, math.nan)


def talking(call_plan: CallPlan | None = None) -> Script:
    """A call whose session has its settings; a greeting was asked for if the agent has one."""
    script = Script(Call(call_plan or plan()))
    script.see(StreamStarted(SID), ModelOpened("pool", "model-1", 3), server.SessionUpdated(VIEW))
    return script


def answering(script: Script, *, item: str = "i1", response: str = "r1", ms: int = 400) -> Script:
    """The model began by itself to answer, and sent so much audio of one item."""
    script.see(
        created(response),
        delta(response, item, audio(ms)),
        words(response, item, "One two three four"),
    )
    return script


# What the carrier says


def media(payload: str, *, sid: str = SID, number: int | str = 1) -> twilio.Media:
    return twilio.Media(twilio.MediaFields(payload), sid, number)


def echo(name: str, *, sid: str = SID) -> twilio.Mark:
    return twilio.Mark(twilio.MarkFields(name), sid, "2")


def key(digit: str, *, sid: str = SID) -> twilio.Dtmf:
    return twilio.Dtmf(twilio.DtmfFields(digit), sid, "3")


def stop(*, sid: str = SID) -> twilio.Stop:
    return twilio.Stop(twilio.StopFields("AC1", "CA1"), sid, "4")


# What is said to the carrier


def sent(payload: str, *, sid: str = SID) -> twilio.SendMedia:
    return twilio.SendMedia(sid, twilio.SendPayload(payload))


def marked(name: str, *, sid: str = SID) -> twilio.SendMark:
    return twilio.SendMark(sid, twilio.SendMarkFields(name))


# What the model says


def created(response_id: str) -> server.ResponseCreated:
    return server.ResponseCreated(server.Response(response_id, "in_progress"))


def done(
    response_id: str,
    status: server.ResponseStatus = "completed",
    *,
    code: str | None = None,
    tokens: tuple[int, int] | None = None,
    items: Iterable[str] = (),
) -> server.ResponseDone:
    details = None
    if code is not None:
        details = server.StatusDetails(error=server.ErrorOfResponse(code=code))
    usage = None
    if tokens is not None:
        usage = server.Usage(sum(tokens), tokens[0], tokens[1])
    output = [spoken(item_id, "") for item_id in items]
    return server.ResponseDone(server.Response(response_id, status, details, [*output], usage))


def delta(response_id: str, item_id: str, payload: str) -> server.AudioDelta:
    return server.AudioDelta(response_id, item_id, payload)


def words(response_id: str, item_id: str, text: str) -> server.TranscriptDone:
    return server.TranscriptDone(response_id, item_id, text)


def spoken(item_id: str, text: str) -> Message:
    return Message("assistant", [OutputAudio(transcript=text)], item_id, "completed")


def item_done(response_id: str, item_id: str, text: str = "") -> server.OutputItemDone:
    return server.OutputItemDone(response_id, 0, spoken(item_id, text))


def calls(
    response_id: str,
    call_id: str,
    name: str,
    arguments: str = "{}",
    status: ItemStatus = "completed",
) -> server.OutputItemDone:
    item = FunctionCall(name, arguments, call_id, f"fc_{call_id}", status)
    return server.OutputItemDone(response_id, 0, item)


def speaks() -> server.SpeechStarted:
    return server.SpeechStarted(0, "caller_1")


def pauses() -> server.SpeechStopped:
    return server.SpeechStopped(0, "caller_1")


def error(code: str, *, event_id: str | None = None) -> server.Error:
    return server.Error(server.ErrorDetail("no", "invalid_request_error", code, None, event_id))
