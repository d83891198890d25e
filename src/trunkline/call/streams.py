"""The caller's side: streams that come and go, frames, marks, keys, hanging up."""

from typing import Final, assert_never

from trunkline.call import away, endings, owed, takeover, wording
from trunkline.call.actions import NoteName, OpenModel, ToModel
from trunkline.call.events import StreamStarted
from trunkline.call.phases import Line, Phase
from trunkline.call.so_far import Takeover
from trunkline.call.state import Closing, Owed, State
from trunkline.call.timers import Timer
from trunkline.call.turns import interrupt, stop_response
from trunkline.core import facts
from trunkline.core.facts import Outcome
from trunkline.wire import twilio
from trunkline.wire.g711 import BYTES_PER_MS, payload_bytes
from trunkline.wire.realtime import client
from trunkline.wire.realtime.items import InputText, Message

BACKLOG_BYTES_MAX: Final = 3000 * BYTES_PER_MS
"""The caller's last three seconds before a model can hear them: as long as another session is
looked for before the caller is told. Beyond, the oldest is dropped: a model that hears what was
said long ago answers late."""

DIGITS_MAX: Final = 64
"""Keys of one message to the model; the next key begins another. Before a model can read them,
no more than these are kept."""

KEYS: Final = frozenset("0123456789*#ABCD")

NO_SESSION: Final = "no_session"
"""Why a call has no model that never had one."""

REPLACED: Final = "replaced"
"""Why the old stream is gone when a new one comes while it looks open."""

STOPPED: Final = "stop"
"""The carrier stopped the stream: the caller hung up, or another stream takes its place."""

PROMISE_S: Final = 30.0
"""A stream that was promised once more may start so long: its ticket lives no longer."""

TWICE_S: Final = 5.0
"""After a lost stream the carrier's next verb may lead to a stream, and an order over its API to
another one: a `stop` within so long of the first is not yet the caller's end."""

STOP_WAIT_S: Final = 2.0
"""After a `stop`, so long a stream that was promised once more is waited for."""


def started(s: State, event: StreamStarted) -> None:
    """A stream with a valid ticket: the call's first, or its next."""
    if s.line is Line.UP and event.stream_sid == s.voice.playout.stream_sid:
        s.unexpected("same_stream")
        return
    if s.line is Line.UP:
        lost(s, REPLACED)
    first = s.line is Line.ABSENT
    if not first and s.lost_reason == STOPPED:
        s.promised_until = s.now  # This is the one.
        if s.lost_sid is not None:
            s.record(facts.StreamLost(s.lost_sid, STOPPED))
    elif not first or s.takeover is not None:
        s.promised_until = max(s.promised_until, s.now + TWICE_S)
    s.to_line(Line.UP)
    s.sequence = 0
    taken_over = takeover.close_past(s, goes_on=True)
    s.record(facts.StreamOpened(event.stream_sid))
    if not first:
        _resume(s, event)
        return
    s.voice.playout.stream_sid = event.stream_sid
    s.to(Phase.OPENING)
    if taken_over is not None:
        _take_over(s, taken_over)
        return
    s.timers.set(Timer.LONGEST_CALL, s.now + s.plan.limits.call_s_max)
    if s.agent.greeting:
        owed.owe(s, Owed.ANSWER, s.now)
    away.gone(s, NO_SESSION)
    s.do(OpenModel())


def _take_over(s: State, taken_over: Takeover) -> None:
    """Go on with another pod's call: to its end, if that had come; else with a new session."""
    resumed, transfer = taken_over.resumed, taken_over.so_far.transfer
    s.record(resumed)
    if resumed.gap_ms is None:
        s.note(NoteName.TAKEN_OVER, resumed.cause)
    else:
        s.note(NoteName.GAP, resumed.cause, resumed.gap_ms / 1000)
    if transfer is not None:
        # Nobody obeyed the order: the pod that gave it is gone.
        s.due = Closing(Outcome.TRANSFERRED, transfer.target, "", number=transfer.number)
        endings.finish(s)
        return
    limits = s.plan.limits
    # Nobody is cut off because the longest call was over while nobody carried it.
    left_s = max(limits.call_s_max - taken_over.age_s, limits.goodbye_s_max)
    s.timers.set(Timer.LONGEST_CALL, s.now + left_s)
    if s.due is not None:
        s.timers.set(Timer.GOODBYE, s.now + limits.goodbye_s_max)
    away.gone(s, resumed.cause)
    owed.owe(s, Owed.RESUME, s.now - takeover.WAITED_S)
    s.do(OpenModel())


def _resume(s: State, event: StreamStarted) -> None:
    """Go on where the caller stopped hearing."""
    gap_s = s.now - s.lost_at
    s.timers.cancel(Timer.STREAM)
    s.record(facts.CallResumed(s.lost_reason, round(1000 * gap_s)))
    s.note(NoteName.GAP, value=gap_s)
    replay, unkept = s.voice.playout.resume(event.stream_sid, s.now)
    s.do(*replay)
    if unkept:
        cut = s.voice.cut_lost(unkept, s.now)
        stop_response(s, cut.response_ids, cancel=True)
        s.do(*cut.to_model, *cut.records)
        if s.phase is Phase.TALKING:
            s.responses.want(wording.GO_ON)
    s.do(*s.voice.record_played(s.now))
    if s.voice.playout.drained:
        owed.owe(s, Owed.RESUME, s.now)
    else:
        owed.pay(s)  # What was not heard plays.
    away.line_back(s)


