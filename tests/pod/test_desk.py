"""What webhooks are answered, whatever the stores do and in whichever order they come."""

import asyncio

import pytest

from call.script import plan
from pod.ends import LIFE, POD, until
from pod.office import FIRST, KEY, NEXT_STREAM, SECOND, THIRD, Answer, Book, office, voice
from trunkline.core import tickets
from trunkline.core.facts import CallOverflowed, CallResumed, Outcome
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName, StreamSid
from trunkline.core.record import Why
from trunkline.core.slots import Bounds, ModelLimit
from trunkline.core.tickets import ResumeToken
from trunkline.pod.calls import RESUMES_MAX
from trunkline.pod.desk import WAIT_S_MAX, WAITING_MAX

pytestmark = pytest.mark.anyio


# A new call.


async def test_a_new_call_gets_a_stream_and_a_redirect_behind_it() -> None:
    """Ticket and token name the call, the pod, its life, and the epoch of the journal."""
    async with office() as here:
        answer = await here.ring(FIRST)
        assert answer.verbs == ["Connect", "Redirect"]
        ticket = answer.ticket
        assert (ticket.call, ticket.pod, ticket.incarnation) == (FIRST, POD, LIFE)
        assert ticket.epoch == here.journal.holder(FIRST)[0]
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
        assert here.journal.holder(FIRST) == (epoch, other)


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
        document = await here.desk.voice(voice(FIRST, to="+15550100077"))
        assert Answer(document).verbs == ["Reject"]
        assert here.journal.openings == 0


async def test_a_voicemail_taken_is_followed_by_a_hang_up() -> None:
    """Twilio asks the same address what comes after a recording."""
    async with office() as here:
        taken = voice(FIRST, recording="https://api.example.com/r")
        assert Answer(await here.desk.voice(taken)).verbs == ["Hangup"]


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
    """The first life answered it and died: the redirect finds out what became of the call."""
    async with office() as here:
        await here.journal.open_call(FIRST, PodName("pod-0"), Incarnation("before"))
        answer = await here.ring(FIRST)
        assert answer.verbs == ["Redirect"]
        assert here.slots.held == 0
        then = await here.redirect(FIRST, answer)
        assert then is not None
        assert then.verbs[0] == "Dial"
        assert (await here.end(FIRST)).reason == "pod_lost"


# The carrier says that a call is over.


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


# A stream was lost, and its redirect comes.


async def test_a_lost_stream_comes_back_to_its_session() -> None:
    """A higher epoch, the same runner, and the old ticket is stale."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        here.journal.now_ms += 500
        again = await here.redirect(FIRST, answer)
        assert again is not None
        assert again.ticket.epoch > answer.ticket.epoch
        live = here.calls.get(FIRST)
        assert live is not None
        assert live.epoch == again.ticket.epoch
        socket = here.start(FIRST, NEXT_STREAM)
        here.hang_up(FIRST, socket, NEXT_STREAM)
        await here.end(FIRST)
        assert any(isinstance(fact, CallResumed) for fact in await here.facts(FIRST))
        assert here.door.given <= 1


async def test_the_same_redirect_gets_the_same_answer_for_a_while() -> None:
    """For 15 s by the journal's time; then it is refused and the live call is untouched."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        again = await here.redirect(FIRST, answer)
        here.journal.now_ms += 14_000
        assert await here.redirect(FIRST, answer) == again
        here.start(FIRST, NEXT_STREAM)
        here.journal.now_ms += 2_000
        assert await here.redirect(FIRST, answer) is None
        live = here.calls.get(FIRST)
        assert live is not None
        assert live.runner is not None
        assert live.runner.ended is None


async def test_a_token_of_another_call_or_key_is_refused() -> None:
    """And so is a ticket where a token is due."""
    async with office() as here:
        one = await here.ring(FIRST)
        other = await here.ring(SECOND)
        assert await here.desk.resume(other.token, voice(FIRST)) is None
        forged = tickets.sign(ResumeToken(FIRST, one.ticket.epoch, POD, LIFE), b"1" * 32)
        assert await here.desk.resume(forged, voice(FIRST)) is None
        assert await here.desk.resume(tickets.sign(one.ticket, KEY), voice(FIRST)) is None
        assert await here.desk.resume("r1.x.y", voice(FIRST)) is None
        assert here.journal.holder(FIRST)[0] == one.ticket.epoch


