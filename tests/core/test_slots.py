from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trunkline.core.facts import Direction
from trunkline.core.fleet_states import Claim, Listed
from trunkline.core.ids import CallSid, Epoch
from trunkline.core.slots import (
    INBOUND_HOLD_S,
    NEXT,
    Binding,
    Bounds,
    Full,
    FullReason,
    ModelLimit,
    PodSlots,
    Reserved,
    Standing,
)

ONE, TWO, THREE = CallSid("CA1"), CallSid("CA2"), CallSid("CA3")
E1, E2, E3 = Epoch(1), Epoch(2), Epoch(3)


def test_a_call_gets_a_slot_and_gives_it_back() -> None:
    """Reserved, bound, free."""
    slots = PodSlots(1)
    assert slots.reserve(ONE, E1, 0.0) == Reserved(ONE, E1, bound=False, first=True)
    assert (slots.reserved, slots.bound, slots.held) == (1, 0, 1)
    assert slots.bind(ONE, E1, 1.0) is Binding.BOUND
    assert (slots.reserved, slots.bound, slots.held) == (0, 1, 1)
    assert slots.release(ONE)
    assert not slots.release(ONE)
    assert (slots.reserved, slots.bound, slots.held) == (0, 0, 0)


def test_the_call_beyond_the_cap_gets_none() -> None:
    """Until another is over."""
    slots = PodSlots(2)
    slots.reserve(ONE, E1, 0.0)
    slots.reserve(TWO, E1, 0.0)
    assert slots.calls_max == slots.held == 2
    assert slots.reserve(THREE, E1, 0.0) == Full(FullReason.CAP)
    slots.release(ONE)
    assert isinstance(slots.reserve(THREE, E1, 0.0), Reserved)


def test_a_repeated_webhook_gets_the_same_slot() -> None:
    """Also on a full pod, and without prolonging the wait for `start`."""
    slots = PodSlots(1)
    slots.reserve(ONE, E1, 0.0)
    assert slots.reserve(ONE, E1, 10.0) == Reserved(ONE, E1, bound=False, first=False)
    assert slots.held == 1
    assert slots.deadline() == INBOUND_HOLD_S


def test_a_call_of_another_pod_is_taken_whatever_the_limits() -> None:
    """Full, draining, its tenant at its limit: it has talked already. Its stream must come."""
    slots = PodSlots(1)
    bounds = Bounds(tenant="clinic", tenant_calls_max=1)
    slots.reserve(ONE, E1, 0.0, bounds=bounds)
    slots.close()
    slots.take(TWO, E2, 0.0, bounds=bounds, model="m")
    assert slots.held_of(tenant="clinic") == slots.held == 2
    assert slots.held_of(model="m") == 1
    assert slots.bind(TWO, E1, 1.0) is Binding.STALE
    assert slots.bind(TWO, E2, 1.0) is Binding.BOUND
    slots.take(THREE, E1, 0.0)
    assert slots.expire(INBOUND_HOLD_S) == [ONE, THREE]


def test_the_fleet_is_told_of_every_slot_that_has_an_epoch() -> None:
    """Whether its stream has started, and what it counts with."""
    slots = PodSlots(3)
    slots.reserve(ONE, Epoch(0), 0.0)
    slots.reserve(TWO, E1, 0.0, direction="outbound", bounds=Bounds(tenant="t", vertical="v"))
    slots.reserve(THREE, E2, 0.0, models=[ModelLimit("m")])
    slots.bind(THREE, E2, 1.0)
    assert slots.listed() == (
        Listed(TWO, E1, bound=False, claim=Claim("outbound", "t", "v")),
        Listed(THREE, E2, bound=True, claim=Claim(model="m")),
    )


def test_a_reservation_without_start_ends() -> None:
    """After 15 s, reported once, and a late `start` finds nothing."""
    slots = PodSlots(1)
    slots.reserve(ONE, E1, 100.0)
    assert slots.deadline() == 115.0
    assert slots.expire(114.999) == []
    assert slots.bind(ONE, E1, 115.0) is Binding.NO_SLOT
    assert slots.expire(115.0) == [ONE]
    assert slots.expire(115.0) == []
    assert slots.deadline() is None
    assert slots.bind(ONE, E1, 115.0) is Binding.NO_SLOT


