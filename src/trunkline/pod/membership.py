"""This pod in the fleet: it says every two seconds that it lives, and which slots it holds.

A beat is also what makes good: a slot that the store forgot is retaken, one whose release was lost
is freed, and a call that a higher epoch gave to another pod is let go of.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from trunkline.core.fleet_states import BEAT_MS, LEASE_MS, Beat, Heard, Life, Listed
from trunkline.core.ids import CallSid, Epoch
from trunkline.errors import StoreError
from trunkline.pod.clock import RedisClock
from trunkline.ports import Roster, Slots
from trunkline.telemetry.logs import Log, LogName
from trunkline.telemetry.metrics import Metrics

BEAT_S: Final = BEAT_MS / 1000

SILENT_S: Final = (LEASE_MS - BEAT_MS) / 1000
"""Without an answered beat for so long, other pods may soon find this one dead."""

WOKE_S: Final = 5.0
"""After the first answered beat the deeds of those who found it dead may still be on their way."""

RELEASES_MAX: Final = 1_000
"""Releases on their way to the store; one more is left to the next beat, which lists the rest."""

LEAVE_S_MAX: Final = 2.0
"""So long the store may take to be told that this pod has ended; then its lease ends by itself."""


@dataclass(frozen=True, slots=True)
class _Release:
    call: CallSid
    epoch: Epoch


class Membership:
    """What the fleet knows of this pod, and this pod of the fleet."""

    def __init__(
        self,
        roster: Roster,
        slots: Slots,
        beat: Beat,
        *,
        listed: Callable[[], Sequence[Listed]],
        on_lost: Callable[[CallSid], None],
        on_fewer: Callable[[], None],
        clock: RedisClock,
        log: Log,
        metrics: Metrics,
        beat_s: float = BEAT_S,
    ) -> None:
        """`beat` is what never changes; `on_lost` is told of calls that are another pod's now,
        `on_fewer` that a pod is gone.
        """
        self._roster = roster
        self._slots = slots
        self._beat = beat
        self._listed = listed
        self._on_lost = on_lost
        self._on_fewer = on_fewer
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._beat_s = beat_s
        self._releases: deque[_Release] = deque(maxlen=RELEASES_MAX)
        self._released = asyncio.Event()
        self.heard: Heard | None = None
        """What the last beat was answered; None before the first."""
        self.woke_at = -math.inf
        """When a beat was answered after a silence, by the loop's clock."""
        self.heard_at = -math.inf
        """When that was, by the loop's clock."""

    @property
    def holders(self) -> int:
        """Callers who hold, in all pods."""
        return 0 if self.heard is None else self.heard.holders

    @property
    def pods(self) -> int:
        """Pods that live."""
        return 1 if self.heard is None else self.heard.pods

    @property
    def life(self) -> Life:
        """Who this pod is."""
        return self._beat.life

    @property
    def was_silent(self) -> bool:
        """Whether other pods may take this one for dead by now: it slept, or the store is away."""
        now = asyncio.get_running_loop().time()
        return now - self.heard_at > SILENT_S or now - self.woke_at < WOKE_S

    def drain(self) -> None:
        """From the next beat on this pod gets no more calls."""
        self._beat = replace(self._beat, draining=True)

    @property
    def draining(self) -> bool:
        """Whether it does."""
        return self._beat.draining

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await self.tell()
            await asyncio.sleep(self._beat_s)

    async def tell(self) -> None:
        """One beat."""
        said = replace(self._beat, slots=tuple(self._listed()))
        try:
            heard = await self._roster.beat(said)
        except StoreError as error:
            self._log.warning(LogName.FLEET_AWAY, reason=str(error))
            return
        before, self.heard = self.heard, heard
        if before is not None and heard.pods < before.pods:
            self._on_fewer()
        now = asyncio.get_running_loop().time()
        if before is not None and now - self.heard_at > SILENT_S:
            self.woke_at = now
        self.heard_at = now
        self._clock.set(heard.now_ms)
        self._beat = replace(self._beat, joined_ms=heard.joined_ms)
        if heard.retaken:
            self._metrics.slots_retaken(heard.retaken)
        if heard.replaced:
            self._log.error(LogName.POD_REPLACED)
        for call in heard.lost:
            self._log.warning(LogName.CALL_LOST, call=call)
            self._on_lost(call)

    def release(self, call: CallSid, epoch: Epoch) -> None:
        """A call of this pod is over: its slot is free, as soon as the store is told."""
        if len(self._releases) < RELEASES_MAX:
            self._releases.append(_Release(call, epoch))
            self._released.set()

    async def leave(self) -> None:
        """This pod has ended: it has no slot any more."""
        try:
            async with asyncio.timeout(LEAVE_S_MAX):
                await self._roster.leave(self.life)
        except (StoreError, TimeoutError) as error:
            self._log.warning(LogName.FLEET_AWAY, reason=str(error))

    async def carry_releases(self) -> None:
        """Tell the store of slots that are free, until cancelled."""
        while True:
            await self._released.wait()
            self._released.clear()
            while self._releases:
                one = self._releases.popleft()
                try:
                    await self._slots.release(one.call, self.life, one.epoch)
                except StoreError as error:
                    # The next beat does not list it, which frees it too.
                    self._log.warning(LogName.FLEET_AWAY, call=one.call, reason=str(error))
