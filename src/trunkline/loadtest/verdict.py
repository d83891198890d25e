"""Whether the promises were kept, and whether this load generator may say so."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from trunkline.loadtest.percentiles import Percentiles
from trunkline.loadtest.totals import SOUND_MS_MAX, Totals

ADDED_MS_MAX: Final = 20.0
"""99 % of the audio is held up for no longer, each way."""

LAG_MS_MAX: Final = 20.0
"""The pod's event loop is no later, 99 times of 100 in any stretch."""

OWN_LATE_MS_MAX: Final = 5.0
"""Where 1 % of this process' own work is later, what looks broken may be its own fault."""

OWN_LATE_MS_HARD: Final = 20.0
"""Where it is later than a frame is long, the load was not the one that was asked for."""


class Outcome(StrEnum):
    """What a load test shows."""

    KEPT = "kept"
    BROKEN = "broken"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Limits:
    """What is promised, where the user may say otherwise."""

    added_ms: float = ADDED_MS_MAX
    lag_ms: float = LAG_MS_MAX
    own_late_ms: float = OWN_LATE_MS_MAX


class Promise(msgspec.Struct, frozen=True):
    """One promise; `kept` is None where it was not measured."""

    name: str
    limit: str
    found: str
    kept: bool | None


class Verdict(msgspec.Struct, frozen=True):
    """The outcome, in one line for a person and one word for a program."""

    outcome: Outcome
    text: str
    generator_late: bool

    @property
    def exit_code(self) -> int:
        """0 only where all promises were kept, and this is proven."""
        return 0 if self.outcome is Outcome.KEPT else 1


NOT_MEASURED: Final = "not measured"


def promises_of(totals: Totals, limits: Limits) -> tuple[Promise, ...]:
    """Each promise with what was found."""
    frames = (totals.lost, totals.doubled, totals.crossed)
    told = ("lost", "doubled", "crossed")
    return (
        _none("calls carried from answer to end", "calls failed", totals.failed, of=totals.calls),
        _p99("added to audio, caller to model", totals.to_model_ms, limits.added_ms),
        _p99("added to audio, model to caller", totals.to_caller_ms, limits.added_ms),
        _none("replies without a hole", "holes", totals.holes),
        Promise(
            "no frame lost, doubled or crossed",
            "none",
            NOT_MEASURED
            if None in frames
            else ", ".join(f"{count} {name}" for count, name in zip(frames, told, strict=True)),
            None if None in frames else not any(frames),
        ),
        _none(
            f"a sound within {SOUND_MS_MAX / 1000:g} s when one is owed",
            "longer waits",
            totals.long_waits,
        ),
        _none("speech answered", "turns missed", totals.missed, of=totals.spoken),
        _none("no answer to what nobody said", "false turns", totals.false),
        Promise(
            "the pod's event loop in time",
            f"p99 {limits.lag_ms:g} ms",
            NOT_MEASURED if totals.loop_lag_ms is None else f"p99 {totals.loop_lag_ms:.1f} ms",
            None if totals.loop_lag_ms is None else totals.loop_lag_ms <= limits.lag_ms,
        ),
    )


def _none(name: str, what: str, count: int | None, of: int | None = None) -> Promise:
    if count is None:
        return Promise(name, "none", NOT_MEASURED, None)
    share = "" if of is None else f" of {of}"
    return Promise(name, "none", f"{count}{share} {what}", count == 0)


def _p99(name: str, found: Percentiles | None, limit_ms: float) -> Promise:
    if found is None:
        return Promise(name, f"p99 {limit_ms:g} ms", NOT_MEASURED, None)
    return Promise(name, f"p99 {limit_ms:g} ms", f"p99 {found.p99:.1f} ms", found.p99 <= limit_ms)


def verdict_of(totals: Totals, promises: Sequence[Promise], limits: Limits) -> Verdict:
    """What may be said.

    Our own lateness can only make the pod look worse: promises that are kept in spite of it are
    kept, but a broken one proves nothing.
    """
    own = totals.own_late_ms
    late = own is not None and own.p99 > limits.own_late_ms
    broken = [promise for promise in promises if promise.kept is False]
    if not totals.calls:
        return Verdict(Outcome.UNPROVEN, "nothing measured: no call was over in time", late)
    told = "; ".join(f"{promise.name}: {promise.found}" for promise in broken)
    if own is not None and late and (broken or own.p99 > OWN_LATE_MS_HARD):
        text = (
            f"not proven: the load generator itself was late (p99 {own.p99:.1f} ms, at most "
            f"{limits.own_late_ms:g} ms is right): give it a core of its own, or make fewer calls"
        )
        return Verdict(Outcome.UNPROVEN, f"{text}; seen: {told}" if told else text, late)
    if broken:
        return Verdict(Outcome.BROKEN, f"broken: {told}", late)
    kept = sum(promise.kept is True for promise in promises)
    unknown = len(promises) - kept
    rest = f", {unknown} not measured" if unknown else ""
    text = f"all promises kept ({kept} measured{rest})"
    if own is not None and late:
        text += f", though the load generator itself was late (p99 {own.p99:.1f} ms)"
    return Verdict(Outcome.KEPT, text, late)
