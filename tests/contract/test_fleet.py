"""The fleet's contract, by examples: Redis and its twin, on a clock that only the tests turn."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chains import ENDED, RECEIVED, chain
from contract.fleets import (
    BEGUN_MS,
    Bench,
    Pod,
    beats_for,
    bench_at,
    joined,
    life,
    placed,
    sid,
)
from trunkline.core.fleet_states import ANYWHERE, REAP_MAX, UNKNOWN_CLAIM, Claim, Target
from trunkline.core.ids import CallSid, Epoch, PodName
from trunkline.core.record import Head, after
from trunkline.core.slots import Bounds, Full, FullReason, ModelLimit
from trunkline.ports import Holder, ResumeRefused, Resumption

pytestmark = pytest.mark.anyio

DENTIST = Bounds(1, "dentist", "health", vertical_calls_max=3, tenant_calls_max=2)
OPTICIAN = Bounds(1, "optician", "health", vertical_calls_max=3, tenant_calls_max=2)
OF_DENTIST = Claim("inbound", "dentist", "health")

WAYS = ["redis", pytest.param("rediss", marks=pytest.mark.route), "memory"]
SERVERS = {"redis": "redis_url", "rediss": "rediss_url"}


@pytest.fixture(params=WAYS)
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the fleet is; None for the twin."""
    at = SERVERS.get(request.param)
    return None if at is None else str(request.getfixturevalue(at))


@pytest.fixture
async def bench(url: str | None) -> AsyncIterator[Bench]:
    async with bench_at(url) as made:
        yield made


async def opened(bench: Bench, call: CallSid, pod: Pod) -> Epoch:
    return (await bench.journal.open_call(call, pod.life.pod, pod.life.incarnation)).epoch


async def talks(bench: Bench, number: int, claim: Claim | None = None) -> tuple[Pod, Epoch]:
    """A call that has begun on a pod of its own."""
    pod = Pod(bench, life(number))
    epoch = await opened(bench, sid(number), pod)
    pod.holds(sid(number), epoch, claim)
    await pod.beat()
    return pod, epoch


async def resumed(
    bench: Bench, call: CallSid, epoch: Epoch, target: Target = ANYWHERE
) -> Resumption:
    answer = await bench.fleet.resume(call, epoch, target, UNKNOWN_CLAIM)
    assert isinstance(answer, Resumption), answer
    return answer


# A slot carries at most one call, a call holds at most one slot.


async def test_a_call_gets_one_slot_and_a_repetition_the_same(bench: Bench) -> None:
    """A webhook that comes twice, to whichever pod, learns one place."""
    [pod] = await joined(Pod(bench, life(0)))
    first = placed(await bench.fleet.reserve(sid(1)))
    assert (first.life, first.address, first.first) == (pod.life, "http://pod-0:8081", True)
    assert (first.epoch, first.bound) == (0, False)
    again = placed(await bench.fleet.reserve(sid(1)))
    assert (again.life, again.first) == (pod.life, False)
    assert (await bench.fleet.look()).inbound == 1


async def test_the_slot_tells_what_its_pod_told(bench: Bench) -> None:
    """The epoch and whether the stream has started are the beat's; so is the model, when moved."""
    [pod] = await joined(Pod(bench, life(0)))
    model = [ModelLimit("m", 1), ModelLimit("n", 1)]
    assert placed(await bench.fleet.reserve(sid(1), models=model)).model == "m"
    pod.waits_for(sid(1), 7, Claim(model="m"))
    assert (await pod.beat()).retaken == 0
    found = placed(await bench.fleet.reserve(sid(1)))
    assert (found.epoch, found.bound) == (7, False)
    pod.holds(sid(1), 7, Claim(model="n"))
    await pod.beat()
    found = placed(await bench.fleet.reserve(sid(1)))
    assert (found.epoch, found.bound, found.model) == (7, True, "n")
    assert placed(await bench.fleet.reserve(sid(2), models=model)).model == "m"
    assert await bench.fleet.reserve(sid(3), models=model) == Full(FullReason.MODEL_FULL)


