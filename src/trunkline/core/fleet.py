"""The slots of all pods: the specification of what the store's scripts do.

`adapters/redis` holds the same decisions as scripts, and one contract suite runs both in step.
Time is an argument, in ms of the store's clock. Each step first reclaims what is over: at most
`REAP_MAX` slots, so that no step takes long.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from trunkline.core.facts import Direction
from trunkline.core.fleet_holders import Holders
from trunkline.core.fleet_places import Place, choose, newest, ordinal
from trunkline.core.fleet_room import Room, kin_of
from trunkline.core.fleet_states import (
    LEASE_MS,
    NEXT,
    PAST_MS,
    QUIET_MS_MAX,
    REAP_MAX,
    Beat,
    Claim,
    Fleet,
    Heard,
    Hold,
    Life,
    Listed,
    Placed,
    PodSeen,
    Target,
)
from trunkline.core.ids import CallSid, Epoch, PodName
from trunkline.core.slots import INBOUND_HOLD_S, NOBODYS, Bounds, Full, FullReason, ModelLimit


@dataclass(slots=True)
class Slot:
    """A call's slot; `expires_at_ms` counts while it is reserved."""

    life: Life
    epoch: Epoch
    hold: Hold
    claim: Claim
    expires_at_ms: int = 0


@dataclass(slots=True)
class _Pod:
    beat: Beat
    lease_ends_ms: int


