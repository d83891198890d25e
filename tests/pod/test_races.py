"""Two pods that both believe: what one of them knows of a call is a past of it."""

import pytest

from pod.ends import until
from pod.office import FIRST, NEXT_STREAM, Answer, Office, Stores
from pod.test_reception import freeze, life_of, two_pods, whole
from trunkline.core.facts import Outcome
from trunkline.core.fleet_states import UNKNOWN_CLAIM, Target
from trunkline.core.neighbour_words import Caller, Take
from trunkline.ports import Resumption

pytestmark = pytest.mark.anyio

CALLER = Caller("inbound", "+15550100099", "+15550100001")


async def settled(here: Office) -> None:
    """The stores have all that it made."""
    await until(lambda: here.around.recorder.backlog() == 0)


async def taken_over(one: Office, other: Office, stores: Stores, answer: Answer) -> Answer:
    """pod-0 froze, pod-1 goes on; pod-0 wakes and has not beaten yet."""
    freeze(one, stores)
    stores.journal.now_ms += 1000
    then = await other.redirect(FIRST, answer)
    assert then is not None
    assert then.ticket.pod == "pod-1"
    other.start(FIRST, NEXT_STREAM)
    await settled(other)
    stores.neighbours.frozen.clear()
    return then


def order_of(resumed: Resumption) -> Take:
    """To take the call that was resumed."""
    head = resumed.head
    at = resumed.opened_at_ms
    return Take(CALLER, resumed.epoch, head.seq, head.hash, at, resumed.now_ms, from_pod="pod-0")


# A pod that wakes.


async def test_an_end_of_a_pod_that_had_lost_the_call_ends_it_for_nobody() -> None:
    """It wakes and ends it; the next redirect comes to it, and is for a later epoch."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        socket = one.start(FIRST)
        await settled(one)
        then = await taken_over(one, other, stores, answer)
        one.hang_up(FIRST, socket)
        await one.until_empty()
        stores.journal.now_ms += 1000
        again = await one.redirect(FIRST, then)
        assert again is not None
        assert (again.verbs[0], again.ticket.pod) == ("Connect", "pod-1")
        assert "call_ended" not in await whole(other, FIRST)


async def test_a_call_that_a_pod_still_believes_it_has_is_let_go_of_by_a_later_token() -> None:
    """The redirect of the next epoch comes to the pod that woke, before its beat."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        socket = one.start(FIRST)
        await settled(one)
        then = await taken_over(one, other, stores, answer)
        stores.journal.now_ms += 1000
        again = await one.redirect(FIRST, then)
        assert again is not None
        assert again.ticket.pod == "pod-1"
        assert one.calls.get(FIRST) is None
        assert socket.closed
        assert stores.journal.held_by(FIRST)[1] == "pod-1"


async def test_a_doubled_redirect_at_the_pod_that_woke_leads_to_the_one_that_has_it() -> None:
    """Twilio repeats the webhook: the first answer was another pod's."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        one.start(FIRST)
        await settled(one)
        then = await taken_over(one, other, stores, answer)
        assert await one.redirect(FIRST, answer) == then
        assert one.calls.get(FIRST) is None
        assert one.slots.held == 0
        other.status(FIRST)
        await other.end(FIRST)
        await whole(other, FIRST)


# A call that comes back.


async def test_a_pod_that_had_begun_with_a_call_reads_it_anew_when_it_comes_again() -> None:
    """It was given, taken back, talked on elsewhere, and given again: the record stays whole."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        one.start(FIRST)
        await settled(one)
        there = Target(life_of(other))
        first = await stores.fleet.resume(FIRST, answer.ticket.epoch, there, UNKNOWN_CLAIM)
        assert isinstance(first, Resumption)
        await other.reception.orders.take(FIRST, order_of(first))
        back = await stores.fleet.resume(FIRST, first.epoch, Target(life_of(one)), UNKNOWN_CLAIM)
        assert isinstance(back, Resumption)
        live = one.calls.get(FIRST)
        assert live is not None
        one.calls.advance(live, back.epoch, back.opened_at_ms)
        one.lose(FIRST, one.sockets[0])
        await settled(one)
        second = await stores.fleet.resume(FIRST, back.epoch, there, UNKNOWN_CLAIM)
        assert isinstance(second, Resumption)
        assert second.head != first.head
        taken = await other.reception.orders.take(FIRST, order_of(second))
        assert Answer(taken.document).ticket.epoch == second.epoch
        one.calls.let_go(FIRST)
        other.start(FIRST, NEXT_STREAM)
        other.status(FIRST)
        assert (await other.end(FIRST)).outcome is Outcome.CALLER_ENDED
        await whole(other, FIRST)


async def test_a_call_that_left_and_comes_back_at_once_is_here_again() -> None:
    """Its former runner still leaves."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        one.start(FIRST)
        await settled(one)
        one.calls.let_go(FIRST)
        here = Target(life_of(one))
        resumed = await stores.fleet.resume(FIRST, answer.ticket.epoch, here, UNKNOWN_CLAIM)
        assert isinstance(resumed, Resumption)
        taken = await one.reception.orders.take(FIRST, order_of(resumed))
        assert Answer(taken.document).ticket.epoch == resumed.epoch
        one.start(FIRST, NEXT_STREAM)
        assert one.slots.held == 1
        del other
