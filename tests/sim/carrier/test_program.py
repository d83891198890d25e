"""What each verb asks of a call."""

from dataclasses import replace

import pytest

from trunkline.sim.carrier.account import Account, Dialled
from trunkline.sim.carrier.program import (
    ENDLESS_S,
    Ask,
    Carry,
    Collect,
    Doing,
    End,
    NextVerb,
    Program,
    Wait,
    begin,
)
from trunkline.wire import twiml_reading as twiml

ACCOUNT = Account()
GATHER = twiml.Gather(prompts=(twiml.Say("press"), twiml.Pause(2)))
CONNECT = twiml.Connect(twiml.StreamNoun("wss://bot.example/media"))
DIAL = twiml.Dial((twiml.Number("+15550100009"),), action="/next")

CASES: list[tuple[twiml.Verb, Doing]] = [
    (CONNECT, Carry(CONNECT)),
    (twiml.Redirect("/a", "GET"), Wait(0, Ask("/a", "GET"), answers=False)),
    (twiml.Pause(3), Wait(3, NextVerb(), answers=False)),
    (twiml.Say("1234567890"), Wait(0.6, NextVerb(), told="1234567890")),
    (twiml.Say("1234567890", loop=2), Wait(1.2, NextVerb(), told="1234567890")),
    (twiml.Say("x", loop=0), Wait(ENDLESS_S, NextVerb(), told="x")),
    (twiml.Play(url="https://bot.example/a.wav"), Wait(2.0, NextVerb())),
    (twiml.Play(digits="1ww2"), Wait(1.5, NextVerb())),
    (GATHER, Collect(GATHER, 5 * 0.06 + 2, "press")),
    (twiml.Hangup(), Wait(0, End("completed", "agent"))),
    (twiml.Reject(), Wait(0, End("no-answer", "agent"), answers=False)),
    (twiml.Reject("busy"), Wait(0, End("busy", "agent"), answers=False)),
    (
        DIAL,
        Wait(
            2.0,
            Ask("/next", "POST", (("DialCallStatus", "completed"), ("DialCallDuration", "1"))),
            dialled=("+15550100009",),
        ),
    ),
    (
        twiml.Enqueue("sales", action="/next"),
        Wait(
            2.0,
            Ask("/next", "POST", (("QueueResult", "bridged"), ("QueueTime", "2"))),
            dialled=("queue:sales",),
        ),
    ),
]


@pytest.mark.parametrize(("verb", "doing"), CASES)
def test_a_first_verb_on_a_ringing_call(verb: twiml.Verb, doing: Doing) -> None:
    """One row for each verb."""
    assert begin(verb, ACCOUNT, first=True, answered=False) == doing


def test_a_later_pause_answers() -> None:
    """Only as first verb it lets the line ring."""
    doing = begin(twiml.Pause(3), ACCOUNT, first=False, answered=False)
    assert doing == Wait(3, NextVerb(), answers=True)


def test_reject_is_passed_over_when_it_is_too_late() -> None:
    """On an answered call, and anywhere but first."""
    for first, answered in ((False, False), (True, True)):
        doing = begin(twiml.Reject(), ACCOUNT, first=first, answered=answered)
        assert doing == Wait(0, NextVerb(), answers=False)


def test_a_dialled_person_may_end_the_call_or_not_answer() -> None:
    """The switch decides; without an action the next verb follows."""
    plain = replace(DIAL, action=None)
    busy = replace(ACCOUNT, dialled=Dialled("busy", ring_s=1.5, talk_s=9.0))
    assert begin(plain, busy, first=True, answered=True) == Wait(
        1.5, NextVerb(), dialled=("+15550100009",)
    )
    leaves = replace(ACCOUNT, dialled=Dialled(ends_call=True))
    assert begin(DIAL, leaves, first=True, answered=True) == Wait(
        2.0, End("completed", "caller"), dialled=("+15550100009",)
    )


def test_a_recording_is_sent_to_its_action_or_to_the_document() -> None:
    """With its URL and length."""
    doing = begin(twiml.Record(), ACCOUNT, first=True, answered=False)
    assert isinstance(doing, Wait)
    assert isinstance(doing.then, Ask)
    assert doing.then.url is None
    assert dict(doing.then.extra)["RecordingDuration"] == "3"


def test_urls_lean_on_the_document() -> None:
    """An inline one has no address to lean on."""
    program = Program((), "https://bot.example/a/b?c=d")
    assert program.resolve("../next") == "https://bot.example/next"
    assert program.resolve("https://other.example/") == "https://other.example/"
    assert program.resolve(None) == "https://bot.example/a/b?c=d"
    inline = Program((), None)
    assert inline.resolve("/next") is None
    assert inline.resolve(None) is None
    assert inline.resolve("https://other.example/") == "https://other.example/"


def test_verbs_are_taken_in_order() -> None:
    """And then there is none."""
    program = Program([twiml.Hangup(), twiml.Pause()], None)
    assert program.take() == twiml.Hangup()
    assert program.is_first
    assert program.has_more
    assert program.take() == twiml.Pause()
    assert not program.is_first
    assert not program.has_more
    assert program.take() is None