async def test_a_pod_that_does_not_answer_is_passed_over(bench: Bench) -> None:
    """Its reservation is given up, listed or not; a call that talks there stays."""
    one, _ = await joined(Pod(bench, life(0)), Pod(bench, life(1)))
    assert placed(await bench.fleet.reserve(sid(1))).life == one.life
    one.waits_for(sid(1))
    await one.beat()
    moved = placed(await bench.fleet.reserve(sid(1), exclude=[one.life.pod]))
    assert (moved.life, moved.first) == (life(1), True)
    assert (await bench.fleet.look()).inbound == 1
    one.slots.clear()
    one.holds(sid(2), 5)
    await one.beat()
    stays = placed(await bench.fleet.reserve(sid(2), exclude=[one.life.pod]))
    assert (stays.life, stays.bound, stays.first) == (one.life, True, False)


async def test_with_every_pod_excluded_there_is_none(bench: Bench) -> None:
    """And the reservation that nobody answered for takes no room."""
    await joined(Pod(bench, life(0), cap=1))
    await bench.fleet.reserve(sid(1))
    refused = await bench.fleet.reserve(sid(1), exclude=[PodName("pod-0")])
    assert refused == Full(FullReason.NO_POD)
    placed(await bench.fleet.reserve(sid(2)))


# No limit is ever exceeded.


async def test_no_pod_is_filled_over_its_cap(bench: Bench) -> None:
    """The call beyond all caps gets none, until another is over."""
    await joined(Pod(bench, life(0), cap=2), Pod(bench, life(1), cap=1))
    got = [placed(await bench.fleet.reserve(sid(number))) for number in range(3)]
    assert sorted(one.life.pod for one in got) == ["pod-0", "pod-0", "pod-1"]
    assert await bench.fleet.reserve(sid(3)) == Full(FullReason.CAP)
    assert await bench.fleet.release(sid(0), got[0].life, Epoch(0))
    assert not await bench.fleet.release(sid(0), got[0].life, Epoch(0))
    assert placed(await bench.fleet.reserve(sid(3))).life == got[0].life


async def test_limits_bind_all_pods_together(bench: Bench) -> None:
    """Vertical, tenant, placed calls, model: the fleet counts, and names the widest."""
    await joined(Pod(bench, life(0)), Pod(bench, life(1)))
    ask = bench.fleet.reserve
    placed(await ask(sid(1), bounds=DENTIST))
    placed(await ask(sid(2), bounds=DENTIST))
    assert await ask(sid(3), bounds=DENTIST) == Full(FullReason.TENANT_FULL)
    placed(await ask(sid(3), bounds=OPTICIAN))
    assert await ask(sid(4), bounds=OPTICIAN) == Full(FullReason.VERTICAL_FULL)
    sales = Bounds(1, "sales", outbound_calls_max=1)
    placed(await ask(sid(4), direction="outbound", bounds=sales))
    refused = await ask(sid(5), direction="outbound", bounds=sales)
    assert refused == Full(FullReason.OUTBOUND_FULL)
    placed(await ask(sid(5), bounds=sales))
    assert await ask(sid(6), models=[ModelLimit("m", 0)]) == Full(FullReason.MODEL_FULL)


async def test_the_newest_version_of_a_limit_counts(bench: Bench) -> None:
    """Whichever pod told it, and whichever came last."""
    await joined(Pod(bench, life(0)))
    placed(await bench.fleet.reserve(sid(1), bounds=Bounds(2, "t", tenant_calls_max=1)))
    refused = await bench.fleet.reserve(sid(2), bounds=Bounds(1, "t", tenant_calls_max=9))
    assert refused == Full(FullReason.TENANT_FULL)
    placed(await bench.fleet.reserve(sid(2), bounds=Bounds(3, "t")))


async def test_some_capacity_is_kept_for_inbound_calls(bench: Bench) -> None:
    """Placed calls leave the last free slots of the fleet alone."""
    await joined(Pod(bench, life(0), cap=2), Pod(bench, life(1), cap=2))
    kept = Bounds(1, inbound_slots_kept=2)
    placed(await bench.fleet.reserve(sid(1), direction="outbound", bounds=kept))
    placed(await bench.fleet.reserve(sid(2), direction="outbound", bounds=kept))
    refused = await bench.fleet.reserve(sid(3), direction="outbound", bounds=kept)
    assert refused == Full(FullReason.INBOUND_KEPT)
    placed(await bench.fleet.reserve(sid(4), bounds=kept))
    fleet = await bench.fleet.look()
    assert (fleet.inbound, fleet.outbound) == (1, 2)


