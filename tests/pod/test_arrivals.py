"""Streams that may come to any pod: the one that a stream comes to takes the call's slot first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from pod.ends import until
from pod.office import FIRST, ME, NEXT_STREAM, SECOND, Answer, Office, Stores, office
from trunkline.core import record
from trunkline.core.facts import CallReceived, CallResumed, Outcome, SlotMoved, StreamOpened
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName, StreamSid
from trunkline.core.tickets import Ticket
from trunkline.pod.calls import LiveCall
from trunkline.pod.media_words import Refusal
from trunkline.ports import Holder, Resumption

pytestmark = pytest.mark.anyio

ONE = ME._replace(pinned=False)
OTHER = ONE._replace(pod=PodName("pod-1"), incarnation=Incarnation("b"))
LATER_MS = 20_000
"""More than a repeated resume gets the same answer for."""


@asynccontextmanager
async def two_pods(
    calls_max: int = 3, other_max: int = 3
) -> AsyncIterator[tuple[Office, Office, Stores]]:
    """pod-0, which is filled first, and pod-1."""
    stores = Stores()
    async with (
        office(calls_max, stores=stores, me=ONE) as one,
        office(other_max, stores=stores, me=OTHER) as other,
    ):
        yield one, other, stores


async def arrive(here: Office, ticket: Ticket) -> LiveCall | Refusal:
    """A stream with this ticket comes."""
    return await here.reception.arrivals.take(ticket)


async def come(here: Office, answer: Answer, stream: StreamSid = NEXT_STREAM) -> None:
    """The stream of this document comes, and starts."""
    live = await arrive(here, answer.ticket)
    assert isinstance(live, LiveCall)
    here.start(live.call, stream)
    await until(lambda: here.around.recorder.backlog() == 0)


async def whole(here: Office, call: CallSid) -> list[str]:
    """The kinds of a call's facts; its chain is whole."""
    entries, head = await here.journal.read(call), record.Head()
    for entry in entries:
        assert record.hangs_on(call, head, entry)
        head = record.after(entry)
    return [entry.kind for entry in entries]


def test_a_ticket_without_a_pod_is_a_ticket() -> None:
    """The same form, with empty names."""
    ticket = Ticket(FIRST, Epoch(1), PodName(""), Incarnation(""), 1)
    assert not ticket.pinned
    assert replace(ticket, pod=ME.pod).pinned


# The first stream.


async def test_where_the_slot_is_a_stream_finds_its_call() -> None:
    """Nothing moves, and the record has no word of it."""
    async with two_pods() as (one, _, stores):
        answer = await one.ring(FIRST)
        assert not answer.ticket.pinned
        live = await arrive(one, answer.ticket)
        assert isinstance(live, LiveCall)
        assert live.epoch == stores.journal.held_by(FIRST)[0] == answer.ticket.epoch
        one.start(FIRST)
        await until(lambda: one.around.recorder.backlog() == 0)
        assert (await whole(one, FIRST))[:2] == ["call_received", "stream_opened"]


async def test_elsewhere_the_slot_and_the_epoch_move_first() -> None:
    """The call begins there as any other: it was not resumed. The pod that had reserved its slot
    lets go of it at its next beat, and writes nothing.
    """
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        stores.journal.now_ms += 1000
        await come(other, answer)
        holder = stores.journal.held_by(FIRST)
        assert holder[1] == OTHER.pod
        assert holder[0] > answer.ticket.epoch
        await until(lambda: other.door.given == 1)
        await one.reception.membership.tell()
        await one.until_empty()
        assert (await stores.fleet.look()).inbound == 1
        facts = await other.facts(FIRST)
        assert [type(fact) for fact in facts[:3]] == [CallReceived, SlotMoved, StreamOpened]
        assert facts[1] == SlotMoved("pod-0", "pod-1", answer.ticket.epoch, holder[0])
        assert not any(isinstance(fact, CallResumed) for fact in facts)
        await whole(other, FIRST)
        other.hang_up(FIRST, other.sockets[0], NEXT_STREAM)
        assert (await other.end(FIRST)).outcome is Outcome.CALLER_ENDED
        counted = 'calls_total{direction="inbound",outcome="abandoned"}'
        assert one.counted(counted) == other.counted(counted) == 0


