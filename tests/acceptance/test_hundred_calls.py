"""A hundred people call at once, each with words of their own. The slowest test there is."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from acceptance.far_pod import far_pod
from acceptance.played import Played, Role, counted, play
from acceptance.scene import conversation
from trunkline.sim.realtime.arguments import DIGITS

pytestmark = pytest.mark.anyio

CALLS: Final = 100

ARRIVAL_S: Final = 0.03
"""From one call to the next: all are there after three seconds, and none has ended yet."""

_NAMES: Final = tuple(DIGITS)


def name_of(number: int) -> str:
    """What a caller is called, and no other."""
    return f"{_NAMES[number // 10]} {_NAMES[number % 10]}"


def words_of(number: int) -> tuple[str, str]:
    """What only this caller says."""
    return f"this is caller {name_of(number)}", f"{name_of(number)} again please"


async def test_a_hundred_calls_at_once(redis_url: str, database_url: str, tmp_path: Path) -> None:
    """Each hears its own words and nobody else's, byte for byte; no frame is lost or doubled.

    The pod is a process of its own: a hundred calls of three ends each are too much for one core.
    """
    roles = {
        name_of(number): Role(
            to="+15550100002",
            from_=f"+155501{number:05}",
            script=conversation(*words_of(number)),
            after_s=number * ARRIVAL_S,
        )
        for number in range(CALLS)
    }
    environ = {"TRUNKLINE_CALLS_MAX": str(CALLS)}
    async with far_pod(redis_url, database_url, tmp_path, environ=environ) as here:
        calls = await play(here, roles)
        metrics = await here.get("/metrics")
        rows = await here.book.calls(limit=2 * CALLS)
    assert {(row.call, row.from_number) for row in rows} == {
        (call.report.sid, roles[name].from_) for name, call in calls.items()
    }
    for number in range(CALLS):
        _heard_only_its_own(calls[name_of(number)], *words_of(number))
    _were_there_together(calls)
    _nothing_was_dropped(metrics)
    sys.stdout.write(_figures(calls, metrics))


def _heard_only_its_own(call: Played, first: str, second: str) -> None:
    """Frames lost, doubled, late or of another caller would stand in these words."""
    call.agrees()
    assert [turn.text for turn in call.model.heard] == [first, second]
    assert call.report.transcript == (
        ("agent", "thank you for calling sales"),
        ("caller", first),
        ("agent", f"i heard {first}"),
        ("caller", second),
        ("agent", f"i heard {second}"),
    )
    assert call.ended == ("caller_ended", "stop")
    assert call.kinds == [
        "call_received", "stream_opened", "session_opened", "agent_said",
        "caller_said", "agent_said", "caller_said", "agent_said", "call_ended",
    ]  # fmt: skip


def _were_there_together(calls: Mapping[str, Played]) -> None:
    """The last had begun before the first had ended."""
    begun = max(call.report.answered_at or call.report.ended_at for call in calls.values())
    assert begun < min(call.report.ended_at for call in calls.values())
    assert len({id(call.model) for call in calls.values()}) == CALLS, "a session had two callers"


def _nothing_was_dropped(metrics: str) -> None:
    for name in (
        "audio_dropped_frames_total",
        "carrier_messages_refused_total",
        "model_messages_refused_total",
        "streams_refused_total",
        "webhooks_refused_total",
        "realtime_failures_total",
        "unexpected_messages_total",
    ):
        assert counted(metrics, name) == 0, name
    assert counted(metrics, "calls_total") == CALLS
    assert counted(metrics, "calls_total", outcome="caller_ended") == CALLS


def _figures(calls: Mapping[str, Played], metrics: str) -> str:
    seconds = sum(call.report.ended_at - call.report.began_at for call in calls.values())
    cpu_s = counted(metrics, "process_cpu_seconds_total")
    late_ms = max(call.report.frame_late_ms_max for call in calls.values())
    answers = sorted(ms for call in calls.values() for ms in call.report.latencies_ms)
    return (
        f"{CALLS} calls, {seconds:.0f} call-seconds; the pod's CPU, its start included: "
        f"{1000 * cpu_s / seconds:.1f} ms a call-second\n"
        f"turn latency p50 {answers[len(answers) // 2]:.0f} ms, max {answers[-1]:.0f} ms; "
        f"callers' own frames late by {late_ms:.0f} ms at most\n"
    )
