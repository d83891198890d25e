"""What the next session is told, beside what the caller's own ear understood."""

from dataclasses import replace

from loadtest.test_figures import GREETING, REPORT, STREAM
from trunkline.loadtest.retold import same, told_as_heard
from trunkline.sim.realtime.record import SessionRecord
from trunkline.sim.turns import Kind, Turn

FIRST = replace(STREAM, opened_at=101.25, ended_at=103.0, close_code=None)
SECOND = replace(STREAM, opened_at=104.1, ended_at=112.0)
HEARD = replace(GREETING, heard="good morning how can i help you")
AFTER = Turn(Kind.RESUME, "", 103.0, ended_at=104.1, reply_at=104.5, heard="are you there")
LOST = replace(REPORT, turns=(HEARD, AFTER), streams=(FIRST, SECOND))


def session(*given: tuple[str, str]) -> SessionRecord:
    record = SessionRecord("s", "m", 1.0)
    record.given.extend(given)
    return record


def test_what_was_heard_before_the_loss_is_what_counts() -> None:
    """The agent's words, as text; what came after the loss was not to be told."""
    told = session(("user", "hello"), ("assistant", "Good morning. How can I help you?"))
    assert told_as_heard(LOST, [session(), told]) is True
    other = session(("assistant", "Something else was said to somebody else."))
    assert told_as_heard(LOST, [session(), other]) is False


def test_a_reply_that_was_cut_off_may_differ_in_its_last_words() -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    assert same(words, words[:-6])
    assert same(words[:-6], words)
    assert not same(words, words[:-7])
    assert not same(words, words[1:])


def test_a_call_that_kept_its_session_or_its_stream_tells_nothing() -> None:
    assert told_as_heard(LOST, [session()]) is None
    assert told_as_heard(replace(LOST, streams=(FIRST,)), [session(), session()]) is None
