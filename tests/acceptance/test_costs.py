"""What an operator reads of a call's cost, its tokens and its latency, at a whole pod."""

import io
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from acceptance.scene import Scene, conversation, scene
from trunkline.config import prices
from trunkline.core.costs import CARRIER, PICO_PER_USD, Kind, part_of
from trunkline.core.facts import CallEnded
from trunkline.telemetry import logs

pytestmark = pytest.mark.anyio

NOT_IN_THE_LIST = {"TRUNKLINE_REALTIME_MODEL": "a-model-of-tomorrow"}


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What is logged; silence before and after."""
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    logs.reset()


async def ended(here: Scene) -> CallEnded:
    """One call of two turns; its last fact."""
    report = await here.call(*conversation("this is caller seven", "what are your prices"))
    end = (await here.facts(report.sid))[-1]
    assert isinstance(end, CallEnded)
    return end


async def tokens(here: Scene, metric: str) -> dict[Kind, int]:
    """What was counted of each kind."""
    return {kind: round(await here.counted(f'{metric}{{kind="{kind}"}}')) for kind in Kind}


async def test_a_calls_cost_tokens_and_latency_are_shown(redis_url: str, database_url: str) -> None:
    """Tokens add up to those of the call's last fact, and each part costs its price."""
    async with scene(redis_url, database_url) as here:
        end = await ended(here)
        used = await tokens(here, "model_tokens_total")
        parts = {
            part: await here.counted(f'call_cost_usd_total{{part="{part}"}}')
            for part in (*map(part_of, Kind), CARRIER)
        }
        timed = {
            direction: await here.counted(
                f'audio_added_latency_seconds_count{{direction="{direction}"}}'
            )
            for direction in ("to_model", "to_caller")
        }
        assert not any((await tokens(here, "model_tokens_unpriced_total")).values())
    assert end.input_tokens > 0
    assert sum(n for kind, n in used.items() if not kind.is_output) == end.input_tokens
    assert sum(n for kind, n in used.items() if kind.is_output) == end.output_tokens
    assert all(used[kind] for kind in Kind if "image" not in kind)
    ours = prices.load(None)
    for kind, price in ours.models["gpt-realtime-2.1"].items():
        assert parts[part_of(kind)] == float(Decimal(price * used[kind]) / PICO_PER_USD)
    minute = ours.of_call("inbound", 60.0)
    assert minute is not None
    assert parts[CARRIER] == float(Decimal(minute) / PICO_PER_USD)
    assert all(count >= 1 for count in timed.values())


async def test_a_model_that_has_no_price_is_no_bargain(
    redis_url: str, database_url: str, told: io.StringIO
) -> None:
    """The log names it at the start, its tokens count as unpriced, and only the carrier costs."""
    async with scene(redis_url, database_url, environ=NOT_IN_THE_LIST) as here:
        end = await ended(here)
        unpriced = await tokens(here, "model_tokens_unpriced_total")
        parts = [await here.counted(f'call_cost_usd_total{{part="{part_of(k)}"}}') for k in Kind]
    assert sum(unpriced.values()) == end.input_tokens + end.output_tokens
    assert not any(parts)
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    (read,) = [line for line in lines if line["event"] == "prices_read"]
    assert read["version"] == "2026-11-22"
    (unpriced_model,) = [line for line in lines if line["event"] == "model_unpriced"]
    assert unpriced_model["model"] == "a-model-of-tomorrow"
