"""Takes ended calls out of Redis at once."""

from collections.abc import Sequence

from redis.asyncio import Redis

from trunkline.adapters.redis.connect import store_errors
from trunkline.adapters.redis.keys import call_key, facts_key
from trunkline.adapters.redis.scripts import script
from trunkline.core.ids import CallSid


class RedisJournalEraser:
    """`ports.JournalEraser` in Valkey or Redis."""

    def __init__(self, client: Redis) -> None:
        self._erase = script(client, "erase_call")

    async def erase_journals(self, calls: Sequence[CallSid]) -> int:
        """Delete the journals of those that have ended or are unknown; how many there were."""
        erased = 0
        for call in calls:
            async with store_errors():
                erased += await self._erase(keys=[call_key(call), facts_key(call)], args=[])
        return erased