async def test_of_five_that_race_for_the_last_slot_one_gets_it(bench: Bench) -> None:
    """While three pods beat; a thousand times."""
    pods = await joined(*(Pod(bench, life(number), cap=1) for number in range(3)))
    for number in range(2):
        placed(await bench.fleet.reserve(sid(number)))
    for number in range(2):
        pods[number].holds(sid(number))
    rounds = 1000 if bench.client is not None else 50
    for at in range(rounds):
        calls = [sid(100 + 5 * at + number) for number in range(5)]
        answers, _ = await asyncio.gather(
            asyncio.gather(*(bench.fleet.reserve(call) for call in calls)),
            asyncio.gather(*(pod.beat() for pod in pods)),
        )
        [won] = [one for one in answers if not isinstance(one, Full)]
        assert [one for one in answers if isinstance(one, Full)] == [Full(FullReason.CAP)] * 4
        assert await bench.fleet.release(won.call, won.life, won.epoch)


# Placement.


async def test_calls_go_to_as_few_pods_as_will_do(bench: Bench) -> None:
    """The least loaded of those needed at their targets and one more; the highest run empty."""
    await joined(*(Pod(bench, life(number), target=2, cap=3) for number in (10, 2, 1, 0)))
    order = [placed(await bench.fleet.reserve(sid(number))).life.pod for number in range(9)]
    assert order[:3] == ["pod-0", "pod-1", "pod-0"]
    assert "pod-10" not in order[:5]
    fleet = await bench.fleet.look()
    assert [pod.life.pod for pod in fleet.pods] == ["pod-0", "pod-1", "pod-2", "pod-10"]
    assert max(pod.held for pod in fleet.pods) <= 3


async def test_a_draining_pod_gets_no_new_call_and_keeps_its_own(bench: Bench) -> None:
    """Alone it is said to drain; what it holds it holds."""
    [pod] = await joined(Pod(bench, life(0)))
    placed(await bench.fleet.reserve(sid(1)))
    pod.draining = True
    await pod.beat()
    assert await bench.fleet.reserve(sid(2)) == Full(FullReason.DRAINING)
    assert placed(await bench.fleet.reserve(sid(1))).life == pod.life
    await joined(Pod(bench, life(7)))
    assert placed(await bench.fleet.reserve(sid(2))).life == life(7)


async def test_without_a_pod_there_is_no_slot(bench: Bench) -> None:
    """A store that knows of nobody says so, and not that all are full."""
    assert await bench.fleet.reserve(sid(1)) == Full(FullReason.NO_POD)
    assert (await bench.fleet.look()).pods == ()


# No slot leaks: released at the end, else reclaimed within 15 s of its pod's death.


async def test_a_dead_pods_slots_are_reclaimed_within_15_s(bench: Bench) -> None:
    """By the next beat of any pod after the lease; until then they count."""
    claim = Claim("inbound", "dentist")
    dead, other = Pod(bench, life(0)), Pod(bench, life(1))
    bounds = Bounds(1, "dentist", tenant_calls_max=2)
    for number in range(2):
        dead.holds(sid(number), claim=claim)
    await joined(dead, other)
    await beats_for(bench, 12, dead, other)
    await beats_for(bench, 8, other)
    assert await bench.fleet.reserve(sid(3), bounds=bounds) == Full(FullReason.TENANT_FULL)
    await beats_for(bench, 4, other)
    assert [pod.life for pod in (await bench.fleet.look()).pods] == [other.life]
    placed(await bench.fleet.reserve(sid(3), bounds=bounds))


async def test_a_dead_pod_gets_no_calls(bench: Bench) -> None:
    """From the end of its lease on; a call reserved there is placed anew."""
    dead, other = await joined(Pod(bench, life(0)), Pod(bench, life(1)))
    await beats_for(bench, 12, dead, other)
    assert placed(await bench.fleet.reserve(sid(1), 90.0)).life == dead.life
    await beats_for(bench, 10, other)
    assert placed(await bench.fleet.reserve(sid(2))).life == other.life
    moved = placed(await bench.fleet.reserve(sid(1)))
    assert (moved.life, moved.first) == (other.life, True)


async def test_a_reservation_that_no_pod_lists_ends_after_15_s(bench: Bench) -> None:
    """Whoever asked for it has died, or never reached the pod; a repetition prolongs nothing."""
    [pod] = await joined(Pod(bench, life(0), cap=1))
    await beats_for(bench, 10, pod)
    placed(await bench.fleet.reserve(sid(1)))
    await beats_for(bench, 14, pod)
    assert not placed(await bench.fleet.reserve(sid(1))).first
    assert await bench.fleet.reserve(sid(2)) == Full(FullReason.CAP)
    bench.clock.pass_s(1)
    placed(await bench.fleet.reserve(sid(2)))


