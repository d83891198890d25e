"""Whose turn it is: the caller's speech, barge-in, the model's responses and their items."""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import UNSET

from trunkline.call import away, endings, faults, owed, rollover, tooling, usage
from trunkline.call.actions import BlameModel, MeterUse, NoteName
from trunkline.call.phases import Line, Phase
from trunkline.call.state import Owed, State
from trunkline.call.timers import Timer
from trunkline.core import facts
from trunkline.core.breaker import FATAL
from trunkline.wire.realtime import client, server
from trunkline.wire.realtime.items import FunctionCall, Item, Message, OutputAudio, OutputText

SPEECH_S_MAX: Final = 60.0
"""Speech without an end for so long is taken as ended: nothing waits for it any more."""

ANSWER_S_MAX: Final = 1.0
"""After the caller's turn the model begins by itself: so long we ask for nothing of our own, and
then for the answer."""


def speech_started(s: State) -> None:
    """The caller speaks: whatever the agent is saying ends here."""
    if s.closing_for_good:
        return
    if s.closing is not None:
        endings.reopen(s)
    s.speaking = True
    s.spoke_until = None
    s.idle_prompts = 0
    owed.pay(s)
    s.timers.cancel(Timer.ANSWER)
    s.timers.set(Timer.SPEECH, s.now + SPEECH_S_MAX)
    interrupt(s, "speech", cancel=not _server_interrupts(s))


def speech_stopped(s: State) -> None:
    """The caller's turn is over, as the model's voice detection has it."""
    if s.closing_for_good:
        return
    s.speaking = False
    s.spoke_until = s.now
    s.turns += 1
    s.timers.cancel(Timer.SPEECH)
    owed.owe(s, Owed.TURN, s.now - owed.TURN_END_S)
    if _server_answers(s):
        s.responses.hold(s.now + ANSWER_S_MAX)
        s.timers.set(Timer.ANSWER, s.now + ANSWER_S_MAX)


def unanswered(s: State) -> None:
    """The model did not begin by itself: ask it, and it must give a sign of life."""
    if s.phase is Phase.TALKING and not s.speaking and s.responses.quiet and not s.tools.running:
        s.responses.want()


def committed(s: State) -> None:
    """The caller's turn is in the conversation; some sessions leave the answer for us to ask."""
    if s.closing is None and not _server_answers(s):
        s.responses.want()


def transcribed(s: State, item_id: str, text: str) -> None:
    """What the caller said is known, or that it can't be."""
    if s.transcribed.add(item_id):
        s.record(facts.CallerSaid(item_id, text))


def interrupt(s: State, cause: Literal["speech", "keys"], *, cancel: bool) -> None:
    """Barge-in: silence at once, and the model learns how much of it was heard.

    `cancel`: the server does not end the active response by itself.
    """
    streaming = s.responses.interrupt()
    cut = s.voice.interrupt(s.responses.active, s.now)
    s.do(*cut.to_caller)
    if cancel and streaming is not None:
        s.tell(client.CancelResponse(streaming))
    stop_response(s, cut.response_ids, cancel=False)
    s.do(*cut.to_model, *cut.records)
    if cut.to_caller or cut.heard_ms is not None:
        s.note(NoteName.BARGE_IN, cause, float(cut.heard_ms or 0))


def stop_response(s: State, response_ids: Iterable[str], *, cancel: bool) -> None:
    """Drop what still comes of these responses."""
    for response_id in sorted(response_ids):
        news = s.responses.interrupted.add(response_id)
        if cancel and news and response_id == s.responses.active:
            s.tell(client.CancelResponse(response_id))


def response_created(s: State, response_id: str) -> None:
    """A response began: ours, or one of the model's own."""
    ours = s.responses.created(response_id, s.now)
    s.timers.cancel(Timer.ANSWER)
    crossed = ours and s.speaking  # We asked, and the caller began to speak meanwhile.
    unwanted = s.closing_for_good and not ours
    if (crossed or unwanted) and response_id == s.responses.active:
        stop_response(s, [response_id], cancel=True)


def response_done(s: State, response: server.Response) -> None:
    """A response is over, whatever became of it."""
    if response.usage is not None:
        _count_tokens(s, response.usage)
    interrupted = response.id in s.responses.interrupted
    s.do(*s.voice.response_done(response.id, s.now))
    if interrupted:
        _delete_unheard(s, response.output)
    if not s.responses.done(response.id):
        s.unexpected("response_done")
        return
    if response.status in {"failed", "incomplete"}:
        s.note(NoteName.RESPONSE_FAILED, _cause(response))
    if response.status == "failed" and not interrupted:
        _failed_response(s, _cause(response))
        return
    if response.status == "completed":
        s.losses, s.answered, s.interrupted = 0, True, False
        if s.away is not None:
            away.back(s)
    s.responses.over(completed=response.status == "completed")
    closing = s.closing
    if closing and closing.response_id == response.id and not s.responses.spoke:
        s.responses.want(closing.order, must=True)


