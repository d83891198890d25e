"""Every metric, its labels and its unit. No phone number and no word spoken comes here."""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.process_collector import ProcessCollector

from trunkline.telemetry import labels
from trunkline.telemetry.series import Counter, Gauge, Histogram, Label, Series, SeriesCollector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `render` returns."""

INSTANTS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Bounds for what should take no time; 20 ms is the loop's limit."""

WAITS_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Bounds for what a machine waits for; 50 ms is the wait for the pool."""

PAUSES_S: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Bounds for what a person hears as a pause; 2 s is dead air."""


class Metrics:
    """What one process counts. Every method is cheap enough for each call, none for each frame.

    What happens per frame is a plain integer here (`frames_dropped_…`), added to by its owner.
    """

    def __init__(self) -> None:
        self.frames_dropped_to_model = 0
        self.frames_dropped_to_caller = 0
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
            "dead_air_total", "Times a caller who was owed a sound heard none for 2 s.", "times"
        )
        self.loop_lag = Histogram(
            "event_loop_lag_seconds",
            "How late the event loop ran what was due.",
            "seconds",
            INSTANTS_S,
        )
        self.pool_sessions = Gauge(
            "realtime_pool_sessions",
            "Sessions to the realtime model, by where they stand.",
            "sessions",
            Label("state", labels.SESSION_STATES),
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
        self.flush = Histogram(
            "call_log_flush_seconds", "Writing facts to the call log.", "seconds", WAITS_S
        )
        self.backlog = Gauge(
            "call_log_backlog", "Facts acknowledged and not yet in the call log.", "facts"
        )
        self.turn_latency = Histogram(
            "turn_latency_seconds",
            "From the end of the caller's speech to the first audio of the answer.",
            "seconds",
            PAUSES_S,
        )
        self.tokens = Counter(
            "model_tokens_total",
            "Tokens the provider says it has billed.",
            "tokens",
            Label("kind", labels.TOKEN_KINDS),
        )
        self.barge_ins = Counter(
            "barge_ins_total", "Times a caller spoke while audio was unplayed.", "times"
        )
        self.fillers = Counter(
            "fillers_total", "Sounds of our own played to bridge a silence.", "times"
        )
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
        self.model_messages_refused = Counter(
            "model_messages_refused_total",
            "Messages of a session that broke its protocol.",
            "messages",
            Label("reason", labels.MODEL_MESSAGE_REFUSALS),
        )
        self.unexpected_messages = Counter(
            "unexpected_messages_total",
            "What the protocol allows and the moment did not; ignored.",
            "messages",
            Label("what", labels.UNEXPECTED),
        )
        self.dropped_frames = Counter(
            "audio_dropped_frames_total",
            "Audio dropped before it could be delivered late.",
            "frames",
            Label("side", labels.SIDES),
        )
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
        self.log_lines_lost = Counter(
            "log_lines_suppressed_total",
            "Log lines not written: too many of one name, or no way to write.",
            "lines",
        )
        self._registry = CollectorRegistry()
        self._registry.register(SeriesCollector(self._at_scrape))
        ProcessCollector(registry=self._registry)
        self._lines_lost: Callable[[], int] = lambda: 0

    def watch(
        self,
        *,
        active_calls: Callable[[], int],
        calls_max: int,
        pool_sessions: Callable[[], Mapping[str, int]],
        call_log_backlog: Callable[[], int],
        log_lines_lost: Callable[[], int] = lambda: 0,
    ) -> None:
        """Where the gauges are read at each scrape. Sessions are counted by their state."""
        self.active_calls.read_each_by(lambda: {"carried": active_calls()})
        self.call_slots_max.read_by(lambda: calls_max)
        self.pool_sessions.read_each_by(pool_sessions)
        self.backlog.read_by(call_log_backlog)
        self._lines_lost = log_lines_lost

    def call_ended(self, direction: str, outcome: str) -> None:
        """A call is over."""
        self.calls.add(direction, outcome)

    def call_resumed(self, cause: str, gap_s: float) -> None:
        """A call went on after `gap_s` without a stream."""
        self.call_resumes.add(cause)
        self.call_gap.observe(gap_s)

    def loop_lagged(self, seconds: float) -> None:
        """The loop ran something so much too late."""
        self.loop_lag.observe(seconds)

    def session_acquired(self, source: str, seconds: float) -> None:
        """A call got its session."""
        self.realtime_acquire.observe(seconds, source)

    def realtime_failed(self, reason: str) -> None:
        """A session was refused or lost, or a response failed."""
        self.realtime_failures.add(reason)

    def call_log_flushed(self, seconds: float) -> None:
        """Facts were written to the call log."""
        self.flush.observe(seconds)

    def stream_opened(self) -> None:
        """A stream was given its call."""
        self.streams.add()

    def webhook_refused(self, reason: str) -> None:
        """A request to the public port was refused."""
        self.webhooks_refused.add(reason)

    def stream_refused(self, reason: str) -> None:
        """A media socket was not given a call."""
        self.streams_refused.add(reason)

    def carrier_message_refused(self, reason: str) -> None:
        """A message of a stream broke its protocol."""
        self.carrier_messages_refused.add(reason)

    def model_message_refused(self, reason: str) -> None:
        """A message of a session broke its protocol."""
        self.model_messages_refused.add(reason)

    def tool_finished(self, kind: str, outcome: str, seconds: float) -> None:
        """A tool has run."""
        self.tools.add(kind, outcome)
        self.tool_time.observe(seconds, kind)

    def hook_failed(self, reason: str) -> None:
        """The context hook gave a call no variables."""
        self.hook_failures.add(reason)

    def noted(self, name: str, detail: str, value: float) -> None:
        """A call's machine noted something (`call.actions.NoteName`); a phase is only logged."""
        match name:
            case "barge_in":
                self.barge_ins.add()
            case "turn_latency":
                self.turn_latency.observe(value)
            case "filler":
                self.fillers.add()
            case "model_error" | "response_failed":
                self.realtime_failures.add(detail or name)
            case "unexpected":
                self.unexpected_messages.add(detail)
            case "tokens":
                self.tokens.add(detail, count=max(round(value), 0))
            case "gap":
                self.call_resumed(detail or "stream_lost", value)
            case "dead_air":
                self.dead_air.add()
            case _:
                pass

    def series(self) -> list[Series]:
        """Every metric, in the order of the reference."""
        return [one for one in vars(self).values() if isinstance(one, Series)]

    def render(self) -> bytes:
        """What a scrape gets, in Prometheus' text format."""
        return generate_latest(self._registry)

    def _at_scrape(self) -> list[Series]:
        self.dropped_frames.put("model", count=self.frames_dropped_to_model)
        self.dropped_frames.put("caller", count=self.frames_dropped_to_caller)
        self.log_lines_lost.put(count=self._lines_lost())
        return self.series()
