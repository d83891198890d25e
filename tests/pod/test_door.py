import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.tiny_model import CREATED, TinyModel, TinySession, error, serving
from trunkline.adapters.realtime_socket import RealtimeDoor
from trunkline.core.pool import PoolLimits
from trunkline.errors import ModelError
from trunkline.pod.door import SHUTDOWN_S_MAX, Acquired, Door
from trunkline.ports import ModelDoor, ModelSession

pytestmark = pytest.mark.anyio

SOON_S = 5.0
SIZE_2 = PoolLimits(size=2, settled_s=0.001, pause_s_min=0.01)


@asynccontextmanager
async def running(door: Door) -> AsyncIterator[Door]:
    """The door at work; at the end nothing of it may be left."""
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(door.run())
        await asyncio.sleep(0)
        yield door
        door.close()
        await asyncio.wait_for(work, SHUTDOWN_S_MAX + 1.0)
    assert not any(door.statistics().values())


@asynccontextmanager
async def door_to(
    model: TinyModel,
    limits: PoolLimits = SIZE_2,
    on_failure: Callable[[str], None] | None = None,
) -> AsyncIterator[Door]:
    """A door to a model on loopback; after it the model must have no connection left."""
    async with serving(model):
        sockets = RealtimeDoor(model.url, "m", "sk-1", session_created_s_max=1.0)
        async with running(Door(sockets, limits, "m", on_failure=on_failure)) as door:
            yield door


async def until(fact: Callable[[], bool]) -> None:
    """Turn the loop until something is so."""
    async with asyncio.timeout(SOON_S):
        while not fact():  # noqa: ASYNC110 - the door tells nobody of its counts
            await asyncio.sleep(0.001)


async def warm(door: Door, idle: int = 2) -> None:
    await until(lambda: door.statistics()["idle"] == idle)


def heard(session: ModelSession) -> tuple[list[bytes], list[str]]:
    messages: list[bytes] = []
    losses: list[str] = []
    session.listen(lambda text: messages.append(bytes(text)), losses.append)
    return messages, losses


async def test_the_pool_is_warm_before_the_first_caller() -> None:
    """And its session comes without a turn of the loop."""
    model = TinyModel()
    async with door_to(model) as door:
        await warm(door)
        turned: list[bool] = []
        asyncio.get_running_loop().call_soon(turned.append, True)
        acquired = await door.acquire()
        assert turned == []
        assert isinstance(acquired, Acquired)
        assert (acquired.source, acquired.model, acquired.waited_ms) == ("pool", "m", 0)
        assert 0 <= acquired.age_s < SOON_S
        assert door.statistics() == {"opening": 1, "idle": 1, "lent": 1, "closing": 0}
        acquired.session.send(b"settings")
        await model.until(lambda: any(peer.heard for peer in model.live))
        door.release(acquired.session, clean=False)
        await until(lambda: door.statistics()["lent"] == door.statistics()["closing"] == 0)


async def test_without_a_pool_a_session_is_opened_for_the_caller() -> None:
    """Size 0 is allowed: each caller pays for the handshake."""
    async with door_to(TinyModel(), PoolLimits(size=0)) as door:
        acquired = await door.acquire()
        assert acquired.source == "new"
        door.release(acquired.session, clean=True)


async def test_a_dirty_session_is_never_given_again() -> None:
    """Not even when its borrower says that it is clean."""
    model = TinyModel()
    async with door_to(model, PoolLimits(size=1)) as door:
        seen: set[str] = set()
        for clean in (False, True, True):
            acquired = await door.acquire()
            assert acquired.session.id not in seen
            seen.add(acquired.session.id)
            acquired.session.send(b"the settings of one caller")
            door.release(acquired.session, clean=clean)
        await warm(door, 1)
        assert all(len(peer.heard) <= 1 for peer in model.seen)


async def test_a_clean_session_goes_back_and_its_borrower_has_no_hand_on_it() -> None:
    """Nothing that he sends or listens to later reaches the next one."""
    model = TinyModel()
    async with door_to(model, PoolLimits(size=1, opening_max=1)) as door:
        first = (await door.acquire()).session
        words, losses = heard(first)
        model.script = lambda _: None  # The replacement will not come.
        door.release(first, clean=True)
        second = (await door.acquire()).session
        assert second.id == first.id
        first.send(b"from the past")
        assert heard(first) == ([], [])
        assert first.send_audio(b"from the past, too")
        await first.close()
        door.release(first, clean=False)
        now, gone = heard(second)
        peer = model.live[0]
        peer.say(b"hello")
        await until(lambda: bool(now))
        peer.leave(1001)
        await until(lambda: bool(gone))
        assert (words, losses, peer.heard) == ([], [], [])
        assert (now, gone) == ([b"hello"], ["going_away"])
        door.release(second, clean=False)


async def test_a_borrower_who_closes_gives_back() -> None:
    """The port has a close, so it must not leak a place in the pool."""
    async with door_to(TinyModel()) as door:
        acquired = await door.acquire()
        await acquired.session.close()
        await until(lambda: door.statistics()["lent"] == 0)


