"""Whether a model has room for one more call, beside those that it has.

A provider limits the sessions of a key, and the tokens of a minute. A call that is let in beyond
either starves those that are there: their responses fail, or the session that is to follow a lost
one can't be had. So a new call is refused while live ones still have what they need.

How many calls a key's sessions allow is a plain number, and counts as the limits of a tenant do
(`core.slots`). How many tokens are left is what the provider said last, and what came back since.
"""

import math
from dataclasses import dataclass
from typing import Final

TOKENS: Final = "tokens"
"""The name under which a provider reports the tokens of a minute."""

SPARE_SHARE: Final = 0.05
"""Of the sessions of a key, so many are kept for calls that need a second one; one at least."""

NEWEST_WEIGHT: Final = 0.1
"""How much the newest response counts in what one takes, and how soon one follows another."""

REPORT_S_MAX: Final = 120.0
"""A report of an empty minute is believed for no longer: then somebody is let in, and the next
report comes of it."""

RESPONSE_USUAL: Final = 1_000.0
"""Tokens that a response is thought to take until one was measured: the report of how much is left
comes at a response's begin, its usage at its end."""

MINUTE_S: Final = 60.0


def calls_max(sessions_max: int) -> int:
    """How many calls a key may serve that allows so many sessions at once; one at least.

    The rest is for the second session that a call has for a while when its first grows old.
    """
    return max(1, sessions_max - max(1, math.ceil(sessions_max * SPARE_SHARE)))


@dataclass(frozen=True, slots=True)
class _Report:
    at: float
    limit: int
    remaining: int
    reset_s: float


class Capacity:
    """The tokens of one model behind one key. Times in seconds of any monotonic clock."""

    __slots__ = ("_apart_s", "_report", "_response")

    def __init__(self) -> None:
        self._report: _Report | None = None
        self._response = 0.0
        """Tokens that a response takes, context included: an average that follows the newest."""
        self._apart_s = 0.0
        """Seconds from one response of a call to its next, likewise; 0: none was seen."""

    def told(self, limit: int, remaining: int, reset_s: float, now: float) -> None:
        """The provider's word on the tokens of a minute. The newest counts, whichever call it
        came by: it is about the key, all pods included.
        """
        if limit > 0:
            remaining = min(max(remaining, 0), limit)
            self._report = _Report(now, limit, remaining, min(max(reset_s, 0.0), REPORT_S_MAX))

    def used(self, tokens: int, apart_s: float | None) -> None:
        """A response has taken so many, so long after its call's last one; None: it has none."""
        self._response = _follow(self._response, float(max(tokens, 0)))
        if apart_s is not None:
            self._apart_s = _follow(self._apart_s, max(apart_s, 0.0))

    def tokens_left(self, now: float) -> float | None:
        """What may be left by now: what was used comes back evenly. None: nothing was said."""
        report = self._report
        if report is None:
            return None
        used = report.limit - report.remaining
        if report.reset_s <= 0:
            return float(report.limit)
        back = used * min(max(now - report.at, 0.0) / report.reset_s, 1.0)
        return report.remaining + back

    def tokens_a_minute(self) -> float:
        """What one call spends in a minute; 0 until a call had its second response."""
        return self._response * MINUTE_S / self._apart_s if self._apart_s > 0 else 0.0

    def has_room(self, calls: int, now: float) -> bool:
        """Whether one more call may come to the `calls` that are there.

        Each of them, and the new one, may want a response before anything comes back; and what all
        of them spend in a minute must be no more than what comes back in one.
        """
        left = self.tokens_left(now)
        if left is None:
            return True
        assert self._report is not None, "else nothing was left"
        limit = self._report.limit
        all_calls = calls + 1
        reserve = all_calls * (self._response or RESPONSE_USUAL)
        if left >= limit and not calls:
            return True  # It will never have more room than now.
        return left >= reserve and all_calls * self.tokens_a_minute() <= limit


def _follow(average: float, newest: float) -> float:
    return average + NEWEST_WEIGHT * (newest - average) if average else newest
