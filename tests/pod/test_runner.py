"""One call in act: what it does with its sockets, its session, its tools, and at its end."""

import asyncio
import gc

import pytest

from call.killed import RESUMED, read
from call.script import (
    NEXT_SID,
    SID,
    VIEW,
    agent,
    audio,
    calls,
    created,
    delta,
    done,
    echo,
    media,
    plan,
    speaks,
    stop,
    words,
)
from pod.edge import counted
from pod.ends import CALL, Door, Socket, Tools, carrying, surroundings, until
from pod.stores import FailingBook, FailingJournal
from trunkline.call.actions import EndCall
from trunkline.call.plan import Tool, ToolKind
from trunkline.call.so_far import Takeover
from trunkline.core import facts
from trunkline.core.costs import Kind
from trunkline.core.facts import CallEnded, Fact, Outcome
from trunkline.pod.runner import CallRunner
from trunkline.pod.seat import REFUSED_MODEL_MESSAGES_MAX
from trunkline.wire import twilio
from trunkline.wire.realtime import server

pytestmark = pytest.mark.anyio

WITH_A_TOOL = plan(agent(tools=[Tool("find", ToolKind.PYTHON)]))


async def test_a_call_from_its_first_stream_to_its_end() -> None:
    """Facts in order, the session back and not clean, the socket closed, no timer left."""
    async with carrying() as here:
        await here.talk()
        here.session.says(created("r1"), delta("r1", "i1", audio(20)), words("r1", "i1", "hi"))
        here.session.says(done("r1"))
        here.runner.from_carrier(here.socket, echo("m1"))
        here.runner.from_carrier(here.socket, stop())
    kinds = [type(fact).__name__ for fact in await here.facts()]
    assert kinds == ["StreamOpened", "SessionOpened", "AgentSaid", "CallEnded"]
    assert here.door.released == [False]
    assert here.socket.closed
    assert here.runner.deadline() is None


async def test_the_end_is_the_journals_before_the_socket_closes() -> None:
    """The redirect that follows the close must find it."""
    async with carrying() as here:
        await here.talk()
        here.journal.gate.clear()
        here.runner.give_up("drained")
        await until(lambda: here.door.released == [False])
        assert not here.socket.closed
        here.journal.gate.set()
        await until(lambda: bool(here.socket.closed))
        assert isinstance((await here.facts())[-1], CallEnded)


async def test_a_journal_that_is_away_does_not_hold_the_line_for_long() -> None:
    """The socket is closed after the deadline; the recorder goes on trying."""
    async with carrying() as here:
        await here.talk()
        here.journal.away = True
        here.runner.give_up("drained")
        await until(lambda: bool(here.socket.closed))
        assert here.around.recorder.backlog() > 0
    assert isinstance((await here.facts())[-1], CallEnded)


async def test_events_that_come_while_another_is_acted_upon_wait() -> None:
    """A socket that breaks under a `clear` is lost after the barge-in that sent it."""
    async with carrying() as here:
        await here.talk()

        def lose(message: twilio.ToCarrier) -> None:
            if isinstance(message, twilio.SendClear):
                here.runner.stream_lost(here.socket, "backlog")

        here.socket.on_send = lose
        here.session.says(created("r1"), delta("r1", "i1", audio(800)), words("r1", "i1", "hi"))
        here.session.says(speaks())
        here.runner.hung_up("completed")
    kinds = [type(fact).__name__ for fact in await here.facts()]
    assert kinds[2:] == ["BargedIn", "AgentSaid", "StreamLost", "CallEnded"]


async def test_a_stream_that_is_replaced_is_closed_and_heard_no_more() -> None:
    """The newest start wins, and the session stays."""
    async with carrying() as here:
        await here.talk()
        newer = Socket()
        here.runner.stream_started(newer, NEXT_SID)
        assert here.socket.closed == 1
        here.runner.from_carrier(here.socket, stop())
        here.runner.stream_lost(here.socket, "dropped")
        assert here.runner.phase == "talking"
        here.runner.from_carrier(newer, stop(sid=NEXT_SID))
    assert here.door.released == [False]
    assert newer.closed


