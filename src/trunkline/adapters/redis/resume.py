"""A resume in Redis: the journal's compare-and-set and the slot's move are one script."""

from typing import Final

import msgspec
from redis.asyncio import Redis

from trunkline.adapters.redis.connect import store_errors
from trunkline.adapters.redis.keys import FLEET_KEYS, call_key, facts_key
from trunkline.adapters.redis.scripts import NowMs, fleet_args, script
from trunkline.core.fleet_states import Claim, Life, Target
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName
from trunkline.core.record import Head
from trunkline.core.slots import Full, FullReason
from trunkline.ports import ResumeRefused, Resumption

JOURNAL_TTL_MS: Final = 24 * 3600 * 1000
"""How long a live call's journal outlives its last fact: longer than any call may last."""

RESUME_WINDOW_MS: Final = 15_000
"""How long a repeated resume gets the same answer."""


class Resuming:
    """The script, for the journal and the fleet alike."""

    def __init__(self, client: Redis, now_ms: NowMs | None) -> None:
        self._now_ms = now_ms
        self._script = script(client, "fleet", "resume_call")

    async def run(
        self, call: CallSid, epoch: Epoch, target: Target, claim: Claim
    ) -> Resumption | ResumeRefused | Full:
        """One round trip; `StoreError` as the ports say."""
        life = target.life
        pod, incarnation = ("", "") if life is None else (life.pod, life.incarnation)
        args = fleet_args(self._now_ms)
        args += [epoch, JOURNAL_TTL_MS, RESUME_WINDOW_MS, pod, incarnation]
        args += [msgspec.json.encode(target.exclude).decode(), int(target.newest)]
        args += [claim.direction, claim.tenant, claim.vertical, claim.model, call]
        args += [target.asked_from or 0, int(target.closes)]
        keys = [*FLEET_KEYS, call_key(call), facts_key(call)]
        async with store_errors():
            answer, *found = await self._script(keys=keys, args=args)
        fields = [field.decode() for field in found]
        if answer == b"full":
            return Full(FullReason(fields[0]))
        if answer not in {b"resumed", b"repeated"}:
            return ResumeRefused(answer.decode())
        given, seq, head, opened_at_ms, now_ms, held_by, life_of_it, address = fields
        return Resumption(
            epoch=Epoch(int(given)),
            head=Head(int(seq), head),
            opened_at_ms=int(opened_at_ms),
            now_ms=int(now_ms),
            first=answer == b"resumed",
            life=Life(PodName(held_by), Incarnation(life_of_it)),
            address=address,
        )