def test_a_webhook_after_the_wait_begins_a_new_one() -> None:
    """Nobody had swept yet: the call gets its whole time, not a slot that is already over."""
    slots = PodSlots(1)
    slots.reserve(ONE, E1, 0.0)
    assert slots.reserve(ONE, E1, 20.0) == Reserved(ONE, E1, bound=False, first=False)
    assert slots.expire(20.0) == []
    assert slots.bind(ONE, E1, 21.0) is Binding.BOUND


def test_a_hold_may_be_longer() -> None:
    """An outbound call rings before it starts."""
    slots = PodSlots(1)
    slots.reserve(ONE, E1, 0.0, hold_s=90.0)
    assert slots.expire(89.0) == []
    assert slots.expire(90.0) == [ONE]


def test_a_bound_slot_does_not_end_by_itself() -> None:
    """A call may last as long as it lasts."""
    slots = PodSlots(1)
    slots.reserve(ONE, E1, 0.0)
    slots.bind(ONE, E1, 1.0)
    assert slots.deadline() is None
    assert slots.expire(1e9) == []
    assert slots.bind(ONE, E1, 1e9) is Binding.BOUND


def test_a_resume_keeps_the_slot() -> None:
    """A higher epoch takes over what its call has, talking or not, in one slot."""
    slots = PodSlots(1)
    slots.reserve(ONE, E1, 0.0)
    assert slots.reserve(ONE, E2, 10.0) == Reserved(ONE, E2, bound=False, first=False)
    assert slots.deadline() == 25.0
    assert slots.bind(ONE, E2, 11.0) is Binding.BOUND
    assert slots.reserve(ONE, E3, 12.0) == Reserved(ONE, E3, bound=True, first=False)
    assert slots.deadline() is None
    assert slots.held == 1


def test_a_past_epoch_changes_nothing() -> None:
    """Its reservation is answered with the present epoch, its stream is stale."""
    slots = PodSlots(1)
    slots.reserve(ONE, E2, 0.0)
    assert slots.reserve(ONE, E1, 1.0) == Reserved(ONE, E2, bound=False, first=False)
    assert slots.bind(ONE, E1, 1.0) is Binding.STALE
    assert slots.bound == 0


def test_a_start_may_be_ahead_of_its_reservation() -> None:
    """The journal gave it a higher epoch: it is the present one, and a later E1 is past."""
    slots = PodSlots(1)
    slots.reserve(ONE, E1, 0.0)
    assert slots.bind(ONE, E2, 1.0) is Binding.BOUND
    assert slots.bind(ONE, E1, 1.0) is Binding.STALE


def test_a_draining_pod_takes_no_new_call() -> None:
    """And keeps those it has, resumes included."""
    slots = PodSlots(2)
    slots.reserve(ONE, E1, 0.0)
    assert not slots.closed
    slots.close()
    assert slots.closed
    assert slots.reserve(TWO, E1, 0.0) == Full(FullReason.DRAINING)
    assert isinstance(slots.reserve(ONE, E2, 0.0), Reserved)
    assert slots.bind(ONE, E2, 1.0) is Binding.BOUND


@pytest.mark.parametrize("calls_max", [0, -1])
def test_a_pod_without_slots_is_our_own_fault(calls_max: int) -> None:
    """The settings refuse it before."""
    with pytest.raises(AssertionError):
        PodSlots(calls_max)


calls = st.sampled_from([CallSid(f"CA{number}") for number in range(1, 7)])


