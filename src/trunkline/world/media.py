"""A pod's end of the carrier's streams: what `pod.media` is to sockets, over the world's pipes."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from trunkline.pod.media_words import CLOSE_S_MAX, SILENCE_S_MAX, START_S_MAX, Refusal
from trunkline.pod.runner import CallRunner
from trunkline.pod.surroundings import StreamSocket
from trunkline.wire import twilio
from trunkline.world.wires import Pipe

END: Final = b""
"""In a pipe: the close frame."""

RESET: Final = b"\x00"
"""In a pipe: the connection was reset."""


class Admission(Protocol):
    """Who says which stream gets which call."""

    def admit(self, start: twilio.Start, socket: StreamSocket) -> CallRunner | Refusal | None:
        """The call that its ticket names, or why not."""
        ...


class PodStream:
    """`pod.surroundings.StreamSocket`."""

    def __init__(
        self, gate: Admission, on_refused: Callable[[Refusal], None], on_spoken: Callable[[], None]
    ) -> None:
        """`on_spoken` is told of anything that is sent to a stream that was refused."""
        self._gate = gate
        self._on_refused = on_refused
        self._on_spoken = on_spoken
        self._out: Pipe[bytes] | None = None
        self._runner: CallRunner | None = None
        self._loop = asyncio.get_running_loop()
        self._heard = True
        self._closed_by_us = False
        self._refused = False
        self._gone = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def has_call(self) -> bool:
        """Whether its ticket was good."""
        return self._runner is not None

    def opened(self, out: Pipe[bytes]) -> None:
        """The upgrade was answered."""
        self._out = out
        self._arm(START_S_MAX, self._no_start)

    def send(self, message: twilio.ToCarrier) -> None:
        """As the protocol says."""
        if self._refused:
            self._on_spoken()
        if self._closed_by_us or self._gone.is_set() or self._out is None:
            return
        self._out.send(twilio.encode(message))

    def close(self) -> None:
        """As the protocol says."""
        if self._closed_by_us or self._gone.is_set() or self._out is None:
            return
        self._closed_by_us = True
        self._out.send(END)
        self._arm(CLOSE_S_MAX, self._is_gone)

    async def wait_gone(self) -> None:
        """As the protocol says."""
        await self._gone.wait()

    def arrive(self, text: bytes) -> None:
        """A message of the carrier's."""
        if self._gone.is_set():
            return
        self._heard = True
        if text in (END, RESET):
            self._end("closed" if text is END else "dropped")
            return
        if self._closed_by_us:
            return
        message = twilio.decode(text)
        if self._runner is not None:
            self._runner.from_carrier(self, message)
        elif isinstance(message, twilio.Start):
            self._begin(message)

    def _begin(self, start: twilio.Start) -> None:
        admitted = self._gate.admit(start, self)
        assert admitted is not None, "every stream here names its pod"
        if isinstance(admitted, Refusal):
            self._refused = True
            self._on_refused(admitted)
            self.close()
            return
        if self._closed_by_us:
            return
        self._runner = admitted
        self._watch()

    def _watch(self) -> None:
        heard, self._heard = self._heard, False
        if heard:
            self._arm(SILENCE_S_MAX, self._watch)
            return
        runner, self._runner = self._runner, None
        self.close()
        if runner is not None:
            runner.stream_lost(self, "silence")

    def _no_start(self) -> None:
        self._on_refused(Refusal.NO_START)
        self.close()

    def _end(self, reason: str) -> None:
        self._is_gone()
        runner, self._runner = self._runner, None
        if runner is not None and not self._closed_by_us:
            runner.stream_lost(self, reason)

    def _is_gone(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._gone.set()

    def _arm(self, wait_s: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(wait_s, then)
