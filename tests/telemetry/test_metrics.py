import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import trunkline
from trunkline.adapters.realtime_reasons import REASONS
from trunkline.call.actions import NoteName
from trunkline.call.plan import ToolKind
from trunkline.core.costs import CARRIER, PICO_PER_USD, Kind, part_of
from trunkline.core.facts import Outcome, ResumeCause
from trunkline.core.record import Why
from trunkline.core.slots import FullReason
from trunkline.pod.media_words import Refusal
from trunkline.telemetry import labels
from trunkline.telemetry.metrics import Metrics

SERIES_MAX = 420
"""A scrape formats each of them on the event loop, at some 6 µs."""


def value(metrics: Metrics, sample: str) -> float:
    """The sample's value, by its whole name: `x_total{a="b"}`."""
    for line in metrics.render().decode().splitlines():
        if line.startswith(sample + " "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(sample)


def test_what_is_rendered_is_prometheus_text() -> None:
    """Its own parser reads it; every series has a type and a meaning."""
    families = list(text_string_to_metric_families(Metrics().render().decode()))
    assert len(families) > 20
    assert all(family.documentation and family.type != "unknown" for family in families)


def test_the_sets_are_those_of_the_other_rooms() -> None:
    """What another room can say has a series of its own."""
    assert set(labels.OUTCOMES) == set(Outcome)
    assert set(labels.OVERFLOW_REASONS) == {*FullReason, "journal_away"}
    assert set(labels.TOOL_KINDS) == set(ToolKind)
    assert set(labels.STREAM_REFUSALS) == set(Refusal)
    assert set(labels.MODEL_FAILURES) >= REASONS
    assert set(labels.ASIDE_REASONS) == set(Why)
    assert set(labels.RESUME_CAUSES) == set(ResumeCause)
    assert tuple(Kind) == labels.TOKEN_KINDS
    assert (*map(part_of, Kind), CARRIER) == labels.COST_PARTS


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (r"\bunexpected\(\"(\w+)\"", labels.UNEXPECTED),
        (r"NoteName\.UNEXPECTED, \"(\w+)\"", labels.UNEXPECTED),
        (r"Unsigned\(\"(\w+)\"", labels.WEBHOOK_REFUSALS),
        (r"webhook_refused\(\"(\w+)\"", labels.WEBHOOK_REFUSALS),
        (r"carrier_message_refused\(\"(\w+)\"", labels.CARRIER_MESSAGE_REFUSALS),
        (r"(?:_refuse_message|_lose)\(\"(\w+)\"", labels.CARRIER_MESSAGE_REFUSALS),
        (r"model_message_refused\(\"(\w+)\"", labels.MODEL_MESSAGE_REFUSALS),
        (r"(?:replace\(s, |self\._lost\()\"(\w+)\"", labels.MODEL_FAILURES),
        (r"\bRefuse\([\w.]+, \"(\w+)\"", labels.MODEL_FAILURES),
    ],
)
def test_every_word_the_rooms_say_is_in_its_set(said: str, known: tuple[str, ...]) -> None:
    """Read from their source: what would silently be `other` is a fault here."""
    source = Path(trunkline.__file__).parent
    words = {word for file in source.rglob("*.py") for word in re.findall(said, file.read_text())}
    assert words
    assert words <= set(known)


def test_how_late_the_loop_is_counts_as_latency() -> None:
    """What waits in the kernel while the loop is busy is late too."""
    metrics = Metrics()
    metrics.loop_lagged(3.0)
    for watch, direction in (
        (metrics.timed_to_model, "to_model"),
        (metrics.timed_to_caller, "to_caller"),
    ):
        watch.start()
        watch.written()
        name = "audio_added_latency_seconds"
        assert value(metrics, f'{name}_count{{direction="{direction}"}}') == 1
        assert 3 < value(metrics, f'{name}_sum{{direction="{direction}"}}') < 4