async def test_a_call_that_another_pod_carried_goes_on() -> None:
    """Its tool runs again, ordered before `run` was entered, and its session is told all."""
    left = read(
        facts.StreamOpened(SID), facts.CallerSaid("i1", "hi"), facts.ToolCalled("c1", "find", "{}")
    )
    find = Tool("find", ToolKind.PYTHON, idempotent=True)
    async with carrying(plan(agent(tools=[find])), taken_over=Takeover(left, RESUMED, 1)) as here:
        here.begin()
        assert not here.tools.begun
        await until(lambda: here.tools.begun == ["c1"])
        here.tools.done.set()
        await until(lambda: bool(here.session.sent))
        here.session.says(server.SessionUpdated(VIEW))
        assert sum(b"conversation.item.create" in sent for sent in here.session.sent) == 4
        here.runner.from_carrier(here.socket, stop())
    kinds = [type(fact).__name__ for fact in await here.facts()]
    assert kinds[:2] == ["StreamOpened", "CallResumed"]
    assert {"ToolFinished", "SessionOpened"} == set(kinds[2:-1])


async def test_a_call_that_ends_with_a_tool_that_would_run_again() -> None:
    """The tool ends with it."""
    left = read(facts.StreamOpened(SID), facts.ToolCalled("c1", "find", "{}"))
    find = Tool("find", ToolKind.PYTHON, idempotent=True)
    async with carrying(plan(agent(tools=[find])), taken_over=Takeover(left, RESUMED, 1)) as here:
        here.begin()
        here.runner.hung_up("completed")
    kinds = [type(fact).__name__ for fact in await here.facts()]
    assert kinds == ["StreamOpened", "CallResumed", "ToolFinished", "CallEnded"]


async def test_a_stream_that_comes_after_the_end_is_closed() -> None:
    """A `start` that crosses the end finds nobody, and is not left open."""
    async with carrying() as here:
        await here.talk()
        here.runner.from_carrier(here.socket, stop())
        late = Socket()
        here.runner.stream_started(late, NEXT_SID)
        assert late.closed == 1
    assert here.runner.ended is not None


async def test_a_stream_may_start_before_the_pod_has_entered_run() -> None:
    """What it asked for is done when `run` begins."""
    async with carrying() as here:
        here.begin()
        assert not here.session.sent
        await until(lambda: here.runner.phase == "instructing")
        here.runner.hung_up("completed")


async def test_a_runner_that_never_ran_leaves_nothing() -> None:
    """A pod that ends between `start` and the loop's next turn: no task, no timer, no socket."""
    around = surroundings(FailingJournal(), FailingBook())
    runner = CallRunner(CALL, plan(), [Door()], Tools(), around)
    socket = Socket()
    runner.stream_started(socket, SID)
    assert runner.deadline() is not None
    runner.abandon()
    runner.from_carrier(socket, stop())
    gc.collect()  # A coroutine that was never awaited would say so now.
    assert socket.closed == 1
    assert runner.deadline() is None


async def test_a_runner_that_is_cancelled_leaves_nothing() -> None:
    """The session is given back, the socket closed, the tool cancelled."""
    async with carrying(WITH_A_TOOL) as here:
        await here.talk()
        here.session.says(created("r1"), calls("r1", "c1", "find"), done("r1"))
        await until(lambda: here.tools.begun == ["c1"])
        me = asyncio.current_task()
        (running,) = [t for t in asyncio.all_tasks() if t.get_name() == "call under test"]
        assert running is not me
        running.cancel()
        await asyncio.wait([running])
        assert here.tools.cancelled == ["c1"]
        assert here.socket.closed
        assert here.runner.deadline() is None
        here.runner.hung_up("completed")


