"""What a call's runner asks of its pod."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from trunkline.pod.costs import Costs
from trunkline.pod.door import Acquired
from trunkline.pod.recorder import Recorder
from trunkline.pod.tools.run import ToolResult
from trunkline.ports import ModelSession
from trunkline.telemetry.logs import Log
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import twilio

JITTER: Final = random.SystemRandom().random


class StreamSocket(Protocol):
    """One stream's socket."""

    def send(self, message: twilio.ToCarrier) -> None:
        """Write a message; never waits. A socket that is gone swallows it."""
        ...

    def close(self) -> None:
        """Close the stream: the carrier goes on with the next verb. Twice does nothing."""
        ...

    async def wait_gone(self) -> None:
        """Return when the socket is gone, soon after `close`."""
        ...


class SessionDoor(Protocol):
    """Where a call's session comes from and goes to."""

    async def acquire(self) -> Acquired:
        """A session that no caller has used, or `ModelError`."""
        ...

    def release(self, session: ModelSession, *, clean: bool) -> None:
        """Give it back: a session that has had a caller's settings is closed."""
        ...

    def blame(self, reason: str, begun_at: float) -> None:
        """The model failed a call in what began then, by the loop's clock."""
        ...

    def tokens_told(self, limit: int, remaining: int, reset_s: float) -> None:
        """The model's word on the tokens of its minute."""
        ...

    def tokens_used(self, tokens: int, apart_s: float | None) -> None:
        """A response took so many, so long after its session's last one."""
        ...

    def has_room(self, calls: int) -> bool:
        """Whether the minute's tokens do for one more call beside so many."""
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
    costs: Costs
    jitter: Callable[[], float] = JITTER
    """From 0 to 1: spreads what would else be tried again at the same moment."""
