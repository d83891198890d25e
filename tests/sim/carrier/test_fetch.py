"""Asking for documents: which answer counts."""

import random

import pytest

from sim.carrier_bench import VOICE
from trunkline.sim.carrier.account import Account
from trunkline.sim.carrier.events import Request, WebhookAnswered, WebhookFailed
from trunkline.sim.carrier.fetch import Fetched, Fetcher, NotFetched
from trunkline.sim.carrier.outbox import Outbox
from trunkline.wire.webhooks import Form

OK = b"<Response><Hangup/></Response>"


def fetcher() -> Fetcher:
    return Fetcher(Outbox(Account(), random.Random(1)))


def answered(request: Request, status: int = 200, body: bytes = OK) -> WebhookAnswered:
    return WebhookAnswered(request.request, status, body)


def test_an_answer_is_a_program_at_the_documents_address() -> None:
    """The time it took, and where relative URLs lead; the fragment is no part of it."""
    asking = fetcher()
    request = asking.ask(VOICE + "#rc=2", "POST", Form(), 1.0)
    assert request.url == VOICE
    fetched = asking.receive(answered(request), 1.25)
    assert isinstance(fetched, Fetched)
    assert fetched.took_s == 0.25
    assert fetched.program.base_url == VOICE
    assert not asking.is_open


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [(500, OK, 11200), (302, OK, 11200), (200, b"", 12100), (200, b"<Respond/>", 12100)],
)
def test_an_unusable_answer_has_a_code(status: int, body: bytes, code: int) -> None:
    """As in Twilio's debugger."""
    asking = fetcher()
    request = asking.ask(VOICE, "POST", Form(), 1.0, is_fallback=True)
    result = asking.receive(answered(request, status, body), 2.0)
    assert isinstance(result, NotFetched)
    assert (result.code, result.url, result.was_fallback) == (code, VOICE, True)


def test_no_answer_is_11205() -> None:
    """Refused, late, cut off."""
    asking = fetcher()
    request = asking.ask(VOICE, "POST", Form(), 1.0)
    result = asking.receive(WebhookFailed(request.request, "late"), 16.0)
    assert isinstance(result, NotFetched)
    assert result.code == 11205


def test_only_the_newest_question_counts() -> None:
    """Also when the older answer comes later; and each answer once."""
    asking = fetcher()
    old = asking.ask(VOICE, "POST", Form(), 1.0)
    new = asking.ask(VOICE, "POST", Form(), 2.0)
    assert asking.receive(answered(old), 3.0) is None
    assert isinstance(asking.receive(answered(new), 3.0), Fetched)
    assert asking.receive(answered(new), 4.0) is None
    last = asking.ask(VOICE, "POST", Form(), 5.0)
    asking.forget()
    assert asking.receive(answered(last), 6.0) is None


def test_a_double_is_compared_with_the_first_answer() -> None:
    """The same is right; anything else is counted."""
    asking = fetcher()
    assert asking.ask_again(0.0) == []
    first = asking.ask(VOICE, "POST", Form(), 1.0)
    (again,) = asking.ask_again(1.1)
    assert isinstance(again, Request)
    asking.receive(answered(first), 1.2)
    copy = asking.receive(answered(again), 1.3)
    assert isinstance(copy, Fetched)
    assert copy.is_copy
    assert asking.copies_differed == 0
    assert asking.receive(another(asking, 500), 3.0) is None
    assert asking.copies_differed == 1
    assert isinstance(asking.receive(another(asking), 3.0), Fetched)
    assert asking.copies_differed == 2


def test_a_double_may_be_answered_before_the_first() -> None:
    """They are compared all the same."""
    asking = fetcher()
    first = asking.ask(VOICE, "POST", Form(), 1.0)
    (again,) = asking.ask_again(1.1)
    assert isinstance(again, Request)
    assert isinstance(asking.receive(answered(again), 1.2), Fetched)
    assert asking.copies_differed == 0
    asking.receive(answered(first, body=b"<Response/>"), 1.3)
    assert asking.copies_differed == 1


def another(asking: Fetcher, status: int = 200) -> WebhookAnswered:
    """Another double, answered otherwise than the first."""
    (again,) = asking.ask_again(2.0)
    assert isinstance(again, Request)
    return answered(again, status, b"<Response/>")
