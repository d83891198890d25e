"""What a call gets to run, as Twilio would read it."""

import pytest

from trunkline.core.facts import CallEnded, Fact, Outcome, TransferOrdered
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.record import Entry, Head, after, link
from trunkline.pod import documents
from trunkline.pod.directory import Overflow
from trunkline.wire import twiml

SAY = Overflow("say", "All lines are busy.")


def verbs(document: str) -> list[str]:
    return [type(verb).__name__ for verb in twiml.parse(document)]


def entries(*facts: Fact) -> list[Entry]:
    head, chain = Head(), []
    for fact in facts:
        entry = link(CallSid("CA1"), head, fact, at_ms=1, epoch=Epoch(1), salt=b"0" * 16)
        chain.append(entry)
        head = after(entry)
    return chain


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (Overflow("dial", "+15550100001"), "Dial"),
        (Overflow("voicemail", "Please leave a message."), "Record"),
        (Overflow("say", "All lines are busy."), "Say"),
        (Overflow("hangup"), "Hangup"),
    ],
)
def test_each_overflow_action_is_a_document(action: Overflow, expected: str) -> None:
    """Dial, voicemail, words, or a plain hang-up."""
    assert expected in verbs(documents.overflow(action))


@pytest.mark.parametrize("outcome", Outcome)
def test_what_follows_an_end(outcome: Outcome) -> None:
    """A transfer dials, a failure overflows, all else hangs up.

    A caller who was given up because no stream came, and whose redirect comes, is on the line.
    """
    document = documents.after_end(outcome, "+15550100002", SAY)
    expected = {
        Outcome.TRANSFERRED: "Dial",
        Outcome.FAILED: "Say",
        Outcome.OVERFLOWED: "Say",
        Outcome.ABANDONED: "Say",
    }.get(outcome, "Hangup")
    assert verbs(document)[0] == expected


def test_the_record_tells_what_follows_as_well_as_memory_does() -> None:
    """A redirect that only the journal can answer gets the same document."""
    transfer = TransferOrdered("billing", "+15550100002")
    ended = CallEnded(Outcome.TRANSFERRED, "billing")
    assert documents.after_record(entries(transfer, ended), SAY) == documents.after_end(
        Outcome.TRANSFERRED, "+15550100002", SAY
    )
    assert verbs(documents.after_record(entries(transfer), SAY)) == ["Hangup"]
    assert verbs(documents.after_record([], SAY)) == ["Hangup"]


def test_a_stream_is_followed_by_its_redirect() -> None:
    """No document ends with Connect: any loss of the stream would hang up."""
    document = documents.stream(
        url="wss://voice.example.com/pods/pod-0/media",
        status_callback="https://voice.example.com/twilio/stream-status",
        ticket="t1.x.y",
        resume_url="https://voice.example.com/twilio/resume/r1.x.y",
    )
    assert verbs(document) == ["Connect", "Redirect"]


def test_a_redirect_comes_again_at_once_or_after_a_pause() -> None:
    """While the journal is away the caller waits a second; else there is no wait."""
    assert verbs(documents.wait_and_redirect("https://voice.example.com/x"))[-1] == "Redirect"
    assert "Pause" in verbs(documents.wait_and_redirect("https://voice.example.com/x"))
    assert verbs(documents.redirect("https://voice.example.com/x")) == ["Redirect"]
    assert verbs(documents.reject()) == ["Reject"]
    assert verbs(documents.hangup()) == ["Hangup"]
