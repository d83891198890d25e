"""Orders to go on with a call of another pod, and what may be wrong with them."""

import asyncio

import msgspec
import pytest

from pod.office import FIRST, Answer, Office, office, voice
from trunkline.core.facts import (
    CallEnded,
    CallReceived,
    CallResumed,
    Fact,
    Outcome,
    StreamOpened,
)
from trunkline.core.ids import Incarnation, PodName
from trunkline.core.neighbour_words import Take
from trunkline.core.record import Head, link
from trunkline.core.slots import INBOUND_HOLD_S
from trunkline.pod.asked import Asked
from trunkline.ports import Holder, Resumption

pytestmark = pytest.mark.anyio

ELSEWHERE, FORMER = PodName("pod-9"), Incarnation("z")
ASKED = Asked.by(voice(FIRST))
RECEIVED = CallReceived("inbound", ASKED.from_number, ASKED.to_number, "desk", "", "", ELSEWHERE)


async def left(here: Office, *facts: Fact, asked: Asked = ASKED) -> Take:
    """Its journal, and the order to go on with it here."""
    opening = await here.journal.open_call(FIRST, ELSEWHERE, FORMER)
    head, entries = Head(), []
    for fact in facts:
        entry = link(
            FIRST, head, fact, at_ms=here.journal.now_ms, epoch=opening.epoch, salt=b"s" * 16
        )
        head = Head(entry.seq, entry.hash)
        entries.append(entry)
    await here.journal.append(FIRST, Holder(opening.epoch, ELSEWHERE, FORMER), Head(), entries)
    life = here.reception.membership.life
    resumed = await here.journal.resume_call(FIRST, opening.epoch, life.pod, life.incarnation)
    assert isinstance(resumed, Resumption)
    return Take(
        asked.caller,
        resumed.epoch,
        resumed.head.seq,
        resumed.head.hash,
        resumed.opened_at_ms,
        resumed.now_ms,
        from_pod=ELSEWHERE,
    )


async def test_an_order_that_comes_twice_takes_the_call_once() -> None:
    """Together, and later."""
    async with office() as here:
        order = await left(here, RECEIVED)
        async with asyncio.TaskGroup() as tasks:
            taking = [tasks.create_task(here.reception.orders.take(FIRST, order)) for _ in range(3)]
        answers = {task.result() for task in taking}
        answers.add(await here.reception.orders.take(FIRST, order))
        (answer,) = answers
        assert Answer(answer.document).ticket.epoch == order.epoch
        assert here.slots.held == 1


async def test_an_order_of_an_earlier_epoch_is_stale() -> None:
    """The live call is untouched."""
    async with office() as here:
        order = await left(here, RECEIVED)
        await here.reception.orders.take(FIRST, order)
        earlier = msgspec.structs.replace(order, epoch=order.epoch - 1)
        assert (await here.reception.orders.take(FIRST, earlier)).refused == "stale"
        live = here.calls.get(FIRST)
        assert live is not None
        assert live.epoch == order.epoch


async def test_an_order_of_a_later_epoch_finds_the_call_here() -> None:
    """Whoever asked took us for dead: the session goes on under the epoch that was made."""
    async with office() as here:
        order = await left(here, RECEIVED)
        await here.reception.orders.take(FIRST, order)
        later = msgspec.structs.replace(order, epoch=order.epoch + 1)
        answer = await here.reception.orders.take(FIRST, later)
        assert Answer(answer.document).ticket.epoch == order.epoch + 1
        assert here.slots.held == 1


async def test_a_call_that_had_ended_gets_what_follows_its_end() -> None:
    """The pod died between the end and its redirect."""
    async with office() as here:
        opening = await here.journal.open_call(FIRST, ELSEWHERE, FORMER)
        order = Take(ASKED.caller, opening.epoch, 2, "", 0, here.journal.now_ms)
        head, entries = Head(), []
        for fact in (RECEIVED, CallEnded(Outcome.AGENT_ENDED, "end_call")):
            entry = link(FIRST, head, fact, at_ms=1, epoch=opening.epoch, salt=b"s" * 16)
            head = Head(entry.seq, entry.hash)
            entries.append(entry)
        holder = Holder(opening.epoch, ELSEWHERE, FORMER)
        await here.journal.append(FIRST, holder, Head(), entries)
        answer = await here.reception.orders.take(FIRST, order)
        assert Answer(answer.document).verbs == ["Hangup"]
        assert here.slots.held == 0