async def test_a_slot_that_its_pod_lists_has_no_deadline_but_the_lease(bench: Bench) -> None:
    """However long the stream takes to come: the pod's own ledger says when that is too long."""
    [pod] = await joined(Pod(bench, life(0)))
    await beats_for(bench, 10, pod)
    placed(await bench.fleet.reserve(sid(1)))
    pod.waits_for(sid(1))
    for _ in range(10):
        assert (await pod.beat()).retaken == 0
        bench.clock.pass_s(2)


async def test_what_a_pod_lists_no_more_is_free(bench: Bench) -> None:
    """A release that got lost is made good by the next beat; a fresh reservation stays."""
    [pod] = await joined(Pod(bench, life(0)))
    for number in (1, 2, 3):
        placed(await bench.fleet.reserve(sid(number)))
    pod.holds(sid(1))
    pod.waits_for(sid(2))
    assert (await pod.beat()).held == 3
    pod.slots.clear()
    assert (await pod.beat()).held == 1
    assert placed(await bench.fleet.reserve(sid(3))).first is False


async def test_a_pod_that_leaves_frees_all(bench: Bench) -> None:
    """At once, however many; its late beat brings it no calls."""
    [pod] = await joined(Pod(bench, life(0), cap=90))
    for number in range(90):
        pod.holds(sid(number))
    assert (await pod.beat()).held == 90
    await bench.fleet.leave(pod.life)
    await bench.fleet.leave(pod.life)
    fleet = await bench.fleet.look()
    assert (fleet.pods, fleet.inbound) == ((), 0)
    assert not (await pod.beat()).replaced


async def test_many_slots_are_reclaimed_in_pieces(bench: Bench) -> None:
    """No step takes long because of a large pod's death."""
    dead, other = Pod(bench, life(0), cap=200), Pod(bench, life(1))
    for number in range(2 * REAP_MAX + 20):
        dead.holds(sid(number))
    await joined(dead, other)
    await beats_for(bench, 8, other)
    bench.clock.pass_s(2)
    counts = [(await bench.fleet.look()).inbound for _ in range(4)]
    assert counts == [REAP_MAX + 20, 20, 0, 0]


# A pod that comes back; a store that forgets; clocks.


async def test_a_pod_that_comes_back_retakes_its_slots_over_every_limit(bench: Bench) -> None:
    """It was only slow; the fleet counts it, and lets nobody else in meanwhile."""
    slow, other = Pod(bench, life(0), cap=1), Pod(bench, life(1), cap=1)
    slow.holds(sid(1), claim=OF_DENTIST)
    await joined(slow, other)
    await beats_for(bench, 12, other)
    limit = Bounds(1, "dentist", "health", tenant_calls_max=1)
    placed(await bench.fleet.reserve(sid(2), bounds=limit))
    heard = await slow.beat()
    assert (heard.retaken, heard.held, heard.lost, heard.replaced) == (1, 1, (), False)
    assert await bench.fleet.reserve(sid(3), bounds=limit) == Full(FullReason.CAP)


async def test_a_store_that_forgot_everything_learns_it_from_the_beats(bench: Bench) -> None:
    """And from each pod when it joined: what was the newest revision still is."""
    old, new = Pod(bench, life(0)), Pod(bench, life(1), revision="2")
    old.holds(sid(1), 5)
    await old.beat()
    bench.clock.pass_s(1)
    await new.beat()
    await bench.flush()
    assert await bench.fleet.reserve(sid(1)) == Full(FullReason.NO_POD)
    bench.clock.pass_s(1)
    await new.beat()
    heard = await old.beat()
    assert (heard.retaken, heard.joined_ms, heard.pods) == (1, BEGUN_MS, 2)
    found = placed(await bench.fleet.reserve(sid(1)))
    assert (found.life, found.epoch, found.bound) == (old.life, 5, True)
    assert [pod.joined_ms for pod in (await bench.fleet.look()).pods] == [BEGUN_MS, BEGUN_MS + 1000]


