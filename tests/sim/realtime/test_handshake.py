import pytest

from trunkline.sim.realtime.faults import Faults, parse
from trunkline.sim.realtime.handshake import Accepted, Refused, decide
from trunkline.sim.realtime.options import RealtimeSimOptions

GOOD = "/v1/realtime?model=gpt-realtime-2.1"
KEY = {"authorization": "Bearer sk-test"}


def answer(
    target: str = GOOD,
    headers: dict[str, str] | None = None,
    options: RealtimeSimOptions | None = None,
    *faults: str,
) -> Accepted | Refused:
    switches = Faults(tuple(map(parse, faults)))
    chosen = options or RealtimeSimOptions()
    return decide(target, KEY if headers is None else headers, chosen, switches, 0.0)


def test_path_model_and_key_open_a_session() -> None:
    """Check list, line 1."""
    assert answer() == Accepted("gpt-realtime-2.1")
    assert answer(options=RealtimeSimOptions(keys=("sk-test",))) == Accepted("gpt-realtime-2.1")


@pytest.mark.parametrize(
    ("target", "headers", "status", "code"),
    [
        ("/v2/realtime?model=gpt-realtime", KEY, 404, "not_found"),
        ("/?model=gpt-realtime", KEY, 404, "not_found"),
        (GOOD, {}, 401, "missing_api_key"),
        (GOOD, {"authorization": "Bearer "}, 401, "missing_api_key"),
        (GOOD, {"authorization": "Basic c2s="}, 401, "missing_api_key"),
        (GOOD, {"authorization": "Bearer wrong"}, 401, "invalid_api_key"),
        ("/v1/realtime", KEY, 400, "missing_model"),
        ("/v1/realtime?model=a&model=b", KEY, 400, "missing_model"),
        ("/v1/realtime?model=gpt-nonsense", KEY, 404, "model_not_found"),
    ],
)
def test_whatever_is_wrong_is_refused(
    target: str, headers: dict[str, str], status: int, code: str
) -> None:
    """Check list, line 1: each with its own status and code."""
    refusal = answer(target, headers, RealtimeSimOptions(keys=("sk-test",)))
    assert isinstance(refusal, Refused)
    assert (refusal.status, refusal.code) == (status, code)


def test_the_beta_header_is_let_in_to_be_told() -> None:
    """Check list, line 1: the refusal is an event and close 4000, not an HTTP status."""
    assert answer(headers={**KEY, "openai-beta": "realtime=v1"}) == Accepted(
        "gpt-realtime-2.1", beta=True
    )


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limit_exceeded"), (503, "server_error")])
def test_a_switch_refuses_handshakes(status: int, code: str) -> None:
    """Check list, line 9; a wrong key is told so all the same."""
    refusal = answer(GOOD, KEY, None, f"handshake={status}")
    assert isinstance(refusal, Refused)
    assert (refusal.status, refusal.code) == (status, code)
    assert isinstance(keyless := answer(GOOD, {}, None, f"handshake={status}"), Refused)
    assert keyless.status == 401