class Histories(RuleBasedStateMachine):
    """Any order of what can happen, against a list of who should have a slot."""

    CALLS_MAX = 3

    def __init__(self) -> None:
        super().__init__()
        self.slots = PodSlots(self.CALLS_MAX)
        self.now = 0.0
        self.waiting: dict[CallSid, float] = {}
        self.talking: set[CallSid] = set()
        self.epochs: dict[CallSid, Epoch] = {}
        self.closed = False
        self.stood = {CallSid(f"CA{number}"): Standing.FREE for number in range(1, 7)}

    def forget(self, call: CallSid) -> None:
        """The call has no slot."""
        self.waiting.pop(call, None)
        self.talking.discard(call)
        self.epochs.pop(call, None)

    @rule(call=calls, epoch=st.integers(1, 4).map(Epoch), hold_s=st.sampled_from([15.0, 90.0]))
    def reserve(self, call: CallSid, epoch: Epoch, hold_s: float) -> None:
        """A webhook: new, repeated, of a resume, or of a past epoch."""
        answer = self.slots.reserve(call, epoch, self.now, hold_s)
        if call in self.epochs:
            assert isinstance(answer, Reserved)
            assert not answer.first
            if call in self.waiting and (
                epoch > self.epochs[call] or self.waiting[call] <= self.now
            ):
                self.waiting[call] = self.now + hold_s
            self.epochs[call] = max(epoch, self.epochs[call])
            assert answer.epoch == self.epochs[call]
            assert answer.bound == (call in self.talking)
        elif self.closed:
            assert answer == Full(FullReason.DRAINING)
        elif len(self.epochs) == self.CALLS_MAX:
            assert answer == Full(FullReason.CAP)
        else:
            assert answer == Reserved(call, epoch, bound=False, first=True)
            self.epochs[call] = epoch
            self.waiting[call] = self.now + hold_s

    @rule(call=calls, epoch=st.integers(1, 4).map(Epoch))
    def bind(self, call: CallSid, epoch: Epoch) -> None:
        """A `start` with whatever ticket."""
        answer = self.slots.bind(call, epoch, self.now)
        alive = call in self.talking or self.waiting.get(call, self.now) > self.now
        if not alive:
            assert answer is Binding.NO_SLOT
        elif epoch < self.epochs[call]:
            assert answer is Binding.STALE
        else:
            assert answer is Binding.BOUND
            self.waiting.pop(call, None)
            self.talking.add(call)
            self.epochs[call] = epoch

    @rule(call=calls)
    def release(self, call: CallSid) -> None:
        """A call ends, had it a slot or not."""
        assert self.slots.release(call) == (call in self.epochs)
        self.forget(call)

    @rule(seconds=st.sampled_from([0.0, 1.0, 7.0, 15.0, 90.0]))
    def wait(self, seconds: float) -> None:
        """Time passes, to a deadline exactly or beyond."""
        self.now += seconds

    @rule()
    def expire(self) -> None:
        """The pod sweeps: each call is named once."""
        over = self.slots.expire(self.now)
        assert len(over) == len(set(over))
        assert set(over) == {call for call, at in self.waiting.items() if at <= self.now}
        for call in over:
            self.forget(call)

    @rule()
    def close(self) -> None:
        """The pod begins to drain."""
        self.slots.close()
        self.closed = True

    @invariant()
    def the_ledger_is_right(self) -> None:
        """Cap kept, one slot a call, none forgotten."""
        assert self.slots.held == len(self.epochs) <= self.CALLS_MAX
        assert self.slots.reserved == len(self.waiting)
        assert self.slots.bound == len(self.talking)
        assert self.slots.deadline() == min(self.waiting.values(), default=None)

    @invariant()
    def only_the_table_s_moves_are_made(self) -> None:
        """The diagram in the documentation is drawn from the same table."""
        for call, before in self.stood.items():
            now = self.slots.standing(call)
            assert now is before or now in NEXT[before]
            self.stood[call] = now

    def teardown(self) -> None:
        """Every call ends: nothing is left."""
        for call in [*self.talking]:
            assert self.slots.release(call)
        self.slots.expire(float("inf"))
        assert self.slots.held == 0


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=1000, stateful_step_count=20, deadline=None)


# Whose calls they are.

CLINIC = Bounds(1, "clinic", "health", tenant_calls_max=2, outbound_calls_max=1)
DENTIST = Bounds(1, "dentist", "health", vertical_calls_max=3)


def test_a_tenant_has_so_many_calls_at_once() -> None:
    """Both directions together; another's calls do not count, and neither do nobody's."""
    slots = PodSlots(9)
    assert isinstance(slots.reserve(ONE, E1, 0.0, bounds=CLINIC), Reserved)
    assert isinstance(slots.reserve(TWO, E1, 0.0, direction="outbound", bounds=CLINIC), Reserved)
    assert slots.reserve(THREE, E1, 0.0, bounds=CLINIC) == Full(FullReason.TENANT_FULL)
    assert isinstance(slots.reserve(THREE, E1, 0.0, bounds=DENTIST), Reserved)
    assert isinstance(slots.reserve(CallSid("CA4"), E1, 0.0), Reserved)
    slots.release(ONE)
    assert isinstance(slots.reserve(CallSid("CA5"), E1, 0.0, bounds=CLINIC), Reserved)


