"""Sessions opened at a simulated model, and what its refusals mean."""

from pathlib import Path

import pytest

from check.grounds import ENVIRON, KEY, environ, ground, told, whys
from trunkline.check.ground import read
from trunkline.check.items import Status
from trunkline.check.model import check_models
from trunkline.sim.realtime.faults import parse
from trunkline.sim.realtime.options import RealtimeSimOptions
from trunkline.sim.serve_realtime import serve_realtime

pytestmark = pytest.mark.anyio

CONFIG = """
agents:
  desk:
    instructions: Answer.
    models:
      - {name: gpt-realtime-2.1, url: "URL", sessions_max: 40}
      - {name: no-such-model, url: "URL"}
      - {name: gpt-realtime-2.1, url: "URL", key_env: OTHER_KEY}
  second: {instructions: Answer.}
  third: {instructions: Answer.}
numbers: {"*": {agent: desk}}
"""


async def test_a_session_is_opened_and_closed() -> None:
    """One, for all agents that name no model; nothing else is sent."""
    async with serve_realtime("127.0.0.1", 0, RealtimeSimOptions(keys=(KEY,))) as far:
        items = await check_models(ground(REALTIME_URL=far.url))
        assert told(items) == [(Status.OK, "model")]
        (record,) = far.records
        assert record.closed_at is not None
        assert not record.updates


async def test_every_model_that_an_agent_names_is_asked(tmp_path: Path) -> None:
    """With its own key; a refusal says which model and which key it was."""
    path = tmp_path / "trunkline.yaml"
    async with serve_realtime("127.0.0.1", 0, RealtimeSimOptions(keys=(KEY,))) as far:
        path.write_text(CONFIG.replace("URL", far.url))
        given = {**ENVIRON, **environ(path, REALTIME_URL=far.url), "OTHER_KEY": "sk-wrong"}
        items = await check_models(read(given, None)[0])
    assert [item.status for item in items] == [Status.OK, Status.FAIL, Status.FAIL]
    text = whys(items)
    assert "opened and closed; of 40 sessions at once 38 are for calls" in text
    assert "no-such-model by TRUNKLINE_REALTIME_API_KEY: model_not_found" in text
    assert "gpt-realtime-2.1 by OTHER_KEY: invalid_api_key" in text
    assert "sk-wrong" not in text


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ("handshake=401", Status.FAIL, "invalid_api_key"),
        ("session_error=insufficient_quota", Status.FAIL, "insufficient_quota"),
        ("session_error=billing_hard_limit_reached", Status.FAIL, "billing_hard_limit_reached"),
        ("handshake=429", Status.WARN, "rate_limited"),
        ("handshake=503", Status.WARN, "server_error"),
        ("session_delay=60", Status.FAIL, "timeout"),
    ],
)
async def test_what_a_refusal_means(fault: str, status: Status, reason: str) -> None:
    """Keys and credit do not mend themselves; a busy model may."""
    options = RealtimeSimOptions(keys=(KEY,), faults=(parse(fault),))
    async with serve_realtime("127.0.0.1", 0, options) as far:
        items = await check_models(ground(REALTIME_URL=far.url))
    assert told(items) == [(status, "model")]
    assert reason in items[0].why


async def test_a_wrong_key_is_not_quoted() -> None:
    """Its setting is named."""
    async with serve_realtime("127.0.0.1", 0, RealtimeSimOptions(keys=("right",))) as far:
        items = await check_models(ground(REALTIME_URL=far.url))
    assert told(items) == [(Status.FAIL, "model")]
    assert "by TRUNKLINE_REALTIME_API_KEY: invalid_api_key" in items[0].why


async def test_nobody_there() -> None:
    """A closed port."""
    items = await check_models(ground(REALTIME_URL="ws://127.0.0.1:1/v1/realtime"))
    assert told(items) == [(Status.FAIL, "model")]
    assert "unreachable" in items[0].why