async def test_after_an_outage_nothing_is_reclaimed_for_one_lease(bench: Bench) -> None:
    """The store was away for a minute: pods have their time to say that they live."""
    quick, slow = Pod(bench, life(0)), Pod(bench, life(1))
    slow.holds(sid(1))
    await joined(quick, slow)
    bench.clock.pass_s(60)
    assert (await quick.beat()).retaken == 0
    await beats_for(bench, 8, quick)
    assert (await slow.beat()).retaken == 0
    await beats_for(bench, 8, quick)
    assert (await bench.fleet.look()).inbound == 1
    await beats_for(bench, 2, quick)
    assert (await bench.fleet.look()).inbound == 0


async def test_a_pod_started_anew_has_the_name(bench: Bench) -> None:
    """Its earlier life gets no calls, is told so when it wakes, and frees its slots in time."""
    first, second = Pod(bench, life(0, "a"), cap=1), Pod(bench, life(0, "b"), cap=1)
    first.holds(sid(1))
    await first.beat()
    bench.clock.pass_s(6)
    await second.beat()
    fleet = await bench.fleet.look()
    assert [(pod.life, pod.replaced) for pod in fleet.pods] == [
        (first.life, True),
        (second.life, False),
    ]
    assert placed(await bench.fleet.reserve(sid(2))).life == second.life
    second.holds(sid(2))
    assert await bench.fleet.reserve(sid(3)) == Full(FullReason.CAP)
    await beats_for(bench, 4, second)
    fleet = await bench.fleet.look()
    assert [(pod.life, pod.held) for pod in fleet.pods] == [(second.life, 1)]
    heard = await first.beat()
    assert (heard.replaced, heard.retaken, heard.pods) == (True, 1, 1)
    assert await bench.fleet.reserve(sid(3)) == Full(FullReason.CAP)


# Resume.


async def test_ten_calls_of_a_tenant_limited_to_ten_all_resume(bench: Bench) -> None:
    """Though the dead pod's leases still count: each call's slot moves, none is added."""
    dead, other = Pod(bench, life(0), cap=10), Pod(bench, life(1), cap=10)
    claim = Claim("inbound", "t", "v")
    epochs = {}
    for number in range(10):
        epochs[sid(number)] = await opened(bench, sid(number), dead)
        dead.holds(sid(number), epochs[sid(number)], claim)
    await joined(dead, other)
    bounds = Bounds(1, "t", "v", vertical_calls_max=10, tenant_calls_max=10)
    assert await bench.fleet.reserve(sid(77), bounds=bounds) == Full(FullReason.VERTICAL_FULL)
    without = Target(exclude=(dead.life.pod,))
    for call, epoch in epochs.items():
        assert (await resumed(bench, call, epoch, without)).life == other.life
    fleet = await bench.fleet.look()
    assert [pod.held for pod in fleet.pods] == [0, 10]
    assert await bench.fleet.reserve(sid(77), bounds=bounds) == Full(FullReason.VERTICAL_FULL)
    heard = await dead.beat()
    assert sorted(heard.lost) == sorted(epochs)
    assert heard.held == 0


async def test_a_resume_moves_epoch_and_slot_together(bench: Bench) -> None:
    """The same epoch asked for again within 15 s gets the same answer; later none."""
    pod, epoch = await talks(bench, 0)
    other = Pod(bench, life(1))
    await other.beat()
    entries = chain(sid(0), RECEIVED)
    holder = Holder(epoch, pod.life.pod, pod.life.incarnation)
    await bench.journal.append(sid(0), holder, Head(), entries)
    bench.clock.pass_s(1)
    first = await resumed(bench, sid(0), epoch, Target(exclude=(pod.life.pod,)))
    assert (first.life, first.address) == (other.life, "http://pod-1:8081")
    assert (first.epoch, first.head) == (bench.clock.now_ms, after(entries[0]))
    found = placed(await bench.fleet.reserve(sid(0)))
    assert (found.life, found.epoch, found.bound) == (other.life, first.epoch, False)
    bench.clock.pass_s(15)
    again = await resumed(bench, sid(0), epoch, Target(pod.life))
    assert (again.life, again.epoch, again.first) == (other.life, first.epoch, False)
    bench.clock.pass_s(0.001)
    answer = await bench.fleet.resume(sid(0), epoch, ANYWHERE, UNKNOWN_CLAIM)
    assert answer is ResumeRefused.STALE


