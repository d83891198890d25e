"""Two pods that both believe: what one of them knows of a call is a past of it."""

import asyncio

import pytest

from pod.ends import until
from pod.office import FIRST, ME, NEXT_STREAM, Answer, Office, Stores, office, voice
from pod.test_reception import OTHER, freeze, life_of, two_pods, whole
from trunkline.adapters.memory.journal import RESUME_WINDOW_MS
from trunkline.core.facts import Outcome
from trunkline.core.fleet import FleetSlots
from trunkline.core.fleet_states import UNKNOWN_CLAIM, Target
from trunkline.core.ids import Incarnation, PodName
from trunkline.core.neighbour_words import Caller, Take
from trunkline.pod.migration import Migration
from trunkline.pod.redirects import WAIT_FORGOTTEN_S
from trunkline.ports import Resumption
from trunkline.telemetry.logs import get_logger

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


# Chains of choices.


async def test_a_doubled_redirect_follows_a_pod_that_did_not_take_the_call() -> None:
    """The first choice froze; whoever asks again with the first token gets the second."""
    async with two_pods() as (one, other, stores):
        third = ME._replace(pod=PodName("pod-2"), incarnation=Incarnation("c"))
        async with office(stores=stores, me=third) as last:
            answer = await one.ring(FIRST)
            one.start(FIRST)
            await settled(one)
            freeze(one, stores)
            freeze(other, stores)
            stores.journal.now_ms += 1000
            then = await last.redirect(FIRST, answer)
            assert then is not None
            assert then.ticket.pod == "pod-2"
            assert await last.redirect(FIRST, answer) == then
            stores.neighbours.frozen.clear()
            assert await one.redirect(FIRST, answer) == then
            stores.journal.now_ms += RESUME_WINDOW_MS + 1
            assert await last.redirect(FIRST, answer) is None
            assert last.slots.held == 1


async def test_redirects_at_once_at_two_pods_follow_one_chain() -> None:
    """Both find the first choice frozen; one call, one pod."""
    async with two_pods() as (one, other, stores):
        third = ME._replace(pod=PodName("pod-2"), incarnation=Incarnation("c"))
        fourth = ME._replace(pod=PodName("pod-3"), incarnation=Incarnation("d"))
        async with (
            office(stores=stores, me=third) as last,
            office(stores=stores, me=fourth) as latest,
        ):
            answer = await one.ring(FIRST)
            one.start(FIRST)
            await settled(one)
            freeze(one, stores)
            freeze(other, stores)
            stores.journal.now_ms += 1000
            async with asyncio.TaskGroup() as tasks:
                asked = [
                    tasks.create_task(at.front.resume(answer.token, voice(FIRST)))
                    for at in (last, latest, last, latest)
                ]
            documents = {task.result() for task in asked}
            assert None not in documents
            newest = max(Answer(found or "").ticket.epoch for found in documents)
            assert newest == stores.journal.held_by(FIRST)[0]


async def test_a_redirect_with_the_token_from_before_a_move_that_failed_is_good() -> None:
    """The carrier has no newer one, however long ago it was; wherever it comes."""
    for at in (0, 1):
        async with two_pods() as (one, other, stores):
            answer = await one.ring(FIRST)
            socket = one.start(FIRST)
            await settled(one)
            freeze(other, stores)
            migration = Migration(
                ME,
                one.calls,
                slots=stores.fleet,
                journal=stores.journal,
                neighbours=stores.neighbours,
                recorder=one.around.recorder,
                log=get_logger(),
                now=asyncio.get_running_loop().time,
                ingress_s=0.0,
                patience_s=0.0,
            )
            moving = one.tasks.create_task(migration.run(), name="migration")
            live = one.calls.get(FIRST)
            assert live is not None
            await until(lambda one=live, was=answer: one.epoch > was.ticket.epoch)  # type: ignore[misc]
            moving.cancel()
            stores.neighbours.frozen.clear()
            stores.journal.now_ms += RESUME_WINDOW_MS + 1
            one.lose(FIRST, socket)
            then = await (one, other)[at].redirect(FIRST, answer)
            assert then is not None
            assert then.ticket.pod == ME.pod
            assert then.ticket.epoch == stores.journal.held_by(FIRST)[0]
            assert await (other, one)[at].redirect(FIRST, answer) == then


# A store that forgets.


async def test_a_journal_that_forgot_a_live_call_does_not_end_it() -> None:
    """Its redirect comes to another pod: it comes again until the holder has told the journal."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        socket = one.start(FIRST)
        await settled(one)
        stores.journal.lose_all()
        again = await other.redirect(FIRST, answer)
        assert again is not None
        assert again.verbs == ["Pause", "Redirect"]
        one.lose(FIRST, socket)
        await settled(one)
        then = await other.redirect(FIRST, again)
        assert then is not None
        assert then.ticket.pod == ME.pod
        await whole(one, FIRST)


async def test_a_fleet_that_forgot_its_pods_refuses_nobody() -> None:
    """The pod that is asked lives, and has room."""
    async with two_pods() as (one, other, stores):
        stores.journal.fleet = FleetSlots()
        assert (await other.ring(FIRST)).ticket.pod == OTHER.pod
        await other.reception.membership.tell()
        await one.reception.membership.tell()
        assert (await stores.fleet.look()).inbound == 1
        assert await one.ring(FIRST) == await other.ring(FIRST)


async def test_a_wait_of_long_ago_takes_nothing_from_the_next() -> None:
    """It was answered at another pod: a later one begins anew."""
    later = [0.0]
    stores = Stores()
    async with office(stores=stores) as one, office(stores=stores, me=OTHER, later=later) as other:
        answer = await one.ring(FIRST)
        one.start(FIRST)
        await settled(one)
        for _ in range(2):
            stores.journal.away = True
            then = await other.redirect(FIRST, answer)
            assert then is not None
            assert then.verbs == ["Pause", "Redirect"]
            stores.journal.away = False
            later[0] += WAIT_FORGOTTEN_S + 1


# Slots.


async def test_a_call_that_is_closed_instead_of_taken_over_holds_no_slot() -> None:
    """The resume had moved its slot here."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        one.start(FIRST)
        await settled(one)
        freeze(one, stores)
        other.directory.number = "+15550100077"
        stores.journal.now_ms += 1000
        then = await other.redirect(FIRST, answer)
        assert then is not None
        assert then.verbs == ["Hangup"]
        calls = stores.journal.fleet.slots
        await until(lambda: FIRST not in calls)
        assert (await other.end(FIRST)).reason == "number_gone"
