import asyncio
import random
from dataclasses import dataclass, field

from trunkline.sim.caller import HangUp, WaitForHangUp
from trunkline.sim.carrier.events import Request
from trunkline.sim.speech import recorded
from trunkline.world.carrier import Pod, WorldCarrier, WorldOrders
from trunkline.world.clock import Place
from trunkline.world.media import PodStream
from world.places import played

HANGUP = b"<Response><Hangup/></Response>"


@dataclass
class Answers:
    """A pod that answers each webhook with one document, after a second."""

    name: str
    document: bytes = HANGUP
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place = Place(self.name)

    async def answer(self, request: Request) -> tuple[int, bytes]:
        self.asked.append(request.url)
        await asyncio.sleep(1)
        return 200, self.document

    def stream(self, path: str) -> PodStream | None:
        raise AssertionError(path)


def test_a_call_is_answered_by_some_pod() -> None:
    """Its document runs, and its end is told."""

    async def calls() -> None:
        pod = Answers("pod-0")
        async with asyncio.TaskGroup() as tasks:
            carrier = a_carrier([pod], tasks)
            call = carrier.place_call([HangUp()])
            await asyncio.sleep(5)
            assert call.is_finished
            assert call.call.leg.ended_by == "agent"
        assert [url.rpartition("/")[2] for url in pod.asked] == ["voice", "status"]

    played(calls())


def test_the_ingress_tries_another_pod_when_one_dies() -> None:
    """The caller does not notice."""

    async def calls() -> None:
        pods = [Answers("pod-0"), Answers("pod-1")]
        async with asyncio.TaskGroup() as tasks:
            carrier = a_carrier(pods, tasks)
            call = carrier.place_call([HangUp()])
            await asyncio.sleep(0.6)
            (first,) = [pod for pod in pods if pod.asked]
            first.place.kill()
            await asyncio.sleep(10)
            assert call.call.leg.ended_by == "agent"
            assert all(pod.asked for pod in pods)
        await first.place.unwind()

    played(calls())


def test_a_pod_orders_the_carrier_about_live_calls_only() -> None:
    """One that is over is not found."""

    async def orders() -> None:
        pod = Answers("pod-0", b'<Response><Say>hello</Say><Pause length="5"/></Response>')
        async with asyncio.TaskGroup() as tasks:
            carrier = a_carrier([pod], tasks)
            call = carrier.place_call([WaitForHangUp()])
            await asyncio.sleep(3)
            pod.document = HANGUP
            there = WorldOrders(carrier)
            assert await there.redirect(call.sid, "https://voice.example.com/twilio/resume/x")
            await asyncio.sleep(5)
            assert not await there.redirect(call.sid, "https://voice.example.com/")
        assert pod.asked[1].endswith("/resume/x")

    played(orders())


def a_carrier(pods: list[Answers], tasks: asyncio.TaskGroup) -> WorldCarrier:
    def alive() -> list[Pod]:
        return [pod for pod in pods if not pod.place.dead]

    return WorldCarrier(random.Random(1), recorded(), alive, lambda _: None, tasks)
