"""What must always hold, looked at while the world runs and when it has come to rest.

The numbers are those of the design's promises. What is broken is a `Broken`, once for each call
and promise; the first one ends the world.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from trunkline.call.plan import Limits
from trunkline.core import verify
from trunkline.core.facts import Outcome
from trunkline.core.fleet_states import LEASE_MS, Hold, Life
from trunkline.pod.media_words import SILENCE_S_MAX
from trunkline.pod.orphans import POD_LOST
from trunkline.sim.turns import Turn
from trunkline.world.broken import Broken
from trunkline.world.carrier import WorldCall, WorldCarrier
from trunkline.world.model import WorldModel
from trunkline.world.pods import WorldPod
from trunkline.world.stores import WorldStores

SOUND_S: Final = 2.0
"""Promise 3: a connected caller hears something this soon, beyond the carrier's own delay."""

DELAY_S: Final = 1.3
"""The carrier's delay and the model's: both ways of a stream, a frame of 200 ms each way, and the
half second of silence that ends a turn."""

LEAK_S: Final = 15.0
"""Promise 2: a slot is free this long after its call's end, or its pod's death."""

RESERVED_S: Final = 8.0
"""A slot without a stream expires by its own time: so long after a call's end its webhook may yet
have been answered."""

DARK_S: Final = 2 * SILENCE_S_MAX + Limits().stream_wait_s_max
"""A pod whom nobody tells finds out by a stream's silence, and then waits for the next one."""

BACKLOG_MAX: Final = 20_000
"""Promise 9: facts that one pod keeps."""


