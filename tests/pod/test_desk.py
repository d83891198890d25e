"""What webhooks are answered, whatever the stores do and in whichever order they come."""

import asyncio

import pytest

from call.script import plan
from pod.ends import LIFE, POD, until
from pod.office import FIRST, NEXT_STREAM, SECOND, THIRD, Answer, Book, office, voice
from trunkline.core.facts import CallOverflowed, Outcome
from trunkline.core.ids import Epoch, Incarnation, PodName
from trunkline.core.record import Why
from trunkline.core.slots import Bounds, ModelLimit

pytestmark = pytest.mark.anyio


# A new call.


async def test_a_new_call_gets_a_stream_and_a_redirect_behind_it() -> None:
    """Ticket and token name the call, the pod, its life, and the epoch of the journal."""
    async with office() as here:
        answer = await here.ring(FIRST)
        assert answer.verbs == ["Connect", "Redirect"]
        ticket = answer.ticket
        assert (ticket.call, ticket.pod, ticket.incarnation) == (FIRST, POD, LIFE)
        assert ticket.epoch == here.journal.held_by(FIRST)[0]
        assert here.slots.reserved == 1


async def test_a_repeated_webhook_gets_the_same_answer() -> None:
    """At the same time, later, after `start`; and one call is opened."""
    async with office() as here:
        here.journal.gate.clear()
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(here.ring(FIRST)) for _ in range(3)]
            await until(lambda: here.journal.openings == 1)
            here.journal.gate.set()
        answers = [task.result() for task in asked]
        answers.append(await here.ring(FIRST))
        here.start(FIRST)
        answers.append(await here.ring(FIRST))
        assert len(set(answers)) == 1
        assert here.journal.openings == 1


async def test_a_webhook_repeated_after_the_end_gets_what_follows_the_end() -> None:
    """Not a second call."""
    async with office() as here:
        await here.ring(FIRST)
        here.hang_up(FIRST, here.start(FIRST))
        assert (await here.ring(FIRST)).verbs == ["Hangup"]
        assert here.journal.openings == 1


async def test_who_waited_for_a_webhook_that_failed_is_answered_all_the_same() -> None:
    """The first request is cut off by its server: the next one opens the call."""
    async with office() as here:
        here.journal.gate.clear()
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(here.ring(FIRST))
            second = tasks.create_task(here.ring(FIRST))
            await until(lambda: here.journal.openings == 1)
            first.cancel()
            await asyncio.wait([first])
            here.journal.gate.set()
        assert second.result().verbs == ["Connect", "Redirect"]
        assert here.slots.held == 1


async def test_a_webhook_that_is_cut_off_keeps_no_slot() -> None:
    """Whatever ends it."""
    async with office() as here:
        here.journal.gate.clear()
        first = here.tasks.create_task(here.ring(FIRST))
        await until(lambda: here.slots.held == 1)
        first.cancel()
        await asyncio.wait([first])
        assert here.slots.held == 0


async def test_an_answer_of_the_journal_that_was_lost_does_not_lose_the_call() -> None:
    """The call overflows; asked again it gets the same, and it is recorded once."""
    async with office() as here:
        here.journal.answers_to_lose = 1
        answer = await here.ring(FIRST)
        assert answer.verbs[0] == "Dial"
        assert await here.ring(FIRST) == answer
        end = await here.end(FIRST)
        assert (end.outcome, end.reason) == (Outcome.OVERFLOWED, "journal_away")
        assert here.slots.held == 0
        assert here.counted('calls_total{direction="inbound",outcome="overflowed"}') == 1


async def test_a_call_while_the_journal_is_away_overflows_and_is_counted() -> None:
    """And its slot is free again; when the journal is back, the log has the call."""
    async with office() as here:
        here.journal.away = True
        assert (await here.ring(FIRST)).verbs[0] == "Dial"
        assert here.slots.held == 0
        assert await here.book.call(FIRST) is None
        here.journal.away = False
        end = await here.end(FIRST)
        assert (end.outcome, end.reason) == (Outcome.OVERFLOWED, "journal_away")
        assert CallOverflowed("journal_away", "dial") in await here.facts(FIRST)
        assert here.counted('calls_total{direction="inbound",outcome="overflowed"}') == 1


async def test_a_call_that_another_pod_opened_meanwhile_is_that_pod_s() -> None:
    """Its webhook was repeated there while our journal was away: ours gives way, and is kept."""
    async with office() as here:
        here.journal.away = True
        await here.ring(FIRST)
        here.journal.away = False
        other, life = PodName("pod-1"), Incarnation("b")
        epoch = (await here.journal.open_call(FIRST, other, life)).epoch
        await until(lambda: here.book.strays == 3)
        assert {fact.why for fact in await here.book.aside(FIRST)} == {Why.FENCED}
        assert here.journal.held_by(FIRST) == (epoch, other)


async def test_a_full_pod_overflows_and_the_log_has_the_call() -> None:
    """The number's own action, with its reason; a repetition counts once."""
    async with office(calls_max=1) as here:
        await here.ring(FIRST)
        answer = await here.ring(SECOND)
        assert answer.verbs[0] == "Dial"
        assert await here.ring(SECOND) == answer
        end = await here.end(SECOND)
        assert (end.outcome, end.reason) == (Outcome.OVERFLOWED, "cap")
        assert CallOverflowed("cap", "dial") in await here.facts(SECOND)
        assert here.counted('calls_total{direction="inbound",outcome="overflowed"}') == 1
        here.status(FIRST)
        assert (await here.ring(FIRST)).verbs[0] == "Dial"  # It is over: nobody came.