async def test_a_session_lost_on_its_way_to_its_caller_tells_him() -> None:
    """He listens later than it died."""
    model = TinyModel()
    async with door_to(model, PoolLimits(size=1)) as door:
        await warm(door, 1)
        session = (await door.acquire()).session
        model.live[0].leave(1011)
        await until(lambda: len(model.live) == 1)
        await asyncio.sleep(0.01)
        _, losses = heard(session)
        await until(lambda: bool(losses))
        assert losses == ["server_error"]
        door.release(session, clean=False)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda peer: peer.leave(1001), "going_away"),
        (lambda peer: peer.reset(), "closed"),
        (lambda peer: peer.say(error("session_expired")), "refused"),
        (lambda peer: peer.say(b"junk"), "refused"),
    ],
)
async def test_an_unwell_idle_session_is_replaced(
    fault: Callable[[TinySession], None], reason: str
) -> None:
    """Lost, or in error though nothing was asked of it."""
    model, failures = TinyModel(), list[str]()
    async with door_to(model, on_failure=failures.append) as door:
        await warm(door)
        ill = model.live[0]
        fault(ill)
        await until(lambda: ill not in model.live)
        # The other end is gone before the door has noticed.
        await until(lambda: bool(failures))
        await warm(door)
        assert len(model.live) == 2
        assert failures == [reason]


async def test_other_words_to_an_idle_session_do_no_harm() -> None:
    """Some servers greet twice."""

    def script(peer: TinySession) -> None:
        peer.say(CREATED, b'{"type":"conversation.created"}', b'{"type":"rate_limits.new"}')

    async with door_to(TinyModel(script)) as door:
        await warm(door)
        acquired = await door.acquire()
        door.release(acquired.session, clean=True)


async def test_a_refusal_reaches_the_caller_as_a_reason() -> None:
    """And every failed opening is counted."""
    failures: list[str] = []
    async with door_to(TinyModel(status=401), on_failure=failures.append) as door:
        with pytest.raises(ModelError, match=r"^invalid_api_key$"):
            await door.acquire()
        assert set(failures) == {"invalid_api_key"}
        assert len(failures) == 3


async def test_a_caller_who_goes_away_leaves_nothing() -> None:
    """What was being opened for him is the pool's."""
    model = TinyModel(lambda _: None)
    async with door_to(model, PoolLimits(size=1)) as door:
        await model.until(lambda: len(model.live) == 1)
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(door.acquire())
            await model.until(lambda: len(model.live) == 2)
            asking.cancel()
        model.live[1].say(CREATED)
        await warm(door, 1)
        assert door.statistics() == {"opening": 1, "idle": 1, "lent": 0, "closing": 0}
        model.live[0].say(CREATED)
        await until(lambda: door.statistics()["opening"] == door.statistics()["closing"] == 0)


class Shelf:
    """A `ModelDoor` whose sessions come when the test says so."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[ModelSession]] = []

    async def open(self) -> ModelSession:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


class Dummy:
    """A session without a socket."""

    id = "dummy"

    def __init__(self) -> None:
        self.closed = 0

    def listen(
        self, on_frame: Callable[[memoryview], None], on_lost: Callable[[str], None]
    ) -> None: ...
    def send(self, text: bytes) -> None: ...
    def send_audio(self, text: bytes) -> bool:
        return bool(text)

    async def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("cancelled_first", [False, True])
async def test_answer_and_cancellation_in_one_turn(cancelled_first: bool) -> None:  # noqa: FBT001
    """Given and not yet awake, or cancelled and not yet awake: the session is the pool's again."""
    shelf, session = Shelf(), Dummy()
    async with running(Door(shelf, PoolLimits(size=1), "m")) as door:
        await until(lambda: len(shelf.asked) == 1)
        shelf.asked[0].set_result(session)
        borrowed = await door.acquire()
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(door.acquire())
            await asyncio.sleep(0)
            if cancelled_first:
                asking.cancel()
            door.release(borrowed.session, clean=True)
            if not cancelled_first:
                asking.cancel()
        await warm(door, 1)
        assert asking.cancelled()
        assert door.statistics()["lent"] == 0
        assert session.closed == 0
    assert session.closed == 1


async def test_a_refusal_and_cancellation_in_one_turn() -> None:
    """Nobody reads the refusal, and nobody complains about that."""
    async with running(Door(Shelf(), PoolLimits(size=1), "m")) as door:
        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(door.acquire()) for _ in range(2)]
            await asyncio.sleep(0)
            door.close()
            asking[0].cancel()  # Refused by `run` before it wakes.
            await asyncio.sleep(0)
            asking[1].cancel()  # Refused already, not awake yet.
        assert all(task.cancelled() for task in asking)


async def test_a_session_that_comes_as_it_is_given_up_is_closed() -> None:
    """The end of the process and the end of the handshake in one turn."""
    shelf, session = Shelf(), Dummy()
    async with running(Door(shelf, PoolLimits(size=1), "m")) as door:
        await until(lambda: len(shelf.asked) == 1)
        shelf.asked[0].set_result(session)
        door.close()
    assert session.closed == 1


