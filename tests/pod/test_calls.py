"""The calls of a pod: a slot for each, none kept too long, and an orderly end for all."""

import asyncio

import pytest

from pod.ends import Socket, until
from pod.office import FIRST, NEXT_STREAM, SECOND, STREAM, THIRD, office
from trunkline.call.plan import Limits
from trunkline.core.facts import CallEnded, Outcome, TransferOrdered
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.slots import INBOUND_HOLD_S
from trunkline.pod.calls import ENDED_CALLS_MAX
from trunkline.wire import twiml

pytestmark = pytest.mark.anyio


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_slot_whose_stream_never_comes_expires() -> None:
    """After 15 s, not before; the call is logged as abandoned and its slot is free."""
    async with office(calls_max=1) as here:
        await here.ring(FIRST)
        here.calls.expire(now() + INBOUND_HOLD_S - 0.5)
        assert here.slots.held == 1
        here.calls.expire(now() + INBOUND_HOLD_S)
        assert here.slots.held == 0
        assert here.calls.all() == []
        end = await here.end(FIRST)
        assert (end.outcome, end.reason) == (Outcome.ABANDONED, "no_stream")
        assert here.counted('calls_total{direction="inbound",outcome="abandoned"}') == 1
        assert (await here.ring(SECOND)).verbs == ["Connect", "Redirect"]


async def test_a_caller_whose_slot_expired_and_who_is_still_there_is_not_cut_off() -> None:
    """The carrier could not reach us for so long: its redirect gets the overflow action."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.calls.expire(now() + INBOUND_HOLD_S)
        then = await here.redirect(FIRST, answer)
        assert then is not None
        assert then.verbs[0] == "Dial"


async def test_a_start_after_its_slot_expired_finds_no_call() -> None:
    """Before and after housekeeping has noticed."""
    async with office() as here:
        await here.ring(FIRST)
        live = here.calls.get(FIRST)
        assert live is not None
        here.calls.expire(now() + INBOUND_HOLD_S)
        assert here.calls.carry(live) is None
        assert live.runner is None


async def test_an_answered_call_costs_the_carriers_minutes() -> None:
    """From its first stream to its end; one whose stream never came costs none."""
    async with office() as here:
        await here.ring(FIRST)
        await here.ring(SECOND)
        here.calls.expire(now() + INBOUND_HOLD_S)
        assert here.counted('call_cost_usd_total{part="carrier"}') == 0
        await here.ring(THIRD)
        here.start(THIRD)
        live = here.calls.get(THIRD)
        assert live is not None
        live.answered_at -= 90.0
        here.calls.give_up(live, "drained")
        # Two begun minutes of 0.0085 USD, and as many of the stream at 0.0044.
        assert here.counted('call_cost_usd_total{part="carrier"}') == 0.0258


async def test_a_call_that_talks_does_not_expire() -> None:
    """Nor one whose stream is lost: its own deadline binds that."""
    async with office() as here:
        await here.ring(FIRST)
        socket = here.start(FIRST)
        here.lose(FIRST, socket)
        here.calls.expire(now() + 100 * INBOUND_HOLD_S)
        assert here.slots.bound == 1


async def test_a_second_start_takes_the_same_runner() -> None:
    """The stream is replaced, the session stays."""
    async with office() as here:
        await here.ring(FIRST)
        first = here.start(FIRST)
        await until(lambda: here.door.given == 1)
        here.start(FIRST, NEXT_STREAM)
        assert first.closed == 1
        assert here.slots.held == 1
    assert here.door.given == 1


async def test_a_start_after_the_end_finds_no_call() -> None:
    """While the end is being written."""
    async with office() as here:
        await here.ring(FIRST)
        socket = here.start(FIRST)
        live = here.calls.get(FIRST)
        assert live is not None
        here.hang_up(FIRST, socket)
        assert here.calls.get(FIRST) is live
        assert here.calls.carry(live) is None
        await here.until_empty()


async def test_a_runner_whose_task_never_began_leaves_no_call() -> None:
    """The pod is torn down in the turn in which a stream starts."""
    async with office() as here:
        await here.ring(FIRST)
        socket = here.start(FIRST)
        (task,) = [t for t in asyncio.all_tasks() if t.get_name() == f"call {FIRST}"]
        task.cancel()
        await here.until_empty()
        assert here.slots.held == 0
        assert socket.closed == 1
        assert here.door.given == len(here.door.released)
        # The end of a record is the business of whoever takes the call over.
        here.around.recorder.record(FIRST, CallEnded(Outcome.FAILED, "pod_lost"))


async def test_ends_are_remembered_and_bounded() -> None:
    """The oldest goes first."""
    async with office() as here:
        for number in range(ENDED_CALLS_MAX + 1):
            here.calls.remember(CallSid(f"CA{number:032d}"), str(number), Epoch(1))
        assert here.calls.ended(CallSid(f"CA{0:032d}")) is None
        assert here.calls.ended(CallSid(f"CA{1:032d}")) == "1"


async def test_what_follows_a_transfer_is_remembered() -> None:
    """The number that the facts name is dialled."""
    async with office() as here:
        answer = await here.ring(FIRST)
        live = here.calls.get(FIRST)
        assert live is not None
        here.calls.heard(live, TransferOrdered("doctor", "+15550100020"))
        here.calls.heard(live, CallEnded(Outcome.TRANSFERRED, "doctor"))
        then = await here.redirect(FIRST, answer)
        assert then is not None
        (dial,) = twiml.parse(then.document)
        assert isinstance(dial, twiml.Dial)
        assert [each.number for each in dial.numbers] == ["+15550100020"]


async def test_a_drain_waits_for_calls_and_refuses_new_ones() -> None:
    """Reserved, talking, stream lost: each may end as it would; then the drain is over."""
    async with office() as here:
        for call in (FIRST, SECOND, THIRD):
            await here.ring(call)
        talking = here.start(SECOND)
        here.lose(THIRD, here.start(THIRD))
        drained = here.tasks.create_task(here.calls.drain(60))
        await asyncio.sleep(0)
        assert here.slots.closed
        assert (await here.ring(CallSid("CA" + "9" * 32))).verbs[0] == "Dial"
        reserved = here.start(FIRST)
        here.hang_up(FIRST, reserved)
        here.hang_up(SECOND, talking)
        here.status(THIRD)
        await asyncio.wait_for(drained, 5)
        outcomes = [(await here.end(call)).outcome for call in (FIRST, SECOND, THIRD)]
    assert outcomes == [Outcome.CALLER_ENDED] * 3


async def test_a_drain_that_is_over_ends_the_calls_that_are_left() -> None:
    """Reserved, talking, stream lost: each ends as drained, and its redirect overflows."""
    async with office() as here:
        answers = {call: await here.ring(call) for call in (FIRST, SECOND, THIRD)}
        here.start(SECOND)
        here.lose(THIRD, here.start(THIRD))
        drained = here.tasks.create_task(here.calls.drain(0.01))
        await here.until_empty()
        assert not drained.done(), "redirects are on their way"
        for call, answer in answers.items():
            end = await here.end(call)
            assert (end.outcome, end.reason) == (Outcome.FAILED, "drained")
            then = await here.redirect(call, answer)
            assert then is not None
            assert then.verbs[0] == "Dial"
        await asyncio.wait_for(drained, 1)


async def test_a_drain_waits_for_the_redirect_behind_its_last_call() -> None:
    """A transfer's number is dialled by that answer and by nothing else; but not for ever."""
    async with office() as here:
        await here.ring(FIRST)
        here.start(FIRST)
        live = here.calls.get(FIRST)
        assert live is not None
        here.calls.give_up(live, "resumes_max")
        began = now()
        await here.calls.drain(60)
        assert now() - began >= 2.5


