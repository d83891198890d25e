"""Whether a model has room for one more call, beside those that it has.

A provider limits the tokens of a minute, and mostly the sessions of a key. A call that is let in
beyond either starves those that are there: their responses fail, or the session that is to follow
a lost one can't be had. So a new call is refused while live ones still have what they need.
"""

from dataclasses import dataclass
from typing import Final

TOKENS: Final = "tokens"
"""The name under which a provider reports the tokens of a minute."""

SPARE_SHARE: Final = 0.05
"""Of the sessions of a key, so many are kept for calls that need a second one; one at least."""

NEWEST_WEIGHT: Final = 0.1
"""How much the newest response counts in what a response takes on average."""


@dataclass(frozen=True, slots=True)
class _Report:
    at: float
    limit: int
    remaining: int
    reset_s: float


class Capacity:
    """What is left of one model behind one key. Times in seconds of any monotonic clock."""

    __slots__ = ("_a_response", "_report", "_sessions_max")

    def __init__(self, sessions_max: int | None = None) -> None:
        """`sessions_max`: what the key allows at once; None: nobody knows."""
        assert sessions_max is None or sessions_max >= 1
        self._sessions_max = sessions_max
        self._report: _Report | None = None
        self._a_response = 0.0
        """Tokens that a response takes, context included: an average that follows the newest."""

    def reported(self, name: str, limit: int, remaining: int, reset_s: float, now: float) -> None:
        """The provider's word on one of its limits; only that on tokens is of use here."""
        if name == TOKENS and limit > 0:
            remaining = min(max(remaining, 0), limit)
            self._report = _Report(now, limit, remaining, max(reset_s, 0.0))

    def spent(self, tokens: int) -> None:
        """A response has taken so many."""
        if self._a_response:
            self._a_response += NEWEST_WEIGHT * (max(tokens, 0) - self._a_response)
        else:
            self._a_response = float(max(tokens, 0))

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

    def has_room(self, calls: int, now: float) -> bool:
        """Whether one more call may come to the `calls` that are there.

        Each of them may want a response before more tokens come back; so may the new one.
        """
        if self._sessions_max is not None:
            spare = max(1, round(self._sessions_max * SPARE_SHARE)) if calls else 0
            if calls + 1 + spare > self._sessions_max:
                return False
        left = self.tokens_left(now)
        return left is None or left >= (calls + 1) * self._a_response