def lost(s: State, reason: str) -> None:
    """The stream is gone: wait for the next one, for a while."""
    sid = s.voice.playout.stream_sid
    if sid is None:
        if s.lost_reason != STOPPED:  # Else its socket goes after its `stop`.
            s.unexpected("stream_lost")
        return
    s.to_line(Line.LOST)
    if reason != STOPPED:  # Else it is written down when it turns out to be a loss.
        s.record(facts.StreamLost(sid, reason))
    s.lost_at, s.lost_reason, s.lost_sid = s.now, reason, sid
    s.voice.playout.lose(s.now)
    s.do(*s.voice.heard_so_far(s.now, every_ms=1))
    s.speaking = False  # Its end would be in frames that do not come.
    s.timers.cancel(Timer.SPEECH)
    owed.pay(s)  # Nothing can be heard; the next stream owes anew.
    s.backlog_dropped_bytes += s.backlog_bytes
    s.backlog.clear()
    s.backlog_bytes = 0
    s.note_dropped()
    s.timers.set(Timer.STREAM, s.now + s.plan.limits.stream_wait_s_max)


def promised(s: State) -> None:
    """A webhook was repeated: its answer may open another stream."""
    s.promised_until = s.now + PROMISE_S


def stopped(s: State) -> None:
    """The carrier ends the stream. That is the caller's end, unless another was promised."""
    if s.now < s.promised_until:
        lost(s, STOPPED)
        s.timers.set(Timer.STREAM, s.now + STOP_WAIT_S)
    else:
        endings.end(s, Outcome.CALLER_ENDED, STOPPED)


def hung_up(s: State, status: str) -> None:
    """The carrier says that the call is over; its `stop` may have said so before."""
    stopped_before = s.line is Line.LOST and s.lost_reason == STOPPED
    endings.end(s, Outcome.CALLER_ENDED, STOPPED if stopped_before else status)


def not_back(s: State) -> None:
    """No stream took the lost one's place."""
    if s.lost_reason == STOPPED:
        endings.end(s, Outcome.CALLER_ENDED, STOPPED)
    else:
        endings.fail(s, "stream_lost")


def received(s: State, event: twilio.FromCarrier) -> None:
    """A message of the stream, frames of a talking call aside: the machine passes those on."""
    match event:
        case twilio.Connected() | twilio.Start():
            s.unexpected("start_again")  # The listener has had them, before the call.
        case twilio.Unknown():
            s.unexpected("unknown_message")
        case _ if event.stream_sid != s.voice.playout.stream_sid:
            _foreign(s)
        case twilio.Media():
            keep(s, event.media.payload)
        case twilio.Mark():
            _mark_echoed(s, event.mark.name)
        case twilio.Dtmf():
            _key_pressed(s, event.dtmf.digit)
        case twilio.Stop():
            stopped(s)
        case _:
            assert_never(event)


def _foreign(s: State) -> None:
    """A message of a stream that is not the present one; noted once for each change of streams."""
    s.frames_ignored += 1
    if not s.foreign_noted:
        s.foreign_noted = True
        s.unexpected("foreign_stream")


def count(s: State, number: int | str) -> None:
    """Take note of a frame's place in its stream. For every frame; one out of order is counted.

    It is passed on as it came: TCP keeps the order, so it is the numbers that are odd.
    """
    try:
        sequence = int(number)
    except ValueError:
        sequence = 0
    if sequence <= s.sequence:
        s.frames_out_of_order += 1
    s.sequence = sequence


def keep(s: State, payload: str) -> None:
    """Keep a frame for the model that comes."""
    size = payload_bytes(payload)
    if size <= 0:
        return
    s.backlog.append(payload)
    s.backlog_bytes += size
    while s.backlog_bytes > BACKLOG_BYTES_MAX:
        dropped = payload_bytes(s.backlog.popleft())
        s.backlog_bytes -= dropped
        s.backlog_dropped_bytes += dropped


def pass_backlog(s: State) -> None:
    """Let the model hear what it missed."""
    s.do(*(ToModel(client.AppendAudio(payload)) for payload in s.backlog))
    s.backlog.clear()
    s.backlog_bytes = 0
    s.note_dropped()


def _mark_echoed(s: State, name: str) -> None:
    playout = s.voice.playout
    if not playout.echoed(name, s.now):
        s.unexpected("foreign_mark")
        return
    s.do(*s.voice.record_played(s.now), *s.voice.heard_so_far(s.now))
    if playout.drained:
        s.timers.cancel(Timer.IDLE)  # Silence is counted from here.


def _key_pressed(s: State, digit: str) -> None:
    """A key breaks in as speech does; the model is told when the caller has pressed the last."""
    if digit not in KEYS:
        s.unexpected("unknown_key")
        return
    s.idle_prompts = 0
    if s.conversing and not s.closing_for_good:
        if s.closing is not None:
            endings.reopen(s)
        interrupt(s, "keys", cancel=True)  # No voice detection cancels for a key.
    if len(s.digits) < DIGITS_MAX:
        s.digits += digit
    s.timers.set(Timer.DIGITS, s.now + s.plan.limits.digits_pause_s)
    if len(s.digits) >= DIGITS_MAX:
        pass_digits(s)


def pass_digits(s: State) -> None:
    """Tell the model which keys were pressed; before it can hear, they wait."""
    if not s.digits or not s.conversing:
        return
    s.timers.cancel(Timer.DIGITS)
    s.record(facts.DigitsPressed(s.digits))
    text, s.digits = wording.keys_pressed(s.digits), ""
    if s.closing_for_good:
        return
    s.create_item(Message(role="user", content=[InputText(text)], id=s.item_id()))
    s.responses.want()
    owed.owe(s, Owed.TURN, s.now)
