"""What the carrier tells, to the call log: outside every chain, as well as it can be had.

It is no promise: the carrier itself loses callbacks. So it is kept in memory alone while Postgres
is away, up to a bound, and a process that is killed loses what is not written.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from trunkline.core.carrier import AmdTold, CarrierFact, StatusTold, StreamErrorTold, told
from trunkline.core.ids import CallSid
from trunkline.errors import StoreError
from trunkline.pod.flush import RETRY_S_MAX, RETRY_S_MIN
from trunkline.ports import CarrierBook
from trunkline.telemetry.logs import Log, LogName
from trunkline.wire import webhooks

CARRIER_FACTS_MAX: Final = 10_000
"""Kept while the call log is away (some 5 MB); a further one is refused and logged."""

WRITE_FACTS_MAX: Final = 500
"""In one transaction; the rest follows in the next."""


class CarrierFacts:
    """Telling never waits, `run` does the waiting."""

    def __init__(self, book: CarrierBook, log: Log, wall_ms: Callable[[], int]) -> None:
        self._book = book
        self._log = log
        self._wall_ms = wall_ms
        self._unwritten: deque[CarrierFact] = deque()
        self._come = asyncio.Event()
        self._closing = False

    @property
    def backlog(self) -> int:
        """What is not in the call log yet."""
        return len(self._unwritten)

    def note(self, fact: CarrierFact) -> None:
        """Keep it until it is written."""
        if len(self._unwritten) >= CARRIER_FACTS_MAX:
            reason = "carrier_facts_max"
            self._log.error(LogName.CARRIER_FACT_REFUSED, call=fact.call, reason=reason)
            return
        self._unwritten.append(fact)
        self._come.set()

    def status_told(self, callback: webhooks.StatusCallback) -> None:
        """What became of a call."""
        what = StatusTold(
            callback.status,
            callback.sequence_number,
            callback.duration,
            callback.sip_response_code,
            callback.answered_by,
            callback.timestamp,
        )
        self._tell(callback.call, what)

    def stream_failed(self, callback: webhooks.StreamStatus) -> None:
        """A stream failed."""
        what = StreamErrorTold(callback.stream, callback.error, callback.timestamp)
        self._tell(callback.call, what)

    def answered_by(self, verdict: webhooks.MachineVerdict) -> None:
        """Who answered an outbound call."""
        self._tell(verdict.call, AmdTold(verdict.answered_by, verdict.duration_ms))

    def _tell(self, call: str, what: StatusTold | StreamErrorTold | AmdTold) -> None:
        self.note(told(CallSid(call), what, at_ms=self._wall_ms()))

    def close(self) -> None:
        """Nothing follows: `run` returns when all is written."""
        self._closing = True
        self._come.set()

    async def run(self) -> None:
        """Write until `close` was called and nothing is left."""
        wait_s = RETRY_S_MIN
        while self._unwritten or not self._closing:
            self._come.clear()
            if not self._unwritten:
                await self._come.wait()
                continue
            batch = [self._unwritten[i] for i in range(min(WRITE_FACTS_MAX, self.backlog))]
            try:
                await self._book.write_carrier_facts(batch)
            except StoreError as error:
                self._log.warning(LogName.CALL_LOG_AWAY, reason=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, RETRY_S_MAX)
                continue
            wait_s = RETRY_S_MIN
            for _ in batch:
                self._unwritten.popleft()
