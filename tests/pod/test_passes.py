import pytest

from pod.office import FIRST, KEY, ME, SECOND, Answer
from trunkline.core.ids import Epoch, Incarnation, PodName
from trunkline.core.tickets import ResumeToken, Ticket, sign
from trunkline.pod.passes import Passes, media_path, media_url

EPOCH = Epoch(7)
PASSES = Passes(ME.public_url, KEY)


@pytest.mark.parametrize(
    ("public_url", "url"),
    [
        ("https://voice.example.com", "wss://voice.example.com/pods/pod-0/media"),
        ("http://127.0.0.1:8080/base/", "ws://127.0.0.1:8080/base/pods/pod-0/media"),
    ],
)
def test_streams_go_to_the_pod_in_their_path(public_url: str, url: str) -> None:
    """Absolute, under the public URL's own path, and `wss` where that is `https`."""
    assert media_url(public_url, ME.pod) == url
    assert url.endswith(media_path(ME.pod))


def test_one_epoch_has_one_document() -> None:
    """Whichever pod writes it, and however often: ticket and token name the same."""
    document = PASSES.stream(FIRST, EPOCH, ME.pod, ME.incarnation, 1_000)
    assert document == PASSES.stream(FIRST, EPOCH, ME.pod, ME.incarnation, 1_000)
    answer = Answer(document)
    assert answer.ticket == Ticket(FIRST, EPOCH, ME.pod, ME.incarnation, 1_000)
    token = ResumeToken(FIRST, EPOCH, ME.pod, ME.incarnation)
    assert PASSES.read(answer.token, FIRST) == token
    assert PASSES.again_url(answer.token) == PASSES.resume_url(token)


def test_a_token_is_good_for_its_call_only() -> None:
    """Another call's, a ticket, another key's, garbage: None."""
    token = ResumeToken(FIRST, EPOCH, ME.pod, ME.incarnation)
    assert PASSES.read(sign(token, KEY), SECOND) is None
    assert PASSES.read(sign(token, b"k" * 32), FIRST) is None
    ticket = Ticket(FIRST, EPOCH, ME.pod, ME.incarnation, 1_000)
    assert PASSES.read(sign(ticket, KEY), FIRST) is None
    assert PASSES.read("r1.x.y", FIRST) is None


def test_a_fleet_behind_one_address_names_no_pod() -> None:
    """Neither in the stream's URL, nor in its ticket, nor in the token behind it."""
    passes = Passes(ME.public_url, KEY, pinned=False)
    answer = Answer(passes.stream(FIRST, EPOCH, ME.pod, ME.incarnation, 1_000))
    assert "wss://voice.example.com/media" in answer.document
    assert ME.pod not in answer.document
    assert answer.ticket == Ticket(FIRST, EPOCH, PodName(""), Incarnation(""), 1_000)
    token = passes.read(answer.token, FIRST)
    assert token is not None
    assert not token.pinned
