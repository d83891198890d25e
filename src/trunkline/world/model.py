"""The realtime model of the world: the simulator's machine behind the codec, and its weather."""

import asyncio
import random
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from trunkline.errors import ModelError
from trunkline.pod.alarm import Alarm
from trunkline.ports import FrameListener, LossListener
from trunkline.sim.realtime.brain import DemoBrain
from trunkline.sim.realtime.faults import Fault, Faults
from trunkline.sim.realtime.handshake import PATH, Refused, decide
from trunkline.sim.realtime.machine import Output, RealtimeServer, Send
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.speech import Speech
from trunkline.wire.realtime import server
from trunkline.world.clock import OUTSIDE, Place, here
from trunkline.world.wires import Pipe

MODEL: Final = "gpt-realtime"
WAY_S: Final = (0.01, 0.06)
"""One way between a pod and the model: the same for a whole session."""

CREATED_S_MAX: Final = 5.0
"""As `adapters.realtime_socket` waits for `session.created`."""

SILENCE_S_MAX: Final = 10.0
"""A ping of ours that nobody answers shows a dead connection within this time."""

_CALL: Final = re.compile(rb"You serve call (\w+)")

_LOST: Final = b""
"""In a pipe: the connection is gone."""


class WorldModel:
    """The provider."""

    def __init__(self, rng: random.Random, speech: Speech) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._rng = rng
        self._speech = speech
        self.options = RealtimeSimOptions(keep_audio=False)
        self.faults = Faults((), loop.time())
        self.brain = DemoBrain(speech)
        self.open: dict[str, ModelEnd] = {}
        self.made = 0
        self._served: dict[str, str] = {}
        """By session: the call that its instructions name."""
        self.shared: list[str] = []
        """Sessions that served more than one call."""

    async def connect(self) -> "WorldSession":
        """A session, from the place that calls."""
        place = here()
        assert place is not None
        way_s = self._rng.uniform(*WAY_S)
        await asyncio.sleep(4 * way_s)
        headers = {"authorization": "Bearer key"}
        now = self._loop.time()
        accepted = decide(f"{PATH}?model={quote(MODEL)}", headers, self.options, self.faults, now)
        if isinstance(accepted, Refused):
            raise ModelError(accepted.code)
        self.made += 1
        name = f"w{self.made}"
        machine = RealtimeServer(
            accepted, self.options, self.brain, self._speech, self.faults, name, now, now
        )
        session = WorldSession(name)
        end = ModelEnd(self, machine, session, place, way_s)
        self.open[name] = end
        self._loop.call_soon(end.perform, machine.start(now), context=OUTSIDE)
        try:
            async with asyncio.timeout(CREATED_S_MAX):
                await session.created.wait()
        except TimeoutError:
            end.drop()
            raise ModelError("timeout") from None
        except asyncio.CancelledError:
            end.drop()
            raise
        if session.lost is not None:
            raise ModelError(session.lost)
        return session

    def updated(self, session: str, text: bytes) -> None:
        """A session is told whose call it serves."""
        for call in _CALL.findall(text):
            if self._served.setdefault(session, call.decode()) != call.decode():
                self.shared.append(session)

    def drop(self, count: int) -> None:
        """Some connections break, the oldest first."""
        for name in list(self.open)[:count]:
            self.open[name].break_off()

    def put(self, fault: Fault) -> None:
        """Something goes wrong from now on."""
        self.faults.put(fault)


