"""A client of the simulated model without sockets: on a clock of its own, judged throughout.

Every event that the simulator sends is judged by the openai package's models on the way.
"""

import base64
from collections.abc import Callable
from typing import TypeVar

from trunkline.sim.realtime.brain import Brain, DemoBrain
from trunkline.sim.realtime.faults import Faults, parse
from trunkline.sim.realtime.handshake import Accepted
from trunkline.sim.realtime.machine import Close, Output, RealtimeServer, Reset, Send
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.speech import FRAME_BYTES, FRAME_MS, SILENCE, recorded
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import Item
from trunkline.wire.realtime.session import (
    Audio,
    AudioInput,
    AudioOutput,
    FunctionTool,
    Pcmu,
    Session,
    Transcription,
    TurnDetection,
)
from wire import judge

_E = TypeVar("_E")

STEP_S = FRAME_MS / 1000
ANSWER_S_MAX = 60.0
"""Virtual seconds that any answer in these tests is complete within."""


def telephony(
    detection: TurnDetection | None = None, *, tools: tuple[FunctionTool, ...] = ()
) -> client.SessionUpdate:
    """The update that a phone line sends: µ-law both ways, transcribed."""
    heard = AudioInput(Pcmu(), Transcription("gpt-transcribe"))
    if detection is not None:
        heard = AudioInput(Pcmu(), Transcription("gpt-transcribe"), turn_detection=detection)
    spoken = AudioOutput(Pcmu(), voice="marin")
    return client.SessionUpdate(Session(audio=Audio(heard, spoken), tools=list(tools)))


class ModelClient:
    """One session; `events` is all that came, `now` the time."""

    def __init__(
        self,
        options: RealtimeSimOptions | None = None,
        *faults: str,
        brain: Brain | None = None,
        model: str = "gpt-realtime-2.1",
        beta: bool = False,
    ) -> None:
        self.now = 100.0
        self.events: list[server.ToClient] = []
        self.closed: Close | Reset | None = None
        self.faults = Faults(tuple(map(parse, faults)), self.now)
        self.server = RealtimeServer(
            Accepted(model, beta=beta),
            options or RealtimeSimOptions(),
            brain or DemoBrain(recorded()),
            recorded(),
            self.faults,
            "abc1",
            self.now,
            1_700_000_000.0,
        )
        self._keep(self.server.start(self.now))

    @property
    def record(self) -> SessionRecord:
        return self.server.record

    def send(self, event: client.FromClient | str | bytes) -> list[server.ToClient]:
        """Send one event; what came at once."""
        if not isinstance(event, str | bytes):
            event = client.encode(event)
        return self._keep(self.server.receive(event, self.now))

    def hear(self, audio: bytes, *, piece_ms: int = FRAME_MS) -> list[server.ToClient]:
        """Append audio as it comes from a line, in real time."""
        came: list[server.ToClient] = []
        size = FRAME_BYTES * piece_ms // FRAME_MS
        for at in range(0, len(audio), size):
            piece = audio[at : at + size]
            came += self.send(client.AppendAudio(base64.b64encode(piece).decode()))
            came += self.wait(piece_ms / 1000)
        return came

    def say(
        self, text: str, *, silence_ms: int = 600, piece_ms: int = FRAME_MS
    ) -> list[server.ToClient]:
        """Speak, and be silent until the turn is over."""
        silence = SILENCE * (silence_ms // FRAME_MS)
        return self.hear(recorded().speak(text) + silence, piece_ms=piece_ms)

    def wait(self, seconds: float) -> list[server.ToClient]:
        """Let time pass, from deadline to deadline."""
        end, came = self.now + seconds, []
        while (due := self.server.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            came += self._keep(self.server.tick(self.now))
        self.now = end
        return came + self._keep(self.server.tick(self.now))

    def wait_for(self, kind: type[_E], fits: Callable[[_E], bool] = lambda _: True) -> _E:
        """The next event of a kind, from now on."""
        end = self.now + ANSWER_S_MAX
        while (due := self.server.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            for event in self._keep(self.server.tick(self.now)):
                if isinstance(event, kind) and fits(event):
                    return event
        raise AssertionError(f"no {kind.__name__} came; {self.kinds()[-12:]}")

    def answer(self) -> server.ResponseDone:
        """Wait for the end of a response."""
        return self.wait_for(server.ResponseDone)

    def of(self, kind: type[_E]) -> list[_E]:
        """All events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[str]:
        """The names of all events so far."""
        return [type(event).__name__ for event in self.events]

    def errors(self) -> list[str]:
        """Codes of all errors so far."""
        return [str(event.error.code) for event in self.of(server.Error)]

    def audio(self, item_id: str | None = None) -> bytes:
        """What was spoken, of one item or in all."""
        return b"".join(
            base64.b64decode(event.delta)
            for event in self.of(server.AudioDelta)
            if item_id in (None, event.item_id)
        )

    def _keep(self, outputs: list[Output]) -> list[server.ToClient]:
        came: list[server.ToClient] = []
        for output in outputs:
            assert self.closed is None, "nothing comes after the close"
            match output:
                case Send(event):
                    complaints = judge.of_server_event(server.encode(event))
                    assert not complaints, (event, complaints)
                    came.append(event)
                case Close() | Reset():
                    self.closed = output
        self.events += came
        return came


def spoken(item: Item) -> str:
    """The transcript of an assistant's message."""
    content = getattr(item, "content", None)
    assert content, item
    return str(content[0].transcript)


def connected(
    *faults: str,
    options: RealtimeSimOptions | None = None,
    brain: Brain | None = None,
    detection: TurnDetection | None = None,
    tools: tuple[FunctionTool, ...] = (),
) -> ModelClient:
    """A session that is set up for a phone line."""
    made = ModelClient(options, *faults, brain=brain)
    made.send(telephony(detection, tools=tools))
    assert not made.errors()
    return made