def test_fewer_of_them_may_be_placed() -> None:
    """The outbound limit binds placed calls only."""
    slots = PodSlots(9)
    assert isinstance(slots.reserve(ONE, E1, 0.0, direction="outbound", bounds=CLINIC), Reserved)
    refused = slots.reserve(TWO, E1, 0.0, direction="outbound", bounds=CLINIC)
    assert refused == Full(FullReason.OUTBOUND_FULL)
    assert isinstance(slots.reserve(TWO, E1, 0.0, bounds=CLINIC), Reserved)


def test_a_vertical_s_tenants_share_its_limit() -> None:
    """And of two limits that are reached the wider one is named."""
    slots = PodSlots(9)
    clinic = replace(CLINIC, vertical_calls_max=2)
    slots.reserve(ONE, E1, 0.0, bounds=DENTIST)
    slots.reserve(TWO, E1, 0.0, bounds=clinic)
    assert slots.reserve(THREE, E1, 0.0, bounds=clinic) == Full(FullReason.VERTICAL_FULL)
    full = PodSlots(1)
    full.reserve(ONE, E1, 0.0, bounds=replace(CLINIC, tenant_calls_max=1))
    assert full.reserve(TWO, E1, 0.0, bounds=CLINIC) == Full(FullReason.CAP)


def test_a_resume_counts_once_whatever_the_limit() -> None:
    """Its limit was lowered to nothing meanwhile, and its number moved to another tenant."""
    slots = PodSlots(9)
    slots.reserve(ONE, E1, 0.0, bounds=CLINIC)
    slots.bind(ONE, E1, 1.0)
    closed = replace(CLINIC, version=2, tenant_calls_max=0)
    assert isinstance(slots.reserve(ONE, E2, 2.0, bounds=closed), Reserved)
    assert isinstance(slots.reserve(ONE, E3, 3.0, bounds=DENTIST), Reserved)
    assert slots.held_of(tenant="clinic") == 1
    assert slots.held_of(tenant="dentist") == 0
    assert slots.reserve(TWO, E1, 3.0, bounds=CLINIC) == Full(FullReason.TENANT_FULL)


def test_the_newest_version_s_limits_count() -> None:
    """Whichever comes last; of one version, what was told last."""
    slots = PodSlots(9)
    newer = replace(CLINIC, version=2, tenant_calls_max=1)
    slots.reserve(ONE, E1, 0.0, bounds=newer)
    assert slots.reserve(TWO, E1, 0.0, bounds=CLINIC) == Full(FullReason.TENANT_FULL)
    same = replace(newer, tenant_calls_max=None)
    assert isinstance(slots.reserve(TWO, E1, 0.0, bounds=same), Reserved)


# Whose model they use.

FOR_ONE, NEXT_MODEL = ModelLimit("a", 1), ModelLimit("b", 1)
BOTH = [FOR_ONE, NEXT_MODEL]


def model_of(answer: Reserved | Full) -> str:
    """Where the call counts."""
    assert isinstance(answer, Reserved)
    return answer.model


def test_a_call_takes_the_first_model_that_has_room() -> None:
    """And if none has, it gets no slot; one that ends makes room."""
    slots = PodSlots(9)
    assert model_of(slots.reserve(ONE, E1, 0.0, models=BOTH)) == "a"
    assert model_of(slots.reserve(TWO, E1, 0.0, models=BOTH)) == "b"
    assert slots.reserve(THREE, E1, 0.0, models=BOTH) == Full(FullReason.MODEL_FULL)
    assert model_of(slots.reserve(THREE, E1, 0.0)) == ""
    slots.release(ONE)
    assert model_of(slots.reserve(CallSid("CA4"), E1, 0.0, models=BOTH)) == "a"


def test_a_list_on_which_no_model_is_left_has_no_room() -> None:
    """Whoever asks has struck them out."""
    assert PodSlots(9).reserve(ONE, E1, 0.0, models=[]) == Full(FullReason.MODEL_FULL)


def test_a_call_that_has_its_slot_keeps_it_and_its_model() -> None:
    """A resume: its model is full by then, or was struck out."""
    slots = PodSlots(9)
    slots.reserve(ONE, E1, 0.0, models=BOTH)
    slots.bind(ONE, E1, 1.0)
    assert model_of(slots.reserve(ONE, E2, 2.0, models=[])) == "a"
    assert model_of(slots.reserve(ONE, E3, 3.0, models=[NEXT_MODEL])) == "a"