def test_gauges_are_read_at_scrape() -> None:
    """The pod says where; what it answers is shown then."""
    metrics = Metrics()
    calls = [3]
    metrics.watch(
        active_calls=lambda: calls[-1],
        holders=lambda: 0,
        pods=lambda: 1,
        calls_max=50,
        pool_sessions=lambda: {"idle": 8, "lent": 3},
        call_log_backlog=lambda: 17,
        breakers_open=lambda: 1,
        log_lines_lost=lambda: 5,
    )
    assert value(metrics, 'active_calls_per_pod{state="carried"}') == 3
    calls.append(4)
    assert value(metrics, 'active_calls_per_pod{state="carried"}') == 4
    assert value(metrics, "call_slots_max") == 50
    assert value(metrics, "realtime_breakers_open") == 1
    assert value(metrics, 'realtime_pool_sessions{state="idle"}') == 8
    assert value(metrics, 'realtime_pool_sessions{state="opening"}') == 0
    assert value(metrics, "call_log_backlog") == 17
    assert value(metrics, "log_lines_suppressed_total") == 5


def test_dropped_frames_are_plain_integers() -> None:
    """Added to per frame, read at scrape."""
    metrics = Metrics()
    metrics.frames_dropped_to_model += 2
    metrics.frames_dropped_to_caller += 1
    assert value(metrics, 'audio_dropped_frames_total{side="model"}') == 2
    assert value(metrics, 'audio_dropped_frames_total{side="caller"}') == 1


@pytest.mark.parametrize(
    ("happen", "sample"),
    [
        (
            lambda metrics: metrics.call_ended("inbound", Outcome.FAILED),
            'calls_total{direction="inbound",outcome="failed"}',
        ),
        (
            lambda metrics: metrics.call_resumed("stream_lost", 1.5),
            'call_resumes_total{cause="stream_lost"}',
        ),
        (lambda metrics: metrics.call_resumed("stream_lost", 1.5), "call_gap_seconds_count"),
        (
            lambda metrics: metrics.noted("taken_over", "pod_lost", 0.0),
            'call_resumes_total{cause="pod_lost"}',
        ),
        (
            lambda metrics: metrics.loop_lagged(0.02),
            'event_loop_lag_seconds_bucket{le="0.02"}',
        ),
        (
            lambda metrics: metrics.session_acquired("pool", 0.001),
            'realtime_acquire_seconds_count{source="pool"}',
        ),
        (
            lambda metrics: metrics.realtime_failed("timeout"),
            'realtime_failures_total{reason="timeout"}',
        ),
        (lambda metrics: metrics.call_log_flushed(0.1), "call_log_flush_seconds_count"),
        (lambda metrics: metrics.stream_opened(), "streams_total"),
        (
            lambda metrics: metrics.webhook_refused("bad_signature"),
            'webhooks_refused_total{reason="bad_signature"}',
        ),
        (
            lambda metrics: metrics.stream_refused("no_ticket"),
            'streams_refused_total{reason="no_ticket"}',
        ),
        (
            lambda metrics: metrics.carrier_message_refused("code_31951"),
            'carrier_messages_refused_total{reason="code_31951"}',
        ),
        (
            lambda metrics: metrics.model_message_refused("protocol"),
            'model_messages_refused_total{reason="protocol"}',
        ),
        (
            lambda metrics: metrics.tool_finished(ToolKind.HTTP, "ok", 0.2),
            'tools_total{kind="http",outcome="ok"}',
        ),
        (
            lambda metrics: metrics.tool_finished(ToolKind.HTTP, "ok", 0.2),
            'tool_seconds_count{kind="http"}',
        ),
        (
            lambda metrics: metrics.hook_failed("timeout"),
            'context_hook_failures_total{reason="timeout"}',
        ),
        (
            lambda metrics: metrics.noted("dead_air", "turn", 0.0),
            'dead_air_total{cause="turn"}',
        ),
        (lambda metrics: metrics.noted("fallback", "timeout", 0.0), "fallback_scripts_total"),
        (
            lambda metrics: metrics.cost("carrier", PICO_PER_USD),
            'call_cost_usd_total{part="carrier"}',
        ),
        (
            lambda metrics: metrics.tokens_unpriced("text_in", 1),
            'model_tokens_unpriced_total{kind="text_in"}',
        ),
    ],
)
def test_what_happens_is_counted_once(happen: Callable[[Metrics], None], sample: str) -> None:
    """Under its own name and labels."""
    metrics = Metrics()
    assert value(metrics, sample) == 0
    happen(metrics)
    assert value(metrics, sample) == 1