async def test_a_caller_who_hung_up_is_not_waited_for() -> None:
    """No redirect follows: the drain is over at once."""
    async with office() as here:
        await here.ring(FIRST)
        here.hang_up(FIRST, here.start(FIRST))
        await asyncio.wait_for(here.calls.drain(60), 1)


async def test_a_drain_waits_for_webhooks_that_are_being_answered() -> None:
    """A call that came before the word is carried to its end."""
    async with office() as here:
        here.journal.gate.clear()
        ringing = here.tasks.create_task(here.ring(FIRST))
        await until(lambda: here.slots.held == 1)
        drained = here.tasks.create_task(here.calls.drain(60))
        await asyncio.sleep(0)
        here.journal.gate.set()
        assert (await ringing).verbs == ["Connect", "Redirect"]
        assert not drained.done()
        here.hang_up(FIRST, here.start(FIRST))
        await asyncio.wait_for(drained, 5)


async def test_a_grace_that_is_over_while_a_webhook_is_answered() -> None:
    """That call must not begin: nobody would end it."""
    async with office() as here:
        here.journal.gate.clear()
        ringing = here.tasks.create_task(here.ring(FIRST))
        await until(lambda: here.slots.held == 1)
        drained = here.tasks.create_task(here.calls.drain(0.01))
        await until(lambda: here.calls.is_cut)
        here.journal.gate.set()
        assert (await ringing).verbs[0] == "Dial"
        await asyncio.wait_for(drained, 1)
        assert (await here.end(FIRST)).reason == "draining"


async def test_a_cut_ends_a_drain_at_once() -> None:
    """The second signal: the calls that are left end now."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.start(FIRST)
        drained = here.tasks.create_task(here.calls.drain(3_660))
        await asyncio.sleep(0)
        here.calls.cut()
        here.calls.cut()
        await here.until_empty()
        await here.redirect(FIRST, answer)
        await asyncio.wait_for(drained, 1)
        assert (await here.end(FIRST)).reason == "drained"


async def test_a_journal_that_is_away_holds_no_slot_for_long() -> None:
    """Two seconds at a call's end; its facts wait without it."""
    async with office(calls_max=1) as here:
        await here.ring(FIRST)
        socket = here.start(FIRST)
        here.journal.away = True
        here.hang_up(FIRST, socket)
        await here.until_empty()
        assert here.slots.held == 0
        here.journal.away = False
        assert (await here.end(FIRST)).outcome is Outcome.CALLER_ENDED


async def test_a_late_socket_of_a_call_that_is_gone() -> None:
    """Messages of a socket that outlived its call change nothing."""
    async with office() as here:
        await here.ring(FIRST)
        socket = here.start(FIRST)
        live = here.calls.get(FIRST)
        assert live is not None
        runner = live.runner
        assert runner is not None
        here.hang_up(FIRST, socket)
        await here.until_empty()
        runner.stream_lost(socket, "dropped")
        runner.stream_started(late := Socket(), STREAM)
        assert late.closed == 1
        assert here.calls.all() == []


async def test_a_stream_that_never_comes_back_fails_its_call() -> None:
    """After the session's wait: the slot is free, and a redirect later on overflows."""
    async with office(calls_max=1, limits=Limits(stream_wait_s_max=0.05)) as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        await here.until_empty()
        end = await here.end(FIRST)
        assert (end.outcome, end.reason) == (Outcome.FAILED, "stream_lost")
        assert here.door.given == len(here.door.released)
        assert here.slots.held == 0
        then = await here.redirect(FIRST, answer)
        assert then is not None
        assert then.verbs[0] == "Dial"
