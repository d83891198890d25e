"""What the redirects behind streams get, in whichever order things come."""

import asyncio

import pytest

from pod.ends import LIFE, POD, until
from pod.office import FIRST, KEY, NEXT_STREAM, SECOND, Answer, office, voice
from trunkline.core import tickets
from trunkline.core.facts import CallResumed, Outcome
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName, StreamSid
from trunkline.core.tickets import ResumeToken
from trunkline.pod.calls import RESUMES_MAX
from trunkline.pod.redirects import WAIT_S_MAX, WAITING_MAX

pytestmark = pytest.mark.anyio


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
        assert await here.front.resume(other.token, voice(FIRST)) is None
        forged = tickets.sign(ResumeToken(FIRST, one.ticket.epoch, POD, LIFE), b"1" * 32)
        assert await here.front.resume(forged, voice(FIRST)) is None
        assert await here.front.resume(tickets.sign(one.ticket, KEY), voice(FIRST)) is None
        assert await here.front.resume("r1.x.y", voice(FIRST)) is None
        assert here.journal.held_by(FIRST)[0] == one.ticket.epoch


async def test_a_call_of_which_the_journal_knows_nothing_is_refused() -> None:
    """Nobody carries it here either."""
    async with office() as here:
        token = tickets.sign(
            ResumeToken(FIRST, (await here.ring(SECOND)).ticket.epoch, POD, LIFE), KEY
        )
        assert await here.front.resume(token, voice(FIRST)) is None


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
        assert here.journal.held_by(FIRST)[0] > answer.ticket.epoch
        here.start(FIRST, NEXT_STREAM)
        await here.around.recorder.settle(FIRST, 5)
        again = await here.redirect(FIRST, first)
        assert again is not None
        assert again.ticket.epoch >= here.journal.held_by(FIRST)[0]
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
            waits = Answer(await here.front.resume(token, voice(FIRST)) or "")
            assert waits.verbs == ["Pause", "Redirect"]
        later.append(WAIT_S_MAX)
        gone = Answer(await here.front.resume(token, voice(FIRST)) or "")
        assert gone.verbs[0] == "Dial"
        assert here.redirects.waiting == 0


async def test_redirects_that_wait_are_counted_and_bounded() -> None:
    """The oldest is forgotten; one that was answered is, too."""
    async with office() as here:
        here.journal.away = True
        for number in range(WAITING_MAX + 5):
            call = CallSid(f"CA{number:032d}")
            token = tickets.sign(ResumeToken(call, Epoch(1), POD, LIFE), KEY)
            await here.front.resume(token, voice(call))
        assert here.redirects.waiting == WAITING_MAX
        here.journal.away = False
        await here.front.resume(token, voice(call))
        assert here.redirects.waiting == WAITING_MAX - 1


async def test_a_call_whose_pod_is_gone_goes_on_here_once() -> None:
    """However often it is asked: one epoch, one document."""
    async with office() as here:
        opening = await here.journal.open_call(FIRST, PodName("pod-9"), Incarnation("z"))
        token = tickets.sign(
            ResumeToken(FIRST, opening.epoch, PodName("pod-9"), Incarnation("z")), KEY
        )
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(here.front.resume(token, voice(FIRST))) for _ in range(3)]
        (document,) = {task.result() for task in asked}
        answer = Answer(document or "")
        assert answer.verbs == ["Connect", "Redirect"]
        assert answer.ticket.epoch == here.journal.held_by(FIRST)[0] > opening.epoch


async def test_an_end_that_only_the_journal_remembers() -> None:
    """Another life of this pod ended it: what follows is read from the record."""
    async with office() as here:
        answer = await here.ring(FIRST)
        here.hang_up(FIRST, here.start(FIRST))
        await here.end(FIRST)
        for number in range(1001):
            here.calls.remember(CallSid(f"CA{number:032d}"), "", Epoch(1))
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
        await until(lambda: here.journal.held_by(FIRST)[0] > answer.ticket.epoch)
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
