"""What one call was like, in seconds of the test and in milliseconds; plain data for a report.

None is "not measured" throughout, and never zero.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from trunkline.sim.carrier.report import CallReport, Said
from trunkline.sim.turns import Kind
from trunkline.sim.turns import Turn as Lived

MISSED_S: Final = 5.0
"""Speech without any answer for so long is a missed turn."""

SOUNDLESS_S: Final = 4.0
"""A shorter call without a sound was only hung up too early."""

ENDED_BY_US: Final = "dropped: ended by agent"
"""A failure: the document ended the call before its caller meant to go."""

NO_STREAM: Final = "the answer opened no stream"
"""A failure: the first document had no stream in it."""

LEFT_S_MIN: Final = 0.5
"""A last stream that ended less before its call ended with it."""


class Turn(msgspec.Struct, frozen=True):
    """One turn: what the caller said and the reply to it; without `spoke_s` a greeting."""

    kind: str
    began_s: float
    ended_s: float | None
    reply_s: float | None
    reply_ended_s: float | None
    answer_ms: float | None
    """From the end of the caller's speech to the first sound of the reply."""
    broke_in: bool
    silence_ms: float | None
    """From the first frame of an interruption to silence."""
    missed: bool


class Hole(msgspec.Struct, frozen=True):
    """A silence within a reply."""

    at_s: float
    ms: float


class Way(msgspec.Struct, frozen=True):
    """One direction of a call's audio, as the marks of time in it tell."""

    frames: int
    p50_ms: float | None
    p99_ms: float | None
    most_ms: float | None
    lost: int
    dropped: int
    """Frames that an interruption cut off on their way: these are meant to be."""
    doubled: int
    crossed: int
    late: int
    """Frames that took longer than is promised, or came after a later one."""


class Break(msgspec.Struct, frozen=True):
    """A stream that ended before its call did, and what the caller heard next."""

    at_s: float
    meant: bool
    """Whether the server closed it, as it does to hand the call to another pod."""
    back_s: float | None
    """When the call's next stream was open; None where none came."""
    sound_ms: float | None
    """From the end of the stream to the next sound in the caller's ear, a filler or the agent; less
    what the caller said on the new stream before it, for who speaks is not waiting."""
    agent_ms: float | None
    """To the model's own voice; told only where its audio has marks."""


class Call(msgspec.Struct, frozen=True):
    """One call."""

    number: int
    script: str
    began_s: float
    ended_s: float
    webhook_ms: float | None
    stream_ms: float | None
    """From the webhook's answer to the open stream."""
    streams: int
    first_sound_ms: float | None
    """From the first stream's start to the first sound."""
    failed: str
    """Why the call does not count as carried; empty where it does."""
    turns: tuple[Turn, ...]
    holes: tuple[Hole, ...]
    warnings: dict[str, int]
    """Twilio's warnings, by code."""
    frames_sent: int
    own_late_ms: float
    """How late our own frames were at worst."""
    false_turns: int | None = None
    """Turns that the model heard and the caller did not make."""
    to_model: Way | None = None
    to_caller: Way | None = None
    breaks: tuple[Break, ...] = ()
    told_as_heard: bool | None = None
    """Whether the model of its second session was told what the caller had heard."""

    @property
    def missed_turns(self) -> int:
        """Speech that nobody answered."""
        return sum(turn.missed for turn in self.turns)

    @property
    def spoken_turns(self) -> int:
        """How often the caller spoke."""
        return sum(turn.kind == Kind.SAID for turn in self.turns)


def call_of(report: CallReport, number: int, script: str, zero: float, hung_up_s: float) -> Call:
    """The carrier's report in the test's own time.

    `zero` is the test's start on the carrier's clock, `hung_up_s` when the caller meant to go.
    """
    turns = report.turns
    ends = [turn.began_at for turn in turns[1:]] + [report.ended_at]
    opened = [stream for stream in report.streams if not stream.probe]
    return Call(
        number=number,
        script=script,
        began_s=_at(report.began_at, zero),
        ended_s=_at(report.ended_at, zero),
        webhook_ms=_ms(report.setup_ms),
        stream_ms=_stream_ms(report),
        streams=sum(stream.opened_at is not None for stream in opened),
        first_sound_ms=_ms(report.answer_ms),
        failed=_failure(report, zero + hung_up_s),
        turns=tuple(_turn(turn, end, zero) for turn, end in zip(turns, ends, strict=True)),
        holes=tuple(
            Hole(_at(gap.at, zero), round(gap.ms, 1)) for turn in turns for gap in turn.holes
        ),
        warnings={str(code): count for code, count in sorted(report.warnings.items())},
        frames_sent=report.frames_sent,
        own_late_ms=round(report.frame_late_ms_max, 1),
        breaks=tuple(_breaks(report, zero)),
    )