async def test_a_resume_that_only_closes_a_call_frees_its_slot(bench: Bench) -> None:
    """Whoever writes its end may be at its cap, and gets no slot for it (world, seeds 5 and 8)."""
    _, epoch = await talks(bench, 0)
    other = Pod(bench, life(1))
    await other.beat()
    closed = await resumed(bench, sid(0), epoch, Target(other.life, closes=True))
    assert (closed.life, closed.first) == (other.life, True)
    assert closed.epoch > epoch
    assert (await bench.fleet.look()).inbound == 0
    assert (await resumed(bench, sid(0), epoch, ANYWHERE)).epoch == closed.epoch


async def test_a_chain_of_choices_is_one_resume(bench: Bench) -> None:
    """A chosen pod did not take it: who asks from before gets the last choice, for 15 s."""
    pod, epoch = await talks(bench, 0)
    second, third = Pod(bench, life(1)), Pod(bench, life(2))
    await joined(second, third)
    earlier = Epoch(epoch - 1)
    assert await bench.fleet.resume(sid(0), earlier, ANYWHERE, UNKNOWN_CLAIM) is ResumeRefused.STALE
    bench.clock.pass_s(1)
    first = await resumed(bench, sid(0), epoch, Target(second.life))
    bench.clock.pass_s(10)
    last = await resumed(bench, sid(0), first.epoch, Target(third.life, asked_from=epoch))
    assert last.life == third.life
    bench.clock.pass_s(15)
    for asked in (epoch, first.epoch):
        again = await resumed(bench, sid(0), asked, Target(pod.life, asked_from=epoch))
        assert (again.life, again.epoch, again.first) == (third.life, last.epoch, False)
    answer = await bench.fleet.resume(sid(0), earlier, ANYWHERE, UNKNOWN_CLAIM)
    assert answer is ResumeRefused.STALE
    bench.clock.pass_s(0.001)
    answer = await bench.fleet.resume(sid(0), epoch, ANYWHERE, UNKNOWN_CLAIM)
    assert answer is ResumeRefused.STALE


async def test_caps_bind_a_resume_elsewhere_and_not_one_where_it_is(bench: Bench) -> None:
    """Full: neither the epoch nor the slot has moved."""
    pod, epoch = await talks(bench, 0)
    pod.cap = 1
    await joined(pod, Pod(bench, life(1), cap=1))
    placed(await bench.fleet.reserve(sid(5)))
    away = Target(exclude=(pod.life.pod,))
    full = await bench.fleet.resume(sid(0), epoch, away, UNKNOWN_CLAIM)
    assert full == Full(FullReason.CAP)
    stays = await resumed(bench, sid(0), epoch)
    assert stays.life == pod.life
    named = await resumed(bench, sid(0), stays.epoch, Target(life(1)))
    assert named.life == life(1)
    assert [one.held for one in (await bench.fleet.look()).pods] == [0, 2]


async def test_the_journals_own_resume_moves_the_slot_too(bench: Bench) -> None:
    """As every pod does for a call that it carries itself; also if the fleet is not known."""
    pod, epoch = await talks(bench, 0)
    answer = await bench.journal.resume_call(sid(0), epoch, pod.life.pod, pod.life.incarnation)
    assert isinstance(answer, Resumption)
    assert placed(await bench.fleet.reserve(sid(0))).epoch == answer.epoch
    assert (await pod.beat()).lost == ()
    stranger = life(9)
    answer = await bench.journal.resume_call(
        sid(0), answer.epoch, stranger.pod, stranger.incarnation
    )
    assert isinstance(answer, Resumption)
    assert (answer.life, answer.address) == (stranger, "")
    assert placed(await bench.fleet.reserve(sid(0))).life == pod.life


async def test_a_reclaimed_call_resumes_with_its_claim(bench: Bench) -> None:
    """Its slot had gone; what the webhook knows of it counts, whatever the limits."""
    pod, epoch = await talks(bench, 0, OF_DENTIST)
    other = Pod(bench, life(1))
    await other.beat()
    await beats_for(bench, 12, other)
    assert (await bench.fleet.look()).inbound == 0
    full = Bounds(1, "dentist", tenant_calls_max=1)
    placed(await bench.fleet.reserve(sid(3), bounds=full))
    answer = await bench.fleet.resume(sid(0), epoch, ANYWHERE, OF_DENTIST)
    assert isinstance(answer, Resumption)
    assert answer.life == other.life
    assert await bench.fleet.reserve(sid(4), bounds=full) == Full(FullReason.TENANT_FULL)
    assert (await pod.beat()).lost == (sid(0),)


