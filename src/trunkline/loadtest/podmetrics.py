"""What a pod tells of itself on its internal port: processor, memory, calls, its loop's lag."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

POLL_S: Final = 1.0
"""How often the pod is asked. On an absolute clock."""

ANSWER_S_MAX: Final = 0.9
"""A slower answer is a gap in the plot, no failure."""

PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""More of the page is not read."""

SAMPLES_MAX: Final = 7_200
"""Samples kept; what comes later is not asked for."""

CPU: Final = "process_cpu_seconds_total"
MEMORY: Final = "process_resident_memory_bytes"
CALLS: Final = "active_calls_per_pod"
LAG: Final = "event_loop_lag_seconds_bucket"
WANTED: Final = (CPU, MEMORY, CALLS, LAG)

LAG_SHARE: Final = 0.99


class Sample(msgspec.Struct, frozen=True):
    """One stretch between two answers of the pod. None where it does not tell."""

    at_s: float
    cpu: float | None
    """Cores in use."""
    memory_mb: float | None
    calls: float | None
    lag_ms: float | None
    """99 % of the loop's ticks were no later; an upper edge of a bucket."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer says; totals since the pod's start."""

    at: float
    cpu_s: float | None = None
    memory_bytes: float | None = None
    calls: float | None = None
    lags: Mapping[float, float] = field(default_factory=dict)


def read(text: str, at: float) -> Page:
    """Take our four metrics out of a page of hundreds.

    Raises:
        ValueError: it is no page of metrics.
    """
    lines = [line for line in text.splitlines() if line.startswith(WANTED)]
    found: dict[str, float] = {}
    lags: dict[float, float] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            if sample.name == LAG:
                lags[float(sample.labels["le"])] = sample.value
            elif sample.name in WANTED:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return Page(at, found.get(CPU), found.get(MEMORY), found.get(CALLS), lags)


def between(before: Page, after: Page, zero: float) -> Sample:
    """What happened from one answer to the next."""
    cpu = None
    if before.cpu_s is not None and after.cpu_s is not None and after.at > before.at:
        cpu = max(0.0, (after.cpu_s - before.cpu_s) / (after.at - before.at))
    memory = after.memory_bytes
    return Sample(
        at_s=round(after.at - zero, 3),
        cpu=None if cpu is None else round(cpu, 4),
        memory_mb=None if memory is None else round(memory / 1e6, 2),
        calls=after.calls,
        lag_ms=_lag_ms(before.lags, after.lags),
    )


def _lag_ms(before: Mapping[float, float], after: Mapping[float, float]) -> float | None:
    """The edge below which 99 % of the new ticks lie; beyond the last edge, the last edge."""
    edges = sorted(after)
    grown = {edge: after[edge] - before.get(edge, 0.0) for edge in edges}
    if not edges or grown[edges[-1]] <= 0:
        return None
    wanted = LAG_SHARE * grown[edges[-1]]
    edge = next(edge for edge in edges if grown[edge] >= wanted)
    if math.isinf(edge):
        edge = edges[-2] if len(edges) > 1 else 0.0
    return round(edge * 1000, 3)


class Watch:
    """Asks a pod every second, for as long as it runs."""

    def __init__(
        self,
        url: str,
        http: aiohttp.ClientSession,
        zero: Callable[[], float],
        poll_s: float = POLL_S,
    ) -> None:
        self.samples: list[Sample] = []
        self._url = url
        self._http = http
        self._zero = zero
        self._poll_s = poll_s
        self._first: Page | None = None
        self._last: Page | None = None

    @property
    def lag_ms(self) -> float | None:
        """The loop's lag from the first answer to the last, 99th percentile."""
        if self._first is None or self._last is None:
            return None
        return _lag_ms(self._first.lags, self._last.lags)

    async def run(self) -> None:
        """Until cancelled."""
        before = self._first = await self.ask()
        due = time.monotonic()
        while len(self.samples) < SAMPLES_MAX:
            due += self._poll_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            page = await self.ask()
            if page is not None and before is not None:
                self.samples.append(between(before, page, self._zero()))
            if page is not None:
                before = self._last = page
                self._first = self._first or page

    async def ask(self) -> Page | None:
        """One answer; None where there is none in time, or it says nothing that we know."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
        try:
            async with self._http.get(self._url, timeout=timeout) as answer:
                if not answer.ok:
                    return None
                body = bytearray()
                async for piece in answer.content.iter_chunked(64 * 1024):
                    body += piece
                    if len(body) > PAGE_BYTES_MAX:
                        return None
                return read(body.decode(errors="replace"), time.monotonic())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None
