"""The model's side: how a session is set up, and its events, each sent where its subject is."""

from typing import Final, assert_never

from trunkline.call import away, endings, rollover, streams, turns, wording
from trunkline.call.actions import MeterLimit
from trunkline.call.events import ModelAway, ModelLost, ModelOpened
from trunkline.call.phases import Phase
from trunkline.call.state import Relief, State
from trunkline.call.timers import Timer
from trunkline.core import facts
from trunkline.core.capacity import TOKENS
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.session import Session

PROBE_UPDATE: Final = "probe"
"""Event id of the update that changes nothing: any answer to it is a sign of life."""

PROBE_ANSWER_S_MAX: Final = 2.5
"""A session that gave no sign of life by then is dead, though its socket is open."""

SESSION_EXPIRED: Final = "session_expired"

_OfCaller = (
    server.SpeechStarted
    | server.SpeechStopped
    | server.AudioCommitted
    | server.TranscriptionCompleted
    | server.TranscriptionFailed
)
_OfResponse = (
    server.ResponseCreated
    | server.ResponseDone
    | server.OutputItemDone
    | server.AudioDelta
    | server.AudioDone
    | server.TranscriptDelta
    | server.TranscriptDone
)
_SignOfLife = (
    server.OutputItemAdded
    | server.ContentPartAdded
    | server.ContentPartDone
    | server.ArgumentsDelta
    | server.ArgumentsDone
)
_Told = (
    server.AudioCleared
    | server.IdleTimeout
    | server.ItemDeleted
    | server.ItemRetrieved
    | server.ItemTruncated
    | server.TranscriptionDelta
)
"""What changes nothing for a call."""


def opened(s: State, event: ModelOpened) -> None:
    """A session was had: for now, or to follow one that grows old."""
    if s.phase is Phase.OPENING:
        _write_down(s, event)
        rollover.take(s)
    elif s.relief is Relief.SOUGHT:
        _write_down(s, event)
        s.relief = Relief.READY
    else:
        s.unexpected("model_opened")


def away_now(s: State, event: ModelAway) -> None:
    """Every model was asked in vain."""
    away.hopeless(s, event.reason)


def lost(s: State, event: ModelLost) -> None:
    """Our session is gone."""
    if s.phase in {Phase.EXPECTED, Phase.OPENING}:
        s.unexpected("no_session")
    else:
        rollover.replace(s, event.reason)


def not_set_up(s: State) -> None:
    """It did not say that it took its settings."""
    rollover.replace(s, "timeout", skip=s.plan.models > 1)


def probe(s: State) -> None:
    """A session that is silent is asked for a sign of life; one that gives none is dead."""
    every_s = s.plan.limits.probe_s
    if every_s is None or not s.has_model:
        return
    if s.probing:
        rollover.replace(s, "stalled", skip=s.plan.models > 1)
    elif s.handing is not None:
        s.timers.set(Timer.PROBE, s.now + every_s)  # Its answer would look the same.
    elif s.now < s.model_heard_at + every_s:
        s.timers.set(Timer.PROBE, s.model_heard_at + every_s)
    else:
        s.probing = True
        s.tell(client.SessionUpdate(Session(), PROBE_UPDATE))
        s.timers.set(Timer.PROBE, s.now + PROBE_ANSWER_S_MAX)


def received(s: State, event: server.FromServer) -> None:
    """An event of the session."""
    s.model_heard_at = s.now
    if s.phase is Phase.INSTRUCTING:
        _instructing(s, event)
    elif s.has_model:
        _conversing(s, event)
    else:
        s.unexpected("no_session")
    if s.probing:
        s.probing = False
        probe(s)


def _write_down(s: State, event: ModelOpened) -> None:
    s.record(facts.SessionOpened(event.source, event.model, event.waited_ms))
    s.session_made_at = s.now - event.age_s