async def test_a_resume_of_no_call_or_of_an_ended_one_moves_nothing(bench: Bench) -> None:
    """An end that crosses a resume: whichever came first."""
    pod, epoch = await talks(bench, 0)
    unknown = await bench.fleet.resume(sid(9), epoch, ANYWHERE, UNKNOWN_CLAIM)
    assert unknown is ResumeRefused.UNKNOWN
    holder = Holder(epoch, pod.life.pod, pod.life.incarnation)
    await bench.journal.append(sid(0), holder, Head(), chain(sid(0), RECEIVED, ENDED))
    ended = await bench.fleet.resume(sid(0), epoch, ANYWHERE, UNKNOWN_CLAIM)
    assert ended is ResumeRefused.ENDED
    assert placed(await bench.fleet.reserve(sid(0))).bound


@pytest.mark.parametrize("order", ["release first", "resume first"])
async def test_a_release_that_crosses_a_resume_frees_no_later_epoch(
    bench: Bench, order: str
) -> None:
    """A pod that was only slow can't free what a later epoch holds, here or elsewhere."""
    pod, epoch = await talks(bench, 0)
    if order == "release first":
        assert await bench.fleet.release(sid(0), pod.life, epoch)
        later = await resumed(bench, sid(0), epoch)
    else:
        later = await resumed(bench, sid(0), epoch)
        assert not await bench.fleet.release(sid(0), pod.life, epoch)
    assert placed(await bench.fleet.reserve(sid(0))).epoch == later.epoch
    assert not await bench.fleet.release(sid(0), life(0, "z"), later.epoch)
    assert await bench.fleet.release(sid(0), pod.life, later.epoch)


async def test_of_many_that_resume_at_once_all_learn_one_place(bench: Bench) -> None:
    """A doubled webhook, the REST path and a pod's own: one wins, the slot is one."""
    pod, epoch = await talks(bench, 0)
    await joined(Pod(bench, life(1)), Pod(bench, life(2)))
    targets = [ANYWHERE, Target(life(2)), Target(exclude=(pod.life.pod,)), Target(pod.life)]
    answers = await asyncio.gather(*(resumed(bench, sid(0), epoch, one) for one in targets))
    assert sum(answer.first for answer in answers) == 1
    assert len({(answer.life, answer.epoch) for answer in answers}) == 1
    assert (await bench.fleet.look()).inbound == 1


async def test_a_migration_prefers_the_newest_revision(bench: Bench) -> None:
    """The one that came last, also when an old pod was started anew since; else any."""
    pod, epoch = await talks(bench, 0)
    bench.clock.pass_s(1)
    new = Pod(bench, life(8), revision="2", cap=1)
    await new.beat()
    bench.clock.pass_s(1)
    await joined(pod, Pod(bench, life(1)))
    away = Target(exclude=(pod.life.pod,), newest=True)
    there = await resumed(bench, sid(0), epoch, away)
    assert there.life == new.life
    back = await resumed(bench, sid(0), there.epoch, Target(exclude=(new.life.pod,), newest=True))
    assert back.life in {life(0), life(1)}


async def test_a_higher_epoch_takes_a_slot_that_the_store_remembers_wrongly(bench: Bench) -> None:
    """The store came back without its last second: the pod that was given the call keeps it."""
    one, other = Pod(bench, life(0)), Pod(bench, life(1))
    one.holds(sid(1), 5)
    other.holds(sid(1), 6)
    await one.beat()
    assert (await other.beat()).retaken == 1
    assert (await one.beat()).lost == (sid(1),)
    assert [pod.held for pod in (await bench.fleet.look()).pods] == [0, 1]


# Holders.


async def full_fleet(bench: Bench) -> Pod:
    """One pod, one slot, taken."""
    pod = Pod(bench, life(0), cap=1)
    pod.holds(sid(100))
    await pod.beat()
    return pod


async def test_the_first_that_holds_is_the_first_in(bench: Bench) -> None:
    """Whoever asks first after a call ended: who holds for longer has the slot."""
    pod = await full_fleet(bench)
    assert await bench.fleet.reserve(sid(1), holding=True) == Full(FullReason.CAP)
    bench.clock.pass_s(1)
    assert await bench.fleet.reserve(sid(2), holding=True) == Full(FullReason.CAP)
    assert (await pod.beat()).holders == 2
    pod.slots.clear()
    assert (await pod.beat()).held == 0
    refused = await bench.fleet.reserve(sid(2), holding=True)
    assert refused == Full(FullReason.OLDER_HOLDERS, held_ms=0)
    newcomer = await bench.fleet.reserve(sid(3))
    assert newcomer == Full(FullReason.OLDER_HOLDERS)
    bench.clock.pass_s(1)
    refused = await bench.fleet.reserve(sid(2), holding=True)
    assert refused == Full(FullReason.OLDER_HOLDERS, held_ms=1000)
    placed(await bench.fleet.reserve(sid(1), holding=True))
    assert (await bench.fleet.look()).holders == 1