async def test_a_call_that_was_resumed_three_times_in_a_minute_is_closed() -> None:
    """By what its journal says, whichever pods they were; moves of our choice do not count."""
    for cause, verbs in (("pod_lost", ["Dial"]), ("migrated", ["Connect", "Redirect"])):
        async with office() as here:
            resumed = CallResumed(cause, None, "pod-1", "pod-2", 5)
            order = await left(here, RECEIVED, resumed, resumed, resumed)
            answer = await here.reception.orders.take(FIRST, order)
            assert Answer(answer.document).verbs == verbs
            if cause == "pod_lost":
                assert (await here.end(FIRST)).reason == "resumes_max"


async def test_a_call_whose_number_leads_nowhere_any_more_is_closed() -> None:
    """The config changed since: nobody is there to go on."""
    async with office() as here:
        asked = Asked(FIRST, "inbound", ASKED.from_number, "+15550100077")
        order = await left(here, RECEIVED, asked=asked)
        answer = await here.reception.orders.take(FIRST, order)
        assert Answer(answer.document).verbs == ["Hangup"]
        assert (await here.end(FIRST)).reason == "number_gone"


async def test_a_journal_that_is_away_refuses_the_order() -> None:
    """The asker tries elsewhere, or again."""
    async with office() as here:
        order = await left(here, RECEIVED)
        here.journal.away = True
        assert (await here.reception.orders.take(FIRST, order)).refused == "journal_away"
        here.journal.away = False
        assert (await here.reception.orders.take(FIRST, order)).document


async def test_a_call_whose_stream_never_comes_here_ends_as_one_that_was_answered() -> None:
    """Its caller had talked with another pod: hung up on the way, or its stream was lost."""
    for status, outcome in (("completed", Outcome.CALLER_ENDED), (None, Outcome.FAILED)):
        async with office() as here:
            order = await left(here, RECEIVED, StreamOpened("MZ" + "9" * 32))
            await here.reception.orders.take(FIRST, order)
            if status is None:
                here.calls.expire(asyncio.get_running_loop().time() + INBOUND_HOLD_S)
            else:
                here.status(FIRST, status)
            assert (await here.end(FIRST)).outcome is outcome
            assert here.slots.held == 0


async def test_a_call_that_never_had_a_stream_ends_as_abandoned() -> None:
    """At no pod."""
    async with office() as here:
        await here.reception.orders.take(FIRST, await left(here, RECEIVED))
        here.status(FIRST)
        assert (await here.end(FIRST)).outcome is Outcome.ABANDONED


async def test_resumes_at_other_pods_count_for_those_here() -> None:
    """Two elsewhere and one to here: the next within a minute is the fourth. Moves do not count."""
    for cause, verbs in (("pod_lost", ["Dial"]), ("migrated", ["Connect", "Redirect"])):
        async with office() as here:
            resumed = CallResumed("pod_lost", None, "pod-1", "pod-2", 5)
            order = await left(here, RECEIVED, resumed, resumed)
            order = msgspec.structs.replace(order, cause=cause)
            answer = await here.reception.orders.take(FIRST, order)
            here.lose(FIRST, here.start(FIRST))
            here.journal.now_ms += 1000
            then = await here.redirect(FIRST, Answer(answer.document))
            assert then is not None
            assert then.verbs == verbs


async def test_a_pod_that_ends_its_last_calls_takes_no_other() -> None:
    """Nobody would end it."""
    async with office() as here:
        order = await left(here, RECEIVED)
        here.calls.cut()
        assert (await here.reception.orders.take(FIRST, order)).refused == "draining"
