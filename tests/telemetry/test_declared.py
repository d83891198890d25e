import re

from trunkline.telemetry.declared import (
    CallSeries,
    CostSeries,
    EdgeSeries,
    ModelSeries,
    PodSeries,
    ToolSeries,
    declared,
)
from trunkline.telemetry.series import Counter, Histogram

ALL = declared(CallSeries(), ToolSeries(), ModelSeries(), CostSeries(), EdgeSeries(), PodSeries())


def test_names_of_the_design_are_there() -> None:
    """Dashboards and the scaler look for these."""
    names = {one.spec.name: one.spec.label_names() for one in ALL}
    expected = {
        "active_calls_per_pod": ["state"],
        "call_slots_max": [],
        "calls_total": ["direction", "outcome"],
        "call_resumes_total": ["cause"],
        "call_gap_seconds": [],
        "dead_air_total": ["cause"],
        "event_loop_lag_seconds": [],
        "realtime_pool_sessions": ["state"],
        "realtime_acquire_seconds": ["source"],
        "realtime_failures_total": ["reason"],
        "call_log_flush_seconds": [],
        "call_log_backlog": [],
        "turn_latency_seconds": [],
        "model_tokens_total": ["kind"],
        "model_tokens_unpriced_total": ["kind"],
        "call_cost_usd_total": ["part"],
        "audio_added_latency_seconds": ["direction"],
        "barge_ins_total": [],
        "fillers_total": [],
        "webhooks_refused_total": ["reason"],
        "streams_refused_total": ["reason"],
        "carrier_messages_refused_total": ["reason"],
        "model_messages_refused_total": ["reason"],
        "audio_dropped_frames_total": ["side"],
        "tools_total": ["kind", "outcome"],
        "tool_seconds": ["kind"],
    }
    assert names | expected == names
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def test_a_name_says_its_unit() -> None:
    """Counters end in `_total`, what is measured in seconds says so; each name is one metric's."""
    assert len({one.spec.name for one in ALL}) == len(ALL)
    for one in ALL:
        assert one.spec.meaning.endswith(".")
        assert isinstance(one, Counter) == one.spec.name.endswith("_total")
        assert (one.spec.unit == "seconds") == one.spec.name.endswith("_seconds")
        assert not isinstance(one, Histogram) or one.spec.unit == "seconds"


def test_bounds_lie_where_promises_do() -> None:
    """A promise can be read off a bucket only where one ends: 2 s of silence, 20 ms of the loop,
    50 ms for the pool.
    """
    calls, model, pod = CallSeries(), ModelSeries(), PodSeries()
    assert 2.0 in calls.turn_latency.bounds
    assert 2.0 in calls.call_gap.bounds
    assert 0.02 in pod.loop_lag.bounds
    assert 0.02 in pod.added_latency.bounds
    assert 0.05 in model.realtime_acquire.bounds