def test_a_call_counts_where_its_session_is() -> None:
    """A model that failed gives its calls to the next one, whatever that one's limit."""
    slots = PodSlots(9)
    slots.reserve(ONE, E1, 0.0, models=BOTH)
    slots.reserve(TWO, E1, 0.0, models=BOTH)
    slots.move(ONE, "b")
    slots.move(THREE, "b")
    assert (slots.held_of(model="a"), slots.held_of(model="b")) == (0, 2)
    assert model_of(slots.reserve(THREE, E1, 0.0, models=BOTH)) == "a"


def test_the_pod_s_cap_is_wider_than_a_model_and_a_model_than_a_vertical() -> None:
    """Of several limits the widest is named."""
    slots, bounds = PodSlots(2), replace(DENTIST, vertical_calls_max=1)
    slots.reserve(ONE, E1, 0.0, bounds=bounds, models=[FOR_ONE])
    refused = slots.reserve(TWO, E1, 0.0, bounds=bounds, models=[FOR_ONE])
    assert refused == Full(FullReason.MODEL_FULL)
    slots.reserve(TWO, E1, 0.0)
    assert slots.reserve(THREE, E1, 0.0, models=[FOR_ONE]) == Full(FullReason.CAP)


def test_the_newest_version_s_limit_of_a_model_counts() -> None:
    """As of a tenant."""
    slots = PodSlots(9)
    slots.reserve(ONE, E1, 0.0, bounds=Bounds(2), models=[FOR_ONE])
    older = [ModelLimit("a", 5)]
    refused = slots.reserve(TWO, E1, 0.0, bounds=Bounds(1), models=older)
    assert refused == Full(FullReason.MODEL_FULL)
    assert model_of(slots.reserve(TWO, E1, 0.0, bounds=Bounds(2), models=older)) == "a"


limits = st.sampled_from([None, 0, 1, 2, 3])


@dataclass
class Held:
    """A call that should have a slot."""

    tenant: str
    vertical: str
    direction: Direction
    over_at: float | None
    model: str