async def test_a_repeated_webhook_gets_the_same_answer_wherever_the_call_went() -> None:
    """Of the pod that has it now too; a second stream with that ticket is the call's."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        stores.journal.now_ms += 1000
        await come(other, answer)
        assert await other.ring(FIRST) == answer
        await one.reception.membership.tell()
        await one.until_empty()
        assert await one.ring(FIRST) == answer
        live = await arrive(other, answer.ticket)
        assert live is other.calls.get(FIRST)
        assert await arrive(one, answer.ticket) is Refusal.STALE_TICKET
        assert one.slots.held == 0


async def test_two_streams_with_one_ticket_at_once_bring_the_call_once() -> None:
    """At one pod, and at two."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        stores.journal.now_ms += 1000
        async with asyncio.TaskGroup() as tasks:
            came = [tasks.create_task(arrive(other, answer.ticket)) for _ in range(3)]
        assert all(task.result() is other.calls.get(FIRST) for task in came)
        moved = [fact for fact in await other.facts(FIRST) if isinstance(fact, SlotMoved)]
        assert len(moved) <= 1
        assert other.slots.held == 1


async def test_a_call_whose_beginning_is_on_its_way_to_the_journal_is_waited_for() -> None:
    """The webhook is answered before: without the beginning nobody knows who calls."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        await until(lambda: one.around.recorder.backlog() == 0)
        entries = await stores.journal.read(FIRST)
        stores.journal.lose_tail(FIRST, 0)
        async with asyncio.TaskGroup() as tasks:
            coming = tasks.create_task(arrive(other, answer.ticket))
            await until(lambda: other.slots.held == 1)
            assert stores.journal.held_by(FIRST)[1] == ME.pod
            holder = Holder(answer.ticket.epoch, ME.pod, ME.incarnation)
            await stores.journal.append(FIRST, holder, record.Head(), entries)
        assert coming.result() is other.calls.get(FIRST)
        assert (await whole(other, FIRST))[0] == "call_received"


async def test_a_call_without_a_beginning_is_not_waited_for_for_long() -> None:
    """The store has forgotten it: the stream is closed, and its slot is free."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        await until(lambda: one.around.recorder.backlog() == 0)
        stores.journal.lose_tail(FIRST, 0)
        assert await arrive(other, answer.ticket) is Refusal.NO_CALL
        assert other.slots.held == 0


# Refused.


async def test_a_full_pod_takes_none_and_moves_nothing() -> None:
    """Its own cap; the slot stays where it is, for the redirect to try again."""
    async with two_pods(calls_max=1, other_max=1) as (one, other, stores):
        answer = await one.ring(FIRST)
        second = await one.ring(SECOND)
        assert other.calls.get(SECOND) is not None
        assert await arrive(other, answer.ticket) is Refusal.FULL
        assert await arrive(one, second.ticket) is Refusal.FULL
        assert stores.journal.held_by(FIRST)[:2] == (answer.ticket.epoch, ME.pod)
        then = await other.redirect(FIRST, answer)
        assert then is not None
        live = await arrive(one, then.ticket)
        assert live is one.calls.get(FIRST)
        assert isinstance(live, LiveCall)
        assert live.epoch == then.ticket.epoch > answer.ticket.epoch


async def test_many_streams_at_once_never_exceed_the_cap() -> None:
    """Each takes a slot before anybody is asked."""
    async with two_pods(calls_max=9, other_max=1) as (one, other, stores):
        calls = [CallSid(f"CA{number:032d}") for number in range(6)]
        answers = {call: await one.ring(call) for call in calls}
        (own,) = other.calls.all()
        other.calls.let_go(own.call)
        stores.journal.now_ms += 1000
        async with asyncio.TaskGroup() as tasks:
            came = [
                tasks.create_task(arrive(other, answer.ticket))
                for call, answer in answers.items()
                if call != own.call
            ]
        assert sum(task.result() is Refusal.FULL for task in came) == len(came) - 1 == 4
        assert other.slots.held == 1


async def test_a_pod_that_drains_takes_none() -> None:
    """The redirect finds another."""
    async with two_pods() as (one, other, _):
        answer = await one.ring(FIRST)
        other.slots.close()
        assert await arrive(other, answer.ticket) is Refusal.DRAINING


