import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.core.neighbour_proof import APART_MS_MAX, is_signed, key_of, sign

KEY = key_of(b"a ticket key of many characters")
AT_MS = 1_790_000_000_000


@given(st.binary(max_size=200), st.integers(-APART_MS_MAX, APART_MS_MAX))
def test_what_a_neighbour_signed_is_signed_while_it_is_fresh(body: bytes, later_ms: int) -> None:
    """Whatever the body, and however far apart the clocks within their bound."""
    header = sign(KEY, AT_MS, "POST", "/internal/calls/CA1", body)
    assert is_signed(KEY, header, AT_MS + later_ms, "POST", "/internal/calls/CA1", body)


@pytest.mark.parametrize(
    ("method", "path", "body", "later_ms"),
    [
        ("GET", "/internal/x", b"body", 0),
        ("POST", "/internal/y", b"body", 0),
        ("POST", "/internal/x", b"bodY", 0),
        ("POST", "/internal/x", b"body", APART_MS_MAX + 1),
        ("POST", "/internal/x", b"body", -APART_MS_MAX - 1),
    ],
)
def test_a_signature_serves_one_request(method: str, path: str, body: bytes, later_ms: int) -> None:
    """Another method, path or body, or another day: not signed."""
    header = sign(KEY, AT_MS, "POST", "/internal/x", b"body")
    assert not is_signed(KEY, header, AT_MS + later_ms, method, path, body)


def test_another_key_signs_nothing() -> None:
    """Nor is the ticket key itself the key between pods."""
    header = sign(key_of(b"another key of many characters"), AT_MS, "GET", "/", b"")
    assert not is_signed(KEY, header, AT_MS, "GET", "/", b"")
    assert key_of(b"k" * 32) != b"k" * 32


@given(st.text(max_size=120))
def test_garbage_is_not_signed(header: str) -> None:
    """A header may hold anything."""
    assert not is_signed(KEY, header, AT_MS, "GET", "/", b"")
