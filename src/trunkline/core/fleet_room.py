"""What the fleet's calls count with, and how many more may: verticals, tenants, models, directions.

The limits come with each reservation, as for `core.slots.PodSlots`: of what was told of one of
them the newest version counts.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from trunkline.core.facts import Direction
from trunkline.core.fleet_states import Claim, Life
from trunkline.core.slots import Bounds, FullReason, ModelLimit


@dataclass(frozen=True, slots=True)
class Kin:
    """Calls that the same limits bind; `models` None: no model binds them."""

    vertical: str = ""
    tenant: str = ""
    models: tuple[str, ...] | None = None


def kin_of(bounds: Bounds, models: Sequence[ModelLimit] | None) -> Kin:
    """Whose kin a call is."""
    names = None if models is None else tuple(limit.model for limit in models)
    return Kin(bounds.vertical, bounds.tenant, names)


@dataclass(frozen=True, slots=True)
class _Limit:
    version: int
    calls_max: int | None = None
    outbound_calls_max: int | None = None


@dataclass(slots=True)
class Room:
    """Counts of slots, and the limits. Keys are a letter and a name: `t:` a tenant, and so on."""

    counts: Counter[str] = field(default_factory=Counter)
    _limits: dict[str, _Limit] = field(default_factory=dict)

    def count(self, life: Life, claim: Claim, by: int) -> None:
        """A slot more, or less."""
        keys = [f"p:{life.pod} {life.incarnation}", f"d:{claim.direction}"]
        keys += [f"v:{claim.vertical}"] if claim.vertical else []
        keys += [f"m:{claim.model}"] if claim.model else []
        if claim.tenant:
            keys.append(f"t:{claim.tenant}")
            if claim.direction == "outbound":
                keys.append(f"o:{claim.tenant}")
        for key in keys:
            self.counts[key] += by
            assert self.counts[key] >= 0
            if not self.counts[key]:
                del self.counts[key]

    def held(self, life: Life) -> int:
        """Slots of one life of a pod."""
        return self.counts[f"p:{life.pod} {life.incarnation}"]

    def learn(self, bounds: Bounds, models: Sequence[ModelLimit] | None) -> None:
        """The newest version's limits count; of one version, the last told."""
        told = {
            f"m:{limit.model}": _Limit(bounds.version, limit.calls_max) for limit in models or ()
        }
        told["inbound"] = _Limit(bounds.version, bounds.inbound_slots_kept)
        if bounds.vertical:
            told[f"v:{bounds.vertical}"] = _Limit(bounds.version, bounds.vertical_calls_max)
        if bounds.tenant:
            told[f"t:{bounds.tenant}"] = _Limit(
                bounds.version, bounds.tenant_calls_max, bounds.outbound_calls_max
            )
        for key, limit in told.items():
            if key not in self._limits or limit.version >= self._limits[key].version:
                self._limits[key] = limit

    @property
    def inbound_kept(self) -> int:
        """Free slots that placed calls leave alone."""
        limit = self._limits.get("inbound")
        return 0 if limit is None else limit.calls_max or 0

    def with_room(self, models: Sequence[str]) -> str | None:
        """The first model whose key is not at its limit."""
        return next((model for model in models if self.left(f"m:{model}") > 0), None)

    def left(self, key: str) -> float:
        """How many more calls a vertical, tenant or model may have; below 0 after a retake."""
        limit = self._limits.get(key)
        most = None if limit is None else limit.calls_max
        return math.inf if most is None else most - self.counts[key]

    def left_of_models(self, kin: Kin) -> float:
        """How many more calls all models together that would do may have."""
        if kin.models is None:
            return math.inf
        return sum(max(0, self.left(f"m:{model}")) for model in kin.models)

    def left_of(self, kin: Kin) -> float:
        """How many more calls of one kin there may be."""
        left = self.left_of_models(kin)
        if kin.vertical:
            left = min(left, self.left(f"v:{kin.vertical}"))
        if kin.tenant:
            left = min(left, self.left(f"t:{kin.tenant}"))
        return max(0, left)

    def refusal(self, direction: Direction, kin: Kin) -> FullReason | None:
        """The widest limit that this call would exceed."""
        if self.left_of_models(kin) <= 0:
            return FullReason.MODEL_FULL
        if kin.vertical and self.left(f"v:{kin.vertical}") <= 0:
            return FullReason.VERTICAL_FULL
        if not kin.tenant:
            return None
        if self.left(f"t:{kin.tenant}") <= 0:
            return FullReason.TENANT_FULL
        most = self._limits[f"t:{kin.tenant}"].outbound_calls_max
        if direction == "outbound" and most is not None and self.counts[f"o:{kin.tenant}"] >= most:
            return FullReason.OUTBOUND_FULL
        return None
