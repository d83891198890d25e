"""Several pods over one store: who answers a webhook, and with whom a call goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pod.ends import until
from pod.office import (
    FIRST,
    ME,
    NEXT_STREAM,
    SECOND,
    THIRD,
    Answer,
    Office,
    Stores,
    office,
    voice,
)
from trunkline.core import record
from trunkline.core.facts import CallEnded, CallResumed, Outcome, StreamOpened
from trunkline.core.fleet_states import LEASE_MS, Life
from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.core.slots import Bounds
from trunkline.pod.redirects import WAIT_S_MAX

pytestmark = pytest.mark.anyio

OTHER = ME._replace(pod=PodName("pod-1"), incarnation=Incarnation("b"))


@asynccontextmanager
async def two_pods(
    calls_max: int = 3, hold_s: float = 0.0
) -> AsyncIterator[tuple[Office, Office, Stores]]:
    """pod-0 and pod-1."""
    stores = Stores()
    async with (
        office(calls_max, stores=stores, hold_s=hold_s) as one,
        office(calls_max, stores=stores, hold_s=hold_s, me=OTHER) as other,
    ):
        yield one, other, stores


def life_of(here: Office) -> Life:
    """Who it is."""
    return here.reception.membership.life


def freeze(here: Office, stores: Stores) -> None:
    """It answers no pod any more, and does not beat."""
    stores.neighbours.frozen.add(life_of(here))


async def whole(here: Office, call: CallSid) -> list[str]:
    """The kinds of a call's facts; its chain is whole."""
    entries = await here.journal.read(call)
    head = record.Head()
    for entry in entries:
        assert record.hangs_on(call, head, entry)
        head = record.after(entry)
    return [entry.kind for entry in entries]


# A new call.


async def test_a_webhook_anywhere_is_answered_by_the_pod_that_has_the_slot() -> None:
    """The lowest pod is filled first; a repetition, at whichever pod, gets the same answer."""
    async with two_pods() as (one, other, stores):
        answer = await other.ring(FIRST)
        assert answer.ticket.pod == ME.pod
        assert stores.neighbours.asked == ["pod-0 receive"]
        assert await one.ring(FIRST) == await other.ring(FIRST) == answer
        assert (one.slots.held, other.slots.held) == (1, 0)


async def test_webhooks_of_one_call_at_two_pods_at_once_open_it_once() -> None:
    """Twilio retries elsewhere while the first pod still thinks."""
    async with two_pods() as (one, other, _):
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(at.ring(FIRST)) for at in (one, other, one, other)]
        assert len({task.result() for task in asked}) == 1
        assert one.slots.held + other.slots.held == 1


async def test_a_pod_that_does_not_answer_is_passed_over() -> None:
    """Its reservation goes to the next."""
    async with two_pods() as (one, other, stores):
        freeze(one, stores)
        assert (await other.ring(FIRST)).ticket.pod == OTHER.pod
        assert (await stores.fleet.look()).inbound == 1


async def test_all_pods_are_filled_before_a_call_overflows() -> None:
    """Six slots, seven calls; wherever they ring."""
    async with two_pods() as (one, other, _):
        calls = [CallSid(f"CA{number:032d}") for number in range(7)]
        answers = [await (one, other)[at % 2].ring(call) for at, call in enumerate(calls)]
        assert [answer.verbs[0] for answer in answers] == ["Connect"] * 6 + ["Dial"]
        assert (one.slots.held, other.slots.held) == (3, 3)


async def test_without_the_store_a_pod_s_own_cap_binds() -> None:
    """And the call overflows, for it can't be recorded."""
    async with two_pods() as (one, _, stores):
        stores.journal.away = True
        assert (await one.ring(FIRST)).verbs[0] == "Dial"
        assert one.slots.held == 0


# Holding.