def _count_tokens(s: State, used: server.Usage) -> None:
    counts = usage.kinds(used)
    apart_s = None if s.used_at is None else s.now - s.used_at
    s.do(MeterUse(sum(counts.values()), apart_s))
    s.used_at = s.now
    for kind, count in counts.items():
        s.note(NoteName.TOKENS, kind, float(count))
        if kind.is_output:
            s.output_tokens += count
        else:
            s.input_tokens += count


def _failed_response(s: State, cause: str) -> None:
    """No audio came of it: ask again, and look for another model where that does not help."""
    s.do(BlameModel(cause, s.now))
    if s.closing is None:
        away.gone(s, cause)
    bearable = s.responses.failed(s.now)
    if s.closing is not None and bearable:
        s.responses.want(s.closing.order, must=True)
    elif not bearable or cause in FATAL:
        rollover.failing(s, cause)


def _delete_unheard(s: State, output: Iterable[Item]) -> None:
    """The model takes its items for said; what came after the interruption was dropped."""
    for item in output:
        if isinstance(item, Message) and item.id is not UNSET:
            s.do(*s.voice.drop(item.id))


def item_done(s: State, event: server.OutputItemDone) -> None:
    """One of a response's items is complete: words are over, a function call can be run."""
    s.responses.touched = s.now
    item = event.item
    match item:
        case FunctionCall():
            tooling.called(s, item, event.response_id)
        case Message() if item.id is not UNSET and item.role == "assistant":
            if event.response_id not in s.responses.interrupted:
                s.voice.text(item.id, event.response_id, s.agent.name, _words(item))
            s.do(*s.voice.item_done(item.id, s.now))
        case _:
            s.unexpected("output_item")


def audio_came(s: State, event: server.AudioDelta) -> None:
    """A stretch of an item: passed on at once. The hot one of this module."""
    responses = s.responses
    if event.response_id in responses.interrupted:
        return
    responses.touched = s.now
    if event.response_id == responses.active:
        responses.spoke = True
    s.model_heard_at = s.now
    if s.away is not None:
        away.back(s)
    s.out += s.voice.audio(event.item_id, event.response_id, s.agent.name, event.delta, s.now)
    if s.owed is not None and s.line is Line.UP:
        owed.pay(s)
    if s.spoke_until is not None:
        s.note(NoteName.TURN_LATENCY, value=s.now - s.spoke_until)
        s.spoke_until = None


def audio_done(s: State, item_id: str) -> None:
    """An item's audio is all here: its end is marked. Words may still come."""
    s.responses.touched = s.now
    s.do(*s.voice.audio_done(item_id))


def words_came(s: State, event: server.TranscriptDelta) -> None:
    """A few words of an item, mostly before its audio."""
    s.responses.touched = s.now
    if event.response_id not in s.responses.interrupted:
        s.voice.words(event.item_id, event.response_id, s.agent.name, event.delta)


def text_came(s: State, event: server.TranscriptDone) -> None:
    """All words of an item."""
    s.responses.touched = s.now
    if event.response_id not in s.responses.interrupted:
        s.voice.text(event.item_id, event.response_id, s.agent.name, event.transcript)


def failed(s: State, error: server.ErrorDetail) -> None:
    """The model reports an error in an open session; most need nothing."""
    if error.code in faults.HARMLESS:
        return
    busy = error.code == faults.ALREADY_ACTIVE
    if not busy:
        s.note(NoteName.MODEL_ERROR, faults.named(error.code, error.type))
    if s.handing is not None and error.event_id == s.handing[0]:
        tooling.hand_back(s)
    elif s.responses.is_ours(error.event_id) and not s.responses.refused(s.now, busy=busy):
        away.gone(s, "response_failed")
        rollover.failing(s, "response_failed")


def _words(item: Message) -> str:
    parts = []
    for content in item.content:
        if isinstance(content, OutputText):
            parts.append(content.text)
        elif isinstance(content, OutputAudio) and isinstance(content.transcript, str):
            parts.append(content.transcript)
    return "".join(parts)


def _cause(response: server.Response) -> str:
    details = response.status_details
    if details is None:
        return faults.OTHER
    if details.error is None:
        return faults.named(details.reason)
    return faults.named(details.error.code, details.error.type, details.reason)


def _server_answers(s: State) -> bool:
    detection = s.detection
    return detection is not None and detection.create_response is not False


def _server_interrupts(s: State) -> bool:
    detection = s.detection
    return detection is not None and detection.interrupt_response is not False
