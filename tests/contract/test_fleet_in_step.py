"""Redis and the specification in step: whatever happens, every answer is the same.

The promises of the fleet's slots are checked after each step, from the slots themselves and not
from the counts that the scripts decide by.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import ClassVar, TypeVar

import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contract.fleets import Bench, bench_at, life, sid
from contract.recount import recounted, stored
from trunkline.adapters.memory.journal import MemoryJournal
from trunkline.core.facts import Direction
from trunkline.core.fleet import Slot
from trunkline.core.fleet_states import Beat, Claim, Heard, Hold, Life, Listed, Placed, Target
from trunkline.core.ids import CallSid, Epoch, PodName
from trunkline.core.slots import Bounds, ModelLimit
from trunkline.ports import Resumption

T = TypeVar("T")

CALLS = [sid(number) for number in range(9)]
LIVES = [life(number, incarnation) for number in (0, 2, 10) for incarnation in ("a", "b")]
NAMES = [PodName(f"pod-{number}") for number in (0, 2, 10)]
VERTICAL_OF = {"": "", "a1": "a", "a2": "a", "b1": "b"}

calls = st.sampled_from(CALLS)
lives = st.sampled_from(LIVES)
limits = st.sampled_from([None, 0, 1, 2, 4])
excluded = st.lists(st.sampled_from(NAMES), max_size=1).map(tuple)


class Histories(RuleBasedStateMachine):
    """Pods that join, die, drain, come back, hear late; callers; a store that forgets."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.stack = AsyncExitStack()
        self.real = self.run(self.stack.enter_async_context(bench_at(self.url)))
        self.twin = self.run(self.stack.enter_async_context(bench_at(None)))
        self.twin.clock = self.real.clock
        self.run(self.real.flush())
        self.run(self.twin.flush())
        self.believed: dict[Life, dict[CallSid, Listed]] = {one: {} for one in LIVES}
        """What each life of a pod believes that it holds."""
        self.joined: dict[Life, int] = {}
        self.epochs: dict[CallSid, list[Epoch]] = {}
        self.told: dict[str, tuple[int, int | None]] = {}
        """The newest limits, by what they are of."""

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def both(self, ask: Callable[[Bench], Coroutine[object, object, T]]) -> T:
        found, wanted = self.run(ask(self.real)), self.run(ask(self.twin))
        assert found == wanted
        return found

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    def one_of_the_slots(self, nth: int) -> CallSid:
        return sorted(self.slots)[nth % len(self.slots)]

    @property
    def slots(self) -> dict[CallSid, Slot]:
        assert isinstance(self.twin.journal, MemoryJournal)
        return self.twin.journal.fleet.slots

    @initialize()
    def two_pods_join(self) -> None:
        for one in (LIVES[0], LIVES[2]):
            self.beat(one, cap=3, draining=False, revision="1")

    @rule(one=lives, cap=st.integers(1, 3), draining=st.booleans(), revision=st.sampled_from("12"))
    def beat(self, one: Life, cap: int, revision: str, *, draining: bool) -> None:
        said = Beat(
            one,
            f"http://{one.pod}",
            revision,
            max(1, cap - 1),
            cap,
            draining and cap == 1,
            self.joined.get(one, 0),
            tuple(self.believed[one].values()),
        )
        heard: Heard = self.both(lambda bench: bench.fleet.beat(said))
        self.joined[one] = heard.joined_ms
        for call in heard.lost:
            del self.believed[one][call]
        mine = {call for call, slot in self.slots.items() if slot.life == one}
        assert mine >= {
            call
            for call, listed in self.believed[one].items()
            if listed.epoch > self.slots[call].epoch
        }
        assert heard.held == len(mine)

    @rule(
        call=calls,
        tenant=st.sampled_from(sorted(VERTICAL_OF)),
        direction=st.sampled_from(["inbound", "inbound", "outbound"]),
        version=st.integers(0, 2),
        most=st.tuples(limits, limits, limits, st.integers(0, 2)),
        models=st.none() | st.lists(st.sampled_from("mn"), max_size=2, unique=True),
        exclude=excluded,
        holding=st.booleans(),
    )
    def reserve(
        self,
        call: CallSid,
        tenant: str,
        direction: Direction,
        version: int,
        most: tuple[int | None, int | None, int | None, int],
        models: list[str] | None,
        exclude: tuple[PodName, ...],
        *,
        holding: bool,
    ) -> None:
        bounds = Bounds(version, tenant, VERTICAL_OF[tenant], *most)
        wanted = None if models is None else [ModelLimit(model, most[0]) for model in models]
        self.learn(bounds, wanted or [])
        answer = self.both(
            lambda bench: bench.fleet.reserve(
                call,
                direction=direction,
                bounds=bounds,
                models=wanted,
                exclude=exclude,
                holding=holding,
            )
        )
        if isinstance(answer, Placed):
            slot = self.slots[call]
            assert (slot.life, slot.epoch) == (answer.life, answer.epoch)
            if answer.first:
                assert answer.life.pod not in exclude
                self.no_limit_is_exceeded(slot)
        else:
            assert call not in self.slots

    @precondition(lambda self: self.slots)
    @rule(nth=st.integers(0, 8), bound=st.booleans())
    def reach_the_pod(self, nth: int, *, bound: bool) -> None:
        """The pod that has a slot begins its call, or its stream starts."""
        call = self.one_of_the_slots(nth)
        slot = self.slots[call]
        opening = [
            self.run(b.journal.open_call(call, slot.life.pod, slot.life.incarnation))
            for b in (self.real, self.twin)
        ]
        assert opening[0] == opening[1]
        epoch = max(opening[0].epoch, slot.epoch)
        self.epochs.setdefault(call, []).append(opening[0].epoch)
        self.believed[slot.life][call] = Listed(call, epoch, bound, slot.claim)

    @rule(call=calls, model=st.sampled_from("mn"))
    def a_session_moves(self, call: CallSid, model: str) -> None:
        for believed in self.believed.values():
            if (listed := believed.get(call)) is not None:
                claim = Claim(
                    listed.claim.direction, listed.claim.tenant, listed.claim.vertical, model
                )
                believed[call] = Listed(call, listed.epoch, listed.bound, claim)

    @rule(one=lives, call=calls)
    def a_pod_loses_a_call_without_a_word(self, one: Life, call: CallSid) -> None:
        self.believed[one].pop(call, None)

    @precondition(lambda self: self.slots)
    @rule(nth=st.integers(0, 8), one=lives, back=st.sampled_from([0, 0, 1, 2]))
    def release(self, nth: int, one: Life, back: int) -> None:
        call = self.one_of_the_slots(nth)
        slot = self.slots.get(call)
        holder = slot.life if slot is not None and back < 2 else one
        known = self.epochs.get(call, [Epoch(1)])
        epoch = known[max(0, len(known) - 1 - back)]
        before = self.slots.get(call)
        freed = self.both(lambda bench: bench.fleet.release(call, holder, epoch))
        assert freed == (before is not None and call not in self.slots)
        if freed:
            self.believed[holder].pop(call, None)
            assert not self.both(lambda bench: bench.fleet.release(call, holder, epoch))

    @precondition(lambda self: self.epochs)
    @rule(
        nth=st.integers(0, 8),
        back=st.sampled_from([0, 0, 0, 1]),
        one=st.none() | lives,
        exclude=excluded,
        newest=st.booleans(),
        tenant=st.sampled_from(sorted(VERTICAL_OF)),
    )
    def resume(
        self,
        nth: int,
        back: int,
        one: Life | None,
        exclude: tuple[PodName, ...],
        tenant: str,
        *,
        newest: bool,
    ) -> None:
        call = sorted(self.epochs)[nth % len(self.epochs)]
        known = self.epochs[call]
        epoch = known[max(0, len(known) - 1 - back)]
        claim = Claim("inbound", tenant, VERTICAL_OF[tenant], "m")
        before = self.slots.get(call)
        target = Target(one, exclude, newest)
        answer = self.both(lambda bench: bench.fleet.resume(call, epoch, target, claim))
        if not isinstance(answer, Resumption):
            assert self.slots.get(call) == before
            return
        if answer.first:
            self.epochs.setdefault(call, []).append(answer.epoch)
            assert answer.epoch > epoch
            if one is None:
                assert answer.life.pod not in exclude
                assert self.slots[call].life == answer.life
            if call in self.slots and self.slots[call].life == answer.life:
                self.believed[answer.life][call] = Listed(
                    call, answer.epoch, bound=False, claim=self.slots[call].claim
                )

    @rule(one=lives)
    def leave(self, one: Life) -> None:
        self.both(lambda bench: bench.fleet.leave(one))
        self.believed[one].clear()
        assert not any(slot.life == one for slot in self.slots.values())

    @rule(one=lives)
    def a_pod_dies(self, one: Life) -> None:
        self.believed[one].clear()

    @rule(seconds=st.sampled_from([0.5, 1, 2, 2, 4, 5, 6, 10, 15]))
    def time_passes(self, seconds: float) -> None:
        self.real.clock.pass_s(seconds)

    @rule()
    def some_of_them_beat_for_a_lease(self) -> None:
        """Whoever believes that it holds something lives on; the others are dead."""
        for _ in range(6):
            self.real.clock.pass_s(2)
            for one in LIVES:
                if self.believed[one]:
                    self.beat(one, cap=3, draining=False, revision="1")
            self.both(lambda bench: bench.fleet.look())

    @precondition(lambda self: len(self.epochs) > 2)
    @rule(odds=st.integers(0, 3))
    def the_store_forgets(self, odds: int) -> None:
        if odds == 0:
            self.run(self.real.flush())
            self.run(self.twin.flush())
            self.told.clear()

    @invariant()
    def both_see_the_same_fleet(self) -> None:
        fleet = self.both(lambda bench: bench.fleet.look())
        assert sum(pod.held for pod in fleet.pods) == len(self.slots)
        assert fleet.inbound + fleet.outbound == len(self.slots)

    @invariant()
    def a_call_holds_at_most_one_slot_and_the_counts_are_theirs(self) -> None:
        assert self.real.client is not None
        kept = self.run(stored(self.real.client))
        assert kept.slots == self.slots
        assert kept.counts == recounted(self.slots)

    # Limits.

    def learn(self, bounds: Bounds, models: list[ModelLimit]) -> None:
        told: dict[str, tuple[int, int | None]] = {}
        for limit in models:
            told[f"m:{limit.model}"] = (bounds.version, limit.calls_max)
        if bounds.vertical:
            told[f"v:{bounds.vertical}"] = (bounds.version, bounds.vertical_calls_max)
        if bounds.tenant:
            told[f"t:{bounds.tenant}"] = (bounds.version, bounds.tenant_calls_max)
            told[f"o:{bounds.tenant}"] = (bounds.version, bounds.outbound_calls_max)
        for key, limits_of in told.items():
            if key not in self.told or limits_of[0] >= self.told[key][0]:
                self.told[key] = limits_of

    def no_limit_is_exceeded(self, slot: Slot) -> None:
        """A reservation was just granted: nothing that it counts with is over its limit."""
        counts = Counter(recounted(self.slots))
        claim = slot.claim
        keys = [f"m:{claim.model}", f"v:{claim.vertical}", f"t:{claim.tenant}"]
        if claim.direction == "outbound":
            keys.append(f"o:{claim.tenant}")
        for key in keys:
            _, most = self.told.get(key, (0, None))
            assert most is None or counts[key] <= most, key
        assert slot.hold is Hold.RESERVED
        here = next(
            pod for pod in self.both(lambda b: b.fleet.look()).pods if pod.life == slot.life
        )
        assert here.held <= here.cap
        assert not here.draining
        assert not here.replaced


def test_no_history_takes_redis_and_the_specification_apart(redis_url: str) -> None:
    """A slot carries at most one call, a call holds at most one slot, no limit is exceeded."""
    Histories.url = redis_url
    run_state_machine_as_test(
        Histories, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