class ModelEnd:
    """The provider's end of one session."""

    def __init__(
        self,
        model: WorldModel,
        machine: RealtimeServer,
        session: "WorldSession",
        place: Place,
        way_s: float,
    ) -> None:
        self.machine = machine
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._session = session
        self._alarm = Alarm(self._tick)
        self._to_pod: Pipe[bytes] = Pipe(session.arrive, way_s, place.context)
        self._to_model: Pipe[bytes] = Pipe(self._heard, way_s)
        self._forget = place.on_death(self._pod_died)
        session.open(self._to_model.send, self._heard_close, place)

    def _heard(self, text: bytes) -> None:
        now = self._loop.time()
        if text is _LOST:
            self.machine.lost(now, 1000, "the client closed")
            self._gone()
            return
        if b'"session.update"' in text[:80]:
            self._model.updated(self.machine.record.name, text)
        self.perform(self.machine.receive(text, now))

    def _tick(self) -> None:
        self.perform(self.machine.tick(self._loop.time()))

    def perform(self, outputs: list[Output]) -> None:
        """Do what the machine wants."""
        for output in outputs:
            if isinstance(output, Send):
                self._to_pod.send(server.encode(output.event))
            else:
                self.break_off()
                return
        at = self.machine.deadline()
        if at is not None:
            self._alarm.set(at)

    def break_off(self) -> None:
        """The connection ends from this side."""
        self.machine.lost(self._loop.time(), 1006, "broken")
        self._to_pod.send(_LOST)
        self._gone()

    def drop(self) -> None:
        """The pod gave it up while it was opened."""
        self._session.close_now()

    def _heard_close(self) -> None:
        self._to_model.send(_LOST)

    def _pod_died(self) -> None:
        self._to_pod.cut = True
        self._to_model.send(_LOST)

    def _gone(self) -> None:
        self._alarm.stop()
        self._forget()
        self._model.open.pop(self.machine.record.name, None)


class WorldSession:
    """The pod's end: `ports.ModelSession`."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.created = asyncio.Event()
        self.lost: str | None = None
        self._kept: list[bytes] = []
        self._on_frame: FrameListener | None = None
        self._on_lost: LossListener | None = None
        self._write: Callable[[bytes], None] = lambda _: None
        self._bye: Callable[[], None] = lambda: None
        self._place: Place | None = None
        self._closed = False

    def open(self, write: Callable[[bytes], None], bye: Callable[[], None], place: Place) -> None:
        """The connection stands."""
        self._write, self._bye, self._place = write, bye, place

    def arrive(self, text: bytes) -> None:
        """A message of the model's, or the end."""
        if self._closed or self.lost is not None:
            return
        if text is _LOST:
            self.lost = "closed"
            self.created.set()
            if self._on_lost is not None:
                self._on_lost(self.lost)
        elif not self.created.is_set():
            event = server.decode(memoryview(text))
            if isinstance(event, server.SessionCreated):
                self.created.set()
            elif isinstance(event, server.Error):
                self.lost = event.error.code or "error"
                self.created.set()
        elif self._on_frame is None:
            self._kept.append(text)
        else:
            self._on_frame(memoryview(text))

    def listen(self, on_frame: FrameListener, on_lost: LossListener) -> None:
        """As the port says."""
        if self._closed:
            return
        if self.lost is not None:
            asyncio.get_running_loop().call_soon(on_lost, self.lost)
            return
        self._on_frame, self._on_lost = on_frame, on_lost
        kept, self._kept = self._kept, []
        for text in kept:
            on_frame(memoryview(text))

    def send(self, text: bytes) -> None:
        """As the port says."""
        if not self._is_over:
            self._write(text)

    def send_audio(self, text: bytes) -> bool:
        """As the port says: this model reads all."""
        self.send(text)
        return True

    async def close(self) -> None:
        """As the port says."""
        self.close_now()

    def close_now(self) -> None:
        """Say goodbye, and hear nothing more."""
        if not self._closed:
            self._closed = True
            if self.lost is None and not self._is_dead:
                self._bye()

    @property
    def _is_dead(self) -> bool:
        return self._place is not None and self._place.dead

    @property
    def _is_over(self) -> bool:
        return self._closed or self.lost is not None or self._is_dead


class WorldModelDoor:
    """`ports.ModelDoor`."""

    def __init__(self, model: WorldModel) -> None:
        self._model = model

    async def open(self) -> WorldSession:
        """As the port says."""
        return await self._model.connect()
