"""A call's machine on virtual time, with a server that answers from a table."""

import heapq
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from sim.carrier_bot import ToyVoice
from trunkline.sim.caller import Person, Script, WaitForHangUp
from trunkline.sim.carrier.account import Account
from trunkline.sim.carrier.call import CarrierCall
from trunkline.sim.carrier.events import (
    Action,
    CloseStream,
    Event,
    Finished,
    OpenStream,
    ReadStream,
    Request,
    ResetStream,
    SendFrame,
    SendMessage,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    StreamText,
    WebhookAnswered,
    WebhookFailed,
)
from trunkline.sim.carrier.faults import NO_FAULTS, Faults
from trunkline.sim.carrier.forms import CallPlan
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.carrier.reporting import report_of
from trunkline.sim.tally import Marks
from trunkline.wire.webhooks import Form

VOICE = "https://bot.example/voice"
MEDIA = "wss://bot.example/media"
TO, FROM = "+15550100001", "+15550100002"
ANSWER_S = 0.01
PATIENT: Script = (WaitForHangUp(3600),)

PLAN = CallPlan(
    sid="CA" + "0" * 32,
    direction="inbound",
    from_number=FROM,
    to_number=TO,
    voice_url=VOICE,
    status_url="https://bot.example/status",
)

Document = str | int | None
"""TwiML; an HTTP status; or no answer at all."""


def connect(after: str = "", parameters: str = "", attributes: str = "") -> str:
    return response(
        f'<Connect{attributes}><Stream url="{MEDIA}" statusCallback="https://bot.example/stream">'
        f"{parameters}</Stream></Connect>{after}"
    )


def response(inside: str) -> str:
    return f"<Response>{inside}</Response>"


class Bench:
    """One call; `go` lets time pass, deadline by deadline."""

    def __init__(
        self,
        documents: Mapping[str, Document],
        script: Script = PATIENT,
        *,
        faults: Faults = NO_FAULTS,
        account: Account | None = None,
        plan: CallPlan = PLAN,
        seed: int = 1,
        marks: Marks | None = None,
    ) -> None:
        account = replace(account or Account(), faults=faults)
        self.now = 100.0
        self.documents = dict(documents)
        self.person = Person(script, ToyVoice(), account.frame_ms)
        self.call = CarrierCall(plan, account, self.person, random.Random(seed), marks)
        self.requests: list[Request] = []
        self.opened: list[OpenStream] = []
        self.closed: list[int] = []
        self.reset: list[int] = []
        self.reads: list[bool] = []
        self.sent: list[tuple[float, int, dict[str, object]]] = []
        self.raw: list[SendMessage] = []
        self.finished = 0
        self.refuse: StreamRefused | None = None
        self.on_message: Callable[[int, dict[str, object]], list[str]] = lambda _, __: []
        self._later: list[tuple[float, int, Event]] = []
        self._count = 0

    def place(self, for_s: float = 0.0) -> "Bench":
        self._do(self.call.place(self.now))
        return self.go(for_s)

    def later(self, event: Event, after_s: float = 0.0) -> None:
        self._count += 1
        heapq.heappush(self._later, (self.now + after_s, self._count, event))

    def happen(self, event: Event) -> "Bench":
        self._do(self.call.receive(event, self.now))
        return self

    def server(self, text: str | bytes, stream: int | None = None) -> "Bench":
        """The server says something on the newest stream."""
        octets = text if isinstance(text, bytes) else text.encode()
        number = self.opened[-1].stream if stream is None else stream
        return self.happen(StreamText(number, octets))

    def close(self, code: int | None = 1000) -> "Bench":
        """The server closes the newest stream; None: the connection breaks."""
        return self.happen(StreamClosed(self.opened[-1].stream, code))

    def go(self, for_s: float) -> "Bench":
        end = self.now + for_s
        while True:
            deadline = self.call.deadline()
            event_at = self._later[0][0] if self._later else None
            times = [at for at in (deadline, event_at) if at is not None and at <= end]
            if not times:
                break
            self.now = max(self.now, min(times))
            if event_at is not None and event_at <= self.now:
                self.happen(heapq.heappop(self._later)[2])
            else:
                self._do(self.call.tick(self.now))
        self.now = end
        return self

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            assert not self.finished or isinstance(action, Request), action
            match action:
                case SendFrame():
                    self._saw(action.stream, action.text)
                case SendMessage():
                    self.raw.append(action)
                    try:
                        self._saw(action.stream, action.data)
                    except (ValueError, RecursionError):
                        continue
                case Request():
                    self.requests.append(action)
                    self._answer(action)
                case OpenStream():
                    self.opened.append(action)
                    refused = self.refuse
                    if refused is not None:
                        self.later(replace(refused, stream=action.stream))
                    else:
                        self.later(StreamOpened(action.stream))
                case CloseStream():
                    self.closed.append(action.stream)
                    self.later(StreamClosed(action.stream, None))
                case ResetStream():
                    self.reset.append(action.stream)
                    self.later(StreamClosed(action.stream, None))
                case ReadStream():
                    self.reads.append(action.reading)
                case Finished():
                    self.finished += 1

    def _saw(self, stream: int, text: bytes) -> None:
        message = json.loads(text)
        self.sent.append((self.now, stream, message))
        for reply in self.on_message(stream, message):
            self.later(StreamText(stream, reply.encode()))

    def _answer(self, request: Request) -> None:
        if not request.wants_answer:
            return
        document = self.documents.get(request.url, 404)
        if document is None:
            failed = WebhookFailed(request.request, "no answer")
            self.later(failed, request.timeout_s)
        elif isinstance(document, int):
            self.later(WebhookAnswered(request.request, document, b""), ANSWER_S)
        else:
            self.later(WebhookAnswered(request.request, 200, document.encode()), ANSWER_S)

    # What was seen ------------------------------------------------------------------------

    @property
    def report(self) -> CallReport:
        return report_of(self.call)

    @property
    def stream_sid(self) -> str:
        starts = [message for _, _, message in self.sent if message["event"] == "start"]
        return str(starts[-1]["streamSid"])

    def events(self, *without: str) -> list[str]:
        names = [str(message["event"]) for _, _, message in self.sent]
        return [name for name in names if name not in without]

    def messages(self, event: str) -> list[dict[str, object]]:
        return [message for _, _, message in self.sent if message["event"] == event]

    def times(self, event: str) -> list[float]:
        return [at for at, _, message in self.sent if message["event"] == event]

    def webhooks(self) -> list[str]:
        return [request.url for request in self.requests if request.wants_answer]

    def callbacks(self, name: str) -> list[Form]:
        """Forms of the callbacks to this path."""
        return [
            request.form
            for request in self.requests
            if not request.wants_answer and request.url.endswith(name)
        ]


def talking(
    script: Script = PATIENT,
    *,
    faults: Faults = NO_FAULTS,
    account: Account | None = None,
    after: str = "",
    marks: Marks | None = None,
    **documents: Document,
) -> Bench:
    """A call whose stream has just started."""
    table = {f"https://bot.example/{name}": text for name, text in documents.items()}
    table.setdefault(VOICE, connect(after))
    bench = Bench(table, script, faults=faults, account=account, marks=marks).place(0.011)
    assert bench.events() == ["connected", "start"], bench.events()
    return bench
