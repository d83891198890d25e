"""Calls whose stream is gone and whose redirect does not come: the carrier is told to ask again.

The carrier runs the next verb by itself, 1-2 s after a loss. Where it does not, its API takes the
same resume address; whoever then answers goes on as with any redirect. A call that went on
meanwhile has another epoch, or a stream: it is left alone, for an update would break it.

Several pods may find the same call. They take turns, a second apart, each call in an order of its
own: who comes later finds that it went on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from trunkline.core.fleet_states import Life
from trunkline.core.ids import CallSid
from trunkline.core.neighbour_words import Word
from trunkline.core.tickets import ResumeToken
from trunkline.errors import CarrierError, SettingsError, StoreError
from trunkline.pod.passes import Passes
from trunkline.ports import CallState, CarrierOrders, HeldCall, JournalIndex
from trunkline.telemetry.logs import Log, LogName

RESCUE_S: Final = 2.0
"""So long the next verb may take."""

TURN_S: Final = 1.0
"""From one pod's turn to the next one's: the carrier's API and its webhook take half of it."""

WATCHED_MAX: Final = 1_000
"""Calls that are watched at once; one more is left to the look over all journals."""

Turn = Callable[[CallSid], Awaitable[int]]
"""How many pods may ask for a call before this one does."""

AskHolder = Callable[[Life, CallSid], Awaitable[Word | None]]
"""What the holder knows of a call; None: it is gone."""


class Rescue:
    """Watches them. Each has a task; `stop` ends all."""

    def __init__(
        self,
        index: JournalIndex,
        ask: AskHolder,
        turn: Turn,
        passes: Passes,
        carrier: CarrierOrders | None,
        log: Log,
        *,
        wait_s: float = RESCUE_S,
        turn_s: float = TURN_S,
    ) -> None:
        """`carrier` is None where no account is set: then nothing is watched."""
        self._index = index
        self._ask = ask
        self._turn = turn
        self._passes = passes
        self._carrier = carrier
        self._log = log
        self._wait_s = wait_s
        self._turn_s = turn_s
        self._watched: dict[CallSid, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, call: CallSid) -> None:
        """Its stream is gone, or its pod: see that it goes on."""
        if self._carrier is None or call in self._watched or len(self) >= WATCHED_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._see_to(call, self._carrier))
        self._watched[call] = task
        task.add_done_callback(lambda _: self._watched.pop(call, None))

    def stop(self) -> None:
        """The pod goes: others see to these calls."""
        for task in self._watched.values():
            task.cancel()

    async def _see_to(self, call: CallSid, carrier: CarrierOrders) -> None:
        try:
            before = await self._index.holder(call)
            await asyncio.sleep(self._wait_s + self._turn_s * await self._turn(call))
            held = await self._index.holder(call)
            if before is None or held != before or held.state is CallState.ENDED:
                return
            if await self._has_stream(held):
                return
            holder = held.holder
            token = ResumeToken(call, holder.epoch, holder.pod, holder.incarnation)
            found = await carrier.redirect(call, self._passes.resume_url(token))
            reason = "asked" if found else "over"
        except (StoreError, CarrierError, SettingsError) as error:
            reason = str(error)
        self._log.warning(LogName.CALL_RESCUED, call=call, reason=reason)

    async def _has_stream(self, held: HeldCall) -> bool:
        holder = held.holder
        word = await self._ask(Life(holder.pod, holder.incarnation), held.call)
        return word is not None and (word.state == "ended" or word.streaming)
