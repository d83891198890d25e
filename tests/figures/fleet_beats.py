"""Twenty pods that beat, in a process of their own: `python -m figures.fleet_beats URL`.

Runs until its standard input ends.
"""

import asyncio
import sys
from typing import Final

from contract.fleets import Bench, Clock, Pod, life, sid
from trunkline.adapters.redis.connect import connect
from trunkline.adapters.redis.fleet import RedisFleet
from trunkline.adapters.redis.journal import RedisJournal
from trunkline.core.fleet_states import BEAT_MS, Claim, Listed
from trunkline.core.ids import Epoch
from trunkline.core.slots import Bounds

PODS: Final = 20
CALLS: Final = 1000
TENANTS: Final = 40


def bounds(number: int) -> Bounds:
    """Whose a call is: forty tenants of five verticals."""
    tenant = number % TENANTS
    return Bounds(1, f"tenant-{tenant}", f"vertical-{tenant % 5}", 5000, 500, 50, 10)


async def _beating(pod: Pod, first_s: float) -> None:
    await asyncio.sleep(first_s)
    while True:
        await pod.beat()
        await asyncio.sleep(BEAT_MS / 1000)


async def main(url: str) -> None:
    """Join, say so, and beat."""
    async with connect(url) as client:
        bench = Bench(Clock(), RedisFleet(client), RedisJournal(client), client)
        pods = [Pod(bench, life(number), target=60, cap=80) for number in range(PODS)]
        for number in range(CALLS):
            of = bounds(number)
            claim = Claim("inbound", of.tenant, of.vertical, "first")
            slot = Listed(sid(number), Epoch(1), bound=True, claim=claim)
            pods[number % PODS].slots[sid(number)] = slot
        for pod in pods:
            await pod.beat()
        sys.stdout.write("joined\n")
        sys.stdout.flush()
        async with asyncio.TaskGroup() as tasks:
            beating = [
                tasks.create_task(_beating(pod, at * BEAT_MS / 1000 / PODS))
                for at, pod in enumerate(pods)
            ]
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            for task in beating:
                task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
