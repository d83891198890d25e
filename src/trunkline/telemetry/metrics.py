"""What a process counts, and what a scrape gets. No phone number and no word spoken comes here."""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.process_collector import ProcessCollector

from trunkline.telemetry.declared import (
    CallSeries,
    CostSeries,
    EdgeSeries,
    ModelSeries,
    PodSeries,
    ToolSeries,
    declared,
)
from trunkline.telemetry.latency import FRAMES_EACH, MODEL_MESSAGES_EACH, Stopwatch
from trunkline.telemetry.series import Series, SeriesCollector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `render` returns."""


class Metrics:
    """What one process counts. Every method is cheap enough for each call, none for each frame.

    What happens per frame is a plain integer here (`frames_dropped_…`), added to by its owner.
    """

    def __init__(self) -> None:
        self.frames_dropped_to_model = 0
        self.frames_dropped_to_caller = 0
        self.of_calls = CallSeries()
        self.of_tools = ToolSeries()
        self.of_model = ModelSeries()
        self.of_cost = CostSeries()
        self.of_edge = EdgeSeries()
        self.of_pod = PodSeries()
        self._lag_s = 0.0
        self.timed_to_model = self._stopwatch("to_model", FRAMES_EACH)
        self.timed_to_caller = self._stopwatch("to_caller", MODEL_MESSAGES_EACH)
        self._registry = CollectorRegistry()
        self._registry.register(SeriesCollector(self._at_scrape))
        ProcessCollector(registry=self._registry)
        self._lines_lost: Callable[[], int] = lambda: 0

    def watch(
        self,
        *,
        active_calls: Callable[[], int],
        holders: Callable[[], int],
        pods: Callable[[], int],
        calls_max: int,
        pool_sessions: Callable[[], Mapping[str, int]],
        call_log_backlog: Callable[[], int],
        breakers_open: Callable[[], int],
        log_lines_lost: Callable[[], int] = lambda: 0,
    ) -> None:
        """Where the gauges are read at each scrape. Sessions are counted by their state.

        Each pod has its share of all `holders` beside its own calls, so that scaling sees them.
        """
        self.of_calls.active_calls.read_each_by(
            lambda: {"carried": active_calls(), "held": holders() / max(pods(), 1)}
        )
        self.of_calls.calls_held.read_by(holders)
        self.of_calls.call_slots_max.read_by(lambda: calls_max)
        self.of_model.pool_sessions.read_each_by(pool_sessions)
        self.of_model.breakers_open.read_by(breakers_open)
        self.of_pod.backlog.read_by(call_log_backlog)
        self._lines_lost = log_lines_lost

    def call_ended(self, direction: str, outcome: str) -> None:
        """A call is over."""
        self.of_calls.calls.add(direction, outcome)

    def call_overflowed(self, direction: str, reason: str) -> None:
        """A new call found no slot."""
        self.of_calls.calls_overflowed.add(direction, reason)

    def slots_retaken(self, count: int) -> None:
        """The store had not known them as ours."""
        self.of_calls.slots_retaken.add(count=count)

    def config_loaded(self, version: int) -> None:
        """New calls get the config of this version from now on."""
        self.of_pod.config_version.read_by(lambda: version)

    def config_refused(self) -> None:
        """A changed config file was wrong."""
        self.of_pod.config_refused.add()

    def call_resumed(self, cause: str, gap_s: float) -> None:
        """A call went on after `gap_s` without a stream."""
        self.of_calls.call_resumes.add(cause)
        self.of_calls.call_gap.observe(gap_s)

    def loop_lagged(self, seconds: float) -> None:
        """The loop ran something so much too late."""
        self._lag_s = seconds
        self.of_pod.loop_lag.observe(seconds)

    def session_acquired(self, source: str, seconds: float) -> None:
        """A call got its session."""
        self.of_model.realtime_acquire.observe(seconds, source)

    def session_lost(self, reason: str) -> None:
        """A call's session is gone; one that we replaced for its age has not failed."""
        if reason != "rollover":
            self.realtime_failed(reason)

    def realtime_failed(self, reason: str) -> None:
        """A session was refused or lost, or a response failed."""
        self.of_model.realtime_failures.add(reason)

    def cost(self, part: str, picodollars: int) -> None:
        """A part of a call's cost (`core.costs`)."""
        self.of_cost.spent.add(part, count=picodollars)

    def tokens_unpriced(self, kind: str, count: int) -> None:
        """Tokens that no price is known for."""
        self.of_cost.tokens_unpriced.add(kind, count=count)

    def call_log_flushed(self, seconds: float) -> None:
        """Facts were written to the call log."""
        self.of_pod.flush.observe(seconds)

    def fact_put_aside(self, why: str) -> None:
        """The call log keeps a fact aside."""
        self.of_pod.facts_aside.add(why)

    def stream_opened(self) -> None:
        """A stream was given its call."""
        self.of_edge.streams.add()

    def webhook_refused(self, reason: str) -> None:
        """A request to the public port was refused."""
        self.of_edge.webhooks_refused.add(reason)

    def stream_refused(self, reason: str) -> None:
        """A media socket was not given a call."""
        self.of_edge.streams_refused.add(reason)

    def carrier_message_refused(self, reason: str) -> None:
        """A message of a stream broke its protocol."""
        self.of_edge.carrier_messages_refused.add(reason)

    def model_message_refused(self, reason: str) -> None:
        """A message of a session broke its protocol."""
        self.of_model.model_messages_refused.add(reason)

    def tool_finished(self, kind: str, outcome: str, seconds: float) -> None:
        """A tool has run."""
        self.of_tools.tools.add(kind, outcome)
        self.of_tools.tool_time.observe(seconds, kind)

    def hook_failed(self, reason: str) -> None:
        """The context hook gave a call no variables."""
        self.of_tools.hook_failures.add(reason)

    def noted(self, name: str, detail: str, value: float) -> None:
        """A call's machine noted something (`call.actions.NoteName`); a phase is only logged."""
        match name:
            case "barge_in":
                self.of_calls.barge_ins.add()
            case "turn_latency":
                self.of_calls.turn_latency.observe(value)
            case "filler":
                self.of_calls.fillers.add()
            case "model_error" | "response_failed":
                self.of_model.realtime_failures.add(detail or name)
            case "unexpected":
                self.of_edge.unexpected_messages.add(detail)
            case "tokens":
                self.of_model.tokens.add(detail, count=max(round(value), 0))
            case "dropped":
                self._frames_dropped(detail, max(round(value), 0))
            case "gap":
                self.call_resumed(detail or "stream_lost", value)
            case "taken_over":
                self.of_calls.call_resumes.add(detail)
            case "dead_air":
                self.of_calls.dead_air.add(detail)
            case "fallback":
                self.of_calls.fallbacks.add()
            case _:
                pass

    def _frames_dropped(self, side: str, count: int) -> None:
        if side == "caller":
            self.frames_dropped_to_caller += count
        else:
            self.frames_dropped_to_model += count

    def _stopwatch(self, direction: str, each: int) -> Stopwatch:
        observe = self.of_pod.added_latency.observer(direction)
        return Stopwatch(each, observe, lambda: self._lag_s)

    def series(self) -> list[Series]:
        """Every metric, in the order of the reference."""
        return declared(
            self.of_calls,
            self.of_tools,
            self.of_model,
            self.of_cost,
            self.of_edge,
            self.of_pod,
        )

    def render(self) -> bytes:
        """What a scrape gets, in Prometheus' text format."""
        return generate_latest(self._registry)

    def _at_scrape(self) -> list[Series]:
        self.of_edge.dropped_frames.put("model", count=self.frames_dropped_to_model)
        self.of_edge.dropped_frames.put("caller", count=self.frames_dropped_to_caller)
        self.of_pod.log_lines_lost.put(count=self._lines_lost())
        return self.series()