async def test_a_session_that_comes_after_the_end_goes_back_clean() -> None:
    """The caller hung up while it was waited for."""
    async with carrying() as here:
        here.door.open.clear()
        here.begin()
        await asyncio.sleep(0)
        here.door.open.set()
        here.runner.from_carrier(here.socket, stop())
    assert here.door.released in ([], [True])


async def test_no_session_ends_the_call_with_its_reason() -> None:
    """The model refused, and again: the caller gets the overflow action."""
    async with carrying() as here:
        here.door.refusal = "rate_limited"
        here.begin()
    assert [type(fact) for fact in await here.facts()] == [facts.StreamOpened, CallEnded]
    assert here.runner.ended == EndCall(Outcome.FAILED, "model_away")
    assert here.door.asked == 3


async def test_a_lost_session_is_given_back_and_counted_once() -> None:
    """What its socket still says afterwards is no news."""
    async with carrying() as here:
        await here.talk()
        here.session.lose("closed")
        here.session.lose("closed")
        here.session.says(created("r1"))
        assert here.door.released == [False]
        assert here.door.blamed == ["closed"]
        await until(lambda: here.runner.phase == "instructing")
        here.session.says(server.SessionUpdated(VIEW))
        assert here.runner.phase == "talking"
        here.runner.from_carrier(here.socket, stop())
    assert here.door.released == [False, False]
    rendered = here.around.metrics.render().decode()
    assert 'realtime_failures_total{reason="closed"} 1.0' in rendered


async def test_a_session_that_ends_with_its_call_is_no_failure() -> None:
    """Its door closes it: that is not the model's doing."""
    async with carrying() as here:
        await here.talk()
        here.runner.from_carrier(here.socket, stop())
        await until(lambda: here.door.released == [False])
        here.session.lose("closed")
    assert 'reason="closed"} 1.0' not in here.around.metrics.render().decode()


async def test_a_session_that_talks_nonsense_is_lost_in_the_end() -> None:
    """Each message that is none is counted; one too many, and the session counts as lost."""
    async with carrying() as here:
        await here.talk()
        for _ in range(REFUSED_MODEL_MESSAGES_MAX):
            here.session.says_raw(b"{")
        assert here.runner.phase == "talking"
        here.session.says_raw(b"{")
        assert here.runner.phase == "opening"
        here.runner.from_carrier(here.socket, stop())
    assert here.door.blamed == ["refused_messages"]
    refused = 'model_messages_refused_total{reason="protocol"} 101.0'
    assert refused in here.around.metrics.render().decode()


async def test_audio_that_the_model_does_not_read_is_dropped() -> None:
    """Late audio is worse than lost audio; what is no audio is sent all the same."""
    async with carrying() as here:
        await here.talk()
        before = len(here.session.sent)
        here.session.behind = True
        here.runner.from_carrier(here.socket, media(audio(20)))
        assert len(here.session.sent) == before
        assert here.around.metrics.frames_dropped_to_model == 1
        here.session.behind = False
        here.runner.from_carrier(here.socket, media(audio(20)))
        assert len(here.session.sent) == before + 1
        here.runner.from_carrier(here.socket, stop())


async def test_what_a_call_uses_is_costed_by_its_model() -> None:
    """The model is that of the session; this one has no price, and that is counted."""
    async with carrying() as here:
        await here.talk()
        here.session.says(created("r1"), done("r1", tokens=(30, 12)))
        here.runner.from_carrier(here.socket, stop())
    metrics = here.around.metrics
    tokens = {Kind.AUDIO_IN: 30, Kind.AUDIO_OUT: 12}
    assert counted(metrics, "model_tokens_total") == tokens
    assert counted(metrics, "model_tokens_unpriced_total") == tokens


