"""When audio left one socket and came to another, so that latency is measured outside the pod.

Each simulator stamps what it writes (`left`) and what it reads (`came`) on one clock. The pod
carries payloads untouched, so that a payload's fingerprint names the frame at both ends.
"""

import zlib
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from typing import Final

ENTRIES_MAX: Final = 20_000
"""Stamps kept each way: 400 s of speech. Then the oldest is forgotten."""

MATCH_S_MAX: Final = 10.0
"""A frame that needs longer is taken for another frame with the same sound."""


def fingerprint(payload: bytes | str) -> int:
    """The same number in every process, for text and for its ASCII bytes."""
    return zlib.crc32(payload if isinstance(payload, bytes) else payload.encode())


class Ledger:
    """The stamps of one call at one end."""

    __slots__ = ("arrivals", "departures", "interruptions")

    def __init__(self) -> None:
        self.departures: deque[tuple[int, float]] = deque(maxlen=ENTRIES_MAX)
        self.arrivals: deque[tuple[int, float]] = deque(maxlen=ENTRIES_MAX)
        self.interruptions: deque[float] = deque(maxlen=ENTRIES_MAX)

    def left(self, payload: bytes | str, now: float) -> None:
        """The payload was written to this end's socket."""
        self.departures.append((fingerprint(payload), now))

    def came(self, payload: bytes | str, now: float) -> None:
        """The payload was read from this end's socket."""
        self.arrivals.append((fingerprint(payload), now))

    def interrupted(self, now: float) -> None:
        """The model wrote that speech began; at the carrier: a `clear` was read."""
        self.interruptions.append(now)


def added_latency(sent: Ledger, received: Ledger) -> list[float]:
    """Seconds between the sockets, for each frame that left `sent` and came to `received`.

    Frames keep their order: a match never lies before the one found last. Frames that were
    dropped on the way (a barge-in does so) have no match and do not count.
    """
    places: dict[int, list[int]] = {}
    times: list[float] = []
    for index, (mark, at) in enumerate(sent.departures):
        places.setdefault(mark, []).append(index)
        times.append(at)
    latencies: list[float] = []
    last = -1
    for mark, at in received.arrivals:
        candidates = places.get(mark, [])
        for index in candidates[bisect_right(candidates, last) :]:
            if times[index] > at:
                break
            if at - times[index] <= MATCH_S_MAX:
                latencies.append(at - times[index])
                last = index
                break
    return latencies


def clear_latency(model: Ledger, carrier: Ledger) -> list[float]:
    """Seconds from the model's word that speech began to each `clear` at the carrier.

    Speech into silence brings no `clear`; a `clear` for a key had no word before it, and would
    count from the last speech: measure calls without keys.
    """
    said = sorted(model.interruptions)
    found = ((at, bisect_right(said, at)) for at in carrier.interruptions)
    return [at - said[place - 1] for at, place in found if place]


def nearest(sent: Ledger, candidates: Iterable[Ledger]) -> Ledger | None:
    """The ledger that received most of what `sent` sent: which session was this call's."""
    best: Ledger | None = None
    best_count = 0
    for candidate in candidates:
        count = len(added_latency(sent, candidate))
        if count > best_count:
            best, best_count = candidate, count
    return best
