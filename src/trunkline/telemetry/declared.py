"""Every metric: its name, meaning, unit, labels and bounds. The reference is made from these."""

from typing import Final

from trunkline.core.costs import PICO_PER_USD
from trunkline.telemetry import labels
from trunkline.telemetry.series import Counter, Gauge, Histogram, Label, Series

INSTANTS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Bounds for what should take no time; 20 ms is the loop's limit."""

WAITS_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Bounds for what a machine waits for; 50 ms is the wait for the pool."""

PAUSES_S: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Bounds for what a person hears as a pause; 2 s is dead air."""


class CallSeries:
    """Calls, and what their callers hear."""

    def __init__(self) -> None:
        self.active_calls = Gauge(
            "active_calls_per_pod",
            "Calls this pod carries, reserved slots included: what scaling looks at.",
            "calls",
            Label("state", labels.CALL_STATES),
        )
        self.call_slots_max = Gauge(
            "call_slots_max", "The pod's hard cap: more calls it never carries.", "calls"
        )
        self.calls = Counter(
            "calls_total",
            "Calls that ended, by how.",
            "calls",
            Label("direction", labels.DIRECTIONS),
            Label("outcome", labels.OUTCOMES),
        )
        self.calls_overflowed = Counter(
            "calls_overflowed_total",
            "Calls that got their number's overflow action at once, by why there was no slot.",
            "calls",
            Label("direction", labels.DIRECTIONS),
            Label("reason", labels.OVERFLOW_REASONS),
        )
        self.calls_held = Gauge("calls_held", "Callers who hold for a slot, in all pods.", "calls")
        self.slots_retaken = Counter(
            "call_slots_retaken_total",
            "Slots of calls that this pod carries and that the store had forgotten or reclaimed.",
            "slots",
        )
        self.call_resumes = Counter(
            "call_resumes_total",
            "Calls that went on with a new stream or session.",
            "resumes",
            Label("cause", labels.RESUME_CAUSES),
        )
        self.call_gap = Histogram(
            "call_gap_seconds", "From a lost stream to the next one's start.", "seconds", PAUSES_S
        )
        self.dead_air = Counter(
            "dead_air_total",
            "Times a caller who was owed a sound heard none for 2 s, by what it was owed for.",
            "times",
            Label("cause", labels.DEAD_AIR_CAUSES),
        )
        self.turn_latency = Histogram(
            "turn_latency_seconds",
            "From the end of the caller's speech to the first audio of the answer.",
            "seconds",
            PAUSES_S,
        )
        self.barge_ins = Counter(
            "barge_ins_total", "Times a caller spoke while audio was unplayed.", "times"
        )
        self.fallbacks = Counter(
            "fallback_scripts_total", "Fallback scripts played: no model could be had.", "times"
        )
        self.fillers = Counter(
            "fillers_total", "Sounds of our own played to bridge a silence.", "times"
        )


class ToolSeries:
    """Tools and the context hook."""

    def __init__(self) -> None:
        self.tools = Counter(
            "tools_total",
            "Tools run, by what came of it.",
            "runs",
            Label("kind", labels.TOOL_KINDS),
            Label("outcome", labels.TOOL_OUTCOMES),
        )
        self.tool_time = Histogram(
            "tool_seconds",
            "How long tools ran.",
            "seconds",
            WAITS_S,
            Label("kind", labels.TOOL_KINDS),
        )
        self.hook_failures = Counter(
            "context_hook_failures_total",
            "Context hooks that gave a call no variables.",
            "calls",
            Label("reason", labels.HOOK_FAILURES),
        )


class ModelSeries:
    """The realtime model: sessions, failures, tokens."""

    def __init__(self) -> None:
        self.pool_sessions = Gauge(
            "realtime_pool_sessions",
            "Sessions to the realtime model, by where they stand.",
            "sessions",
            Label("state", labels.SESSION_STATES),
        )
        self.breakers_open = Gauge(
            "realtime_breakers_open",
            "Models that callers are kept from, since they fail: 0 is well.",
            "models",
        )
        self.realtime_acquire = Histogram(
            "realtime_acquire_seconds",
            "From a call's wish for a session to the session.",
            "seconds",
            WAITS_S,
            Label("source", labels.SESSION_SOURCES),
        )
        self.realtime_failures = Counter(
            "realtime_failures_total",
            "Sessions refused or lost, and responses that failed.",
            "failures",
            Label("reason", labels.MODEL_FAILURES),
        )
        self.model_messages_refused = Counter(
            "model_messages_refused_total",
            "Messages of a session that broke its protocol.",
            "messages",
            Label("reason", labels.MODEL_MESSAGE_REFUSALS),
        )
        self.tokens = Counter(
            "model_tokens_total",
            "Tokens the provider says it has billed. The kinds of the input do not overlap: "
            "`…_cached` were in the cache, `…_in` were not.",
            "tokens",
            Label("kind", labels.TOKEN_KINDS),
        )