async def test_a_session_that_does_not_close_is_left_in_time() -> None:
    """Should an adapter forget its deadline, the process still ends."""

    class Sticky(Dummy):
        async def close(self) -> None:
            await asyncio.get_running_loop().create_future()

    shelf = Shelf()
    door = Door(shelf, PoolLimits(size=1), "m", shutdown_s_max=0.05)
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(door.run())
        await until(lambda: len(shelf.asked) == 1)
        shelf.asked[0].set_result(Sticky())
        await warm(door, 1)
        door.close()
        await asyncio.wait_for(work, SOON_S)


async def test_an_opening_that_cancels_itself_has_failed() -> None:
    """A `CancelledError` that nobody ordered is a bug like another."""
    shelf = Shelf()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, __: None)
    async with running(Door(shelf, PoolLimits(size=0), "m")) as door:
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(refused(door))
            await until(lambda: len(shelf.asked) == 1)
            shelf.asked[0].cancel()
        assert asking.result() == "internal_error"
    loop.set_exception_handler(None)


async def test_a_door_that_closes_before_it_has_begun() -> None:
    """Openings ordered and not begun are given up without a socket."""
    shelf = Shelf()
    door = Door(shelf, PoolLimits(), "m")
    door.close()
    await asyncio.wait_for(door.run(), SOON_S)
    assert shelf.asked == []
    assert not any(door.statistics().values())


class Broken:
    """A `ModelDoor` with a bug."""

    async def open(self) -> ModelSession:
        raise ZeroDivisionError


async def test_a_bug_in_an_opening_costs_a_session_not_the_pod() -> None:
    """It is told to the loop's handler, and to the caller as a failure."""
    bugs: list[object] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: bugs.append(context["exception"]))
    try:
        async with running(Door(Broken(), PoolLimits(size=0), "m")) as door:
            with pytest.raises(ModelError, match=r"^internal_error$"):
                await door.acquire()
    finally:
        loop.set_exception_handler(before)
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]


async def test_an_opening_without_end_ends() -> None:
    """Should an adapter forget its deadline."""
    door = Door(Shelf(), PoolLimits(size=0), "m", open_s_max=0.05)
    async with running(door):
        with pytest.raises(ModelError, match=r"^timeout$"):
            await door.acquire()


async def test_closing_refuses_who_waits_and_who_comes() -> None:
    """Nobody is left with an answer that never comes."""
    async with asyncio.TaskGroup() as tasks:
        door = Door(Shelf(), PoolLimits(), "m")
        with pytest.raises(ModelError, match=r"^pool_closing$"):
            await door.acquire()
        tasks.create_task(door.run())
        await asyncio.sleep(0)
        asking = tasks.create_task(refused(door))
        await asyncio.sleep(0)
        door.close()
        assert await asking == "pool_closing"
    assert await refused(door) == "pool_closing"


async def refused(door: Door) -> str:
    with pytest.raises(ModelError) as caught:
        await door.acquire()
    return str(caught.value)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_the_end_takes_everything_along_within_its_bound(cancelled: bool) -> None:  # noqa: FBT001
    """Idle and lent sessions, silent handshakes, peers that do not answer a close."""
    model = TinyModel(answers_close=False)
    async with serving(model):
        door = Door(RealtimeDoor(model.url, "m", "k"), PoolLimits(size=4), "m")
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(door.run())
            await warm(door, 4)
            model.script = lambda _: None
            lent = await door.acquire()
            await model.until(lambda: len(model.live) == 5)
            begun = asyncio.get_running_loop().time()
            work.cancel() if cancelled else door.close()
            await asyncio.wait([work])
            assert asyncio.get_running_loop().time() - begun < SHUTDOWN_S_MAX
            assert work.cancelled() is cancelled
            await model.until_left()
        door.release(lent.session, clean=True)
        lent.session.send(b"into the void")
        assert not any(door.statistics().values())


async def test_two_hundred_calls_leave_no_session() -> None:
    """Many at once, in waves, dirty and clean, some of whom go away."""
    model = TinyModel()
    served: list[str] = []

    async def call(door: Door, number: int) -> None:
        acquired = await door.acquire()
        try:
            if number % 3:
                assert acquired.session.id not in served
                served.append(acquired.session.id)
                acquired.session.send(b"caller %d" % number)
            await asyncio.sleep(0.001 * (number % 7))
        finally:
            door.release(acquired.session, clean=not number % 3)

    async with door_to(model, PoolLimits()) as door:
        for wave in range(5):
            async with asyncio.TaskGroup() as tasks:
                calls = [tasks.create_task(call(door, wave * 40 + n)) for n in range(40)]
                await asyncio.sleep(0.005)
                for leaver in calls[::10]:
                    leaver.cancel()
        await warm(door, 8)
        assert all(len(peer.heard) <= 1 for peer in model.seen)
        assert len(served) > 100
        await model.until(lambda: len(model.live) == 8)


def test_the_adapter_is_a_door() -> None:
    """Compose puts them together."""
    made: type[ModelDoor] = RealtimeDoor
    assert made
