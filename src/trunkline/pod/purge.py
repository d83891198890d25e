"""Once an hour: calls past their tenants' days lose their words and numbers."""

import asyncio
from collections.abc import Callable
from typing import Final

from trunkline.core.retention import Erased, Retention
from trunkline.errors import StoreError
from trunkline.ports import Eraser
from trunkline.telemetry.logs import Log, LogName

FIRST_S: Final = 60.0
"""After the start: a pod that is deployed every hour purges all the same."""

EVERY_S: Final = 3600.0

BATCH_CALLS_MAX: Final = 50
"""Calls in one step: some 10,000 facts, a second of the database's time."""

BATCHES_MAX: Final = 1_000
"""Steps in one round; what is left waits for the next hour."""

PAUSE_S: Final = 0.2
"""Between steps: the facts of live calls are written in between."""


class Purge:
    """The purge of one pod. Of several pods one purges at a time: the others' round is empty."""

    def __init__(self, eraser: Eraser, retention: Callable[[], Retention], log: Log) -> None:
        self._eraser = eraser
        self._retention = retention
        self._log = log

    async def run(
        self, *, first_s: float = FIRST_S, every_s: float = EVERY_S, pause_s: float = PAUSE_S
    ) -> None:
        """Purge again and again, until cancelled. A store that is away is asked next time."""
        await asyncio.sleep(first_s)
        while True:
            try:
                await self.once(pause_s)
            except StoreError as error:
                self._log.warning(LogName.PURGE_FAILED, reason=str(error))
            await asyncio.sleep(every_s)

    async def once(self, pause_s: float = PAUSE_S) -> Erased:
        """One round: everything that is due, in bounded steps.

        Raises:
            StoreError: the call log did not answer; what was erased before stays so.
        """
        retention = self._retention()
        done = await self._eraser.sweep() or Erased()
        for _ in range(0 if retention.keeps_all else BATCHES_MAX):
            step = await self._eraser.purge(retention, calls_max=BATCH_CALLS_MAX)
            if step is None or step.calls == 0:
                break
            done += step
            await asyncio.sleep(pause_s)
        if done != Erased():
            self._log.info(LogName.CALLS_ERASED, count=done.calls, value=done.facts)
        return done