@dataclass
class Promises:
    """Watches one world."""

    stores: WorldStores
    carrier: WorldCarrier
    model: WorldModel
    pods: Sequence[WorldPod]
    """All lives there ever were."""
    cap: int
    over_s: dict[str, float] = field(default_factory=dict)
    """Since when something is so that may be so for a while only."""
    calm_since: float = 0.0
    """When a store last came back, or a pod last woke."""
    stores_were_away: bool = False

    def disturbed(self, now: float) -> None:
        """What could not be freed meanwhile has its time from now on."""
        self.calm_since = now

    def look(self, now: float) -> Iterator[Broken]:
        """After a step."""
        yield from self._caps()
        yield from self._leaks(now)
        yield from self._sessions()
        for pod in self.pods:
            if pod.ready and pod.recorder.backlog() > BACKLOG_MAX:
                yield Broken(9, f"{pod.name} keeps {pod.recorder.backlog()} facts")

    def _caps(self) -> Iterator[Broken]:
        """No pod above its cap, but by what it retook or took over."""
        held: dict[Life, int] = {}
        for slot in self.stores.journal.fleet.slots.values():
            held[slot.life] = held.get(slot.life, 0) + 1
        for life, count in held.items():
            if count > self.cap and not self._may_be_over(life.pod):
                yield Broken(1, f"{life.pod} has {count} slots of {self.cap}")
        for pod in self.pods:
            if not pod.place.dead and pod.slots.held > self.cap and not self._may_be_over(pod.name):
                yield Broken(1, f"{pod.name} holds {pod.slots.held} of {self.cap}")

    def _may_be_over(self, name: str) -> bool:
        """It retook slots, which may exceed the cap; or the store was away, and only it counted."""
        return self.stores_were_away or any(
            pod.fleet.retaken for pod in self.pods if pod.name == name
        )

    def _leaks(self, now: float) -> Iterator[Broken]:
        """A slot of a call that is over, or of a life that is dead."""
        leaking: dict[str, float] = {}
        lives = {pod.life: pod for pod in self.pods}
        for call, slot in self.stores.journal.fleet.slots.items():
            pod = lives.get(slot.life)
            known = self.carrier.calls.get(call)
            over = known is None or known.call.leg.is_over
            if over or pod is None or pod.place.dead or pod.ended:
                name = f"{slot.hold} slot {call} of {slot.life.pod}/{slot.life.incarnation}"
                leaking[name] = LEAK_S
                if slot.hold is not Hold.BOUND:
                    leaking[name] += RESERVED_S
                if known is not None and known.went_dark:
                    leaking[name] += DARK_S
        for gone in [name for name in self.over_s if name not in leaking]:
            del self.over_s[gone]
        for name, most_s in leaking.items():
            since = max(self.over_s.setdefault(name, now), self.calm_since)
            if now - since > most_s + LEASE_MS / 1000 * (self.calm_since > 0):
                yield Broken(2, f"{name} leaks since {since:.1f}")

    def _sessions(self) -> Iterator[Broken]:
        """A session serves one call."""
        for name in self.model.shared:
            yield Broken(5, f"session {name} served more than one call")

    # A call that is over.

    def judge(self, call: WorldCall) -> Iterator[Broken]:
        """What its caller heard, and when."""
        if call.has_forged_ticket and call.carried:
            yield Broken(6, f"{call.sid} was carried with a forged ticket")
        turns, end = call.call.person.turns(), call.call.leg.ended_at
        assert end is not None
        for place, turn in enumerate(turns):
            until = turns[place + 1].began_at if place + 1 < len(turns) else end
            if (late_s := self._silence(call, turn, until)) is not None:
                yield Broken(3, f"{call.sid} {turn.kind} at {turn.ended_at:.2f}: {late_s:.2f} s")

    def _silence(self, call: WorldCall, turn: Turn, until: float) -> float | None:
        """How long the caller heard nothing, if it was too long."""
        begin = turn.ended_at
        if begin is None or turn.interrupted:
            return None
        if turn.kind == "greeting":
            begin = call.call.streams.first_start_at
            if begin is None:
                return None
        heard = until if turn.reply_at is None else min(turn.reply_at, until)
        late_s = heard - begin
        if late_s <= SOUND_S + DELAY_S:
            return None
        if any(span.begin < heard and span.end > begin for span in call.excused):
            return None
        return late_s

    # At rest.

    async def settle(self, now: float) -> list[Broken]:
        """The world is at rest: nothing may be left of any call, and each record is whole."""
        broken = list(self.look(now))
        for pod in self.pods:
            if pod.place.dead or pod.ended:
                continue
            left = {
                "calls": len(pod.calls.all()),
                "slots": pod.slots.held,
                "lent sessions": pod.door.statistics()["lent"],
                "facts": pod.recorder.backlog(),
                "rescues": len(pod.reception.rescue),
            }
            broken += [
                Broken(2, f"{pod.place.name} has {count} {what} left")
                for what, count in left.items()
                if count
            ]
        broken += [Broken(2, f"slot of {call} left") for call in self.stores.journal.fleet.slots]
        for call in self.carrier.calls.values():
            broken += [found async for found in self._record(call)]
        return broken

    async def _record(self, call: WorldCall) -> AsyncIterator[Broken]:
        book = self.stores.book
        row = await book.call(call.sid)
        if row is None:
            if call.carried:
                yield Broken(4, f"{call.sid} is missing in the log")
            return
        entries, aside = await book.entries(call.sid), await book.aside(call.sid)
        checked = verify.check(call.sid, asdict(row), entries, aside)
        for finding in checked.findings:
            yield Broken(4, f"{call.sid} {finding.kind} {finding.detail}")
        if row.outcome is None:
            yield Broken(4, f"{call.sid} has no outcome")
        if row.reason == "bug":
            yield Broken(4, f"{call.sid} ended by a bug")
        if row.reason == POD_LOST and call.call.leg.ended_by == "agent":
            yield Broken(4, f"{call.sid} lost its pod and was hung up by another")
        if row.outcome == Outcome.ABANDONED and row.answered_at_ms is not None:
            yield Broken(4, f"{call.sid} was answered, and the log says it never was")
        if row.outcome == Outcome.CALLER_ENDED and call.call.leg.ended_by == "agent":
            yield Broken(4, f"{call.sid} was hung up by us, and the log says its caller did")
