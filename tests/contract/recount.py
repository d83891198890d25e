"""The fleet's slots as Redis keeps them, and what their counts should be."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from redis.asyncio import Redis

from trunkline.adapters.redis.keys import FLEET_KEYS
from trunkline.core.fleet import Slot
from trunkline.core.fleet_states import Claim, Hold, Life
from trunkline.core.ids import CallSid, Epoch, Incarnation, PodName

SLOTS, BY_POD, EXPIRING, COUNTS = (FLEET_KEYS[at] for at in (0, 1, 2, 6))


@dataclass(frozen=True)
class Stored:
    slots: dict[CallSid, Slot]
    counts: dict[str, int]


def decoded(text: object) -> str:
    assert isinstance(text, bytes), "the client decodes nothing"
    return text.decode()


async def texts(client: Redis, key: str) -> set[str]:
    """The members of a sorted set."""
    return {decoded(member) for member in await client.zrange(key, 0, -1)}


async def fields(client: Redis, key: str) -> dict[str, str]:
    """A hash."""
    found = await client.hgetall(key)
    return {decoded(name): decoded(text) for name, text in found.items()}


async def stored(client: Redis) -> Stored:
    """What Redis keeps; its lists of slots agree with each other."""
    slots: dict[CallSid, Slot] = {}
    expiring = {
        call: int(await client.zscore(EXPIRING, call) or 0)
        for call in await texts(client, EXPIRING)
    }
    for call, text in (await fields(client, SLOTS)).items():
        kept = msgspec.json.decode(text, type=dict[str, str])
        pod, incarnation = kept["life"].split(" ")
        slots[CallSid(call)] = Slot(
            Life(PodName(pod), Incarnation(incarnation)),
            Epoch(int(kept["epoch"])),
            Hold(kept["hold"]),
            Claim(
                "outbound" if kept["direction"] == "outbound" else "inbound",
                kept["tenant"],
                kept["vertical"],
                kept["model"],
            ),
            expiring.pop(call, 0),
        )
    assert not expiring
    assert await texts(client, BY_POD) == {
        f"{slot.life.pod} {slot.life.incarnation} {call}" for call, slot in slots.items()
    }
    counts = {key: int(held) for key, held in (await fields(client, COUNTS)).items()}
    return Stored(slots, counts)


def recounted(slots: Mapping[CallSid, Slot]) -> dict[str, int]:
    """How many slots count with each pod, direction, vertical, tenant and model."""
    counts: Counter[str] = Counter()
    for slot in slots.values():
        claim = slot.claim
        counts[f"p:{slot.life.pod} {slot.life.incarnation}"] += 1
        counts[f"d:{claim.direction}"] += 1
        counts[f"v:{claim.vertical}"] += bool(claim.vertical)
        counts[f"m:{claim.model}"] += bool(claim.model)
        counts[f"t:{claim.tenant}"] += bool(claim.tenant)
        counts[f"o:{claim.tenant}"] += bool(claim.tenant) and claim.direction == "outbound"
    return {key: count for key, count in counts.items() if count}
