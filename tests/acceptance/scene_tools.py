"""Tools of the scene's agents."""

import asyncio


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
