"""A call's report, drawn from its machine. It hears what was said: not for the hot path."""

from trunkline.sim.carrier.call import CarrierCall
from trunkline.sim.carrier.report import CallReport
from trunkline.sim.turns import Kind


def report_of(call: CarrierCall) -> CallReport:
    """What the call was like so far."""
    turns = call.person.turns()
    streams = call.streams.reports()
    began = call.streams.first_start_at
    replies = [turn.reply_at for turn in turns if turn.reply_at is not None]
    sounds = [at for at in replies if began is not None and at >= began]
    return CallReport(
        sid=call.plan.sid,
        direction=call.plan.direction,
        status=call.leg.phase,
        ended_by=call.leg.ended_by,
        began_at=call.leg.began_at,
        answered_at=call.leg.answered_at,
        ended_at=call.leg.began_at if call.leg.ended_at is None else call.leg.ended_at,
        setup_ms=None if call.setup_s is None else call.setup_s * 1000,
        answer_ms=None if began is None or not sounds else (min(sounds) - began) * 1000,
        turns=turns,
        transcript=transcript_of(call),
        streams=streams,
        frames_sent=sum(stream.frames_sent for stream in streams),
        frame_late_ms_max=call.streams.late_ms_max,
        bytes_played=sum(stream.bytes_played for stream in streams if not stream.probe),
        warnings=call.streams.warnings,
        dialled=tuple(call.dialled),
        events=tuple(call.diary.entries),
        events_uncounted=call.diary.uncounted,
        callbacks_sent=call.outbox.callbacks_sent,
        copies_differed=call.fetcher.copies_differed,
        ledger=call.ledger,
        marks=call.marks,
    )


def transcript_of(call: CarrierCall) -> tuple[tuple[str, str], ...]:
    """Who said what, in order, as the person on the line knows it."""
    lines: list[tuple[float, str, str]] = [(at, "carrier", words) for at, words in call.told]
    for turn in call.person.turns():
        if turn.kind is Kind.SAID:
            lines.append((turn.began_at, "caller", turn.said))
        if turn.reply_at is not None and turn.bytes_played:
            lines.append((turn.reply_at, "agent", call.person.words_heard(turn)))
    lines.sort(key=lambda line: line[0])
    return tuple((who, words) for _, who, words in lines)
