import picows
import pytest

from trunkline.adapters import realtime_reasons as reasons
from trunkline.errors import ModelError


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "invalid_api_key"),
        (403, "invalid_api_key"),
        (404, "model_not_found"),
        (429, "rate_limited"),
        (500, "server_error"),
        (529, "server_error"),
        (302, "refused"),
        (400, "refused"),
    ],
)
def test_a_status_has_a_reason(status: int, reason: str) -> None:
    """Also those that Python's list of statuses does not know."""
    assert reasons.of_status(status) == reason
    head = b"HTTP/1.1 %d Whatever" % status
    assert reasons.of_exception(picows.WSHandshakeError("x", head)) == reason


def test_the_body_of_a_refusal_may_say_more() -> None:
    """A used-up quota comes as 429, and waiting does not mend it."""
    body = b'{"error": {"code": "insufficient_quota", "message": "pay"}}'
    assert reasons.of_status(429, body) == "insufficient_quota"
    assert reasons.of_status(429, b'{"error": {"code": "sk-secret"}}') == "rate_limited"
    assert reasons.of_status(429, b"[" * 100_000) == "rate_limited"
    assert reasons.of_status(429, b"\xff") == "rate_limited"


def test_an_error_event_has_a_reason() -> None:
    """Its code, else its type, else that we were refused; never its own words."""
    assert reasons.of_error("session_expired", "invalid_request_error") == "session_expired"
    assert reasons.of_error("rate_limit_exceeded", None) == "rate_limited"
    assert reasons.of_error(None, "server_error") == "server_error"
    assert reasons.of_error("call +15550100001", "anything") == "refused"


def test_a_failure_to_connect_has_a_reason() -> None:
    """By whose fault it is, without an address."""
    assert reasons.of_exception(ModelError("closed")) == "closed"
    assert reasons.of_exception(TimeoutError()) == "timeout"
    assert reasons.of_exception(ConnectionRefusedError("10.0.0.1")) == "unreachable"
    assert reasons.of_exception(picows.WSHandshakeError("x", b"HTTP/1.1 101 ok")) == "protocol"
    assert reasons.of_exception(picows.WSHandshakeError("x")) == "protocol"


def test_the_reasons_are_a_closed_set() -> None:
    """Whatever the other end says, labels stay few."""
    for code in range(5000):
        assert reasons.of_close(code) in reasons.REASONS
        assert reasons.of_our_close(code) in reasons.REASONS
    for status in range(100, 1000):
        assert reasons.of_status(status) in reasons.REASONS
    for word in [*reasons.CODES, *reasons.RENAMED, "other", None]:
        assert reasons.of_error(word, None) in reasons.REASONS
