"""All calls together, in the figures that the table, the page and the verdict share."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from trunkline.loadtest.figures import Call, Way, waits_ms
from trunkline.loadtest.percentiles import Percentiles, counted, percentiles
from trunkline.sim.spread import Spread

SOUND_MS_MAX: Final = 2_200.0
"""A caller who is owed a sound hears one within 2 s; the rest is its way and the clock's grain."""


class Totals(msgspec.Struct, frozen=True):
    """What all calls were like. None is "not measured" for counts, "no value" for spreads."""

    calls: int
    failed: int
    spoken: int
    interruptions: int
    webhook_ms: Percentiles | None
    stream_ms: Percentiles | None
    first_sound_ms: Percentiles | None
    answer_ms: Percentiles | None
    silence_ms: Percentiles | None
    hole_ms: Percentiles | None
    holes: int
    long_waits: int
    """Waits for a sound that were longer than `SOUND_MS_MAX`."""
    missed: int
    false: int | None
    to_model_ms: Percentiles | None
    to_caller_ms: Percentiles | None
    lost: int | None
    doubled: int | None
    crossed: int | None
    late: int | None
    warnings: dict[str, int]
    own_late_ms: Percentiles | None
    """How late the load generator itself was."""
    loop_lag_ms: float | None
    """The pod's event loop, 99th percentile of the whole test."""


def totals_of(
    calls: Sequence[Call],
    to_model: Spread,
    to_caller: Spread,
    own_late: Spread,
    loop_lag_ms: float | None,
) -> Totals:
    """Add all up."""
    turns = [turn for call in calls for turn in call.turns]
    falses = [call.false_turns for call in calls if call.false_turns is not None]
    ways = [way for call in calls for way in (call.to_model, call.to_caller) if way is not None]
    holes = [hole.ms for call in calls for hole in call.holes]
    waits = waits_ms(calls)
    warnings: dict[str, int] = {}
    for call in calls:
        for code, count in call.warnings.items():
            warnings[code] = warnings.get(code, 0) + count
    return Totals(
        calls=len(calls),
        failed=sum(bool(call.failed) for call in calls),
        spoken=sum(call.spoken_turns for call in calls),
        interruptions=sum(turn.broke_in for turn in turns),
        webhook_ms=_of(call.webhook_ms for call in calls),
        stream_ms=_of(call.stream_ms for call in calls),
        first_sound_ms=_of(call.first_sound_ms for call in calls),
        answer_ms=_of(turn.answer_ms for turn in turns if turn.kind == "said"),
        silence_ms=_of(turn.silence_ms for turn in turns),
        hole_ms=percentiles(holes),
        holes=len(holes),
        long_waits=sum(wait > SOUND_MS_MAX for wait in waits),
        missed=sum(call.missed_turns for call in calls),
        false=sum(falses) if falses else None,
        to_model_ms=counted(to_model),
        to_caller_ms=counted(to_caller),
        lost=_sum(ways, "lost"),
        doubled=_sum(ways, "doubled"),
        crossed=_sum(ways, "crossed"),
        late=_sum(ways, "late"),
        warnings=warnings,
        own_late_ms=counted(own_late),
        loop_lag_ms=loop_lag_ms,
    )


def _of(values: Iterable[float | None]) -> Percentiles | None:
    return percentiles([value for value in values if value is not None])


def _sum(ways: Sequence[Way], name: str) -> int | None:
    return sum(int(getattr(way, name)) for way in ways) if ways else None