class LimitHistories(RuleBasedStateMachine):
    """Long histories of two verticals with two tenants each, and two models; limits change."""

    CALLS_MAX = 6
    MODELS = ("m1", "m2")
    VERTICAL_OF: ClassVar = {"": "", "a1": "a", "a2": "a", "b1": "b", "b2": "b"}

    def __init__(self) -> None:
        super().__init__()
        self.slots = PodSlots(self.CALLS_MAX)
        self.now = 0.0
        self.held: dict[CallSid, Held] = {}
        self.verticals: dict[str, tuple[int, int | None]] = {}
        self.tenants: dict[str, tuple[int, int | None, int | None]] = {}
        self.models: dict[str, tuple[int, int | None]] = {}

    def count(self, **of: str) -> int:
        """Held calls with these values."""
        return sum(
            all(getattr(held, name) == value for name, value in of.items())
            for held in self.held.values()
        )

    def learn(self, bounds: Bounds, models: list[ModelLimit]) -> None:
        """The newest version's limits stay."""
        version = bounds.version
        for limit in models:
            if version >= self.models.get(limit.model, (0,))[0]:
                self.models[limit.model] = (version, limit.calls_max)
        if bounds.vertical and version >= self.verticals.get(bounds.vertical, (0,))[0]:
            self.verticals[bounds.vertical] = (version, bounds.vertical_calls_max)
        if bounds.tenant and version >= self.tenants.get(bounds.tenant, (0,))[0]:
            placed = bounds.outbound_calls_max
            self.tenants[bounds.tenant] = (version, bounds.tenant_calls_max, placed)

    def with_room(self, models: list[ModelLimit]) -> list[str]:
        """Those that may have one more call, in their order."""
        most = {limit.model: self.models[limit.model][1] for limit in models}
        return [
            model for model, top in most.items() if top is None or self.count(model=model) < top
        ]

    def reasons(self, tenant: str, direction: str, models: list[ModelLimit]) -> list[FullReason]:
        """Every limit that a further call would break, the widest first."""
        vertical = self.VERTICAL_OF[tenant]
        found = [FullReason.CAP] if len(self.held) >= self.CALLS_MAX else []
        if not self.with_room(models):
            found.append(FullReason.MODEL_FULL)
        if vertical:
            most = self.verticals[vertical][1]
            if most is not None and self.count(vertical=vertical) >= most:
                found.append(FullReason.VERTICAL_FULL)
        if tenant:
            _, most, placed = self.tenants[tenant]
            if most is not None and self.count(tenant=tenant) >= most:
                found.append(FullReason.TENANT_FULL)
            out = self.count(tenant=tenant, direction="outbound")
            if direction == "outbound" and placed is not None and out >= placed:
                found.append(FullReason.OUTBOUND_FULL)
        return found

    @rule(
        number=st.integers(1, 12),
        epoch=st.integers(1, 3).map(Epoch),
        tenant=st.sampled_from(["", "a1", "a2", "b1", "b2"]),
        outbound=st.booleans(),
        version=st.integers(1, 4),
        most=st.tuples(limits, limits, limits),
        models=st.lists(
            st.builds(ModelLimit, st.sampled_from(MODELS), limits),
            max_size=2,
            unique_by=lambda limit: limit.model,
        ),
    )
    def reserve(
        self,
        number: int,
        epoch: Epoch,
        tenant: str,
        outbound: bool,  # noqa: FBT001 - drawn by its name
        version: int,
        most: tuple[int | None, int | None, int | None],
        models: list[ModelLimit],
    ) -> None:
        """A webhook under some version of the file."""
        call, vertical = CallSid(f"CA{number}"), self.VERTICAL_OF[tenant]
        direction: Direction = "outbound" if outbound else "inbound"
        bounds = Bounds(version, tenant, vertical, *most)
        self.learn(bounds, models)
        reasons = self.reasons(tenant, direction, models)
        answer = self.slots.reserve(
            call, epoch, self.now, direction=direction, bounds=bounds, models=models
        )
        if call in self.held:
            assert isinstance(answer, Reserved)
            assert not answer.first
            assert answer.model == self.held[call].model
            if self.held[call].over_at is not None:  # At most; the other machine is about when.
                self.held[call].over_at = self.now + INBOUND_HOLD_S
        elif reasons:
            assert answer == Full(reasons[0])
        else:
            assert isinstance(answer, Reserved)
            assert answer.model == self.with_room(models)[0]
            over_at = self.now + INBOUND_HOLD_S
            self.held[call] = Held(tenant, vertical, direction, over_at, answer.model)

    @rule(number=st.integers(1, 12), model=st.sampled_from(MODELS))
    def move(self, number: int, model: str) -> None:
        """A session is another model's, whether it has room or not."""
        call = CallSid(f"CA{number}")
        self.slots.move(call, model)
        if call in self.held:
            self.held[call].model = model

    @rule(number=st.integers(1, 12))
    def bind(self, number: int) -> None:
        """A `start` with a good ticket."""
        call = CallSid(f"CA{number}")
        if self.slots.bind(call, Epoch(9), self.now) is Binding.BOUND:
            self.held[call].over_at = None

    @rule(number=st.integers(1, 12))
    def release(self, number: int) -> None:
        """A call ends, had it a slot or not."""
        call = CallSid(f"CA{number}")
        assert self.slots.release(call) == (self.held.pop(call, None) is not None)

    @rule(seconds=st.sampled_from([1.0, 7.0, 15.0]))
    def expire(self, seconds: float) -> None:
        """Time passes, and the pod sweeps."""
        self.now += seconds
        for call in self.slots.expire(self.now):
            assert self.held.pop(call).over_at is not None
        for held in self.held.values():
            assert held.over_at is None or held.over_at > self.now

    @invariant()
    def the_counts_are_exact(self) -> None:
        """Of the pod, of each vertical, of each tenant, of each direction."""
        assert self.slots.held == len(self.held) <= self.CALLS_MAX
        for tenant in self.VERTICAL_OF:
            assert self.slots.held_of(tenant=tenant) == self.count(tenant=tenant)
            placed = self.slots.held_of(tenant=tenant, direction="outbound")
            assert placed == self.count(tenant=tenant, direction="outbound")
        for vertical in ("a", "b"):
            assert self.slots.held_of(vertical=vertical) == self.count(vertical=vertical)
        for model in self.MODELS:
            assert self.slots.held_of(model=model) == self.count(model=model)

    def teardown(self) -> None:
        """Every call ends: nothing is left, and every limit is free again."""
        for call in self.held:
            assert self.slots.release(call)
        assert self.slots.held == 0
        for tenant in self.VERTICAL_OF:
            assert self.slots.held_of(tenant=tenant) == 0


TestLimitHistories = LimitHistories.TestCase
TestLimitHistories.settings = settings(max_examples=150, stateful_step_count=100, deadline=None)