@pytest.mark.parametrize(
    ("name", "detail", "amount", "sample", "count"),
    [
        (NoteName.BARGE_IN, "", 300.0, "barge_ins_total", 1),
        (NoteName.TURN_LATENCY, "", 0.7, "turn_latency_seconds_count", 1),
        (NoteName.TURN_LATENCY, "", 0.7, "turn_latency_seconds_sum", 0.7),
        (NoteName.FILLER, "", 0.0, "fillers_total", 1),
        (
            NoteName.MODEL_ERROR,
            "server_error",
            0.0,
            'realtime_failures_total{reason="server_error"}',
            1,
        ),
        (
            NoteName.RESPONSE_FAILED,
            "",
            0.0,
            'realtime_failures_total{reason="response_failed"}',
            1,
        ),
        (
            NoteName.UNEXPECTED,
            "foreign_mark",
            0.0,
            'unexpected_messages_total{what="foreign_mark"}',
            1,
        ),
        (NoteName.TOKENS, "text_in", 120.0, 'model_tokens_total{kind="text_in"}', 120),
        (NoteName.DROPPED, "caller", 3.0, 'audio_dropped_frames_total{side="caller"}', 3),
        (NoteName.DROPPED, "model", 3.0, 'audio_dropped_frames_total{side="model"}', 3),
        (NoteName.GAP, "", 1.2, 'call_resumes_total{cause="stream_lost"}', 1),
        (NoteName.GAP, "", 1.2, "call_gap_seconds_sum", 1.2),
    ],
)
def test_what_a_call_notes_is_counted(
    name: NoteName, detail: str, amount: float, sample: str, count: float
) -> None:
    """Each note has its metric."""
    metrics = Metrics()
    metrics.noted(name, detail, amount)
    assert value(metrics, sample) == count


def test_a_phase_is_only_logged() -> None:
    """It would say no more than the outcomes do."""
    metrics = Metrics()
    before = [line for line in metrics.render().splitlines() if not line.startswith(b"process_")]
    metrics.noted(NoteName.PHASE, "talking", 0.0)
    after = [line for line in metrics.render().splitlines() if not line.startswith(b"process_")]
    assert before == after


def test_no_word_of_a_peer_is_shown() -> None:
    """Whatever is handed in as a reason, the scrape holds none of it."""
    metrics = Metrics()
    canary = "+15550100001"
    for count in (
        metrics.realtime_failed,
        metrics.webhook_refused,
        metrics.stream_refused,
        metrics.carrier_message_refused,
        metrics.model_message_refused,
        metrics.hook_failed,
    ):
        for _ in range(3):
            count(canary)
    for name in NoteName:
        metrics.noted(name, canary, 1.0)
    metrics.call_ended(canary, canary)
    metrics.session_acquired(canary, 1.0)
    metrics.tool_finished(canary, canary, 1.0)
    assert b"0100001" not in metrics.render()


def test_a_scrape_stays_small() -> None:
    """It is made on the event loop: some hundred series, not thousands."""
    samples = [line for line in Metrics().render().splitlines() if not line.startswith(b"#")]
    assert len(samples) <= SERIES_MAX


def test_two_processes_may_live_in_one() -> None:
    """Tests and the demo run several pods side by side: no registry is shared."""
    one, other = Metrics(), Metrics()
    one.stream_opened()
    assert value(other, "streams_total") == 0
