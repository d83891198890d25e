"""The twin of the fleet in Redis: the specification itself, beside the journal's twin."""

from collections.abc import Sequence

from trunkline.adapters.memory.journal import MemoryJournal
from trunkline.core.facts import Direction
from trunkline.core.fleet_states import Beat, Claim, Fleet, Heard, Life, Placed, Target
from trunkline.core.ids import CallSid, Epoch, PodName
from trunkline.core.slots import INBOUND_HOLD_S, NOBODYS, Bounds, Full, ModelLimit
from trunkline.ports import ResumeRefused, Resumption


class MemoryFleet:
    """`ports.Slots` and `ports.Roster` in memory, in one store with the journal: its clock's."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal

    async def reserve(
        self,
        call: CallSid,
        hold_s: float = INBOUND_HOLD_S,
        *,
        direction: Direction = "inbound",
        bounds: Bounds = NOBODYS,
        models: Sequence[ModelLimit] | None = None,
        exclude: Sequence[PodName] = (),
        holding: bool = False,
    ) -> Placed | Full:
        """A slot on some pod, or why there is none."""
        return self._journal.fleet.reserve(
            call,
            self._journal.clock(),
            hold_s,
            direction=direction,
            bounds=bounds,
            models=models,
            exclude=exclude,
            holding=holding,
        )

    async def resume(
        self, call: CallSid, epoch: Epoch, target: Target, claim: Claim
    ) -> Resumption | ResumeRefused | Full:
        """The journal's compare-and-set from `epoch`, and the call's slot moved with it."""
        return self._journal.resume(call, epoch, target, claim)

    async def release(self, call: CallSid, life: Life, epoch: Epoch) -> bool:
        """The call is over there: whether its slot was there, under no later epoch."""
        return self._journal.fleet.release(call, life, epoch)

    async def beat(self, said: Beat) -> Heard:
        """A pod lives, and holds these slots and no others: the ledger follows it."""
        return self._journal.fleet.beat(said, self._journal.clock())

    async def leave(self, life: Life) -> None:
        """The pod has ended: whatever it held is free."""
        self._journal.fleet.leave(life, self._journal.clock())

    async def look(self) -> Fleet:
        """The fleet as it is."""
        return self._journal.fleet.look(self._journal.clock())
