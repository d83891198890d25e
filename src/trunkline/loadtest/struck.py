"""What came of each fault: calls affected, resumed, lost, and what callers heard meanwhile.

A fault owns all that happens from its strike to the next one's.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import Final

import msgspec

from trunkline.loadtest.figures import ENDED_BY_US, NO_STREAM, Break, Call, Turn
from trunkline.loadtest.percentiles import Percentiles, percentiles
from trunkline.loadtest.timeline import Fault
from trunkline.loadtest.totals import SOUND_MS_MAX

HEADS: Final = (
    "fault", "from s", "affected", "resumed", "lost", "overflow", "hung up", "streams",
    "handed over",
    "sound p50", "sound p99", "agent p50", "agent p99", "late answers",
    "set-up, worst", "history right",
)  # fmt: skip
"""Of the table of struck faults: gaps in ms, as the caller hears them."""


class Struck(msgspec.Struct, frozen=True):
    """One fault. Gaps are what callers heard: from the end of a stream to what came next."""

    fault: str
    at_s: float
    for_s: float
    live: int
    """Calls that were up when it struck."""
    affected: int
    """Calls that lost a stream, waited too long for an answer, or failed."""
    resumed: int
    """Calls that lost a stream and were spoken to again."""
    lost: int
    """Calls that failed."""
    overflowed: int
    """Calls that we ended before their callers meant to: with their number's overflow action."""
    hung_up: int
    """Calls whose callers meant to go, and went while no stream was there."""
    breaks: int
    """Streams that ended before their calls."""
    handed_over: int
    """Those of them that the server closed, to hand the call over."""
    sound_ms: Percentiles | None
    agent_ms: Percentiles | None
    answer_ms: Percentiles | None
    """Answers that took longer than `SOUND_MS_MAX`."""
    missed: int
    """Turns without any answer."""
    webhook_ms: float | None
    """The longest that a call which began meanwhile waited for its webhook's answer."""
    told: int
    """Calls whose next session was told what the caller had heard."""
    untold: int
    """Calls whose next session was told something else."""


def struck_of(calls: Sequence[Call], faults: Sequence[Fault]) -> tuple[Struck, ...]:
    """What came of each, in order of time."""
    ordered = sorted(faults, key=lambda fault: fault.at_s)
    ends = [later.at_s for _, later in pairwise(ordered)] + [inf]
    return tuple(_struck(calls, one, end) for one, end in zip(ordered, ends, strict=True))


def _struck(calls: Sequence[Call], fault: Fault, end_s: float) -> Struck:
    def within(at_s: float) -> bool:
        return fault.at_s <= at_s < end_s

    breaks = {call.number: [each for each in call.breaks if within(each.at_s)] for call in calls}
    late = {call.number: list(_late(call, fault.at_s, end_s)) for call in calls}
    failed = {call.number for call in calls if call.failed and within(_failed_at(call))}
    overflowed = failed & {call.number for call in calls if call.failed in {ENDED_BY_US, NO_STREAM}}
    lost = failed - overflowed
    affected = {call.number for call in calls if breaks[call.number] or late[call.number]} | failed
    resumed = {
        number
        for number, own in breaks.items()
        if number not in failed and any(each.sound_ms is not None for each in own)
    }
    every = [each for own in breaks.values() for each in own]
    turns = [turn for own in late.values() for turn in own]
    return Struck(
        fault=fault.title,
        at_s=fault.at_s,
        for_s=fault.for_s,
        live=sum(call.began_s <= fault.at_s < call.ended_s for call in calls),
        affected=len(affected),
        resumed=len(resumed),
        lost=len(lost),
        overflowed=len(overflowed),
        hung_up=sum(
            bool(own) and own[-1].back_s is None and number not in failed
            for number, own in breaks.items()
        ),
        breaks=len(every),
        handed_over=sum(each.meant for each in every),
        sound_ms=_of(each.sound_ms for each in every),
        agent_ms=_of(each.agent_ms for each in every),
        answer_ms=_of(turn.answer_ms for turn in turns),
        missed=sum(turn.missed for turn in turns),
        webhook_ms=max(
            (call.webhook_ms for call in calls if call.webhook_ms and within(call.began_s)),
            default=None,
        ),
        told=sum(bool(breaks[call.number]) and call.told_as_heard is True for call in calls),
        untold=sum(bool(breaks[call.number]) and call.told_as_heard is False for call in calls),
    )


def _late(call: Call, from_s: float, end_s: float) -> Iterator[Turn]:
    """Turns whose answer was owed meanwhile and came too late, or never."""
    for turn in call.turns:
        owed_s = turn.began_s if turn.ended_s is None else turn.ended_s
        slow = turn.answer_ms is not None and turn.answer_ms > SOUND_MS_MAX
        if from_s <= owed_s < end_s and turn.kind == "said" and (slow or turn.missed):
            yield turn


def _failed_at(call: Call) -> float:
    """When it began to fail: with its last stream, or at its end."""
    last: Break | None = call.breaks[-1] if call.breaks else None
    return call.ended_s if last is None or last.back_s is not None else last.at_s


def _of(values: Iterator[float | None]) -> Percentiles | None:
    return percentiles([value for value in values if value is not None])


def cells(struck: Struck) -> tuple[str, ...]:
    """A row of the table under `HEADS`."""
    answers = "-" if struck.answer_ms is None else f"{struck.answer_ms.count}"
    return (
        struck.fault,
        f"{struck.at_s:.1f}",
        f"{struck.affected} of {struck.live}",
        str(struck.resumed),
        str(struck.lost),
        str(struck.overflowed),
        str(struck.hung_up),
        str(struck.breaks),
        str(struck.handed_over),
        *_pair(struck.sound_ms),
        *_pair(struck.agent_ms),
        f"{answers}, {struck.missed} missed" if struck.missed else answers,
        "-" if struck.webhook_ms is None else f"{struck.webhook_ms:,.0f}",
        f"{struck.told} of {known}" if (known := struck.told + struck.untold) else "-",
    )


def _pair(found: Percentiles | None) -> tuple[str, str]:
    return ("-", "-") if found is None else (f"{found.p50:,.0f}", f"{found.p99:,.0f}")
