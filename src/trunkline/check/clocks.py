"""Other machines' clocks beside ours. Each end asks its own time with whatever else it asks."""

from email.utils import parsedate_to_datetime
from typing import Final

from trunkline.check.items import Item, fail, ok, warn

SKEW_S_GOOD: Final = 5.0
"""An HTTP date has whole seconds, and the answer takes its way."""

SKEW_S_MAX: Final = 300.0
"""Beyond it certificates and signatures of others begin to fail."""


def of_skew(whose: str, theirs: float, ours: float) -> Item:
    """What a clock elsewhere says, by seconds since 1970."""
    skew = ours - theirs
    if abs(skew) <= SKEW_S_GOOD:
        return ok("clock", f"within {SKEW_S_GOOD:.0f} s of {whose}'s")
    why = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} {whose}'s"
    remedy = "synchronise this machine's clock (NTP)"
    return (fail if abs(skew) > SKEW_S_MAX else warn)("clock", why, remedy)


def of_date(whose: str, date: str | None, ours: float) -> list[Item]:
    """As `of_skew`, by an HTTP answer's Date header; nothing where it has none."""
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError):
        return []
    return [of_skew(whose, theirs, ours)]
