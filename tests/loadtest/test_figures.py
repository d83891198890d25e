"""One call's report in the test's own time."""

from dataclasses import replace

import pytest

from trunkline.loadtest.figures import Break, call_of, waits_ms
from trunkline.sim.carrier.report import CallReport, Entry, Said, StreamReport
from trunkline.sim.ledger import Ledger
from trunkline.sim.turns import Gap, Kind, Turn

ZERO = 100.0

STREAM = StreamReport("MZ1", 101.25, 110.0, 1000, 400, 8000, 8000, 0, 0, 3, 0)

GREETING = Turn(Kind.GREETING, "", 101.0, ended_at=101.0, reply_at=101.5, last_at=102.5)
SPOKEN = Turn(
    Kind.SAID,
    "hello",
    103.0,
    ended_at=104.0,
    reply_at=104.8,
    last_at=106.0,
    gaps=[Gap(105.0, 80.0), Gap(105.5, 1500.0)],
)
BROKE_IN = Turn(Kind.SAID, "wait", 106.0, ended_at=106.5, interrupted=True, silence_ms=22.0)

REPORT = CallReport(
    sid="CA1",
    direction="inbound",
    status="completed",
    ended_by="caller",
    began_at=101.0,
    answered_at=101.0,
    ended_at=112.0,
    setup_ms=9.123,
    answer_ms=250.0,
    turns=(GREETING, SPOKEN, BROKE_IN),
    transcript=(),
    streams=(STREAM,),
    frames_sent=400,
    frame_late_ms_max=1.26,
    bytes_played=8000,
    warnings={31951: 2},
    dialled=(),
    events=(Entry(101.2, Said.STREAM_OPENING, "MZ1"),),
    events_uncounted=0,
    callbacks_sent=0,
    copies_differed=0,
    ledger=Ledger(),
)


def test_times_are_the_tests_own() -> None:
    """Seconds after its start; what happens inside a call in ms."""
    call = call_of(REPORT, 3, "talk", ZERO, 12.0)
    assert (call.began_s, call.ended_s, call.webhook_ms) == (1.0, 12.0, 9.12)
    assert call.stream_ms == pytest.approx(50.0)
    assert (call.failed, call.warnings, call.own_late_ms) == ("", {"31951": 2}, 1.3)
    greeting, spoken, broke_in = call.turns
    assert (greeting.kind, greeting.answer_ms) == ("greeting", 500.0)
    assert (spoken.began_s, spoken.reply_s, spoken.answer_ms) == (3.0, 4.8, 800.0)
    assert [(hole.at_s, hole.ms) for hole in call.holes] == [(5.0, 80.0)]
    assert (broke_in.broke_in, broke_in.silence_ms) == (True, 22.0)
    assert waits_ms([call]) == [250.0, 800.0]


def test_speech_without_an_answer_is_missed_only_if_there_was_time_for_one() -> None:
    """A call that ends meanwhile has missed nothing."""
    assert call_of(REPORT, 0, "talk", ZERO, 12.0).missed_turns == 1
    soon = replace(REPORT, ended_at=108.0)
    assert call_of(soon, 0, "talk", ZERO, 8.0).missed_turns == 0


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (replace(REPORT, setup_ms=None), "the webhook was not answered"),
        (
            replace(REPORT, setup_ms=None, events=(Entry(1.0, Said.WARNING, "11200 HTTP 403"),)),
            "the webhook failed: 11200 HTTP 403",
        ),
        (replace(REPORT, streams=()), "the answer opened no stream"),
        (
            replace(REPORT, streams=(), events=(Entry(101.2, Said.STREAM_REFUSED, "503"),)),
            "the stream was refused",
        ),
        (replace(REPORT, ended_by="agent", ended_at=109.0), "dropped: ended by agent"),
        (replace(REPORT, status="failed"), "status failed"),
        (replace(REPORT, bytes_played=0), "no sound was heard"),
    ],
)
def test_a_call_that_was_not_carried_says_why(report: CallReport, told: str) -> None:
    """In words without any number or word spoken."""
    assert call_of(report, 0, "talk", ZERO, 12.0).failed == told


def test_a_call_without_a_stream_has_no_time_to_open_one() -> None:
    """None is not measured."""
    assert call_of(replace(REPORT, streams=()), 0, "talk", ZERO, 12.0).stream_ms is None


def test_a_lost_stream_is_told_with_what_was_heard_next() -> None:
    """From its end to the next sound, and to the agent's own voice; a migration was meant."""
    first = replace(STREAM, opened_at=101.25, ended_at=103.0, close_code=None)
    second = replace(
        STREAM, opened_at=104.1, ended_at=106.0, close_code=1000, sound_at=104.5, agent_at=105.0
    )
    third = replace(STREAM, opened_at=106.2, ended_at=112.0, sound_at=106.3, agent_at=106.3)
    call = call_of(
        replace(REPORT, turns=(GREETING,), streams=(first, second, third)), 3, "talk", ZERO, 12.0
    )
    assert call.breaks == (
        Break(3.0, meant=False, back_s=4.1, sound_ms=1500.0, agent_ms=2000.0),
        Break(6.0, meant=True, back_s=6.2, sound_ms=300.0, agent_ms=300.0),
    )


def test_a_sound_after_two_losses_ends_both_silences() -> None:
    """A stream that was lost again before a word on it did not end the silence."""
    first = replace(STREAM, opened_at=101.25, ended_at=103.0, close_code=None)
    silent = replace(STREAM, opened_at=104.0, ended_at=105.0, close_code=None)
    third = replace(STREAM, opened_at=106.0, ended_at=112.0, sound_at=106.5)
    call = call_of(
        replace(REPORT, turns=(GREETING,), streams=(first, silent, third)), 3, "talk", ZERO, 12.0
    )
    assert [(each.back_s, each.sound_ms, each.agent_ms) for each in call.breaks] == [
        (4.0, 3500.0, None),
        (6.0, 1500.0, None),
    ]


def test_a_caller_left_in_silence_is_told_and_one_who_hung_up_is_not() -> None:
    """The last stream ended with its call, or well before it."""
    left = replace(STREAM, ended_at=108.0, close_code=None)
    call = call_of(replace(REPORT, turns=(GREETING,), streams=(left,)), 3, "talk", ZERO, 12.0)
    assert call.breaks == (Break(8.0, meant=False, back_s=None, sound_ms=None, agent_ms=None),)
    with_it = replace(STREAM, ended_at=111.9, close_code=None)
    call = call_of(replace(REPORT, turns=(GREETING,), streams=(with_it,)), 3, "talk", ZERO, 12.0)
    assert call.breaks == ()


def test_who_speaks_after_a_loss_is_not_waiting() -> None:
    """Their own words on the new stream are no gap; those into the dead line are."""
    first = replace(STREAM, opened_at=101.25, ended_at=103.0, close_code=None)
    second = replace(STREAM, opened_at=104.0, ended_at=112.0, sound_at=106.5, agent_at=107.0)
    into_nothing = replace(SPOKEN, began_at=102.5, ended_at=104.5)
    at_once = replace(SPOKEN, began_at=105.0, ended_at=106.0)
    made = replace(REPORT, turns=(into_nothing, at_once), streams=(first, second))
    (gap,) = call_of(made, 3, "talk", ZERO, 12.0).breaks
    assert (gap.sound_ms, gap.agent_ms) == (2000.0, 2500.0)