async def test_free_slots_for_all_holders_are_for_all(bench: Bench) -> None:
    """Nobody waits for an older one that there is room for as well."""
    pod = await full_fleet(bench)
    for number in (1, 2):
        await bench.fleet.reserve(sid(number), holding=True)
    pod.cap = 3
    await pod.beat()
    placed(await bench.fleet.reserve(sid(2), holding=True))
    assert await bench.fleet.reserve(sid(3)) == Full(FullReason.OLDER_HOLDERS)
    placed(await bench.fleet.reserve(sid(1), holding=True))


async def test_a_holder_that_stays_away_is_forgotten(bench: Bench) -> None:
    """After 6 s without its webhook; one that ends says so by release."""
    pod = await full_fleet(bench)
    for number in (1, 2, 3):
        await bench.fleet.reserve(sid(number), holding=True)
    assert not await bench.fleet.release(sid(2), pod.life, Epoch(0))
    bench.clock.pass_s(4)
    await pod.beat()
    assert (await bench.fleet.reserve(sid(3), holding=True)) == Full(FullReason.CAP, held_ms=4000)
    bench.clock.pass_s(1.999)
    assert (await bench.fleet.look()).holders == 2
    bench.clock.pass_s(0.001)
    assert (await bench.fleet.look()).holders == 1


async def test_a_holder_whose_own_limit_is_reached_keeps_nobody_out(bench: Bench) -> None:
    """Only older ones that the same free slots would do for come first."""
    pod = Pod(bench, life(0), cap=2)
    pod.holds(sid(100), claim=OF_DENTIST)
    await pod.beat()
    one = Bounds(1, "dentist", tenant_calls_max=1)
    refused = await bench.fleet.reserve(sid(1), bounds=one, holding=True)
    assert refused == Full(FullReason.TENANT_FULL)
    placed(await bench.fleet.reserve(sid(2), bounds=OPTICIAN, holding=True))


async def test_the_older_holder_of_a_tenant_gets_the_tenants_next_slot(bench: Bench) -> None:
    """The fleet has room for many; the limit that holds them has room for one."""
    pod = Pod(bench, life(0), cap=9)
    pod.holds(sid(100), claim=OF_DENTIST)
    await pod.beat()
    one = Bounds(1, "dentist", tenant_calls_max=1)
    for number in (1, 2):
        await bench.fleet.reserve(sid(number), bounds=one, holding=True)
    pod.slots.clear()
    await pod.beat()
    refused = await bench.fleet.reserve(sid(2), bounds=one, holding=True)
    assert refused == Full(FullReason.OLDER_HOLDERS)
    placed(await bench.fleet.reserve(sid(3)))
    placed(await bench.fleet.reserve(sid(1), bounds=one, holding=True))


async def test_only_inbound_callers_hold(bench: Bench) -> None:
    """What we place can wait without anybody listening."""
    await full_fleet(bench)
    await bench.fleet.reserve(sid(1), direction="outbound", holding=True)
    await bench.fleet.reserve(sid(2))
    assert (await bench.fleet.look()).holders == 0


async def test_nobody_holds_for_ever_who_comes_again(bench: Bench) -> None:
    """As slots come free one by one, holders get in in the order in which they came."""
    pod = await full_fleet(bench)
    waiting = [sid(number) for number in range(1, 7)]
    for call in waiting:
        await bench.fleet.reserve(call, holding=True)
        bench.clock.pass_s(0.1)
    got: list[CallSid] = []
    while waiting:
        pod.slots.clear()
        await pod.beat()
        for call in reversed(waiting):
            answer = await bench.fleet.reserve(call, holding=True)
            if not isinstance(answer, Full):
                got.append(call)
                pod.holds(call)
        waiting = [call for call in waiting if call not in got]
        await pod.beat()
        bench.clock.pass_s(2)
    assert got == sorted(got)
    assert len(got) == 6
