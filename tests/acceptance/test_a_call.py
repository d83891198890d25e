"""Whole calls: real sockets, real stores, both far ends simulated."""

import pytest

from acceptance.scene import conversation, scene
from trunkline.core.facts import AgentSaid, CallEnded, CallerSaid, CallReceived, Outcome

pytestmark = pytest.mark.anyio


async def test_a_caller_is_greeted_heard_and_answered(redis_url: str, database_url: str) -> None:
    """One turn, and the log has it word for word, as it was said and as it was heard."""
    async with scene(redis_url, database_url) as here:
        report = await here.call(*conversation("this is caller seven"))
        facts = await here.facts(report.sid)
        row = await here.logged(report.sid)
    assert report.transcript == (
        ("agent", "good morning how can i help you"),
        ("caller", "this is caller seven"),
        ("agent", "i heard this is caller seven"),
    )
    assert not report.warnings
    assert (row.outcome, row.reason, row.agent) == ("caller_ended", "stop", "reception")
    assert (row.tenant, row.vertical) == ("clinic", "health")
    assert isinstance(facts[0], CallReceived)
    said = [fact.text for fact in facts if isinstance(fact, CallerSaid)]
    assert said == ["this is caller seven"]
    answers = [fact for fact in facts if isinstance(fact, AgentSaid)]
    assert [fact.heard_text for fact in answers] == [
        "good morning how can i help you",
        "i heard this is caller seven",
    ]
    assert all(fact.heard_ms == fact.audio_ms for fact in answers)
    end = facts[-1]
    assert isinstance(end, CallEnded)
    assert end.outcome is Outcome.CALLER_ENDED
    assert end.turns == 1
    assert end.input_tokens > 0