async def test_a_draining_pod_overflows() -> None:
    """New calls only."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.slots.close()
        assert (await here.ring(SECOND)).verbs[0] == "Dial"
        assert (await here.end(SECOND)).reason == "draining"
        assert await here.ring(FIRST) == answer


async def test_a_call_that_was_being_answered_when_the_pod_was_cut_overflows() -> None:
    """It must not begin in a pod that goes; its record has one end."""
    async with office() as here:
        here.journal.gate.clear()
        first = here.tasks.create_task(here.ring(FIRST))
        await until(lambda: here.slots.held == 1)
        here.calls.cut()
        here.journal.gate.set()
        assert (await first).verbs[0] == "Dial"
        assert here.slots.held == 0
        assert (await here.end(FIRST)).reason == "draining"


async def test_a_number_that_leads_nowhere_is_rejected() -> None:
    """Nothing is opened for it."""
    async with office() as here:
        document = await here.front.voice(voice(FIRST, to="+15550100077"))
        assert Answer(document).verbs == ["Reject"]
        assert here.journal.openings == 0


async def test_a_call_beyond_its_tenant_s_limit_overflows() -> None:
    """With the reason in its record and its metric; a resume of the one before is none."""
    async with office(bounds=Bounds(1, "clinic", "health", tenant_calls_max=1)) as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        assert (await here.ring(SECOND)).verbs == ["Dial"]
        again = await here.redirect(FIRST, answer)
        assert again is not None
        assert again.verbs == ["Connect", "Redirect"]
        socket = here.start(FIRST, NEXT_STREAM)
        assert here.slots.held_of(tenant="clinic") == 1
        assert (await here.end(SECOND)).reason == "tenant_full"
        assert CallOverflowed("tenant_full", "dial") in await here.facts(SECOND)
        series = 'calls_overflowed_total{direction="inbound",reason="tenant_full"}'
        assert here.counted(series) == 1
        here.hang_up(FIRST, socket, NEXT_STREAM)
        await here.until_empty()
        assert (await here.ring(THIRD)).verbs == ["Connect", "Redirect"]


async def test_a_call_beyond_what_its_models_can_do_overflows() -> None:
    """The first model's key is full, then the next one's tokens run out; who is there goes on."""
    async with office(models=(ModelLimit("a", 1), ModelLimit("b", 9))) as here:
        answer = await here.ring(FIRST)
        first = here.start(FIRST)
        await here.ring(SECOND)
        second = here.start(SECOND)
        a, b = here.doors.values()
        await until(lambda: bool(a.given and b.given))
        b.has_tokens = False
        assert (await here.ring(THIRD)).verbs == ["Dial"]
        assert (await here.end(THIRD)).reason == "model_full"
        assert CallOverflowed("model_full", "dial") in await here.facts(THIRD)
        series = 'calls_overflowed_total{direction="inbound",reason="model_full"}'
        assert here.counted(series) == 1
        a.has_tokens = False
        here.lose(FIRST, first)
        again = await here.redirect(FIRST, answer)
        assert again is not None
        assert again.verbs == ["Connect", "Redirect"]
        here.hang_up(FIRST, here.start(FIRST, NEXT_STREAM), NEXT_STREAM)
        here.hang_up(SECOND, second)
        await here.until_empty()


async def test_a_call_counts_with_the_model_that_answers_it() -> None:
    """The one it was let in for refuses: the next one gives the session."""
    async with office(models=(ModelLimit("a"), ModelLimit("b"))) as here:
        here.door.refusal = "invalid_api_key"
        await here.ring(FIRST)
        assert here.slots.held_of(model="a") == 1
        socket = here.start(FIRST)
        await until(lambda: here.slots.held_of(model="b") == 1)
        assert here.slots.held_of(model="a") == 0
        here.hang_up(FIRST, socket)
        await here.until_empty()


async def test_a_slot_that_was_gone_when_the_journal_answered_is_asked_for_again() -> None:
    """Somebody else had it by then: the call overflows."""
    async with office(models=(ModelLimit("m", 1),)) as here:
        here.journal.gate.clear()
        first = here.tasks.create_task(here.ring(FIRST))
        await until(lambda: here.slots.held == 1)
        here.slots.release(FIRST)
        here.slots.reserve(SECOND, Epoch(1), 0.0, models=[ModelLimit("m", 1)])
        here.journal.gate.set()
        assert (await first).verbs == ["Dial"]
        assert (await here.end(FIRST)).reason == "model_full"
        here.slots.release(SECOND)


async def test_a_call_has_one_directory_from_its_webhook_to_its_plan() -> None:
    """The config is read again while the journal is asked."""
    async with office() as here:
        first = here.directory
        here.journal.gate.clear()
        ringing = here.tasks.create_task(here.ring(FIRST))
        await until(lambda: here.journal.openings == 1)
        here.directory = Book(plan())
        here.journal.gate.set()
        await ringing
        live = here.calls.get(FIRST)
        assert live is not None
        assert live.prepared.plan is first.plan
        await here.ring(SECOND)
        newer = here.calls.get(SECOND)
        assert newer is not None
        assert newer.prepared.plan is here.directory.plan


async def test_a_webhook_repeated_to_another_life_of_the_pod_is_a_redirect() -> None:
    """The first life answered it and died: the redirect has it go on here."""
    async with office() as here:
        await here.journal.open_call(FIRST, PodName("pod-0"), Incarnation("before"))
        answer = await here.ring(FIRST)
        assert answer.verbs == ["Redirect"]
        assert here.slots.held == 0
        then = await here.redirect(FIRST, answer)
        assert then is not None
        assert then.verbs == ["Connect", "Redirect"]
        assert then.ticket.incarnation == LIFE