async def test_a_caller_holds_until_a_slot_is_free() -> None:
    """It rings on; who came first gets in first, at whichever pod they ask."""
    async with two_pods(calls_max=1, hold_s=75) as (one, other, stores):
        socket = None
        for call in (CallSid("CA" + "a" * 32), CallSid("CA" + "b" * 32)):
            await one.ring(call)
        socket = one.start(CallSid("CA" + "a" * 32))
        assert (await one.ring(FIRST)).verbs == ["Pause", "Redirect"]
        stores.journal.now_ms += 1000
        assert (await other.ring(SECOND)).verbs == ["Pause", "Redirect"]
        one.hang_up(CallSid("CA" + "a" * 32), socket)
        await one.until_empty()
        await until(lambda: len(stores.journal.fleet.slots) == 1)
        stores.journal.now_ms += 1000
        assert (await one.ring(SECOND)).verbs == ["Pause", "Redirect"]
        assert (await other.ring(FIRST)).verbs == ["Connect", "Redirect"]
        assert one.counted("calls_held") == 0


async def test_nobody_holds_for_ever() -> None:
    """After the number's time the overflow action, and the log has the call."""
    async with two_pods(calls_max=1, hold_s=5) as (one, other, stores):
        for call in (SECOND, THIRD):
            await one.ring(call)
        for _ in range(5):
            assert (await other.ring(FIRST)).verbs == ["Pause", "Redirect"]
            stores.journal.now_ms += 1000
        assert (await other.ring(FIRST)).verbs == ["Dial"]
        assert (await other.end(FIRST)).outcome is Outcome.OVERFLOWED


async def test_who_has_no_hope_does_not_hold() -> None:
    """A tenant that is let in nowhere, and a fleet that drains: the overflow action at once."""
    closed = Bounds(tenant="closed", tenant_calls_max=0)
    async with office(hold_s=75, bounds=closed) as here:
        assert (await here.ring(FIRST)).verbs == ["Dial"]
    async with office(hold_s=75) as here:
        here.reception.membership.drain()
        await here.reception.membership.tell()
        assert (await here.ring(FIRST)).verbs == ["Dial"]


# A stream is lost.


async def test_a_redirect_anywhere_goes_back_to_the_pod_with_the_session() -> None:
    """The holder says that it lives: a higher epoch, the same session, one more stream."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        socket = one.start(FIRST)
        one.lose(FIRST, socket)
        stores.journal.now_ms += 1000
        then = await other.redirect(FIRST, answer)
        assert then is not None
        assert (then.ticket.pod, then.ticket.incarnation) == (ME.pod, ME.incarnation)
        assert then.ticket.epoch > answer.ticket.epoch
        assert await other.redirect(FIRST, answer) == then


async def test_a_dead_pod_s_call_goes_on_at_another() -> None:
    """Read from the journal, under a higher epoch, its slot moved; both lives are in its record."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        one.start(FIRST)
        await until(lambda: one.around.recorder.backlog() == 0)
        freeze(one, stores)
        stores.journal.now_ms += 1000
        then = await other.redirect(FIRST, answer)
        assert then is not None
        assert then.ticket.pod == OTHER.pod
        assert then.ticket.epoch == stores.journal.held_by(FIRST)[0] > answer.ticket.epoch
        other.start(FIRST, NEXT_STREAM)
        await until(lambda: other.around.recorder.backlog() == 0)
        facts = await other.facts(FIRST)
        (resumed,) = [fact for fact in facts if isinstance(fact, CallResumed)]
        assert (resumed.cause, resumed.from_pod, resumed.to_pod) == ("pod_lost", "pod-0", "pod-1")
        assert sum(isinstance(fact, StreamOpened) for fact in facts) == 2
        await whole(other, FIRST)
        await one.reception.membership.tell()
        await one.until_empty()


async def test_a_redirect_at_two_pods_at_once_has_one_answer() -> None:
    """One epoch, one pod, whoever asks first."""
    async with two_pods() as (one, other, stores):
        third = ME._replace(pod=PodName("pod-2"), incarnation=Incarnation("c"))
        async with office(stores=stores, me=third) as last:
            answer = await one.ring(FIRST)
            one.start(FIRST)
            freeze(one, stores)
            stores.journal.now_ms += 1000
            async with asyncio.TaskGroup() as tasks:
                asked = [
                    tasks.create_task(at.front.resume(answer.token, voice(FIRST)))
                    for at in (other, last, other, last)
                ]
            (document,) = {task.result() for task in asked}
            assert Answer(document or "").ticket.pod in {"pod-1", "pod-2"}
            assert other.slots.held + last.slots.held == 1
            await one.reception.membership.tell()