async def test_audio_is_timed_where_it_is_written() -> None:
    """To the model by whoever started the stopwatch; to the caller once in so many messages."""
    async with carrying() as here:
        await here.talk()
        to_model, to_caller = (
            here.around.metrics.timed_to_model,
            here.around.metrics.timed_to_caller,
        )
        here.runner.from_carrier(here.socket, media(audio(20)))
        to_model.start()
        here.runner.from_carrier(here.socket, echo("m1"))
        assert not to_model.stop()
        to_model.start()
        here.runner.from_carrier(here.socket, media(audio(20)))
        assert to_model.stop()
        here.session.says(created("r1"))
        for _ in range(2 * to_caller.each):
            here.session.says(delta("r1", "i1", audio(20)))
        here.runner.from_carrier(here.socket, stop())
    rendered = here.around.metrics.render().decode()
    assert 'audio_added_latency_seconds_count{direction="to_model"} 1.0' in rendered
    assert 'audio_added_latency_seconds_count{direction="to_caller"} 2.0' in rendered


async def test_what_a_tool_returns_goes_to_the_model() -> None:
    """And is counted by its kind."""
    async with carrying(WITH_A_TOOL) as here:
        await here.talk()
        here.session.says(created("r1"), calls("r1", "c1", "find"), done("r1"))
        await until(lambda: here.tools.begun == ["c1"])
        here.tools.done.set()
        await until(lambda: "CreateItem" in here.session.heard())
        here.runner.from_carrier(here.socket, stop())
    assert 'tools_total{kind="python",outcome="ok"} 1.0' in here.around.metrics.render().decode()


async def test_a_tool_that_is_cancelled_before_it_began_never_begins() -> None:
    """A wish and the call's end in one turn of the loop."""
    async with carrying(WITH_A_TOOL) as here:
        await here.talk()
        here.session.says(created("r1"), calls("r1", "c1", "find"), done("r1"))
        here.runner.from_carrier(here.socket, stop())
    assert here.tools.begun == []


async def test_a_bug_ends_its_call_and_no_other() -> None:
    """The call fails with one end in its record; `run` returns as ever."""
    seen: list[Fact] = []

    def buggy(fact: Fact) -> None:
        seen.append(fact)
        if isinstance(fact, facts.SessionOpened):
            raise LookupError("a bug of ours")  # noqa: TRY004 - any will do

    async with carrying(on_fact=buggy) as here:
        here.begin()
    ends = [fact for fact in await here.facts() if isinstance(fact, CallEnded)]
    assert [(end.outcome, end.reason) for end in ends] == [(Outcome.FAILED, "bug")]
    assert [fact for fact in seen if isinstance(fact, CallEnded)] == ends
    assert here.socket.closed


async def test_a_bug_at_the_very_end_does_not_end_the_pod() -> None:
    """Not even in what follows the last fact."""

    def buggy(fact: Fact) -> None:
        if isinstance(fact, CallEnded):
            raise LookupError("a bug of ours")  # noqa: TRY004 - any will do

    async with carrying(on_fact=buggy) as here:
        await here.talk()
        here.runner.from_carrier(here.socket, stop())
    assert len([fact for fact in await here.facts() if isinstance(fact, CallEnded)]) == 1
    assert here.socket.closed


async def test_a_socket_that_fails_at_its_close_does_not_end_the_pod() -> None:
    """The call is over all the same, and its session went back."""

    class Broken(Socket):
        async def wait_gone(self) -> None:
            raise OSError("gone wrong")

    async with carrying() as here:
        here.socket = Broken()
        await here.talk()
        here.runner.from_carrier(here.socket, stop())
    assert here.door.released == [False]


async def test_streams_and_sessions_are_logged_and_counted() -> None:
    """An operator sees each of them come and go."""
    async with carrying() as here:
        await here.talk()
        here.runner.stream_lost(here.socket, "dropped")
        newer = Socket()
        here.runner.stream_started(newer, NEXT_SID)
        here.runner.from_carrier(newer, stop(sid=NEXT_SID))
    rendered = here.around.metrics.render().decode()
    assert 'realtime_acquire_seconds_count{source="pool"} 1.0' in rendered
    assert 'call_resumes_total{cause="stream_lost"} 1.0' in rendered
