"""Whether a new session's model was told what the caller had heard."""

import re
from collections.abc import Sequence
from typing import Final

from trunkline.sim.carrier.report import CallReport
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.speech import words_of

WORDS_OFF_MAX: Final = 6
"""Of a reply that was cut off, so many words more or fewer may be told: how far it was heard is
written down once a second, and what that second held is known to the caller alone."""

_WORD: Final = re.compile(r"[a-z0-9']+")


def told_as_heard(report: CallReport, sessions: Sequence[SessionRecord]) -> bool | None:
    """Of a call that lost one stream and with it its session; None for any other.

    The agent's words as the caller's own ear understood them, against those that the second session
    was given: all of them, in order, but for the end of what was being said.
    """
    opened = [each for each in report.streams if each.opened_at is not None and not each.probe]
    lost_at = opened[0].ended_at if len(opened) > 1 else None
    told = [each for each in sessions if each.given]
    if lost_at is None or len(opened) != 2 or len(sessions) != 2 or len(told) != 1:  # noqa: PLR2004
        return None
    said = " ".join(
        words_of(turn.heard or "")
        for turn in report.turns
        if turn.reply_at is not None and turn.reply_at < lost_at
    )
    given = " ".join(text for role, text in told[0].given if role == "assistant")
    return same(_WORD.findall(said.lower()), _WORD.findall(given.lower()))


def same(heard: Sequence[str], told: Sequence[str]) -> bool:
    """Whether they differ in their last words at most."""
    both = min(len(heard), len(told))
    alike = next((n for n in range(both) if heard[n] != told[n]), both)
    return max(len(heard), len(told)) - alike <= WORDS_OFF_MAX
