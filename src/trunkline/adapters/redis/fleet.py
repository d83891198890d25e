"""The fleet's slots in Redis: each step is one script, one round trip."""

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from trunkline.adapters.redis.connect import store_errors
from trunkline.adapters.redis.keys import FLEET_KEYS
from trunkline.adapters.redis.resume import Resuming
from trunkline.adapters.redis.scripts import NowMs, fleet_args, script
from trunkline.core.facts import Direction
from trunkline.core.fleet_places import ordinal
from trunkline.core.fleet_room import kin_of
from trunkline.core.fleet_states import (
    Beat,
    Claim,
    Fleet,
    Heard,
    Life,
    Placed,
    PodSeen,
    Target,
)
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.slots import INBOUND_HOLD_S, NOBODYS, Bounds, Full, FullReason, ModelLimit
from trunkline.ports import ResumeRefused, Resumption


class RedisFleet:
    """`ports.Slots` and `ports.Roster` in Valkey or Redis.

    `now_ms` is for tests that let time pass without waiting; else it is the store's.
    """

    def __init__(self, client: Redis, now_ms: NowMs | None = None) -> None:
        self._now_ms = now_ms
        self._reserve = script(client, "fleet", "reserve_slot")
        self._release = script(client, "fleet", "release_slot")
        self._beat = script(client, "fleet", "beat")
        self._leave = script(client, "fleet", "leave")
        self._look = script(client, "fleet", "look")
        self._resume = Resuming(client, now_ms)

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
        kin = kin_of(bounds, models)
        args = fleet_args(self._now_ms)
        args += [call, int(hold_s * 1000), direction, int(holding)]
        args += [bounds.version, bounds.tenant, bounds.vertical]
        args += [_most(bounds.vertical_calls_max), _most(bounds.tenant_calls_max)]
        args += [_most(bounds.outbound_calls_max), bounds.inbound_slots_kept]
        args += [_json((kin.vertical, kin.tenant, kin.models)), _json(tuple(exclude))]
        for limit in models or ():
            args += [limit.model, _most(limit.calls_max)]
        async with store_errors():
            answer, *found = await self._reserve(keys=FLEET_KEYS, args=args)
        if answer == b"full":
            return Full(FullReason(found[0].decode()), found[1])
        pod, incarnation, address, model, epoch = (field.decode() for field in found[:5])
        return Placed(
            call=call,
            life=Life(PodName(pod), Incarnation(incarnation)),
            address=address,
            model=model,
            epoch=Epoch(int(epoch)),
            bound=bool(found[5]),
            first=bool(found[6]),
        )

    async def resume(
        self, call: CallSid, epoch: Epoch, target: Target, claim: Claim
    ) -> Resumption | ResumeRefused | Full:
        """The journal's compare-and-set from `epoch`, and the call's slot moved with it."""
        return await self._resume.run(call, epoch, target, claim)

    async def release(self, call: CallSid, life: Life, epoch: Epoch) -> bool:
        """The call is over there: whether its slot was there, under no later epoch."""
        args = [*fleet_args(self._now_ms), call, life.pod, life.incarnation, epoch]
        async with store_errors():
            return bool(await self._release(keys=FLEET_KEYS, args=args))

    async def beat(self, said: Beat) -> Heard:
        """A pod lives, and holds these slots and no others: the ledger follows it."""
        life = said.life
        assert not set(" \n") & {*life.pod, *life.incarnation}, "the scripts join them with a space"
        args = fleet_args(self._now_ms)
        args += [life.pod, life.incarnation, said.address, said.revision, said.target, said.cap]
        args += [int(said.draining), said.joined_ms, ordinal(life.pod)]
        for slot in said.slots:
            claim = slot.claim
            args += [slot.call, slot.epoch, int(slot.bound)]
            args += [claim.direction, claim.tenant, claim.vertical, claim.model]
        async with store_errors():
            now_ms, joined_ms, *found = await self._beat(keys=FLEET_KEYS, args=args)
        retaken, held, replaced, pods, holders, *lost = found
        return Heard(
            now_ms=int(now_ms),
            joined_ms=int(joined_ms),
            retaken=retaken,
            lost=tuple(CallSid(call.decode()) for call in lost),
            held=held,
            replaced=bool(replaced),
            pods=pods,
            holders=holders,
        )

    async def leave(self, life: Life) -> None:
        """The pod has ended: whatever it held is free."""
        args = [*fleet_args(self._now_ms), life.pod, life.incarnation]
        async with store_errors():
            await self._leave(keys=FLEET_KEYS, args=args)

    async def look(self) -> Fleet:
        """The fleet as it is."""
        async with store_errors():
            found = await self._look(keys=FLEET_KEYS, args=fleet_args(self._now_ms))
        now_ms, holders, inbound, outbound, *fields = found
        rows = [fields[at : at + POD_FIELDS] for at in range(0, len(fields), POD_FIELDS)]
        pods = tuple(_pod_seen(*row) for row in rows)
        return Fleet(int(now_ms), pods, holders, inbound, outbound)


POD_FIELDS = 11
"""Of each pod in the answer of `look.lua`."""


def _pod_seen(
    pod: bytes,
    incarnation: bytes,
    address: bytes,
    revision: bytes,
    *numbers: int | bytes,
) -> PodSeen:
    target, cap, draining, replaced, joined_ms, lease_left_ms, held = (int(one) for one in numbers)
    return PodSeen(
        life=Life(PodName(pod.decode()), Incarnation(incarnation.decode())),
        address=address.decode(),
        revision=revision.decode(),
        target=target,
        cap=cap,
        draining=bool(draining),
        replaced=bool(replaced),
        joined_ms=joined_ms,
        lease_left_ms=lease_left_ms,
        held=held,
    )


def _most(limit: int | None) -> str | int:
    return "-" if limit is None else limit


def _json(what: object) -> str:
    return msgspec.json.encode(what).decode()
