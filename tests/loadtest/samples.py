"""Made-up calls and reports, for what reads them."""

from collections.abc import Sequence

from trunkline.loadtest.figures import Call, Hole, Turn, Way
from trunkline.loadtest.knee import Capacity
from trunkline.loadtest.percentiles import Slice
from trunkline.loadtest.podmetrics import Sample
from trunkline.loadtest.report import FORM, Asked, Course, Report, bars
from trunkline.loadtest.timeline import Fault
from trunkline.loadtest.totals import Totals, totals_of
from trunkline.loadtest.verdict import Limits, promises_of, verdict_of
from trunkline.sim.spread import Spread


def turn(began_s: float = 2.0, *, missed: bool = False, silence_ms: float | None = None) -> Turn:
    """The caller speaks for a second and is answered 800 ms later, or never."""
    return Turn(
        kind="said",
        began_s=began_s,
        ended_s=began_s + 1,
        reply_s=None if missed else began_s + 1.8,
        reply_ended_s=None if missed else began_s + 2.5,
        answer_ms=None if missed else 800.0,
        broke_in=silence_ms is not None,
        silence_ms=silence_ms,
        missed=missed,
    )


def call(
    number: int = 0,
    *,
    turns: Sequence[Turn] = (turn(),),
    holes: Sequence[Hole] = (),
    failed: str = "",
    way: Way | None = None,
    false_turns: int | None = None,
) -> Call:
    """One call of ten seconds; the next begins half a second later."""
    greeting = Turn(
        "greeting", number / 2, number / 2, number / 2 + 0.4, 1.5, 300.0, False, None, False
    )
    return Call(
        number=number,
        script="talk",
        began_s=number / 2,
        ended_s=number / 2 + 10,
        webhook_ms=9.0,
        stream_ms=4.0,
        streams=1,
        first_sound_ms=310.0,
        failed=failed,
        turns=(greeting, *turns),
        holes=tuple(holes),
        warnings={},
        frames_sent=500,
        own_late_ms=0.5,
        false_turns=false_turns,
        to_model=way,
        to_caller=way,
    )


def way(*, lost: int = 0, doubled: int = 0, crossed: int = 0) -> Way:
    """One direction, as marks tell it."""
    return Way(200, 0.4, 2.0, 3.0, lost, 0, doubled, crossed, 0)


def counts(*values: float) -> Spread:
    """Values, counted."""
    made = Spread()
    for value in values:
        made.add(round(value * 1000))
    return made


def totals(calls: Sequence[Call], *, own_late: float = 0.5, lag_ms: float | None = 5.0) -> Totals:
    """All of them, with a generator that was so late."""
    return totals_of(calls, Spread(), Spread(), counts(own_late), lag_ms)


def report(
    calls: Sequence[Call] = (call(0), call(1)),
    faults: Sequence[Fault] = (),
    *,
    marked: bool = False,
    pod: bool = False,
    capacity: Capacity | None = None,
) -> Report:
    """A whole report."""
    added = counts(0.4, 0.5, 3.0) if marked else Spread()
    slices = (Slice(1.0, 3, 0.4, 3.0, 3.0), Slice(2.0, 3, 0.5, 2.0, 2.0)) if marked else ()
    found = totals_of(calls, added, added, counts(0.5), 5.0 if pod else None)
    promises = promises_of(found, Limits())
    samples = (Sample(1.0, 0.2, 140.0, 2.0, 2.5), Sample(2.0, 0.25, 141.0, 2.0, 5.0))
    return Report(
        form=FORM,
        made="2026-11-28T05:00:00+00:00",
        machine="Linux x86_64, Python 3.11.2",
        asked=Asked(len(calls), 2.0, 11.0, None, ("talk",), "a webhook", tuple(faults)),
        lasted_s=11.0,
        cut_short=False,
        verdict=verdict_of(found, promises, Limits()),
        promises=promises,
        totals=found,
        course=Course(
            to_model=slices,
            to_caller=slices,
            answers=(Slice(3.0, 2, 800.0, 810.0, 820.0),),
            own_late=(Slice(0.0, 50, 0.2, 0.9, 1.0),),
            pod=samples if pod else (),
            to_model_bars=bars(added),
            to_caller_bars=bars(added),
            answer_bars=bars(counts(800.0, 820.0)),
        ),
        calls=tuple(calls),
        capacity=capacity,
    )
