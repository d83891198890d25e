"""The demo's tools: what a clinic's calendar and a shop's stock would answer."""

import asyncio


async def find_appointments(**_arguments: str) -> dict[str, list[str]]:
    """Free times."""
    return {"free": ["tomorrow at ten"]}


async def book_appointment(**_arguments: str) -> dict[str, str]:
    """Books a free time."""
    return {"booked": "tomorrow at ten"}


async def check_stock(**_arguments: str) -> dict[str, bool]:
    """Slow, so that the caller hears a filler."""
    await asyncio.sleep(1.5)
    return {"in_stock": True}


async def find_prices(**_arguments: str) -> dict[str, str]:
    """What things cost."""
    return {"price": "ninety dollars"}
