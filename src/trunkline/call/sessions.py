"""The model's side: how a session is set up, and its events, each sent where its subject is."""

from typing import Final, assert_never

from trunkline.call import endings, streams, turns, wording
from trunkline.call.events import ModelLost, ModelOpened
from trunkline.call.phases import Phase
from trunkline.call.state import State
from trunkline.call.timers import Timer
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.wire.realtime import client, server

SESSION_UPDATE: Final = "session"
"""Event id of the update that sets a session up: an error that answers it ends the call."""

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
    | server.RateLimitsUpdated
    | server.TranscriptionDelta
)
"""What changes nothing for a call."""


def opened(s: State, event: ModelOpened) -> None:
    """A session is ours: tell it who it is, before it hears or says anything."""
    if s.phase is not Phase.OPENING:
        s.unexpected("model_opened")
        return
    s.record(facts.SessionOpened(event.source, event.model, event.waited_ms))
    s.to(Phase.INSTRUCTING)
    s.tell(client.SessionUpdate(s.agent.session, SESSION_UPDATE))


def lost(s: State, event: ModelLost) -> None:
    """No session, or none any more."""
    s.record(facts.SessionLost(event.reason))
    endings.fail(s, "model_lost")


def received(s: State, event: server.FromServer) -> None:
    """An event of the session."""
    if s.phase is Phase.INSTRUCTING:
        _instructing(s, event)
    elif s.conversing:
        _conversing(s, event)
    else:
        s.unexpected("no_session")


def _instructing(s: State, event: server.FromServer) -> None:
    """Before the settings are confirmed nothing else counts."""
    match event:
        case server.SessionUpdated():
            _ready(s)
        case server.Error() if event.error.event_id == SESSION_UPDATE:
            endings.end(s, Outcome.FAILED, "session_refused")
        case server.Error():
            turns.failed(s, event.error)
        case _:
            s.unexpected("early_event")


def _ready(s: State) -> None:
    """The settings hold: let the model hear what it missed, and greet."""
    s.timers.cancel(Timer.MODEL_OPEN)
    s.to(Phase.TALKING)
    streams.pass_backlog(s)
    if Timer.DIGITS not in s.timers:
        streams.pass_digits(s)
    if s.agent.greeting:
        s.responses.want(wording.greeting(s.agent.greeting))


def _conversing(s: State, event: server.FromServer) -> None:
    if isinstance(event, _OfResponse):
        _of_response(s, event)
    elif isinstance(event, _OfCaller):
        _of_caller(s, event)
    elif isinstance(event, _SignOfLife):
        s.responses.touched = s.now
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
            s.handing = None
        case server.Error():
            turns.failed(s, event.error)
        case server.ItemAdded() | server.ItemDone():
            if isinstance(event.item.id, str):
                s.responses.saw_item(event.item.id)
        case server.SessionCreated():
            s.unexpected("session_created")
        case server.Unknown():
            s.unexpected("unknown_event")
        case _:
            assert_never(event)