@dataclass(slots=True)
class FleetSlots:
    """Every pod's slots, and who holds."""

    slots: dict[CallSid, Slot] = field(default_factory=dict)
    room: Room = field(default_factory=Room)
    holders: Holders = field(default_factory=Holders)
    _pods: dict[Life, _Pod] = field(default_factory=dict)
    _names: dict[PodName, Life] = field(default_factory=dict)
    """Which life has the name."""
    _past: dict[Life, int] = field(default_factory=dict)
    """Lives that were replaced or are gone, until when that is known."""
    _asked_ms: int | None = None
    _settles_ms: int = 0
    """Until then nothing is reclaimed: the store was away."""

    # What pods' webhooks ask.

    def reserve(
        self,
        call: CallSid,
        now_ms: int,
        hold_s: float = INBOUND_HOLD_S,
        *,
        direction: Direction = "inbound",
        bounds: Bounds = NOBODYS,
        models: Sequence[ModelLimit] | None = None,
        exclude: Sequence[PodName] = (),
        holding: bool = False,
    ) -> Placed | Full:
        """A slot on some pod, or why there is none; a call that has one gets the same again.

        Except where its pod is gone, or is excluded and has not bound it: then it is given up.
        With `holding` a call without a slot is remembered as a holder.
        """
        self._begin(now_ms)
        self.room.learn(bounds, models)
        if (slot := self.slots.get(call)) is not None:
            unbound = slot.hold is not Hold.BOUND
            if self._is_gone(slot.life, now_ms) or (unbound and slot.life.pod in exclude):
                self._free(call)
            else:
                if slot.hold is Hold.RESERVED and slot.expires_at_ms <= now_ms:
                    slot.expires_at_ms = now_ms + int(hold_s * 1000)
                return self._placed(call, slot, first=False)
        kin = kin_of(bounds, models)
        lives = self._open_lives(now_ms, exclude)
        free = sum(max(0, self._pods[life].beat.cap - self.room.held(life)) for life in lives)
        reason = self._refusal(now_ms, exclude, lives, free)
        if direction == "outbound":
            free -= self.room.inbound_kept
            if reason is None and free <= 0:
                reason = FullReason.INBOUND_KEPT
        reason = reason or self.room.refusal(direction, kin)
        if reason is None and not self.holders.goes_first(call, kin, free, self.room):
            reason = FullReason.OLDER_HOLDERS
        if reason is not None:
            holds = holding and direction == "inbound"
            return Full(reason, self.holders.remember(call, kin, now_ms) if holds else 0)
        at = choose([self._place(life) for life in lives])
        model = None if kin.models is None else self.room.with_room(kin.models)
        assert at is not None, "else no slot was free"
        claim = Claim(direction, bounds.tenant, bounds.vertical, model or "")
        slot = Slot(lives[at], Epoch(0), Hold.RESERVED, claim, now_ms + int(hold_s * 1000))
        self._give(call, slot)
        return self._placed(call, slot, first=True)

    def target(self, call: CallSid, target: Target, now_ms: int) -> Life | Full:
        """Where a call that resumes shall go; nothing is moved yet.

        The call's own slot takes no room from it.
        """
        if target.life is not None:
            return target.life
        lives = self._open_lives(now_ms, target.exclude)
        mine = self.slots.get(call)
        places = [self._place(life, but=mine) for life in lives]
        at = choose(places, prefer=self._newest(now_ms) if target.newest else None)
        if at is not None:
            return lives[at]
        free = sum(max(0, place.cap - place.held) for place in places)
        reason = self._refusal(now_ms, target.exclude, lives, free)
        assert reason is not None, "else there is a place"
        return Full(reason)

    def address_of(self, life: Life) -> str:
        """Where a pod is reached inside; empty if it is not known."""
        pod = self._pods.get(life)
        return "" if pod is None else pod.beat.address

    def close(self, call: CallSid) -> None:
        """A resume that only closes the call: it has no slot any more."""
        if call in self.slots:
            self._free(call)

    def move(self, call: CallSid, epoch: Epoch, life: Life, now_ms: int, claim: Claim) -> None:
        """A resume: the call's slot is there under this epoch, whatever the limits.

        A pod that is not known gets it by its next beat. `claim` counts if the call has no slot.
        """
        if life not in self._pods:
            return
        if (old := self.slots.get(call)) is not None:
            claim = old.claim
            self._free(call)
        expires_at_ms = now_ms + int(INBOUND_HOLD_S * 1000)
        self._give(call, Slot(life, epoch, Hold.RESERVED, claim, expires_at_ms))

    def release(self, call: CallSid, life: Life, epoch: Epoch) -> bool:
        """The call is over on this pod: whether its slot was there, under no later epoch.

        Who has no slot holds no longer.
        """
        slot = self.slots.get(call)
        if slot is None:
            self.holders.forget(call)
            return False
        if slot.life != life or slot.epoch > epoch:
            return False
        self._free(call)
        return True

    # What pods say of themselves.

    def beat(self, said: Beat, now_ms: int) -> Heard:
        """A pod lives, and holds these slots and no others: the ledger follows it.

        It retakes what was forgotten or reclaimed, over every limit, and what a lower epoch has
        elsewhere; a reservation that it has not listed yet stays.
        """
        life = said.life
        known = self._pods.get(life)
        joined_ms = known.beat.joined_ms if known else said.joined_ms or now_ms
        self._pods[life] = _Pod(replace(said, slots=(), joined_ms=joined_ms), now_ms + LEASE_MS)
        self._name(life, now_ms)
        self._begin(now_ms)
        listed = {one.call: one for one in said.slots}
        lost = [one.call for one in listed.values() if self._is_lost(one, life)]
        retaken = sum(self._list(one, life) for one in listed.values())
        for call in [call for call, slot in self.slots.items() if slot.life == life]:
            if call not in listed and self.slots[call].hold is not Hold.RESERVED:
                self._free(call)
        return Heard(
            now_ms=now_ms,
            joined_ms=joined_ms,
            retaken=retaken,
            lost=tuple(lost),
            held=self.room.held(life),
            replaced=self._is_replaced(life),
            pods=sum(self._is_open(other, now_ms, draining=True) for other in self._pods),
            holders=len(self.holders),
        )

    def leave(self, life: Life, now_ms: int) -> None:
        """The pod has ended, and said so: whatever it held is free."""
        for call in [call for call, slot in self.slots.items() if slot.life == life]:
            self._free(call)
        if life in self._pods:
            self._remove(life, now_ms)

    def look(self, now_ms: int) -> Fleet:
        """The fleet as it is."""
        self._begin(now_ms)
        pods = tuple(
            PodSeen(
                life,
                pod.beat.address,
                pod.beat.revision,
                pod.beat.target,
                pod.beat.cap,
                pod.beat.draining,
                self._is_replaced(life),
                pod.beat.joined_ms,
                pod.lease_ends_ms - now_ms,
                self.room.held(life),
            )
            for life, pod in ((life, self._pods[life]) for life in self._in_order())
        )
        counts = self.room.counts
        return Fleet(now_ms, pods, len(self.holders), counts["d:inbound"], counts["d:outbound"])

    # Slots.

    def _placed(self, call: CallSid, slot: Slot, *, first: bool) -> Placed:
        address = self._pods[slot.life].beat.address
        bound = slot.hold is Hold.BOUND
        return Placed(call, slot.life, address, slot.claim.model, slot.epoch, bound, first)

    def _give(self, call: CallSid, slot: Slot) -> None:
        assert call not in self.slots, "a call holds at most one slot"
        assert slot.hold in NEXT[Hold.FREE]
        self.slots[call] = slot
        self.room.count(slot.life, slot.claim, 1)
        self.holders.forget(call)

    def _free(self, call: CallSid) -> None:
        slot = self.slots.pop(call)
        self.room.count(slot.life, slot.claim, -1)

    def _is_lost(self, one: Listed, life: Life) -> bool:
        slot = self.slots.get(one.call)
        return slot is not None and slot.life != life and slot.epoch > one.epoch

    def _list(self, one: Listed, life: Life) -> bool:
        """Take what a pod lists into the ledger; whether it had to be taken from elsewhere."""
        slot = self.slots.get(one.call)
        hold = Hold.BOUND if one.bound else Hold.LISTED
        if slot is not None and slot.life == life:
            self.room.count(life, slot.claim, -1)
            self.room.count(life, one.claim, 1)
            slot.claim, slot.hold, slot.epoch = one.claim, hold, max(slot.epoch, one.epoch)
            slot.expires_at_ms = 0
            return False
        if slot is not None:
            if slot.epoch >= one.epoch:
                return False
            self._free(one.call)
        self._give(one.call, Slot(life, one.epoch, hold, one.claim))
        return True

    # Pods.

    def _in_order(self) -> list[Life]:
        return sorted(self._pods, key=lambda one: (ordinal(one.pod), one.pod, one.incarnation))

    def _is_open(self, life: Life, now_ms: int, *, draining: bool = False) -> bool:
        """Whether a pod may get calls; `draining`: or could if it did not drain."""
        pod = self._pods[life]
        alive = pod.lease_ends_ms > now_ms and not self._is_replaced(life)
        return alive and (draining or not pod.beat.draining)

    def _is_replaced(self, life: Life) -> bool:
        return self._names.get(life.pod) != life

    def _open_lives(self, now_ms: int, exclude: Sequence[PodName]) -> list[Life]:
        return [
            life
            for life in self._in_order()
            if self._is_open(life, now_ms) and life.pod not in exclude
        ]

    def _newest(self, now_ms: int) -> str | None:
        alive = (life for life in self._in_order() if self._is_open(life, now_ms, draining=True))
        return newest([self._place(life) for life in alive])

    def _refusal(
        self, now_ms: int, exclude: Sequence[PodName], lives: Sequence[Life], free: int
    ) -> FullReason | None:
        if free > 0:
            return None
        if lives:
            return FullReason.CAP
        drains = any(
            self._is_open(life, now_ms, draining=True) and life.pod not in exclude
            for life in self._pods
        )
        return FullReason.DRAINING if drains else FullReason.NO_POD

    def _place(self, life: Life, but: Slot | None = None) -> Place:
        said = self._pods[life].beat
        held = self.room.held(life) - (but is not None and but.life == life)
        return Place(held, said.target, said.cap, said.revision, said.joined_ms)

    def _name(self, life: Life, now_ms: int) -> None:
        """Who has the name: the last life that came, also if an earlier one wakes."""
        self._forget_past(now_ms)
        present = self._names.get(life.pod)
        if present != life and life in self._past:
            return
        if present is not None and present != life:
            self._past[present] = now_ms + PAST_MS
        self._past.pop(life, None)
        self._names[life.pod] = life

    def _forget_past(self, now_ms: int) -> None:
        over = sorted(
            (until, one.pod, one.incarnation)
            for one, until in self._past.items()
            if until <= now_ms
        )
        for _, pod, incarnation in over[:REAP_MAX]:
            life = Life(pod, incarnation)
            del self._past[life]
            if self._names.get(pod) == life:
                del self._names[pod]

    def _remove(self, life: Life, now_ms: int) -> None:
        del self._pods[life]
        self._past[life] = now_ms + PAST_MS

    # Reclaiming.

    def _is_gone(self, life: Life, now_ms: int) -> bool:
        """Whether its slots are to be reclaimed: after an outage too, if the name is another's."""
        over = self._pods[life].lease_ends_ms <= now_ms
        return over and (now_ms >= self._settles_ms or self._is_replaced(life))

    def _begin(self, now_ms: int) -> None:
        if self._asked_ms is None or abs(now_ms - self._asked_ms) > QUIET_MS_MAX:
            self._settles_ms = now_ms + LEASE_MS
        self._asked_ms = now_ms
        self.holders.forget_absent(now_ms)
        left = REAP_MAX
        if now_ms >= self._settles_ms:
            left -= self._free_some(self._expired(now_ms), left)
        for life in self._over(now_ms):
            if self._is_gone(life, now_ms):
                calls = sorted(call for call, slot in self.slots.items() if slot.life == life)
                freed = self._free_some(calls, left)
                if freed == len(calls):
                    self._remove(life, now_ms)
                left -= freed

    def _expired(self, now_ms: int) -> list[CallSid]:
        over = [
            (slot.expires_at_ms, call)
            for call, slot in self.slots.items()
            if slot.hold is Hold.RESERVED and slot.expires_at_ms <= now_ms
        ]
        return [call for _, call in sorted(over)]

    def _over(self, now_ms: int) -> list[Life]:
        over = [
            (pod.lease_ends_ms, life.pod, life.incarnation)
            for life, pod in self._pods.items()
            if pod.lease_ends_ms <= now_ms
        ]
        return [Life(pod, incarnation) for _, pod, incarnation in sorted(over)]

    def _free_some(self, calls: Sequence[CallSid], most: int) -> int:
        """Free the first of them, and say how many."""
        for call in calls[:most]:
            self._free(call)
        return len(calls[:most])
