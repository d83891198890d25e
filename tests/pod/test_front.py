"""Webhooks that are for no desk, and what the carrier tells of calls."""

import pytest

from pod.ends import until
from pod.office import FIRST, SECOND, Answer, office, voice
from trunkline.core.facts import Outcome

pytestmark = pytest.mark.anyio


async def test_a_voicemail_taken_is_followed_by_a_hang_up() -> None:
    """Twilio asks the same address what comes after a recording."""
    async with office() as here:
        taken = voice(FIRST, recording="https://api.example.com/r")
        assert Answer(await here.front.voice(taken)).verbs == ["Hangup"]


async def test_over_before_its_stream_came() -> None:
    """The caller hung up while it rang: abandoned, and the slot is free."""
    async with office() as here:
        await here.ring(FIRST)
        here.status(FIRST, "no-answer")
        assert here.slots.held == 0
        end = await here.end(FIRST)
        assert (end.outcome, end.reason) == (Outcome.ABANDONED, "no_answer")


async def test_over_before_its_webhook_was_answered() -> None:
    """The callback overtakes our answer: no slot waits for a stream that can't come."""
    async with office() as here:
        here.journal.gate.clear()
        first = here.tasks.create_task(here.ring(FIRST))
        await until(lambda: here.slots.held == 1)
        here.status(FIRST, "canceled")
        here.journal.gate.set()
        await first
        assert here.slots.held == 0
        assert (await here.end(FIRST)).reason == "canceled"


async def test_over_while_its_stream_is_lost() -> None:
    """At once: the session does not wait for a caller who is gone."""
    async with office() as here:
        await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        here.status(FIRST)
        await here.until_empty()
        end = await here.end(FIRST)
        assert (end.outcome, end.reason) == (Outcome.CALLER_ENDED, "completed")


async def test_over_when_it_is_over_changes_nothing() -> None:
    """The callback comes after `stop`, twice, and for calls that nobody knows."""
    async with office() as here:
        await here.ring(FIRST)
        here.hang_up(FIRST, here.start(FIRST))
        for status in ("completed", "completed", "failed"):
            here.status(FIRST, status)
        here.status(SECOND)
        await here.until_empty()
        here.status(FIRST)
        assert (await here.end(FIRST)).reason == "stop"


async def test_not_over_yet_is_no_news() -> None:
    """`ringing` and `in-progress` end nothing."""
    async with office() as here:
        await here.ring(FIRST)
        here.status(FIRST, "in-progress")
        assert here.slots.held == 1
