"""What another pod asks of this one, and has it do."""

import pytest

from pod.ends import until
from pod.office import FIRST, SECOND, THIRD, Answer, Office, office, voice
from trunkline.core.neighbour_words import Caller, Receive
from trunkline.core.slots import FullReason
from trunkline.pod.asked import Asked

pytestmark = pytest.mark.anyio

CALLER = Asked.by(voice(FIRST)).caller


def state(here: Office) -> str:
    """What it knows of the first call."""
    return here.reception.orders.word(FIRST).state


async def test_it_says_what_it_knows_of_a_call() -> None:
    """Unknown, live, ended; an end comes with what the redirect gets."""
    async with office() as here:
        assert state(here) == "unknown"
        await here.ring(FIRST)
        assert state(here) == "live"
        here.hang_up(FIRST, here.start(FIRST))
        word = here.reception.orders.word(FIRST)
        assert word.state == "ended"
        assert Answer(word.document).verbs == ["Hangup"]


async def test_a_call_that_has_a_slot_here_is_answered() -> None:
    """An order may come twice."""
    async with office() as here:
        first = await here.reception.orders.receive(FIRST, Receive(CALLER, "m"))
        assert await here.reception.orders.receive(FIRST, Receive(CALLER, "m")) == first
        assert Answer(first.document).ticket.call == FIRST
        assert here.slots.held == 1


async def test_a_pod_that_is_full_after_all_refuses() -> None:
    """Its own cap is the last word; the asker goes elsewhere."""
    async with office(calls_max=1) as here:
        await here.ring(SECOND)
        answer = await here.reception.orders.receive(THIRD, Receive(CALLER))
        assert (answer.document, answer.refused) == ("", FullReason.CAP)


async def test_a_number_that_only_the_asker_knows_is_rejected() -> None:
    """Configs differ for a moment while they are read again."""
    async with office() as here:
        caller = Caller("inbound", "+15550100099", "+15550100077")
        answer = await here.reception.orders.receive(FIRST, Receive(caller))
        assert Answer(answer.document).verbs == ["Reject"]


async def test_the_end_of_a_call_that_is_not_here_is_nothing() -> None:
    """It may have been told late."""
    async with office() as here:
        here.reception.orders.told(FIRST, "completed")
        await here.ring(FIRST)
        here.reception.orders.told(FIRST, "completed")
        assert (await here.end(FIRST)).reason == "completed"


async def test_a_call_whose_first_webhook_is_being_answered_is_not_unknown() -> None:
    """Twilio repeated it to another pod, which asks here: nobody shall take it over meanwhile."""
    async with office() as here:
        here.journal.gate.clear()
        ringing = here.tasks.create_task(here.ring(FIRST))
        await until(lambda: here.journal.openings == 1)
        assert state(here) == "live"
        here.journal.gate.set()
        assert (await ringing).ticket.call == FIRST