async def test_a_pod_that_was_only_slow_writes_and_says_nothing_more() -> None:
    """It wakes: what it still writes is refused, its socket closes, and the call is not ended."""
    async with two_pods() as (one, other, stores):
        answer = await one.ring(FIRST)
        socket = one.start(FIRST)
        await until(lambda: one.around.recorder.backlog() == 0)
        freeze(one, stores)
        stores.journal.now_ms += 1000
        then = await other.redirect(FIRST, answer)
        assert then is not None
        await one.reception.membership.tell()
        await one.until_empty()
        assert socket.closed
        assert one.slots.held == 0
        kinds = await whole(other, FIRST)
        assert "call_ended" not in kinds
        other.start(FIRST, NEXT_STREAM)
        assert (await stores.fleet.look()).inbound == 1


async def test_an_end_at_the_holder_is_told_wherever_its_redirect_comes() -> None:
    """It has ended there: no stream follows."""
    async with two_pods() as (one, other, _):
        answer = await one.ring(FIRST)
        one.hang_up(FIRST, one.start(FIRST))
        await one.end(FIRST)
        then = await other.redirect(FIRST, answer)
        assert then is not None
        assert then.verbs == ["Hangup"]


async def test_the_carrier_s_word_of_an_end_reaches_the_pod_that_has_the_call() -> None:
    """Its callback comes to any pod."""
    async with two_pods() as (one, other, _):
        await one.ring(FIRST)
        other.status(FIRST)
        assert (await one.end(FIRST)).outcome is Outcome.ABANDONED


async def test_a_call_that_is_resumed_too_often_is_given_up() -> None:
    """From pod to pod: what the journal has of its resumes counts, whoever made them."""
    async with two_pods(calls_max=2) as (one, other, stores):
        here, there = one, other
        answer: Answer | None = await here.ring(FIRST)
        for _ in range(4):
            assert answer is not None
            assert answer.verbs == ["Connect", "Redirect"]
            here.start(FIRST)
            await until(lambda at=here: at.around.recorder.backlog() == 0)  # type: ignore[misc]
            freeze(here, stores)
            stores.journal.now_ms += 1000
            answer = await there.redirect(FIRST, answer)
            await here.reception.membership.tell()
            stores.neighbours.frozen.clear()
            here, there = there, here
        assert answer is not None
        assert answer.verbs == ["Dial"]
        ends = [fact for fact in await one.facts(FIRST) if isinstance(fact, CallEnded)]
        assert [end.reason for end in ends] in ([], ["resumes_max"])


async def test_a_pod_whose_lease_is_over_gets_no_call() -> None:
    """It has not beaten for ten seconds: the others fill."""
    async with two_pods() as (one, other, stores):
        stores.journal.now_ms += LEASE_MS // 2
        await other.reception.membership.tell()
        stores.journal.now_ms += LEASE_MS // 2 + 1
        await other.reception.membership.tell()
        assert (await other.ring(FIRST)).ticket.pod == OTHER.pod
        assert one.slots.held == 0


async def test_a_call_that_finds_no_room_is_closed_when_it_has_waited() -> None:
    """Its redirect comes again for ten seconds; then the overflow action, and its end is logged."""
    later: list[float] = []
    stores = Stores()
    async with (
        office(1, stores=stores) as one,
        office(1, stores=stores, me=OTHER, later=later) as other,
    ):
        answer = await one.ring(FIRST)
        one.start(FIRST)
        await until(lambda: one.around.recorder.backlog() == 0)
        await other.ring(SECOND)
        freeze(one, stores)
        waits = await other.redirect(FIRST, answer)
        assert waits is not None
        assert waits.verbs == ["Pause", "Redirect"]
        later.append(WAIT_S_MAX)
        gone = await other.redirect(FIRST, answer)
        assert gone is not None
        assert gone.verbs == ["Dial"]
        assert (await other.end(FIRST)).reason == "no_room"
        await one.reception.membership.tell()
        await one.until_empty()
