"""A pod from its start to its end: what it waits for, and what is left of it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from pydantic import SecretStr

from call.script import plan
from pod.ends import SOON_S, Session, Tools, until
from pod.office import FIRST, KEY, ME, SECOND, Answer, Book, Stores, office
from pod.stores import FailingBook, FailingFleet, FailingJournal
from trunkline.adapters.memory.erasure import MemoryEraser
from trunkline.config import prices
from trunkline.core.ids import CallSid, Incarnation, PodName
from trunkline.core.pool import PoolLimits
from trunkline.core.retention import Retention
from trunkline.errors import SettingsError
from trunkline.pod.calls import Identity
from trunkline.pod.door import Door
from trunkline.pod.doors import Doors
from trunkline.pod.http.listening import bind
from trunkline.pod.life import Pod
from trunkline.pod.parts import Parts, Setup
from trunkline.pod.purge import Purge
from trunkline.ports import ModelSession
from trunkline.telemetry import logs
from trunkline.telemetry.metrics import Metrics
from trunkline.wire import webhooks

pytestmark = pytest.mark.anyio

TOKEN = "1" * 32


class Closable(Session):
    """A session that its pool may close."""

    async def close(self) -> None:
        """Nothing is left to do."""


class OneModel:
    """Sessions without a socket; a `ports.ModelDoor`."""

    async def open(self) -> ModelSession:
        """Another."""
        return Closable()


@dataclass
class Alive:
    """A pod, its stores, and a carrier's way to it."""

    pod: Pod
    running: asyncio.Task[None]
    journal: FailingJournal
    book: FailingBook
    fleet: FailingFleet
    http: aiohttp.ClientSession

    async def post(self, path: str, call: CallSid, status: str = "ringing") -> tuple[int, str]:
        """A signed webhook."""
        request = webhooks.VoiceRequest(
            call, "AC1", "+15550100099", "+15550100001", "inbound", status
        )
        form = request.to_form()
        base = f"http://127.0.0.1:{self.pod.public_port}"
        signature = webhooks.sign(base + path, form, TOKEN)
        async with self.http.post(
            base + path,
            data=form.encode(),
            headers={
                "X-Twilio-Signature": signature,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        ) as response:
            return response.status, await response.text()

    async def ring(self, call: CallSid) -> Answer:
        """A new call."""
        status, document = await self.post("/twilio/voice", call)
        assert status == 200
        return Answer(document)

    async def redirect(self, call: CallSid, answer: Answer) -> Answer:
        """The redirect behind a stream."""
        status, document = await self.post(f"/twilio/resume/{answer.token}", call)
        assert status == 200
        return Answer(document)

    async def get(self, path: str) -> int:
        """What the internal port answers."""
        async with self.http.get(f"http://127.0.0.1:{self.pod.internal_port}{path}") as response:
            return response.status

    async def kinds(self, call: CallSid) -> list[str]:
        """The call log's facts of a call."""
        return [entry.kind for entry in await self.book.entries(call)]


@asynccontextmanager
async def alive(drain_s_max: float = 60.0, stores: Stores | None = None) -> AsyncIterator[Alive]:
    """A ready pod. The block ends with its end: by `stop`, unless it did so itself."""
    shared, metrics = stores or Stores(), Metrics()
    journal, book, fleet = shared.journal, shared.book, shared.fleet
    public, internal = bind("127.0.0.1", 0, "PORT"), bind("127.0.0.1", 0, "INTERNAL_PORT")
    url = f"http://127.0.0.1:{public.getsockname()[1]}"
    directory = Book(plan())
    setup = Setup(
        Identity(PodName("pod-0"), Incarnation("a"), url),
        KEY,
        [SecretStr(TOKEN)],
        3,
        3,
        "http://127.0.0.1:1",
        drain_s_max,
        "0",
    )
    parts = Parts(
        journal=journal,
        index=journal,
        slots=fleet,
        roster=fleet,
        neighbours=shared.neighbours,
        carrier_orders=None,
        book=book,
        unended=book,
        carrier=book,
        doors=Doors({"m": Door(OneModel(), PoolLimits(size=1), "m")}),
        directory=lambda: directory,
        toolbox=lambda _: Tools(),
        prices=prices.load(None),
        public=public,
        internal=internal,
        log=logs.get_logger(),
        metrics=metrics,
        purge=Purge(MemoryEraser(book, lambda: 0), Retention, logs.get_logger()),
    )
    ready = asyncio.Event()
    try:
        async with (
            asyncio.timeout(4 * SOON_S),
            aiohttp.ClientSession() as http,
            asyncio.TaskGroup() as tasks,
        ):
            pod = Pod(setup, parts)
            running = tasks.create_task(pod.run(lambda _: ready.set()), name="pod")
            await ready.wait()
            try:
                yield Alive(pod, running, journal, book, fleet, http)
            finally:
                journal.away = book.away = False
                journal.gate.set()
                pod.hurry()
    finally:
        public.close()
        internal.close()
    assert not [t for t in threading.enumerate() if t.name == "watchdog"]


async def test_a_pod_is_ready_until_it_drains() -> None:
    """Its ports are open before it says so; a pod that drains says no."""
    async with alive() as here:
        assert await here.get("/readyz") == 200
        await here.ring(FIRST)
        here.pod.stop()
        await until(lambda: here.pod.view().draining)
        assert await here.get("/readyz") == 503
        assert here.pod.view().calls_reserved == 1
        assert not here.running.done()


async def test_a_pod_without_calls_stops_at_once() -> None:
    """Whether told once or twice, and its ports are closed."""
    async with alive() as here:
        here.pod.stop()
        here.pod.stop()
        await asyncio.wait_for(here.running, SOON_S)
        with pytest.raises(aiohttp.ClientConnectionError):
            await here.get("/healthz")


async def test_a_pod_says_what_it_carries() -> None:
    """Counts and calls, for the internal port."""
    async with alive() as here:
        await here.ring(FIRST)
        view = here.pod.view()
        assert (view.pod, view.calls_active, view.calls_reserved, view.calls_max) == (
            "pod-0",
            0,
            1,
            3,
        )
        (call,) = here.pod.live_calls()
        assert (call.call, call.agent, call.phase) == (FIRST, "desk", "reserved")


async def test_a_stop_waits_for_calls_and_refuses_new_ones() -> None:
    """The call that rings is carried; the one that comes now overflows and is logged."""
    async with alive() as here:
        await here.ring(FIRST)
        here.pod.stop()
        await until(lambda: here.pod.view().draining)
        assert (await here.ring(SECOND)).verbs[0] == "Dial"
        await here.post("/twilio/status", FIRST, "completed")
        await asyncio.wait_for(here.running, SOON_S)
        assert await here.kinds(FIRST) == ["call_received", "call_ended"]
        assert await here.kinds(SECOND) == ["call_received", "call_overflowed", "call_ended"]


async def test_when_its_grace_is_over_the_calls_end_and_their_redirects_are_answered() -> None:
    """Nothing is lost: the record says `drained`, and the caller gets the overflow action."""
    async with alive(drain_s_max=0.05) as here:
        answer = await here.ring(FIRST)
        here.pod.stop()
        await until(lambda: here.pod.view().calls_reserved == 0)
        assert (await here.redirect(FIRST, answer)).verbs[0] == "Dial"
        await asyncio.wait_for(here.running, SOON_S)
        assert await here.kinds(FIRST) == ["call_received", "call_ended"]


async def test_a_second_signal_ends_the_calls_now() -> None:
    """Whatever is left of the hour of grace."""
    async with alive(drain_s_max=3_660) as here:
        await here.ring(FIRST)
        here.pod.stop()
        await until(lambda: here.pod.view().draining)
        here.pod.hurry()
        await asyncio.wait_for(here.running, SOON_S)
        assert await here.kinds(FIRST) == ["call_received", "call_ended"]


async def test_a_webhook_that_is_being_answered_when_the_pod_goes_is_answered_and_recorded() -> (
    None
):
    """Its facts are made after the last call has ended: the recorder goes after the ports."""
    async with alive() as here:
        for number in range(3):
            await here.ring(CallSid(f"CA{number:032d}"))
        here.journal.gate.clear()
        openings = here.journal.openings
        async with asyncio.TaskGroup() as tasks:
            ringing = tasks.create_task(here.ring(FIRST))  # The pod is full: it has no slot.
            await until(lambda: here.journal.openings > openings)
            here.pod.hurry()
            await until(lambda: not here.pod.live_calls())
            here.journal.gate.set()
        assert ringing.result().verbs[0] == "Dial"
        await asyncio.wait_for(here.running, SOON_S)
        assert await here.kinds(FIRST) == ["call_received", "call_overflowed", "call_ended"]


async def test_a_call_log_that_comes_back_during_the_end_gets_everything() -> None:
    """The pod does not go before it is written."""
    async with alive() as here:
        here.book.away = True
        await here.ring(FIRST)
        await here.post("/twilio/status", FIRST, "completed")
        here.pod.stop()
        await here.book.wait_until_asked()
        assert not here.running.done()
        here.book.away = False
        await asyncio.wait_for(here.running, SOON_S)
        assert await here.kinds(FIRST) == ["call_received", "call_ended"]


async def test_a_pod_that_is_cancelled_leaves_no_thread_and_no_task() -> None:
    """A process that is torn down at once: its calls' records are closed by whoever finds them."""
    async with alive() as here:
        await here.ring(FIRST)
        here.running.cancel()
        await asyncio.wait([here.running])
        assert here.running.cancelled()
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not names & {"recorder", "house", "door m", "public port", "internal port"}


async def test_a_pod_under_a_name_in_use_does_not_start() -> None:
    """The pod that has it goes on."""
    stores = Stores()
    async with office(stores=stores, me=ME._replace(incarnation=Incarnation("z"))) as holder:
        with pytest.raises(ExceptionGroup) as raised:
            async with alive(stores=stores):
                pass
        assert raised.group_contains(SettingsError, match="TRUNKLINE_POD_NAME: pod-0 is in use")
        await holder.reception.membership.tell()
        assert holder.reception.membership.heard is not None
        assert not holder.reception.membership.heard.replaced


async def test_a_bug_in_a_chore_ends_no_call() -> None:
    """A beat that breaks, at any time and as the pod drains: the next is another."""
    async with alive() as here:
        await here.ring(FIRST)
        here.fleet.bugs = 1
        await until(lambda: here.fleet.bugs == 0)
        assert here.pod.view().calls_reserved == 1
        beats = here.fleet.beats
        await until(lambda: here.fleet.beats > beats)
        assert not here.running.done()
        here.fleet.bugs = 1
        here.pod.stop()
        await until(lambda: here.fleet.bugs == 0)
        assert not here.running.done()
        assert here.pod.view().calls_reserved == 1