async def test_a_call_of_which_the_journal_knows_nothing_is_refused() -> None:
    """Nobody carries it here either."""
    async with office() as here:
        token = tickets.sign(
            ResumeToken(FIRST, (await here.ring(SECOND)).ticket.epoch, POD, LIFE), KEY
        )
        assert await here.desk.resume(token, voice(FIRST)) is None


async def test_a_redirect_before_any_stream_came() -> None:
    """The carrier could not open it: the next ticket, and the slot waits anew."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.journal.now_ms += 100
        again = await here.redirect(FIRST, answer)
        assert again is not None
        assert again.verbs == ["Connect", "Redirect"]
        assert here.slots.reserved == 1


async def test_a_resume_whose_answer_was_lost_is_made_good_by_the_next() -> None:
    """The journal moved on and we did not know: the call goes on, and its record is whole."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        await here.around.recorder.settle(FIRST, 5)
        here.journal.now_ms += 500
        here.journal.answers_to_lose = 1
        first = await here.redirect(FIRST, answer)
        assert first is not None
        assert first.verbs == ["Connect", "Redirect"]
        assert here.journal.holder(FIRST)[0] > answer.ticket.epoch
        here.start(FIRST, NEXT_STREAM)
        await here.around.recorder.settle(FIRST, 5)
        again = await here.redirect(FIRST, first)
        assert again is not None
        assert again.ticket.epoch >= here.journal.holder(FIRST)[0]
        here.status(FIRST)
        assert (await here.end(FIRST)).outcome is Outcome.CALLER_ENDED


async def test_our_newest_token_is_good_though_the_journal_forgot_the_call() -> None:
    """A store that restarted empty: we carry the call, so it goes on and is recorded again."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        await here.around.recorder.settle(FIRST, 5)
        here.journal.lose_all()
        here.journal.now_ms += 500
        again = await here.redirect(FIRST, answer)
        assert again is not None
        assert again.verbs == ["Connect", "Redirect"]
        here.start(FIRST, NEXT_STREAM)
        here.status(FIRST)
        await here.end(FIRST)
        kinds = [type(fact).__name__ for fact in await here.facts(FIRST)]
        assert kinds[:2] == ["CallReceived", "StreamOpened"]


async def test_a_live_call_goes_on_while_the_journal_is_away() -> None:
    """We hold it: its next stream needs nobody's leave."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        here.journal.away = True
        again = await here.redirect(FIRST, answer)
        assert again is not None
        assert again.ticket.epoch == answer.ticket.epoch
        here.start(FIRST, NEXT_STREAM)
        here.journal.away = False
        here.status(FIRST)
        assert (await here.end(FIRST)).outcome is Outcome.CALLER_ENDED


