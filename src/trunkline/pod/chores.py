"""What a pod does beside its calls: a bug in it is logged, and ends no call."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from trunkline.telemetry.logs import Log, LogName

RETRY_S: Final = 1.0
"""Wait before a chore that a bug has ended is begun again."""

CANCEL_AGAIN_S: Final = 0.25
"""A chore that has not ended by then is cancelled again."""

Work = Callable[[], Awaitable[None]]


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel them until all have ended.

    Once is not enough: what waits for a store may lose a cancellation that comes with its answer
    (`asyncio.wait_for` of Python 3.11, which libraries use).
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


async def once(name: str, work: Work, log: Log) -> bool:
    """Do it; whether it came to its end."""
    try:
        await work()
    except Exception as bug:  # noqa: BLE001 - the root of a chore: no call ends for it
        log.failure(LogName.CHORE_BROKE, bug, detail=name)
        return False
    return True


async def keep_up(name: str, work: Work, log: Log, retry_s: float = RETRY_S) -> None:
    """Do it, again after each bug, until it comes to its end or is cancelled."""
    while True:
        if await once(name, work, log):
            return
        await asyncio.sleep(retry_s)