class CostSeries:
    """What calls cost, and what of them has no price."""

    def __init__(self) -> None:
        self.spent = Counter(
            "call_cost_usd_total",
            "What calls cost by a dated price list: the model's tokens, and the carrier's minutes "
            "from answer to end with the stream's. Not in it: transcription, dialled transfers, "
            "what follows the end, taxes, and tokens without a price.",
            "USD",
            Label("part", labels.COST_PARTS),
            per=PICO_PER_USD,
        )
        self.tokens_unpriced = Counter(
            "model_tokens_unpriced_total",
            "Those of them that the price list has no price for: they are not in the cost.",
            "tokens",
            Label("kind", labels.TOKEN_KINDS),
        )


class EdgeSeries:
    """What comes from outside, and what is dropped or refused of it."""

    def __init__(self) -> None:
        self.streams = Counter("streams_total", "Streams that were given a call.", "streams")
        self.webhooks_refused = Counter(
            "webhooks_refused_total",
            "HTTP requests to the public port that were refused.",
            "requests",
            Label("reason", labels.WEBHOOK_REFUSALS),
        )
        self.streams_refused = Counter(
            "streams_refused_total",
            "Media sockets that were not given a call.",
            "sockets",
            Label("reason", labels.STREAM_REFUSALS),
        )
        self.carrier_messages_refused = Counter(
            "carrier_messages_refused_total",
            "Messages of a stream that broke its protocol.",
            "messages",
            Label("reason", labels.CARRIER_MESSAGE_REFUSALS),
        )
        self.unexpected_messages = Counter(
            "unexpected_messages_total",
            "What the protocol allows and the moment did not; ignored.",
            "messages",
            Label("what", labels.UNEXPECTED),
        )
        self.dropped_frames = Counter(
            "audio_dropped_frames_total",
            "Audio towards this side that was dropped: late, or for want of room.",
            "frames",
            Label("side", labels.SIDES),
        )


class PodSeries:
    """The process itself: its loop, its way to the call log, its logs."""

    def __init__(self) -> None:
        self.loop_lag = Histogram(
            "event_loop_lag_seconds",
            "How late the event loop ran what was due.",
            "seconds",
            INSTANTS_S,
        )
        self.added_latency = Histogram(
            "audio_added_latency_seconds",
            "Sampled: from a message's callback at one socket to the return of the write of its "
            "audio to the other, and how late the loop ran its last tick before, since what waits "
            "in the kernel meanwhile is late too. Not in it: the kernel's buffers, the network, "
            "and audio that was kept for later.",
            "seconds",
            INSTANTS_S,
            Label("direction", labels.AUDIO_DIRECTIONS),
        )
        self.flush = Histogram(
            "call_log_flush_seconds", "Writing facts to the call log.", "seconds", WAITS_S
        )
        self.backlog = Gauge(
            "call_log_backlog", "Facts acknowledged and not yet in the call log.", "facts"
        )
        self.config_version = Gauge(
            "config_version", "The `version` of the config file that new calls get.", "version"
        )
        self.config_refused = Counter(
            "config_reloads_refused_total",
            "Changes of the config file that were refused: the last right one stays.",
            "changes",
        )
        self.facts_aside = Counter(
            "facts_aside_total",
            "Facts that the call log keeps aside; those that contradict it are an alarm.",
            "facts",
            Label("why", labels.ASIDE_REASONS),
        )
        self.log_lines_lost = Counter(
            "log_lines_suppressed_total",
            "Log lines not written: too many of one name, or no way to write.",
            "lines",
        )


def declared(
    *groups: CallSeries | ToolSeries | ModelSeries | CostSeries | EdgeSeries | PodSeries,
) -> list[Series]:
    """The series of these groups, in the order of the reference."""
    return [one for group in groups for one in vars(group).values() if isinstance(one, Series)]
