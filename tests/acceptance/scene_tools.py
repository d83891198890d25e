"""Tools of the scene's agents."""

import asyncio
from typing import Final

from trunkline.core.ids import CallSid
from trunkline.pod.tools.python import CURRENT_RUN

_waiting: Final[dict[CallSid, asyncio.Future[None]]] = {}


async def find_appointments(**_arguments: str) -> dict[str, list[str]]:
    """Free times."""
    return {"free": ["tomorrow at ten"]}


def book_appointment(**_arguments: str) -> str:
    """Runs in a thread, as plain functions do."""
    return "booked"


async def check_stock(**_arguments: str) -> str:
    """Takes so long that a filler is due."""
    await asyncio.sleep(1.0)
    return "in stock"


def find_prices(**_arguments: str) -> str:
    """Always the same."""
    return "ninety dollars"


def find_order(**_arguments: str) -> str:
    """Always fails, with words that nobody shall read."""
    raise RuntimeError("the order book is on fire")


async def meet(**_arguments: str) -> str:
    """Returns only if another tool of the same call runs at the same time."""
    call = CURRENT_RUN.get().call
    if (first := _waiting.pop(call, None)) is not None:
        first.set_result(None)
    else:
        _waiting[call] = asyncio.get_running_loop().create_future()
        await _waiting[call]
    return "met"