async def test_an_old_token_takes_no_call_while_the_journal_is_away() -> None:
    """It waits for the journal, which will refuse it."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        here.journal.now_ms += 500
        again = await here.redirect(FIRST, answer)
        assert again is not None
        here.journal.away = True
        stale = await here.redirect(FIRST, answer)
        assert stale is not None
        assert stale.verbs == ["Pause", "Redirect"]


async def test_a_redirect_waits_for_the_journal_but_not_for_ever() -> None:
    """Nobody here carries its call: ten seconds of asking again, then the overflow action."""
    later: list[float] = []
    async with office(later=later) as here:
        token = tickets.sign(ResumeToken(FIRST, Epoch(1), POD, LIFE), KEY)
        here.journal.away = True
        for _ in range(2):
            waits = Answer(await here.desk.resume(token, voice(FIRST)) or "")
            assert waits.verbs == ["Pause", "Redirect"]
        later.append(WAIT_S_MAX)
        gone = Answer(await here.desk.resume(token, voice(FIRST)) or "")
        assert gone.verbs[0] == "Dial"
        assert here.desk.redirects_waiting == 0


async def test_redirects_that_wait_are_counted_and_bounded() -> None:
    """The oldest is forgotten; one that was answered is, too."""
    async with office() as here:
        here.journal.away = True
        for number in range(WAITING_MAX + 5):
            call = CallSid(f"CA{number:032d}")
            token = tickets.sign(ResumeToken(call, Epoch(1), POD, LIFE), KEY)
            await here.desk.resume(token, voice(call))
        assert here.desk.redirects_waiting == WAITING_MAX
        here.journal.away = False
        await here.desk.resume(token, voice(call))
        assert here.desk.redirects_waiting == WAITING_MAX - 1


async def test_a_call_whose_pod_is_gone_fails_once() -> None:
    """Overflow action and one end, however often and from whichever token it is asked."""
    async with office() as here:
        opening = await here.journal.open_call(FIRST, PodName("pod-9"), Incarnation("z"))
        token = tickets.sign(
            ResumeToken(FIRST, opening.epoch, PodName("pod-9"), Incarnation("z")), KEY
        )
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(here.desk.resume(token, voice(FIRST))) for _ in range(3)]
        assert {Answer(task.result() or "").verbs[0] for task in asked} == {"Dial"}
        end = await here.end(FIRST)
        assert (end.outcome, end.reason) == (Outcome.FAILED, "pod_lost")
        assert here.counted('calls_total{direction="inbound",outcome="failed"}') == 1


async def test_an_end_that_only_the_journal_remembers() -> None:
    """Another life of this pod ended it: what follows is read from the record."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.hang_up(FIRST, here.start(FIRST))
        await here.end(FIRST)
        for number in range(1001):
            here.calls.remember(CallSid(f"CA{number:032d}"), "")
        assert here.calls.ended(FIRST) is None
        ended = await here.redirect(FIRST, answer)
        assert ended is not None
        assert ended.verbs == ["Hangup"]


async def test_a_call_that_ends_while_its_resume_is_asked_is_over() -> None:
    """The journal gave it an epoch, then the callback came: no stream for nobody, one end."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        await here.around.recorder.settle(FIRST, 5)
        here.journal.now_ms += 500
        here.journal.gate.clear()
        asked = here.tasks.create_task(here.redirect(FIRST, answer))
        await until(lambda: here.journal.holder(FIRST)[0] > answer.ticket.epoch)
        here.status(FIRST)
        here.journal.gate.set()
        document = await asked
        assert document is not None
        assert document.verbs == ["Hangup"]
        assert (await here.end(FIRST)).reason == "completed"
        await here.until_empty()


async def test_a_call_that_ends_after_its_resume_was_answered_is_over() -> None:
    """The other order: the ticket finds nobody, the redirect behind it hangs up."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.lose(FIRST, here.start(FIRST))
        again = await here.redirect(FIRST, answer)
        assert again is not None
        here.status(FIRST)
        live = here.calls.get(FIRST)
        assert live is None or here.calls.carry(live) is None
        then = await here.redirect(FIRST, again)
        assert then is not None
        assert then.verbs == ["Hangup"]
        await here.end(FIRST)


async def test_a_line_that_breaks_again_and_again_is_given_up() -> None:
    """Three resumes in a minute; the next loss gets the overflow action."""
    async with office() as here:
        answer: Answer | None = await here.ring(FIRST)
        socket = here.start(FIRST)
        for number in range(RESUMES_MAX):
            assert answer is not None
            here.lose(FIRST, socket)
            here.journal.now_ms += 500
            answer = await here.redirect(FIRST, answer)
            socket = here.start(FIRST, StreamSid(f"MZ{number + 5:032d}"))
        assert answer is not None
        here.lose(FIRST, socket)
        here.journal.now_ms += 500
        last = await here.redirect(FIRST, answer)
        assert last is not None
        assert last.verbs[0] == "Dial"
        end = await here.end(FIRST)
        assert (end.outcome, end.reason) == (Outcome.FAILED, "resumes_max")
