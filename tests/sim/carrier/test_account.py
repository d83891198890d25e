"""The account, and which URLs Twilio would open."""

import random

import pytest

from trunkline.sim.carrier.account import Account, new_sid, stream_url_fault


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("wss://bot.example/media", None),
        ("wss://bot.example:8443/media", None),
        ("ws://127.0.0.1:8080/media", None),
        ("ws://localhost/media", None),
        ("ws://[::1]:80/media", None),
        ("ws://bot.example/media", 31922),
        ("https://bot.example/media", 31922),
        ("/media", 31922),
        ("wss://bot.example/media?a=b", 31920),
        ("wss://bot.example/media?", 31920),
        ("wss:///media", 31920),
    ],
)
def test_which_streams_are_opened(url: str, code: int | None) -> None:
    """`wss` without a query; plain `ws` to this machine only."""
    fault = stream_url_fault(url)
    assert (None if fault is None else fault[0]) == code


def test_sids_look_like_twilios() -> None:
    """Two letters, 32 hex digits, never the same."""
    rng = random.Random(1)
    sids = {new_sid("MZ", rng) for _ in range(100)}
    assert len(sids) == 100
    for sid in sids:
        assert len(sid) == 34
        assert set(sid[2:]) <= set("0123456789abcdef")


def test_secrets_stay_out_of_the_repr() -> None:
    """An account may be logged."""
    account = Account(auth_token="canary-1", api_secret="canary-2")
    assert "canary" not in repr(account)


def test_times_are_of_the_wall() -> None:
    """The machine's clock plus what it lacks."""
    account = Account(wall_s=1_700_000_000.0)
    assert account.rfc2822(0.0) == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert account.iso8601(0.25) == "2023-11-14T22:13:20.250Z"