def _instructing(s: State, event: server.FromServer) -> None:
    """Before the settings are confirmed nothing else counts."""
    match event:
        case server.SessionUpdated():
            _ready(s)
        case server.Error() if event.error.event_id == rollover.SETTINGS_UPDATE:
            _refused(s)
        case server.Error():
            _failed(s, event.error)
        case _:
            s.unexpected("early_event")


def _refused(s: State) -> None:
    """The model does not take these settings; another of the list may."""
    s.refusals += 1
    if s.refusals >= s.plan.models:
        endings.fail(s, "session_refused")
    else:
        rollover.replace(s, "session_refused", skip=True)


def _ready(s: State) -> None:
    """The settings hold: let the model hear what it missed, and greet, or go on."""
    s.timers.cancel(Timer.SETTINGS)
    s.to(Phase.TALKING)
    s.has_model, s.refusals, s.used_at = True, 0, None
    s.timers.set(Timer.ROLLOVER, s.session_made_at + s.plan.limits.rollover_s)
    if s.plan.limits.probe_s is not None:
        s.timers.set(Timer.PROBE, s.now + s.plan.limits.probe_s)
    if s.conversed:
        rollover.go_on(s)
    streams.pass_backlog(s)
    if Timer.DIGITS not in s.timers:
        streams.pass_digits(s)
    if s.conversed:
        return
    s.conversed = True
    if s.agent.greeting:
        s.responses.want(wording.greeting(s.agent.greeting))
    else:
        away.back(s)


def _failed(s: State, error: server.ErrorDetail) -> None:
    if error.code == SESSION_EXPIRED:
        rollover.replace(s, SESSION_EXPIRED)
    elif error.event_id != PROBE_UPDATE:  # Else a sign of life too.
        turns.failed(s, error)


def _conversing(s: State, event: server.FromServer) -> None:
    if isinstance(event, _OfResponse):
        _of_response(s, event)
    elif isinstance(event, _OfCaller):
        _of_caller(s, event)
    elif isinstance(event, _SignOfLife):
        s.responses.touched = s.now
    elif isinstance(event, server.RateLimitsUpdated):
        for limit in event.rate_limits:
            if limit.name == TOKENS:
                s.do(MeterLimit(limit.limit, limit.remaining, limit.reset_seconds))
    elif not isinstance(event, _Told):
        _of_session(s, event)


def _of_response(s: State, event: _OfResponse) -> None:
    match event:
        case server.ResponseCreated():
            turns.response_created(s, event.response.id)
        case server.ResponseDone():
            turns.response_done(s, event.response)
        case server.OutputItemDone():
            turns.item_done(s, event)
        case server.AudioDelta():
            turns.audio_came(s, event)
        case server.AudioDone():
            turns.audio_done(s, event.item_id)
        case server.TranscriptDelta():
            turns.words_came(s, event)
        case server.TranscriptDone():
            turns.text_came(s, event)
        case _:
            assert_never(event)


def _of_caller(s: State, event: _OfCaller) -> None:
    match event:
        case server.SpeechStarted():
            turns.speech_started(s)
        case server.SpeechStopped():
            turns.speech_stopped(s)
        case server.AudioCommitted():
            turns.committed(s)
        case server.TranscriptionCompleted():
            turns.transcribed(s, event.item_id, event.transcript)
        case server.TranscriptionFailed():
            turns.transcribed(s, event.item_id, "")
        case _:
            assert_never(event)


def _of_session(
    s: State,
    event: server.SessionCreated
    | server.SessionUpdated
    | server.Error
    | server.ItemAdded
    | server.ItemDone
    | server.Unknown,
) -> None:
    match event:
        case server.SessionUpdated():
            if not s.probing:
                s.handing = None
        case server.Error():
            _failed(s, event.error)
        case server.ItemAdded() | server.ItemDone():
            if isinstance(event.item.id, str):
                s.responses.saw_item(event.item.id)
        case server.SessionCreated():
            s.unexpected("session_created")
        case server.Unknown():
            s.unexpected("unknown_event")
        case _:
            assert_never(event)