def _breaks(report: CallReport, zero: float) -> Iterator[Break]:
    """Each stream but the last is one; the last too, if the caller was left in silence."""
    opened = [each for each in report.streams if each.opened_at is not None and not each.probe]
    for number, each in enumerate(opened, 1):
        later = opened[number:]
        lost_at = report.ended_at if each.ended_at is None else each.ended_at
        if not later and report.ended_at - lost_at < LEFT_S_MIN:
            return
        back = next((one.opened_at for one in later if one.opened_at is not None), None)
        sound = next((one.sound_at for one in later if one.sound_at is not None), None)
        agent = next((one.agent_at for one in later if one.agent_at is not None), None)
        yield Break(
            at_s=_at(lost_at, zero),
            meant=each.close_code is not None,
            back_s=None if back is None else _at(back, zero),
            sound_ms=_waited_ms(report, lost_at, back, sound),
            agent_ms=_waited_ms(report, lost_at, back, agent),
        )


def _waited_ms(
    report: CallReport, lost_at: float, back: float | None, heard: float | None
) -> float | None:
    if back is None or heard is None:
        return None
    spoke_s = sum(
        max(0.0, min(heard, turn.ended_at or heard) - max(back, turn.began_at))
        for turn in report.turns
        if turn.kind is Kind.SAID
    )
    return _ms((heard - lost_at - spoke_s) * 1000)


def _turn(turn: Lived, next_at: float, zero: float) -> Turn:
    waited_s = 0.0 if turn.ended_at is None else next_at - turn.ended_at
    return Turn(
        kind=str(turn.kind),
        began_s=_at(turn.began_at, zero),
        ended_s=None if turn.ended_at is None else _at(turn.ended_at, zero),
        reply_s=None if turn.reply_at is None else _at(turn.reply_at, zero),
        reply_ended_s=None if turn.last_at is None else _at(turn.last_at, zero),
        answer_ms=_ms(turn.latency_ms),
        broke_in=turn.interrupted,
        silence_ms=_ms(turn.silence_ms),
        missed=turn.kind is Kind.SAID and turn.reply_at is None and waited_s >= MISSED_S,
    )


def _failure(report: CallReport, meant_to_go_at: float) -> str:
    """Why the call was not carried as it should be."""
    opened = [stream for stream in report.streams if stream.opened_at is not None]
    if report.setup_ms is None:
        warned = [event.detail for event in report.events if event.said is Said.WARNING]
        return f"the webhook failed: {warned[0]}" if warned else "the webhook was not answered"
    if not opened:
        refused = [event for event in report.events if event.said is Said.STREAM_REFUSED]
        return "the stream was refused" if refused else NO_STREAM
    if report.ended_by != "caller" and report.ended_at < meant_to_go_at:
        return f"dropped: ended by {report.ended_by or 'nobody'}"
    last = opened[-1]
    if last.ended_at is not None and last.close_code is None and not report.dialled:
        left_s = report.ended_at - last.ended_at
        if left_s > SOUNDLESS_S:
            return f"left in silence for {left_s:.0f} s"
    if report.status != "completed":
        return f"status {report.status}"
    if not report.bytes_played and report.ended_at - report.began_at >= SOUNDLESS_S:
        return "no sound was heard"
    return ""


def _stream_ms(report: CallReport) -> float | None:
    opening = [event.at for event in report.events if event.said is Said.STREAM_OPENING]
    opened = [s.opened_at for s in report.streams if s.opened_at is not None and not s.probe]
    if not opening or not opened:
        return None
    return _ms((min(opened) - opening[0]) * 1000)


def _at(when: float, zero: float) -> float:
    return round(when - zero, 3)


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def waits_ms(calls: Sequence[Call]) -> list[float]:
    """All times to the first sound: of answers, of turns and of resumes."""
    answers = [call.first_sound_ms for call in calls if call.first_sound_ms is not None]
    later = [
        turn.answer_ms
        for call in calls
        for turn in call.turns
        if turn.kind != Kind.GREETING and turn.answer_ms is not None
    ]
    return answers + later