async def test_what_the_stores_do_not_know_is_refused() -> None:
    """A call that nobody opened; one that has ended; and all, while the store is away."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        stranger = replace(answer.ticket, call=SECOND)
        assert await arrive(other, stranger) is Refusal.NO_CALL
        stores.journal.away = True
        assert await arrive(other, answer.ticket) is Refusal.STORE_AWAY
        stores.journal.away = False
        one.status(FIRST, "canceled")
        await one.end(FIRST)
        assert await arrive(other, answer.ticket) is Refusal.NO_CALL
        assert other.slots.held == 0


# Redirects.


@pytest.mark.parametrize("asked", [0, 1])
async def test_a_token_is_good_long_after_the_slot_moved(asked: int) -> None:
    """It names the epoch of the webhook, and the call has another since its stream came."""
    async with two_pods() as pods:
        one, other, stores = pods
        answer = await one.ring(FIRST)
        stores.journal.now_ms += 1000
        await come(other, answer)
        await one.reception.membership.tell()
        await one.until_empty()
        other.lose(FIRST, other.sockets[0])
        at = (one, other)[asked]
        await until(lambda: other.around.recorder.backlog() == 0)
        stores.journal.now_ms += LATER_MS
        await one.reception.membership.tell()
        await other.reception.membership.tell()
        then = await at.redirect(FIRST, answer)
        assert then is not None
        assert await at.redirect(FIRST, answer) == then
        live = await arrive(other, then.ticket)
        assert live is other.calls.get(FIRST)
        other.start(FIRST, StreamSid("MZ" + "3" * 32))
        assert other.door.given == 1  # The same session.
        stores.journal.now_ms += LATER_MS
        await one.reception.membership.tell()
        await other.reception.membership.tell()
        assert await at.redirect(FIRST, answer) is None  # Now it is an old one.


async def test_a_stream_that_comes_back_elsewhere_is_a_resume() -> None:
    """With what was said and heard, from the journal; and the next token is good for it too."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        await come(one, answer)
        one.lose(FIRST, one.sockets[0])
        await until(lambda: one.around.recorder.backlog() == 0)
        stores.journal.now_ms += 1000
        then = await other.redirect(FIRST, answer)
        assert then is not None
        stores.journal.now_ms += 100
        await come(other, then, StreamSid("MZ" + "3" * 32))
        await one.reception.membership.tell()
        await one.until_empty()
        (resumed,) = [fact for fact in await other.facts(FIRST) if isinstance(fact, CallResumed)]
        assert (resumed.cause, resumed.from_pod, resumed.to_pod) == (
            "stream_lost",
            "pod-0",
            "pod-1",
        )
        await whole(other, FIRST)
        stores.journal.now_ms += LATER_MS
        await one.reception.membership.tell()
        await other.reception.membership.tell()
        assert await one.redirect(FIRST, then) is not None


async def test_a_pod_with_an_older_life_of_the_call_lets_go_and_is_tried_again() -> None:
    """It reserved the slot, another got the stream, and the next stream comes before its beat."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        stores.journal.now_ms += 1000
        await come(other, answer)
        other.lose(FIRST, other.sockets[0])
        await until(lambda: other.around.recorder.backlog() == 0)
        then = await other.redirect(FIRST, answer)
        assert then is not None
        assert await arrive(one, then.ticket) is Refusal.STALE_TICKET
        await one.until_empty()
        stores.journal.now_ms += 1000
        again = await other.redirect(FIRST, then)
        assert again is not None
        await come(one, again, StreamSid("MZ" + "3" * 32))
        await whole(one, FIRST)


async def test_a_dead_pod_s_call_goes_on_by_the_token_of_its_webhook() -> None:
    """Whoever took the slot is gone: the journal says that it had it."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        stores.journal.now_ms += 1000
        await come(other, answer)
        await one.reception.membership.tell()
        await one.until_empty()
        stores.neighbours.frozen.add(other.reception.membership.life)
        stores.journal.now_ms += LATER_MS
        await one.reception.membership.tell()
        then = await one.redirect(FIRST, answer)
        assert then is not None
        held = stores.journal.held_by(FIRST)
        assert held[1] == ME.pod
        assert isinstance(
            await stores.journal.resume_call(FIRST, held[0], ME.pod, ME.incarnation), Resumption
        )
