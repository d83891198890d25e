"""The report as a file: what was asked for, what was found, second by second and call by call."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from trunkline.errors import SettingsError
from trunkline.loadtest.figures import Call
from trunkline.loadtest.knee import Capacity
from trunkline.loadtest.percentiles import US_PER_MS, Slice
from trunkline.loadtest.podmetrics import Sample
from trunkline.loadtest.struck import Struck
from trunkline.loadtest.timeline import Fault
from trunkline.loadtest.totals import Totals
from trunkline.loadtest.verdict import Promise, Verdict
from trunkline.sim.spread import Spread

FORM: Final = 1
"""Version of the JSON file: it grows when a field changes its meaning or goes."""

EDGES_SHOWN: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 50.0, 100.0, 250.0, 1_000.0)
"""Upper edges of the bars in which added latency is shown, in ms."""

ANSWER_EDGES: Final = (
    *(float(edge) for edge in range(200, 1_600, 100)), 2_000.0, 3_000.0, 5_000.0,
)  # fmt: skip
"""Of those of answer times."""


class Asked(msgspec.Struct, frozen=True):
    """What the load test was asked for. Addresses and tokens are not kept."""

    calls: int
    rate: float
    seconds: float
    call_s: float | None
    scripts: tuple[str, ...]
    far_end: str
    """pod of our own, or a webhook; and whose model."""
    faults: tuple[Fault, ...] = ()


class Bar(msgspec.Struct, frozen=True):
    """So many values up to an edge; None is without end."""

    up_to_ms: float | None
    count: int


class Course(msgspec.Struct, frozen=True):
    """What changed while it ran."""

    to_model: tuple[Slice, ...] = ()
    to_caller: tuple[Slice, ...] = ()
    answers: tuple[Slice, ...] = ()
    own_late: tuple[Slice, ...] = ()
    pod: tuple[Sample, ...] = ()
    to_model_bars: tuple[Bar, ...] = ()
    to_caller_bars: tuple[Bar, ...] = ()
    answer_bars: tuple[Bar, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """One load test."""

    form: int
    made: str
    machine: str
    asked: Asked
    lasted_s: float
    cut_short: bool
    """Ended by Ctrl-C: the report of what has been."""
    verdict: Verdict
    promises: tuple[Promise, ...]
    totals: Totals
    course: Course
    calls: tuple[Call, ...]
    capacity: Capacity | None = None
    struck: tuple[Struck, ...] = ()
    """What came of each fault, as callers heard it."""


def bars(spread: Spread, edges: Sequence[float] = EDGES_SHOWN) -> tuple[Bar, ...]:
    """Counted values in the few bars that are shown."""
    found: dict[float | None, int] = dict.fromkeys((*edges, None), 0)
    for value_us, count in spread.buckets():
        edge = next((edge for edge in edges if value_us <= edge * US_PER_MS), None)
        found[edge] += count
    return tuple(Bar(edge, count) for edge, count in found.items())


def machine() -> str:
    """Where the load came from, in words that name nobody."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def now() -> str:
    """The time of the report."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def active(calls: Sequence[Call]) -> list[tuple[float, int]]:
    """How many calls were up, at each change."""
    changes = sorted([(call.began_s, 1) for call in calls] + [(call.ended_s, -1) for call in calls])
    count = 0
    steps: list[tuple[float, int]] = []
    for at, change in changes:
        count += change
        if steps and steps[-1][0] == at:
            steps[-1] = (at, count)
        else:
            steps.append((at, count))
    return steps


def check_writable(option: str, path: Path) -> None:
    """Refuse a file that can't be written before the load test, not after it.

    Raises:
        SettingsError: names the option.
    """
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise SettingsError(
            f"{option}: {path} can't be written ({error.strerror}); name a file in a "
            "folder of yours"
        ) from None


def to_json(report: Report) -> bytes:
    """The file of `--json`."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
